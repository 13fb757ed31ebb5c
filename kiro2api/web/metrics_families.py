# -*- test-case-name: tests.web.test_metrics -*-
"""The metrics themselves: what was found out, as families in Prometheus' text format.

Only loaded when somebody asks for them. Must not know who asks, nor what numbers mean.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
from kiro2api.statistics import Found
from kiro2api.statistics_durations import PER_DOUBLING, SHORTEST, Classes, merge
from kiro2api.statistics_sums import OTHER, Sums
from kiro2api.web.admin.stats_numbers import balance_of
from kiro2api.web.overview import Overview

_OUTCOMES: Final = ("served", "failed", "abandoned", "refused")
_TOKENS: Final = ("input", "output", "cache_read", "cache_write")
# Ends of buckets: 8 ms to 262 s, each twice the one before, so that each is the end of a class.
_DOUBLINGS: Final = range(3, 19)


class Seen(msgspec.Struct, frozen=True):
    """What was found out. Of accounts and models so many are told apart; ``lag`` in seconds; the
    last four are what ``metrics.Process`` gives."""

    found: Found
    overview: Overview
    models: int
    accounts: int
    lag: float
    started: float
    worker: int
    dropped_records: int
    waiting_records: int
    counts: Mapping[str, int]
    refreshes: Mapping[str, int]


def written(seen: Seen) -> bytes:
    """All of it, in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(seen))
    return generate_latest(registry)


class Families(Collector):
    """All metrics of the service."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked for before somebody wants to know."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What was found out last."""
        yield from self._of_requests()
        yield from self._of_accounts(self._seen.overview.statuses)
        yield from self._of_process()

    def _of_requests(self) -> Iterator[Metric]:
        found = self._seen.found
        models = bounded(found.by["model"], self._seen.models)
        yield _requests("requests", "Requests that have ended.", "model", models)
        yield _requests("dialect_requests", "The same by dialect.", "dialect", found.by["dialect"])
        yield _requests("group_requests", "The same by group.", "group", found.by["group"])
        yield _requests("key_requests", "The same by client key.", "key", found.by["key"])
        accounts = bounded(found.by["account"], self._seen.accounts)
        yield _requests("account_requests", "The same by account.", "account", accounts)
        responses = CounterMetricFamily(
            "kiro2api_responses",
            "Requests by the status they were answered with.",
            None,
            ["status"],
        )
        for status, sums in sorted(found.by["status"].items()):
            responses.add_metric([status], sums.requests)
        yield responses
        tokens = CounterMetricFamily(
            "kiro2api_tokens", "Tokens of all requests.", None, ["model", "kind"]
        )
        for model, sums in models.items():
            for kind in _TOKENS:
                tokens.add_metric([model, kind], getattr(sums, f"{kind}_tokens"))
        yield tokens
        for name, label, by_name in (
            ("credits", "model", models),
            ("account_credits", "account", accounts),
            ("key_credits", "key", found.by["key"]),
        ):
            spent = CounterMetricFamily(
                f"kiro2api_{name}", f"Credits that were spent, by {label}.", None, [label]
            )
            for value, sums in by_name.items():
                spent.add_metric([value], sums.credits)
            yield spent
        yield _durations(
            "first_event_seconds",
            "Time until an answer began.",
            {model: (s.first_event_classes, s.first_event_seconds) for model, s in models.items()},
        )
        yield _durations(
            "served_seconds",
            "Time until an answer was complete.",
            {model: (s.total_classes, s.total_seconds) for model, s in models.items()},
        )

    def _of_accounts(self, statuses: list[AccountStatus]) -> Iterator[Metric]:
        states: dict[tuple[str, str], int] = {}
        loans: dict[str, int] = {}
        busy: dict[str, int] = {}
        left = GaugeMetricFamily(
            "kiro2api_account_credits_left", "Credits left, where known.", None, ["account"]
        )
        resets = GaugeMetricFamily(
            "kiro2api_account_credits_reset_timestamp_seconds",
            "When credits come back, where known.",
            None,
            ["account"],
        )
        for status in statuses:
            states[status.group, status.state] = states.get((status.group, status.state), 0) + 1
            loans[status.group] = loans.get(status.group, 0) + status.in_flight
            busy[status.group] = busy.get(status.group, 0) + (status.in_flight > 0)
        for status in statuses[: self._seen.accounts]:
            balance = balance_of(status)
            if balance.credits_left is not None:
                left.add_metric([balance.name], balance.credits_left)
            if balance.resets_at:
                resets.add_metric([balance.name], balance.resets_at)
        accounts = GaugeMetricFamily(
            "kiro2api_accounts", "Accounts by group and state.", None, ["group", "state"]
        )
        for (group, state), count in sorted(states.items()):
            accounts.add_metric([group, state], count)
        lent = GaugeMetricFamily(
            "kiro2api_accounts_in_flight", "Requests that accounts serve now.", None, ["group"]
        )
        for group, count in sorted(loans.items()):
            lent.add_metric([group], count)
        working = GaugeMetricFamily(
            "kiro2api_accounts_working", "Accounts that serve a request now.", None, ["group"]
        )
        for group, count in sorted(busy.items()):
            working.add_metric([group], count)
        yield from (accounts, lent, working, left, resets)
        yield GaugeMetricFamily(
            "kiro2api_requests_in_flight",
            "Requests under way.",
            self._seen.overview.active_requests,
        )

    def _of_process(self) -> Iterator[Metric]:
        seen = self._seen
        worker = [str(seen.worker)]
        for name, text, value in (
            ("records_waiting", "Records that are not yet written.", seen.waiting_records),
            (
                "event_loop_lag_seconds",
                "How late the event loop was at worst in the last minute.",
                seen.lag,
            ),
            ("start_time_seconds", "When this process was started.", seen.started),
        ):
            gauge = GaugeMetricFamily(f"kiro2api_{name}", text, None, ["worker"])
            gauge.add_metric(worker, value)
            yield gauge
        dropped = CounterMetricFamily(
            "kiro2api_records_dropped", "Records that could not be written.", None, ["worker"]
        )
        dropped.add_metric(worker, seen.dropped_records)
        yield dropped
        for name, text, label, counts in (
            ("repairs", "Answers and requests that were mended.", "kind", seen.counts),
            ("refreshes", "Access tokens that were renewed.", "result", seen.refreshes),
        ):
            counted = CounterMetricFamily(f"kiro2api_{name}", text, None, ["worker", label])
            for kind, count in counts.items():
                counted.add_metric([*worker, kind], count)
            yield counted
        yield InfoMetricFamily("kiro2api_build", "The version.", {"version": __version__})


