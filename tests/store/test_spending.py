"""What keys have spent is added up over processes and days."""

from typing import Any

from sqlalchemy import Connection, event

from kiro2api.store.keys import KeyRows, new_key
from kiro2api.store.spending import KEPT_DAYS, SpendingRows
from tests.store.case import InPostgres, StoreCase


class SpendingRowsTests(StoreCase):
    """The table of days."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = SpendingRows(self.database)
        keys = KeyRows(self.database, self.clock)
        self.a = self.done(keys.add("a", new_key(), "client"))
        self.b = self.done(keys.add("b", new_key(), "client"))

    def test_sums(self) -> None:
        """What is settled is added to what was, by key and day."""
        self.done(self.rows.settle({}, {self.a: {100: 1.5, 99: 1.0}}, 90))
        found = self.done(self.rows.settle({}, {self.a: {100: 0.25}, self.b: {100: 7.0}}, 90))
        self.assertEqual(found, {self.a: {99: 1.0, 100: 1.75}, self.b: {100: 7.0}})
        self.assertEqual(
            self.done(self.rows.settle({}, {}, 100)), {self.a: {100: 1.75}, self.b: {100: 7.0}}
        )

    def test_two_processes(self) -> None:
        """Each learns what the other has added."""
        other = SpendingRows(self.opened())
        self.done(self.rows.settle({}, {self.a: {100: 1.0}}, 100))
        self.assertEqual(
            self.done(other.settle({}, {self.a: {100: 2.0}}, 100)), {self.a: {100: 3.0}}
        )
        self.assertEqual(self.done(self.rows.settle({}, {}, 100)), {self.a: {100: 3.0}})

    def test_in_one_order(self) -> None:
        """Two processes that settle the same keys never wait for each other."""
        changed: list[tuple[int, ...]] = []

        def listen(connection: Connection) -> None:
            def note(
                one: object, two: object, text: str, three: object, context: Any, _: Any
            ) -> None:
                if text.startswith(("UPDATE", "INSERT")):
                    given = context.compiled_parameters[0]
                    changed.append(
                        tuple(given[name] for name in ("id_1", "key_id", "day") if name in given)
                    )

            event.listen(connection, "before_cursor_execute", note)

        self.within(listen)
        days = {7: 1.0, 5: 1.0}
        self.done(self.rows.settle({self.b: 2.0, self.a: 2.0}, {self.b: days, self.a: days}, 0))
        spent = [(key, day) for key in (self.a, self.b) for day in (5, 7)]
        self.assertEqual(changed, [(self.a,), (self.b,), *spent])

    def test_key_that_is_gone(self) -> None:
        """Its last requests burden nobody."""
        self.assertEqual(self.done(self.rows.settle({}, {999: {100: 1.0}}, 0)), {})

    def test_old_days(self) -> None:
        """Are dropped after two months."""
        self.done(self.rows.settle({}, {self.a: {100: 1.0}}, 0))
        kept = self.done(self.rows.settle({}, {}, 100 + KEPT_DAYS))
        self.assertEqual(kept, {})
        self.assertEqual(self.done(self.rows.settle({}, {}, 0)), {self.a: {100: 1.0}})
        self.done(self.rows.settle({}, {}, 101 + KEPT_DAYS))
        self.assertEqual(self.done(self.rows.settle({}, {}, 0)), {})

    def test_last_use(self) -> None:
        """Is noted, and never goes back."""
        keys = KeyRows(self.database, self.clock)
        self.done(self.rows.settle({self.a: 500.0, 999: 1.0}, {}, 0))
        self.done(self.rows.settle({self.a: 400.0}, {}, 0))
        used = [key.last_used_at for key in self.done(keys.digests())]
        self.assertEqual(used, [500.0, 0.0])


class SpendingRowsInPostgresTests(InPostgres, SpendingRowsTests):
    """The same there."""
