"""Looking at records costs no more where there are many of them."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from kiro2api.metering import Record
from kiro2api.metering_search import RecordFilter
from kiro2api.statistics import StatisticsFilter
from kiro2api.store.database_portable import is_postgres
from kiro2api.store.records import RecordRows
from kiro2api.store.records_sums import SumRows
from tests.store.test_records import RowsCase
from tests.test_metering import record

HOURS = 24
STEP = 100
"""Instructions of SQLite's machine between two calls."""


def spread(count: int, first: int = 0) -> Iterator[Record]:
    """Requests over a day: of twenty accounts, five keys and four models."""
    for n in range(first, first + count):
        yield record(
            request_id=f"req_{n:07d}",
            started=1_700_006_400.0 + n * (HOURS * 3600 / 20_000),
            account=f"account-{n % 20}",
            key=f"key-{n % 5}",
            group="pro" if n % 20 == 7 else "default",
            upstream_model=f"m{n % 4}",
            status=500 if n % 50 == 0 else 200,
            outcome="failed" if n % 50 == 0 else "served",
            dialect="chat" if n % 3 else "anthropic",
            first_event_seconds=0.1 + n % 7,
        )


class GrowthTests(RowsCase):
    """Ten times the records, the same work."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = RecordRows(self.database, scanned=100)
        self.sums = SumRows(self.database)

    def fill(self, count: int, first: int) -> None:
        """That many more."""
        records = list(spread(count, first))
        for begin in range(0, count, 1000):
            self.wait(self.rows.write(records[begin : begin + 1000]))

    def work(self, ask: "Callable[[], Deferred[Any]]") -> int:
        """How many steps SQLite takes for it."""
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        def watch(watcher: Callable[[], int] | None) -> Callable[[Connection], None]:
            def put(connection: Connection) -> None:
                assert not is_postgres(connection)
                driver: Any = connection.connection.driver_connection
                driver.set_progress_handler(watcher, STEP)

            return put

        self.wait(self.database.run(watch(count)))
        self.wait(ask())
        self.wait(self.database.run(watch(None)))
        return steps

    def test_pages(self) -> None:
        """Whatever is asked for, the cost of a page does not follow the size of the table."""
        wanted = (
            RecordFilter(),
            RecordFilter(account="account-3"),
            RecordFilter(key="key-1", status=500),
            RecordFilter(status_class=5),
            RecordFilter(outcome="failed"),
            RecordFilter(group="pro", dialect="responses"),
            RecordFilter(text="nowhere"),
            RecordFilter(text="req_0000007"),
            RecordFilter(model="m2", start=1_700_007_000.0, end=1_700_009_000.0),
        )
        self.fill(2_000, 0)
        few = [self.work(lambda w=one: self.rows.page(w)) for one in wanted]  # type: ignore[misc]
        self.fill(18_000, 2_000)
        many = [self.work(lambda w=one: self.rows.page(w)) for one in wanted]  # type: ignore[misc]
        for each, before, after in zip(wanted, few, many, strict=True):
            self.assertLess(after, 3 * before + 50, each)

    def test_sums(self) -> None:
        """Statistics cost what there are sums, not what there are requests."""
        self.fill(20_000, 0)
        steps = self.work(lambda: self.sums.found(1_700_006_400, StatisticsFilter()))
        self.fill(20_000, 0)
        self.assertLess(
            self.work(lambda: self.sums.found(1_700_006_400, StatisticsFilter())), steps * 1.2
        )