def bounded(by_name: Mapping[str, Sums], most: int) -> dict[str, Sums]:
    """The busiest by name; the rest is summed up as one."""
    ranked = sorted(by_name.items(), key=lambda item: (-item[1].requests, item[0]))
    kept = dict(ranked[:most])
    if len(ranked) > most:
        rest = Sums()
        for _, sums in ranked[most:]:
            rest.merge(sums)
        if OTHER in kept:
            rest.merge(kept[OTHER])
        kept[OTHER] = rest
    return kept


def _requests(name: str, text: str, label: str, by_name: Mapping[str, Sums]) -> Metric:
    family = CounterMetricFamily(f"kiro2api_{name}", text, None, [label, "outcome"])
    for value, sums in by_name.items():
        for outcome in _OUTCOMES:
            family.add_metric([value, outcome], getattr(sums, outcome))
    return family


def _durations(name: str, text: str, by_model: Mapping[str, tuple[Classes, float]]) -> Metric:
    family = HistogramMetricFamily(f"kiro2api_{name}", text, labels=["model"])
    for model, (classes, total) in by_model.items():
        counts: Classes = {}
        merge(counts, classes)
        buckets: list[tuple[str, float]] = []
        for doubling in _DOUBLINGS:
            below = sum(n for number, n in counts.items() if number < doubling * PER_DOUBLING)
            buckets.append((f"{SHORTEST * 2**doubling:g}", below))
        buckets.append(("+Inf", sum(counts.values())))
        family.add_metric([model], buckets, total)
    return family
