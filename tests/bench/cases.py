# -*- test-case-name: tests.bench.test_smoke -*-
"""The measurements over the network: what load is put on a route, and what is read from it.

Must not know how routes are started nor how numbers are shown.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Final

from tests.bench import checks
from tests.bench.gauge import resident_bytes
from tests.bench.load import Check, Load, Tally
from tests.bench.plan import MARKED, NASTY, Plan, question
from tests.bench.programs import KEY, get

MESSAGES: Final = "/v1/messages"
CHAT: Final = "/v1/chat/completions"
_LEAVE_SECONDS: Final = 5.0
_FOREVER: Final = 900_000


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the defaults are those of a full run. Seconds, and counts."""

    window: float = 3.0
    warm: float = 0.7
    burst_events: int = 1000
    burst_callers: int = 8
    paced_streams: int = 100
    paced_gap: int = 20_000
    short_callers: int = 32
    open_streams: int = 500
    nasty_seeds: int = 5
    nasty_callers: int = 4
    pool_cycles: int = 20_000
    body_turns: int = 20


QUICK: Final = Sizes(window=1.0, warm=0.3, open_streams=200, nasty_seeds=2, body_turns=5)
TINY: Final = Sizes(
    window=0.2,
    warm=0.05,
    burst_events=50,
    burst_callers=2,
    paced_streams=5,
    short_callers=4,
    open_streams=10,
    nasty_seeds=1,
    nasty_callers=2,
    pool_cycles=50,
    body_turns=1,
)


@dataclass(frozen=True)
class Route:
    """A way to the upstream.

    ``pid``: the proxy on it, None if there is none. ``speaks``: it answers in a client's dialect
    instead of passing the upstream's bytes on.
    """

    name: str
    port: int
    pid: int | None
    upstream: int
    speaks: bool = False


@dataclass
class Seen:
    """What a case saw on a route: readings by name, how much was checked, and defects."""

    readings: dict[str, float] = field(default_factory=dict)
    answers: int = 0
    events: int = 0
    defects: list[str] = field(default_factory=list)


def memory(route: Route, sizes: Sizes) -> Seen:
    """RSS growth per answer under way; the clients leave in the middle of them all."""
    seen = Seen()
    if route.pid is None:
        return seen
    # What is loaded or cached at first use is not a stream's.
    warm = _load(route, Plan(MARKED, 5))
    _add(seen, warm.run(4, warm=0.0, window=min(sizes.window, 0.5), again=True))
    before = resident_bytes(route.pid)
    load = _load(route, Plan(MARKED, _FOREVER, 1_000_000))
    load.open(sizes.open_streams)
    deadline = time.monotonic() + 30.0
    while load.begun() < sizes.open_streams and time.monotonic() < deadline:
        load.turn(0.05)
    settled = time.monotonic() + sizes.window / 2
    while time.monotonic() < settled:
        load.turn(0.05)
    begun = load.begun()
    if begun < sizes.open_streams:
        load.tally.blame(f"only {begun} of {sizes.open_streams} answers have begun")
    grown = resident_bytes(route.pid) - before
    for part in load.leave():
        if wrong := checks.begun(part):
            load.tally.blame(wrong)
        load.tally.checked += part.count(b"~")
    _add(seen, load.tally)
    seen.answers += begun
    seen.readings["kib"] = grown / 1024 / sizes.open_streams
    return seen


def first(route: Route, sizes: Sizes) -> Seen:
    """Time to first token of one client that asks again and again."""
    load = _load(route, Plan(MARKED, 4, 2000))
    tally = load.run(1, warm=sizes.warm, window=sizes.window, again=True)
    readings = {"ms": median(tally.firsts) / 1e6} if tally.firsts else {}
    return _add(Seen(readings), tally)


def burst(route: Route, sizes: Sizes) -> Seen:
    """Answers as fast as they can be had."""
    load = _load(route, Plan(MARKED, sizes.burst_events))
    tally = load.run(sizes.burst_callers, warm=sizes.warm, window=sizes.window, again=True)
    readings = {"events_per_second": tally.events / tally.seconds}
    if tally.cpu and tally.events:
        readings["events_per_cpu_second"] = tally.events / tally.cpu
        readings["us"] = tally.cpu / tally.events * 1e6
        readings["busy"] = tally.cpu / tally.seconds * 100
    return _add(Seen(readings), tally)


def paced(route: Route, sizes: Sizes) -> Seen:
    """Many answers at the pace of a model: one event per TCP segment."""
    count = int((sizes.warm + sizes.window) * 1e6 / sizes.paced_gap) + 5
    load = _load(route, Plan(MARKED, count, sizes.paced_gap))
    tally = load.run(sizes.paced_streams, warm=sizes.warm, window=sizes.window, again=False)
    readings = {}
    if tally.cpu and tally.events:
        readings["us"] = tally.cpu / tally.events * 1e6
    if len(tally.latencies) > 1:
        readings["p50_us"] = median(tally.latencies) / 1e3
        readings["p99_us"] = quantiles(tally.latencies, n=100)[98] / 1e3
    return _add(Seen(readings), tally)


def short(route: Route, sizes: Sizes) -> Seen:
    """Answers of five events."""
    load = _load(route, Plan(MARKED, 5))
    tally = load.run(sizes.short_callers, warm=sizes.warm, window=sizes.window, again=True)
    readings = {"answers_per_second": tally.answers / tally.seconds}
    if tally.cpu and tally.answers:
        readings["us"] = tally.cpu / tally.answers * 1e6
    return _add(Seen(readings), tally)


def nasty(route: Route, sizes: Sizes) -> Seen:
    """Content that breaks naive readers, cut anywhere: all of it must arrive."""
    seen = Seen()
    asked = 0
    for seed in range(sizes.nasty_seeds):
        plan = Plan(NASTY, seed=seed)
        loads: list[Load] = []
        if route.speaks:
            for path, read in ((MESSAGES, checks.read_messages), (CHAT, checks.read_chat)):
                loads.append(_load(route, plan, checks.same_text(seed, read), path))
        else:
            loads.append(_load(route, plan, checks.same_bytes(seed)))
        for load in loads:
            tally = load.run(sizes.nasty_callers, warm=0.0, window=0.0, again=False)
            asked += sizes.nasty_callers
            seen.events += tally.whole * checks.texts_of(seed)
            _add(seen, tally)
    seen.readings["percent"] = 100.0 * seen.answers / asked
    return seen


Case = Callable[[Route, Sizes], Seen]

CASES: Final[dict[str, Case]] = {
    # Memory comes first: later, the process has room left over from what it did before.
    "memory": memory,
    "first": first,
    "burst": burst,
    "paced": paced,
    "short": short,
    "nasty": nasty,
}


def left_open(route: Route, patience: float = _LEAVE_SECONDS) -> int:
    """How many answers the upstream still gives though nobody is there to hear them.

    :param patience: seconds in which a proxy must have gone away as well.
    """
    deadline = time.monotonic() + patience
    while True:
        left: int = get(route.upstream, "/streams")["open"]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _load(route: Route, plan: Plan, check: Check | None = None, path: str = MESSAGES) -> Load:
    if check is None:
        end = checks.MESSAGES_END if route.speaks else checks.RAW_END
        check = checks.numbered(plan.count, end)
    return Load(route.port, question(plan, path, KEY), check, route.pid)


def _add(seen: Seen, tally: Tally) -> Seen:
    seen.answers += tally.whole
    seen.events += tally.checked
    seen.defects += tally.defects
    return seen
