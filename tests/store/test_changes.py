"""Changes are followed in order, and none is overlooked."""

from threading import Event, Thread

from sqlalchemy import Connection

from kiro2api.store.changes import Change, ChangeRows, note
from tests.store.case import InPostgres, StoreCase
from tests.store.pumped import PATIENCE


class ChangeRowsTests(StoreCase):
    """The table of changes."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = ChangeRows(self.database)

    def note(self, subject: str) -> None:
        """Note a change of a key."""
        self.within(lambda connection: note(connection, "key", subject, self.now))

    def test_following(self) -> None:
        """Whoever asks with the last serial gets only what came after it."""
        self.assertEqual(self.done(self.rows.latest()), 0)
        self.assertEqual(self.done(self.rows.since(0)), (0, []))
        self.note("a")
        self.note("b")
        serial, changes = self.done(self.rows.since(0))
        self.assertEqual(changes, [Change(1, "key", "a"), Change(2, "key", "b")])
        self.assertEqual(self.done(self.rows.latest()), serial)
        self.assertEqual(self.done(self.rows.since(serial)), (serial, []))
        self.note("c")
        self.assertEqual(
            [change.subject for change in self.done(self.rows.since(serial))[1]], ["c"]
        )

    def test_many(self) -> None:
        """More than is told at once is told in turns."""

        def many(connection: Connection) -> None:
            for number in range(1001):
                note(connection, "account", str(number), self.now)

        self.within(many)
        serial, changes = self.done(self.rows.since(0))
        self.assertEqual((serial, len(changes)), (1000, 1000))
        self.assertEqual(
            self.done(self.rows.since(serial)), (1001, [Change(1001, "account", "1000")])
        )

    def test_prune(self) -> None:
        """What is old is dropped; a number is never given out again."""
        self.note("old")
        self.now += 10.0
        self.assertEqual(self.done(self.rows.prune(self.now)), 1)
        self.assertEqual(self.done(self.rows.latest()), 0)
        self.note("new")
        self.assertEqual(self.done(self.rows.since(1)), (2, [Change(2, "key", "new")]))

    def test_undone(self) -> None:
        """A change that is rolled back was none."""

        def fails(connection: Connection) -> None:
            note(connection, "key", "a", self.now)
            raise LookupError

        self.assertRaises(LookupError, self.within, fails)
        self.assertEqual(self.done(self.rows.since(0)), (0, []))


class ChangeRowsInPostgresTests(InPostgres, ChangeRowsTests):
    """The same there."""

    def test_never_out_of_order(self) -> None:
        """While one writer has noted a change and not finished, no later one becomes visible:
        whoever follows would never see the earlier one."""
        other = self.opened()
        noted, go_on = Event(), Event()

        def slow(connection: Connection) -> None:
            note(connection, "key", "slow", self.now)
            noted.set()
            go_on.wait(PATIENCE)

        def quick(connection: Connection) -> None:
            note(connection, "key", "quick", self.now)

        first = self.database.run(slow)
        self.assertTrue(noted.wait(PATIENCE))
        second = other.run(quick)
        third = self.opened()
        self.assertEqual(self.done(ChangeRows(third).since(0)), (0, []))
        self.assertNoResult(second)
        Thread(target=go_on.set).start()
        self.done(first)
        self.done(second)
        found = self.done(ChangeRows(third).since(0))
        self.assertEqual(found, (2, [Change(1, "key", "slow"), Change(2, "key", "quick")]))
