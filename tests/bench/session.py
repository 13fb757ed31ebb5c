# -*- test-case-name: tests.bench.test_smoke -*-
"""One run of the benchmark: rounds of all cases over all routes, and what came of it.

Within a round each case meets the three routes one after the other, so that what else the machine
does touches them alike; with every round the routes change places.
"""

import gc
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.cases import CASES, Route, Sizes, left_open
from tests.bench.gauge import on_separate_cores, raise_descriptors
from tests.bench.inside import Readings, measure
from tests.bench.programs import Program, start_service, start_splice, start_upstream

SERVICE: Final = "kiro2api"
SPLICE: Final = "pass-through"
DIRECT: Final = "direct"
INSIDE: Final = "inside"
CHOICES: Final = (*CASES, INSIDE)


@dataclass(frozen=True)
class Reading:
    """One number of one round."""

    round: int
    case: str
    route: str
    name: str
    value: float


@dataclass
class Outcome:
    """Everything that a run found. ``cores``: what ran where."""

    rounds: int
    cores: str = ""
    readings: list[Reading] = field(default_factory=list)
    inside: list[Readings] = field(default_factory=list)
    answers: int = 0
    events: int = 0
    defects: list[str] = field(default_factory=list)


def hold(
    sizes: Sizes,
    *,
    rounds: int,
    only: Collection[str] = CHOICES,
    pin: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run it; raises ``programs.Broken`` if a program does not start."""
    outcome = Outcome(rounds)
    raise_descriptors()
    with on_separate_cores(pin) as cores:
        proxy, ours, upstream = cores
        if proxy is None:
            outcome.cores = "not pinned to cores"
        else:
            outcome.cores = f"proxies on core {proxy}, load on {ours}, upstream on {upstream}"
        say(outcome.cores)
        for number in range(rounds):
            if set(CASES) & set(only):
                _round(outcome, number, sizes, only, (proxy, upstream), say)
            if INSIDE in only:
                say(f"round {number + 1}/{rounds}: {INSIDE}")
                outcome.inside.append(measure(sizes))
    return outcome


def _round(
    outcome: Outcome,
    number: int,
    sizes: Sizes,
    only: Collection[str],
    cores: tuple[int | None, int | None],
    say: Callable[[str], None],
) -> None:
    """All cases once, with processes of their own."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="kiro2api-bench-")))

        def kept(program: Program) -> Program:
            ending.callback(program.stop)
            programs.append(program)
            return program

        programs: list[Program] = []

        proxy, behind = cores
        upstream = kept(start_upstream(folder, behind)).port
        splice = kept(start_splice(folder, proxy, upstream))
        service = kept(start_service(folder, proxy, upstream))
        routes = [
            Route(SERVICE, service.port, service.pid, upstream, speaks=True),
            Route(SPLICE, splice.port, splice.pid, upstream),
            Route(DIRECT, upstream, None, upstream),
        ]
        shift = number % len(routes)
        for name, case in CASES.items():
            if name not in only:
                continue
            say(f"round {number + 1}/{outcome.rounds}: {name}")
            for route in routes[shift:] + routes[:shift]:
                gc.collect()
                gc.disable()
                try:
                    seen = case(route, sizes)
                except OSError:
                    for program in programs:
                        program.check()
                    raise
                finally:
                    gc.enable()
                outcome.answers += seen.answers
                outcome.events += seen.events
                where = f"{name} over {route.name}, round {number + 1}"
                outcome.defects += [f"{where}: {defect}" for defect in seen.defects]
                if left := left_open(route):
                    outcome.defects.append(f"{where}: {left} answers are left open upstream")
                outcome.readings += [
                    Reading(number, name, route.name, reading, value)
                    for reading, value in seen.readings.items()
                ]
