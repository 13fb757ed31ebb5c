"""A new database for each test: a file, or by ``InPostgres`` a schema of a real server."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, text
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store.changes import ChangeRows
from kiro2api.store.database import Database
from tests.store.postgres import server
from tests.store.pumped import PumpedReactor

T = TypeVar("T")


class StoreCase(SynchronousTestCase):
    """Works on one database, with a clock of its own."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.now = 1000.0
        self.place = self.new_place()
        self.prepare()
        self.database = self.opened()

    def new_place(self) -> str:
        """Where there is nothing yet."""
        return str(Path(self.mktemp()).absolute())

    def prepare(self) -> None:
        """What is done to the place before it is opened."""

    def opened(self) -> Database:
        """One more process's database, stopped after the test."""
        database = Database(self.place, self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        self.reactor.result_of(database.start())
        return database

    def clock(self) -> float:
        """The time."""
        return self.now

    def done(self, deferred: Deferred[T]) -> T:
        """Its result, or its exception raised."""
        return self.reactor.result_of(deferred)

    def within(self, work: Callable[[Connection], T]) -> T:
        """What the work returns, done in a transaction."""
        return self.done(self.database.run(work))

    def first(self, statement: str) -> object:
        """The first value of what is answered."""
        return self.within(lambda connection: connection.execute(text(statement)).scalar())

    def noted(self) -> list[tuple[str, str]]:
        """Topic and subject of all changes."""
        _, changes = self.done(ChangeRows(self.database).since(0))
        return [(change.topic, change.subject) for change in changes]


class InPostgres:
    """Mixed into a StoreCase: the same in PostgreSQL."""

    def new_place(self) -> str:
        """An empty schema."""
        return server().fresh(self.addCleanup)  # type: ignore[attr-defined]
