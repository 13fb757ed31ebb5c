# -*- test-case-name: tests.web.test_metrics -*-
"""What Prometheus is told: the same numbers that the operator's console shows.

Counters of requests are the sums of the store, so that they outlive a restart and are the same
whichever of several processes answers; what only one process knows has its number as a label.
Accounts and keys are called by their names, never by an address. Must not know what numbers mean.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from klein import Klein

from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.stats_numbers import Numbers
from kiro2api.web.gate import Gate
from kiro2api.web.metrics_lag import LagGauge
from kiro2api.web.site import ApiRequest

_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Process(msgspec.Struct, frozen=True):
    """What this process alone knows. ``started``: epoch seconds; ``worker`` is its number, 0 where
    it serves alone. The others count since its start."""

    started: float
    worker: int = 0
    dropped_records: Callable[[], int] = lambda: 0
    waiting_records: Callable[[], int] = lambda: 0
    counts: Callable[[], Mapping[str, int]] = dict
    refreshes: Callable[[], Mapping[str, int]] = dict


class Metrics:
    """All metrics of the service.

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

    async def text(self) -> bytes:
        """Everything, in the text format."""
        found = await self._numbers.ever()
        overview = await self._numbers.overview()
        # Not at the start: most services are never asked.
        from kiro2api.web.metrics_families import Seen, written

        process = self._process
        return written(
            Seen(
                found=found,
                overview=overview,
                models=self._models,
                accounts=self._accounts,
                lag=self._lag.worst,
                started=process.started,
                worker=process.worker,
                dropped_records=process.dropped_records(),
                waiting_records=process.waiting_records(),
                counts=process.counts(),
                refreshes=process.refreshes(),
            )
        )


class MetricsApi:
    """``/metrics``.

    :param gate: whom to ask for an admin's key, which must be for all groups; None on an endpoint
        that only the operator's own machines reach.
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
            self._gate.identify_owner(request)
        body = await self._metrics.text()
        request.setHeader(b"Content-Type", _TEXT)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        return body
