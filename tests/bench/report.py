# -*- test-case-name: tests.bench.test_smoke -*-
"""An outcome as tables for people and as JSON. Pure but for the description of the machine."""

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.session import DIRECT, SERVICE, SPLICE, Outcome


@dataclass(frozen=True)
class Measure:
    """A row of the first table.

    ``added``: what the route adds to the direct one. ``compared``: a ratio says something.
    """

    case: str
    reading: str
    title: str
    digits: int = 0
    added: bool = False
    compared: bool = True


@dataclass(frozen=True)
class Row:
    """Medians of all rounds; ``ratio`` is the median of the rounds' ratios."""

    measure: str
    kiro2api: float | None
    yardstick: float | None
    direct: float | None
    ratio: float | None
    digits: int


MEASURES: Final = (
    Measure("burst", "events_per_cpu_second", "burst: events per CPU second"),
    Measure("burst", "events_per_second", "burst: events/s by the clock"),
    Measure("burst", "busy", "burst: proxy busy, %", compared=False),
    Measure("paced", "us", "paced: CPU per event, µs", 1),
    Measure("short", "answers_per_second", "short: requests/s"),
    Measure("short", "us", "short: CPU per request, µs"),
    Measure("first", "ms", "time to first token, added ms", 2, added=True),
    Measure("paced", "p50_us", "latency per event, added µs, p50", added=True),
    Measure("paced", "p99_us", "latency per event, added µs, p99", added=True),
    Measure("memory", "kib", "memory per open stream, KiB", 1),
    Measure("nasty", "percent", "nasty content delivered, %", 1),
)


def rows(outcome: Outcome) -> list[Row]:
    """The first table: over the network."""
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for reading in outcome.readings:
        key = reading.case, reading.name, reading.route
        values.setdefault(key, {})[reading.round] = reading.value
    found = []
    for measure in MEASURES:
        ours, theirs, floor = (
            values.get((measure.case, measure.reading, route), {})
            for route in (SERVICE, SPLICE, DIRECT)
        )
        if not ours:
            continue
        if measure.added:
            ours, theirs = _above(ours, floor), _above(theirs, floor)
        both = [number for number in ours if number in theirs and measure.compared]
        pairs = [(ours[number], theirs[number]) for number in both]
        ratio = _median(mine / other for mine, other in pairs if other > 0)
        found.append(
            Row(
                measure.title,
                _median(ours.values()),
                _median(theirs.values()),
                _median(floor.values()),
                ratio,
                measure.digits,
            )
        )
    return found


def inside_rows(outcome: Outcome) -> list[Row]:
    """The second table: inside one process."""
    found = []
    for name in outcome.inside[0] if outcome.inside else ():
        pairs = [readings[name] for readings in outcome.inside]
        yardsticks = [other for _, other in pairs if other is not None]
        ratio = _median(mine / other for mine, other in pairs if other)
        unit = "ms" if name.startswith("convert") else "µs"
        mine = _median(mine for mine, _ in pairs)
        found.append(Row(f"{name}, {unit}", mine, _median(yardsticks), None, ratio, 2))
    return found


def shown(outcome: Outcome) -> str:
    """The whole report."""
    lines = [f"{machine()}; {outcome.cores}; median of {outcome.rounds} rounds", ""]
    if outcome.readings:
        lines += _table(("over the network", SERVICE, SPLICE, "ratio", DIRECT), rows(outcome))
        lines += [
            "",
            "ratio: kiro2api divided by pass-through, round by round; direct: without a proxy",
            "(for what is added: the whole of it)",
            "",
        ]
    if outcome.inside:
        lines += _table(("inside, CPU time", SERVICE, "json", "ratio"), inside_rows(outcome))
        lines += ["", "json: the same body through Python's json.loads and json.dumps", ""]
    if outcome.answers:
        lines.append(f"checked: {outcome.events:,} events of {outcome.answers:,} answers")
    lines += [f"DEFECT: {defect}" for defect in outcome.defects]
    if outcome.answers and not outcome.defects:
        lines.append("every event arrived once and in order; no answer was left open upstream")
    return "\n".join(lines)


def as_json(outcome: Outcome) -> dict[str, object]:
    """Everything, for programs."""
    return {
        "machine": machine(),
        "cores": outcome.cores,
        "rounds": outcome.rounds,
        "network": [asdict(row) for row in rows(outcome)],
        "inside": [asdict(row) for row in inside_rows(outcome)],
        "readings": [asdict(reading) for reading in outcome.readings],
        "answers": outcome.answers,
        "events": outcome.events,
        "defects": outcome.defects,
    }


def machine() -> str:
    """What this is measured on."""
    model = platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {platform.system()}, {python}"


def _above(route: dict[int, float], floor: dict[int, float]) -> dict[int, float]:
    return {number: value - floor[number] for number, value in route.items() if number in floor}


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None


def _table(head: tuple[str, ...], body: list[Row]) -> list[str]:
    cells = [list(head)]
    for row in body:
        numbers = [row.kiro2api, row.yardstick]
        ratio = _number(row.ratio, 3 if row.ratio is not None and row.ratio < 0.1 else 2)
        line = [row.measure, *(_number(number, row.digits) for number in numbers), ratio]
        if len(head) > len(line):
            line.append(_number(row.direct, row.digits))
        cells.append(line)
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    for line in cells:
        first = line[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        lines.append("  ".join((first, *rest)))
    lines.insert(1, "-" * len(lines[0]))
    return lines


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
