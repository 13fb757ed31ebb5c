# -*- test-case-name: tests.test_statistics -*-
"""Every number that an operator is shown, worked out in one place.

The statistics route, the metrics and the console all show what is told here. Pure; must not know
where sums are kept, or who asks.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kiro2api.accounts.status import AccountStatus
from kiro2api.statistics_durations import quantile
from kiro2api.statistics_sums import ACCOUNT, HOUR, KEY, STATUS, Sums, begin_of

PERIODS: Final[Mapping[str, tuple[int, int]]] = {
    "24h": (24, 1),
    "7d": (7 * 24, 1),
    "14d": (14 * 24, 6),
    "30d": (30 * 24, 24),
}
"""By name: how many hours, and how many of them make a point of a chart."""

BREAKDOWNS: Final[Mapping[str, str]] = {
    "model": "upstream_model",
    "account": "account",
    "key": "key_name",
    "group": "group_name",
    "dialect": "dialect",
    "status": "status",
}
"""By what totals are told apart, and how sums call it."""

STATES: Final = ("ready", "cooling", "exhausted", "suspended", "rejected", "disabled")


class Period(msgspec.Struct, frozen=True):
    """From ``start`` to ``end`` in epoch seconds, in steps of ``step`` seconds."""

    name: str
    start: int
    end: float
    step: int


def period_of(name: str, now: float) -> Period:
    """The period that ends now; it begins with a whole hour. Raises KeyError."""
    hours, step = PERIODS[name]
    return Period(name, begin_of(now, HOUR) - (hours - 1) * HOUR, now, step * HOUR)


class StatisticsFilter(msgspec.Struct, frozen=True):
    """Which requests count; empty for all. Not both an account and a key."""

    group: str = ""
    account: str = ""
    key: str = ""
    model: str = ""

    def facets(self) -> Mapping[str, tuple[str, ...]]:
        """Which sums have them, the first of them the totals as well, and what these tell apart."""
        if self.account:
            return {ACCOUNT: ("model", "group", "account")}
        if self.key:
            return {KEY: ("model", "group", "key")}
        return {
            STATUS: ("model", "group", "dialect", "status"),
            ACCOUNT: ("account",),
            KEY: ("key",),
        }


class Found(msgspec.Struct):
    """What was summed up: in all, by the hour (without classes of duration), by names."""

    totals: Sums = msgspec.field(default_factory=Sums)
    series: dict[int, Sums] = {}
    by: dict[str, dict[str, Sums]] = msgspec.field(
        default_factory=lambda: {name: {} for name in BREAKDOWNS}
    )


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of some requests as they are shown; ``Sums`` says what each one counts.

    ``success_rate``: the share of those that were served among those that were served or failed;
    None without any. Times are seconds: the p50 and p95 at most 4.5 % off, None where there is
    nothing to tell them from.
    """

    requests: int
    served: int
    failed: int
    abandoned: int
    refused: int
    success_rate: float | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    credits: float
    first_event_mean: float | None
    first_event_p50: float | None
    first_event_p95: float | None
    total_mean: float | None
    total_p50: float | None
    total_p95: float | None


class Named(Totals, frozen=True, kw_only=True):
    """The numbers of all requests with one model, account and so on."""

    name: str


def totals_of(sums: Sums) -> Totals:
    """The numbers as they are shown."""
    return Totals(**_numbers(sums))


def named(by_name: Mapping[str, Sums]) -> list[Named]:
    """The numbers by name, the busiest first."""
    ranked = sorted(by_name.items(), key=lambda item: (-item[1].requests, item[0]))
    return [Named(name=name, **_numbers(sums)) for name, sums in ranked]


def success_rate(served: int, failed: int) -> float | None:
    """The share that was served; requests that their clients left, or that were at fault
    themselves, say nothing."""
    answered = served + failed
    return served / answered if answered else None


def _numbers(sums: Sums) -> dict[str, Any]:
    first, total = sums.first_event_classes, sums.total_classes
    return {
        "requests": sums.requests,
        "served": sums.served,
        "failed": sums.failed,
        "abandoned": sums.abandoned,
        "refused": sums.refused,
        "success_rate": success_rate(sums.served, sums.failed),
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "credits": round(sums.credits, 6),
        "first_event_mean": _mean(sums.first_event_seconds, sums.first_events),
        "first_event_p50": quantile(first, 0.5),
        "first_event_p95": quantile(first, 0.95),
        "total_mean": _mean(sums.total_seconds, sums.served),
        "total_p50": quantile(total, 0.5),
        "total_p95": quantile(total, 0.95),
    }


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None


class Point(msgspec.Struct, frozen=True):
    """What happened in the step that begins ``at`` (epoch seconds)."""

    at: int
    requests: int
    served: int
    failed: int
    input_tokens: int
    output_tokens: int
    credits: float


def series_of(hours: Mapping[int, Sums], period: Period) -> list[Point]:
    """One point for each step of the period, also where nothing happened."""
    steps: dict[int, Sums] = {}
    for hour, sums in hours.items():
        steps.setdefault(begin_of(hour, period.step), Sums()).merge(sums)
    nothing = Sums()
    points = []
    for at in range(begin_of(period.start, period.step), int(period.end) + 1, period.step):
        s = steps.get(at, nothing)
        points.append(
            Point(
                at,
                s.requests,
                s.served,
                s.failed,
                s.input_tokens,
                s.output_tokens,
                round(s.credits, 6),
            )
        )
    return points


def pool_of(statuses: Iterable[AccountStatus]) -> dict[str, int]:
    """Accounts by state; in all; how many of them serve at this moment, and how many requests."""
    counts = dict.fromkeys(STATES, 0)
    total = in_flight = working = 0
    for status in statuses:
        counts[status.state] = counts.get(status.state, 0) + 1
        total += 1
        in_flight += status.in_flight
        working += status.in_flight > 0
    return {**counts, "total": total, "in_flight": in_flight, "working": working}
