# -*- test-case-name: tests.web.test_metrics -*-
"""What Prometheus is told: the same numbers that the operator's console shows.

Counters of requests are the sums of the store, so that they outlive a restart and are the same
whichever of several processes answers; what only one process knows has its number as a label.
Accounts and keys are called by their names, never by an address. Must not know what numbers mean.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from klein import Klein
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
from kiro2api.statistics import Found
from kiro2api.statistics_durations import PER_DOUBLING, SHORTEST, Classes, merge
from kiro2api.statistics_sums import OTHER, Sums
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.stats_numbers import Numbers, balance_of
from kiro2api.web.gate import Gate
from kiro2api.web.metrics_lag import LagGauge
from kiro2api.web.overview import Overview
from kiro2api.web.site import ApiRequest

_OUTCOMES: Final = ("served", "failed", "abandoned")
_TOKENS: Final = ("input", "output", "cache_read", "cache_write")
# Ends of buckets: 8 ms to 262 s, each twice the one before, so that each is the end of a class.
_DOUBLINGS: Final = range(3, 19)


class Process(msgspec.Struct, frozen=True):
    """What this process alone knows. ``started``: epoch seconds; ``worker`` is its number, 0 where
    it serves alone. The others count since its start."""

    started: float
    worker: int = 0
    dropped_records: Callable[[], int] = lambda: 0
    waiting_records: Callable[[], int] = lambda: 0
    counts: Callable[[], Mapping[str, int]] = dict
    refreshes: Callable[[], Mapping[str, int]] = dict


class Metrics(Collector):
    """All metrics of the service, in a registry of their own.

    :param models: models told apart; the less used ones are summed up.
    :param accounts: accounts told apart.
    """

    def __init__(
        self,
        numbers: Numbers,
        process: Process,
        lag: LagGauge,
        *,
        models: int = 50,
        accounts: int = 1000,
    ) -> None:
        self._numbers = numbers
        self._process = process
        self._lag = lag
        self._models = models
        self._accounts = accounts
        self._found = Found()
        self._overview = Overview([], 0, 0.0)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    async def text(self) -> bytes:
        """Everything, in the text format."""
        self._found = await self._numbers.ever()
        self._overview = await self._numbers.overview()
        return generate_latest(self.registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked for before somebody wants to know."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What was found out last."""
        yield from self._of_requests()
        yield from self._of_accounts(self._overview.statuses)
        yield from self._of_process()

    def _of_requests(self) -> Iterator[Metric]:
        found = self._found
        models = bounded(found.by["model"], self._models)
        yield _requests("requests", "Requests that have ended.", "model", models)
        yield _requests("dialect_requests", "The same by dialect.", "dialect", found.by["dialect"])
        yield _requests("group_requests", "The same by group.", "group", found.by["group"])
        yield _requests("key_requests", "The same by client key.", "key", found.by["key"])
        accounts = bounded(found.by["account"], self._accounts)
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
        for status in statuses[: self._accounts]:
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
        yield from (accounts, lent, left, resets)
        yield GaugeMetricFamily(
            "kiro2api_requests_in_flight",
            "Requests under way.",
            self._overview.active_requests,
        )

    def _of_process(self) -> Iterator[Metric]:
        process = self._process
        worker = [str(process.worker)]
        for name, text, value in (
            ("records_waiting", "Records that are not yet written.", process.waiting_records()),
            (
                "event_loop_lag_seconds",
                "How late the event loop was at worst in the last minute.",
                self._lag.worst,
            ),
            ("start_time_seconds", "When this process was started.", process.started),
        ):
            gauge = GaugeMetricFamily(f"kiro2api_{name}", text, None, ["worker"])
            gauge.add_metric(worker, value)
            yield gauge
        dropped = CounterMetricFamily(
            "kiro2api_records_dropped", "Records that could not be written.", None, ["worker"]
        )
        dropped.add_metric(worker, process.dropped_records())
        yield dropped
        for name, text, label, counts in (
            ("repairs", "Answers and requests that were mended.", "kind", process.counts()),
            ("refreshes", "Access tokens that were renewed.", "result", process.refreshes()),
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


class MetricsApi:
    """``/metrics``.

    :param gate: whom to ask for the admin's key; None on an endpoint that only the operator's own
        machines reach.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(self, metrics: Metrics, gate: Gate | None) -> None:
        self._metrics = metrics
        self._gate = gate

    @app.route("/metrics", methods=["GET"])
    async def metrics(self, request: ApiRequest) -> bytes:
        """Everything, in the text format."""
        if self._gate is not None:
            self._gate.identify_admin(request)
        body = await self._metrics.text()
        request.setHeader(b"Content-Type", CONTENT_TYPE_PLAIN_0_0_4.encode())
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        return body
