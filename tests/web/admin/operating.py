"""The web room with the operator's routes of records, numbers and captures."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from kiro2api.metering import Record
from kiro2api.store.captures import CaptureRows
from kiro2api.store.records import RecordRows
from kiro2api.store.records_sums import SumRows
from kiro2api.web.admin.captures import Captures, CapturesApi
from kiro2api.web.admin.events import Broadcast, EventsApi
from kiro2api.web.admin.live import Live, LiveApi
from kiro2api.web.admin.records import RecordsApi
from kiro2api.web.admin.stats import StatsApi
from kiro2api.web.admin.stats_numbers import Numbers
from kiro2api.web.metrics import Metrics, MetricsApi, Process
from kiro2api.web.metrics_lag import LagGauge
from kiro2api.web.overview import Overview
from kiro2api.web.peers import Peers
from kiro2api.web.reply import rendered
from kiro2api.web.root import Root
from kiro2api.web.site import ApiSite
from tests.fakes.inline import InlineDatabase
from tests.web.case import WebCase

T = TypeVar("T")


class CountedDatabase(InlineDatabase):
    """Knows how often it was asked."""

    runs = 0

    def run(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """One more."""
        self.runs += 1
        return super().run(function)


class OperatingCase(WebCase):
    """``self.rows`` and so on are what a running service would have."""

    def setUp(self) -> None:
        super().setUp()
        self.database = CountedDatabase()
        self.addCleanup(self.database.close)
        database = self.database.real
        self.rows = RecordRows(database)
        self.sums = SumRows(database)
        self.capture_rows = CaptureRows(database)
        self.numbers = Numbers(self.sums, self.overview, self.clock)
        self.peers = Peers()
        self.live = Live(
            lambda: self.serving.active, self.clock, self.peers, default_group="default", worker=2
        )
        self.captures = Captures(self.capture_rows, self.clock)
        self.serving.failed = self.captures.failed
        self.broadcast = Broadcast(
            self.gate, self.live, self.numbers, self.rows, self.clock, most=3
        )
        self.lag = LagGauge(self.clock)
        self.refreshes: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.metrics = Metrics(
            self.numbers,
            Process(started=5.0, counts=lambda: self.counts, refreshes=lambda: self.refreshes),
            self.lag,
            models=4,
        )
        records = RecordsApi(self.gate, self.rows).app.resource()
        stats = StatsApi(self.gate, self.numbers).app.resource()
        areas = {
            "requests": records,
            "requests.csv": records,
            "stats": stats,
            "usage": stats,
            "live": LiveApi(self.gate, self.live).app.resource(),
            "events": EventsApi(self.gate, self.broadcast).app.resource(),
            "captures": CapturesApi(
                self.gate, self.capture_rows, self.captures, self.clock
            ).app.resource(),
            "metrics": MetricsApi(self.metrics, self.gate).app.resource(),
        }
        models = self.site.resource
        self.site = ApiSite(
            Root(models, models, models, areas),
            clock=self.clock,
            max_body_bytes=100_000,
            refusal=rendered,
            new_id=self.new_id,
        )

    async def overview(self) -> Overview:
        """What this process knows."""
        return Overview(self.statuses, len(self.serving.active), 0.0)

    def write(self, *records: Record) -> None:
        """As the writer would."""
        self.successResultOf(self.rows.write(records))
