"""Records: written, found again through indexes, forgotten in steps."""

from typing import Any

from sqlalchemy import Connection, event, func, select
from sqlalchemy.dialects import sqlite
from twisted.internet.defer import Deferred

from kiro2api.metering import Attempt, Record
from kiro2api.metering_search import RecordFilter
from kiro2api.store.migrate import StoreError
from kiro2api.store.records import (
    Edge,
    RecordRows,
    bound_of,
    conditions,
    found_by,
    storable,
    times,
)
from kiro2api.store.schema import RECORDS, SUMS
from tests.store.case import InPostgres, StoreCase
from tests.test_metering import record


def many(count: int, **more: object) -> list[Record]:
    """So many, a second apart."""
    return [
        record(**{"request_id": f"req_{n:06d}", "started": 1000.0 + n} | more) for n in range(count)
    ]


class RowsCase(StoreCase):
    """A database in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = RecordRows(self.database, scanned=40)

    def new_place(self) -> str:
        """No file."""
        return ":memory:"

    def wait(self, deferred: "Deferred[Any]") -> Any:
        """Its result."""
        return self.done(deferred)

    def count(self, table: Any = RECORDS) -> int:
        """Rows of a table."""
        found: int = self.wait(
            self.database.run(lambda c: c.execute(select(func.count()).select_from(table)).scalar())
        )
        return found

    def ids(self, wanted: RecordFilter, limit: int = 10) -> list[str]:
        """All ids found by paging to the end."""
        found: list[str] = []
        before: int | None = None
        while True:
            page = self.wait(self.rows.page(wanted, before, limit))
            found += [stored.record.request_id for stored in page.items]
            before = page.next
            if before is None:
                return found


class WriteTests(RowsCase):
    """What comes back."""

    def test_whole_record(self) -> None:
        """Every field, attempts included."""
        written = record(
            request_id="req_1",
            group="pro",
            key="laptop",
            stream=True,
            status=429,
            outcome="failed",
            error="throttled",
            first_event_seconds=0.5,
            credits=0.125,
            attempts=2,
            attempts_detail=(Attempt("a", "m", "throttled", 429, 0.5), Attempt("b")),
            repairs=("fields",),
            searches=3,
            key_id=7,
        )
        self.wait(self.rows.write([written]))
        stored = self.wait(self.rows.read("req_1"))
        self.assertEqual(stored.record, written)
        self.assertIsNone(self.wait(self.rows.read("req_2")))

    def test_strange_texts(self) -> None:
        """What a client invents is stored, whatever database it is."""
        self.wait(self.rows.write([record(request_id="r", model="a\0b\ud800" + "x" * 500)]))
        self.assertEqual(self.wait(self.rows.read("r")).record.model, "ab?" + "x" * 196)
        self.assertEqual(storable("模型"), "模型")

    def test_one_transaction(self) -> None:
        """Sums and records come and go together."""
        broken = [record(request_id="a"), record(request_id=None)]
        self.assertRaises(StoreError, self.wait, self.rows.write(broken))
        self.assertEqual((self.count(), self.count(SUMS)), (0, 0))


class OrderTests(RowsCase):
    """What other processes see of a batch."""

    def test_sums_first(self) -> None:
        """A number becomes visible after every smaller one: nobody else gives any out between."""
        statements: list[str] = []

        def listen(connection: Connection) -> None:
            event.listen(
                connection,
                "before_cursor_execute",
                lambda connection, cursor, statement, *rest: statements.append(statement),
            )

        self.within(listen)
        self.wait(self.rows.write([record(request_id="r")]))
        tables = [each.split()[2] for each in statements if each.startswith("INSERT")]
        self.assertEqual((tables[0], tables[-1]), ("record_sums", "records"))


class PageTests(RowsCase):
    """Pages."""

    def test_pages(self) -> None:
        """All of them, the newest first, each once, whatever the size of the pages."""
        self.wait(self.rows.write(many(25)))
        everything = [f"req_{n:06d}" for n in range(24, -1, -1)]
        for limit in (1, 7, 25, 100):
            self.assertEqual(self.ids(RecordFilter(), limit), everything)

    def test_same_moment(self) -> None:
        """Records that began at once are not lost between pages."""
        self.wait(self.rows.write(many(9, started=5.0)))
        self.assertEqual(len(set(self.ids(RecordFilter(), 2))), 9)

    def test_filters(self) -> None:
        """Each of them, and all together."""
        odd = {
            "account": "other",
            "key": "laptop",
            "group": "pro",
            "status": 429,
            "outcome": "failed",
            "dialect": "chat",
            "upstream_model": "m2",
            "error": "throttled_100%",
        }
        self.wait(self.rows.write([*many(30), record(**odd, request_id="req_x", started=1010.5)]))
        for wanted in (
            RecordFilter(account="other"),
            RecordFilter(key="laptop"),
            RecordFilter(group="pro"),
            RecordFilter(status=429),
            RecordFilter(status_class=4),
            RecordFilter(outcome="failed"),
            RecordFilter(dialect="chat"),
            RecordFilter(model="m2"),
            RecordFilter(text="THROTTLED_100%"),
            RecordFilter(text="req_x"),
            RecordFilter(start=1010.2, end=1011.0),
            RecordFilter(account="other", key="laptop", status=429, dialect="chat"),
        ):
            self.assertEqual(self.ids(wanted), ["req_x"], wanted)
        self.assertEqual(self.ids(RecordFilter(account="other", status=200)), [])

    def test_work_is_bounded(self) -> None:
        """A rare find costs several short looks; none looks through everything."""
        rare = record(request_id="req_rare", dialect="chat", started=1.0)
        self.wait(self.rows.write([rare, *many(100)]))
        first = self.wait(self.rows.page(RecordFilter(dialect="chat")))
        self.assertEqual(first.items, ())
        self.assertIsNotNone(first.next)
        self.assertEqual(self.ids(RecordFilter(dialect="chat")), ["req_rare"])

    def test_end_and_cursor(self) -> None:
        """Whichever comes first counts."""
        self.wait(self.rows.write(many(9)))
        page = self.wait(self.rows.page(RecordFilter(end=1003.0), 9))
        self.assertEqual([one.id for one in page.items], [3, 2, 1])
        page = self.wait(self.rows.page(RecordFilter(end=1005.0), 3))
        self.assertEqual([one.id for one in page.items], [2, 1])

    def test_forgotten_cursor(self) -> None:
        """Where the last record of a page is gone, so are all before it."""
        self.wait(self.rows.write(many(3)))
        self.assertEqual(self.wait(self.rows.page(RecordFilter(), 99)).items, ())

    def test_since(self) -> None:
        """The newest are told, the others counted."""
        self.assertEqual(self.wait(self.rows.since(None)).latest, 0)
        self.wait(self.rows.write(many(5)))
        latest = self.wait(self.rows.since(None))
        self.assertEqual((latest.latest, latest.items), (5, ()))
        self.assertEqual(self.wait(self.rows.since(5)).items, ())
        found = self.wait(self.rows.since(1, 2))
        self.assertEqual((found.latest, found.skipped), (5, 2))
        self.assertEqual([stored.id for stored in found.items], [4, 5])


class PlanTests(RowsCase):
    """How SQLite finds them."""

    def plan(self, statement: Any) -> str:
        """What it says."""
        compiled = statement.compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )

        def explain(connection: Connection) -> str:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
            return "; ".join(row[-1] for row in rows)

        text: str = self.wait(self.database.run(explain))
        return text

    def test_every_filter_uses_an_index(self) -> None:
        """Neither the whole table nor a sort, for any filter and for pairs of them."""
        fields: dict[str, Any] = {
            "model": "m",
            "account": "a",
            "key": "k",
            "group": "g",
            "status": 500,
            "status_class": 5,
            "outcome": "failed",
            "dialect": "chat",
            "text": "x",
            "end": 10.0,
        }
        for one in fields:
            for other in fields:
                wanted = RecordFilter(**{one: fields[one], other: fields[other]})
                lead, others = conditions(wanted)
                here, there = Edge(5.0, 3), Edge(2.0, 1)
                for statement in (
                    found_by([*lead, *times(wanted, None), *others], 51),
                    found_by([*lead, *times(wanted, here, there), *others], 51),
                    bound_of([*lead, *times(wanted, None)], 100),
                    bound_of([*lead, *times(wanted, here)], 100),
                ):
                    plan = self.plan(statement)
                    self.assertIn("SEARCH records USING", plan, wanted)
                    self.assertNotIn("SCAN", plan, wanted)
                    self.assertNotIn("TEMP B-TREE", plan, wanted)

    def test_bound_is_covered(self) -> None:
        """How far to look is found in the index alone."""
        for wanted in (RecordFilter(), RecordFilter(account="a"), RecordFilter(outcome="failed")):
            terms = [*conditions(wanted)[0], *times(wanted, Edge(5.0, 3))]
            self.assertIn("COVERING INDEX", self.plan(bound_of(terms, 100)))

    def test_request_id(self) -> None:
        """One request."""
        self.assertIn(
            "ix_records_request_id",
            self.plan(found_by(conditions(RecordFilter(text="req_1"))[0], 2)),
        )


class PruneTests(RowsCase):
    """Forgetting."""

    def test_by_age(self) -> None:
        """What is older goes, what is younger stays; in steps."""
        self.wait(self.rows.write(many(4500)))
        steps = 1
        while self.wait(self.rows.prune(1000.0 + 4490, 0.0, 0)):
            steps += 1
        self.assertEqual((self.count(), steps), (10, 3))

    def test_by_size(self) -> None:
        """The oldest go until the rest fits, more or less."""
        self.wait(self.rows.write(many(3000)))
        while self.wait(self.rows.prune(0.0, 0.0, 640 * 1000)):
            pass
        self.assertTrue(900 <= self.count() <= 1100, self.count())
        self.assertIsNotNone(self.wait(self.rows.read("req_002999")))
        self.assertIs(self.wait(self.rows.prune(0.0, 0.0, 640 * 1000)), False)

    def test_empty(self) -> None:
        """Nothing to forget."""
        self.assertIs(self.wait(self.rows.prune(1e9, 1e9, 1)), False)

    def test_sums(self) -> None:
        """Hours and days go by themselves; what is for ever stays."""
        day = 86400.0
        records = [record(request_id=str(n), started=n * day) for n in range(4)]
        self.wait(self.rows.write(records))
        while self.wait(self.rows.prune(0.0, 2 * day, 0)):
            pass

        def spans(connection: Connection) -> set[tuple[int, int]]:
            return {(r.span, r.at) for r in connection.execute(select(SUMS.c.span, SUMS.c.at))}

        kept = self.wait(self.database.run(spans))
        self.assertEqual(
            kept,
            {(0, 0), (3600, 2 * 86400), (3600, 3 * 86400), (86400, 2 * 86400), (86400, 3 * 86400)},
        )


class PostgresWriteTests(InPostgres, WriteTests):
    """The same on a server."""


class PostgresPageTests(InPostgres, PageTests):
    """The same on a server."""


class PostgresPruneTests(InPostgres, PruneTests):
    """The same on a server."""
