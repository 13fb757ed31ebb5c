"""What the two kinds of database do differently is the same to those who write rows."""

import time
from threading import Event

from sqlalchemy import Connection

from kiro2api.store.database_portable import alone, is_postgres, put_missing, seconds_of
from kiro2api.store.schema import PREFERENCES
from tests.store.case import InPostgres, StoreCase
from tests.store.pumped import PATIENCE


class PortableTests(StoreCase):
    """In a file."""

    server = False

    def test_kind(self) -> None:
        """It is known which kind it is."""
        self.assertIs(self.within(is_postgres), self.server)

    def test_put_missing(self) -> None:
        """Inserted once; a row that is there stays as it is."""

        def put(connection: Connection) -> list[bool]:
            return [
                put_missing(connection, PREFERENCES, {"key": key, "value": value})
                for key, value in (("a", "1"), ("a", "2"), ("b", "3"))
            ]

        self.assertEqual(self.within(put), [True, False, True])
        self.assertEqual(self.within(put), [False, False, False])
        self.assertEqual(self.first("SELECT value FROM preferences WHERE key = 'a'"), "1")

    def test_alone(self) -> None:
        """Asked for twice by the same, or for another name, nobody waits."""

        def work(connection: Connection) -> str:
            for name in ("x", "x", "y"):
                alone(connection, name)
            return "done"

        self.assertEqual(self.within(work), "done")

    def test_seconds(self) -> None:
        """The time of whoever is asked."""
        found = self.within(lambda connection: seconds_of(connection, 5.0))
        if self.server:
            self.assertLess(abs(found - time.time()), PATIENCE)
        else:
            self.assertEqual(found, 5.0)


class PortableInPostgresTests(InPostgres, PortableTests):
    """The same there."""

    server = True

    def test_one_after_the_other(self) -> None:
        """Who asks for the same name waits for the end of the other's transaction; who asks for
        another one does not."""
        second, third = self.opened(), self.opened()
        begun, go_on = Event(), Event()
        order: list[str] = []

        def slow(connection: Connection) -> None:
            alone(connection, "x")
            begun.set()
            go_on.wait(PATIENCE)
            order.append("slow")

        def same(connection: Connection) -> None:
            alone(connection, "x")
            order.append("same")

        def other(connection: Connection) -> None:
            alone(connection, "y")
            order.append("other")

        running = self.database.run(slow)
        self.assertTrue(begun.wait(PATIENCE))
        waiting = second.run(same)
        self.done(third.run(other))
        go_on.set()
        self.done(running)
        self.done(waiting)
        self.assertEqual(order, ["other", "slow", "same"])
