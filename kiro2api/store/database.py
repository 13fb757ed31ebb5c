# -*- test-case-name: tests.store.test_database -*-
"""The database: opened with care, used in one thread of its own, one transaction at a time.

Must not know the rows, nor which kind of database it is beyond choosing it. No exception of
SQLAlchemy or of a driver leaves this room: they become StoreError, whose text holds no values.
"""

import time
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import txaio.tx
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads

from kiro2api.store.database_sqlite import SqliteFile
from kiro2api.store.migrate import StoreError
from kiro2api.store.thread import SerialThread

__all__ = ["Database", "StoreError", "is_server"]

T = TypeVar("T")

_POSTGRES: Final = ("postgresql://", "postgresql+psycopg://", "postgres://")
_BREATH: Final = 1.0
"""Seconds for which nobody tries again to reach a server that could not be reached."""


class Backend(Protocol):
    """One kind of database. All is called in the store's thread."""

    @property
    def place(self) -> str:
        """Where it is, fit to be shown."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What the driver raises, beside what SQLAlchemy makes of it."""

    def open(self, log: Any) -> Connection:
        """Connect for the first time and bring the schema up to date."""

    def connect(self) -> Connection:
        """Connect again."""

    def usable(self, connection: Connection) -> bool:
        """Whether the connection is still there, as far as can be told without asking."""

    def spoilt(self, connection: Connection) -> bool:
        """Whether the transaction can only be rolled back, since a statement in it failed."""

    def named(self, wrong: Exception) -> StoreError:
        """What happened, without any value."""


def is_server(place: str) -> bool:
    """Whether this is the address of a PostgreSQL database and not the path of a file."""
    return place.startswith(_POSTGRES)


class Database:
    """SQLite in WAL mode or PostgreSQL; every commit is on disk before its Deferred fires.

    :param place: the path of a file, ``:memory:``, or ``postgresql+psycopg://USER:PASSWORD@HOST/DB``.
        A missing folder is created for the user only.
    :param busy_seconds: how long to wait for another program that holds the file.
    :param checked_bytes: a larger file is not read through at each start.
    :param statement_seconds: after which a server gives a statement up.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        place: str,
        reactor: IReactorFromThreads,
        *,
        busy_seconds: float = 5.0,
        checked_bytes: int = 64 * 1024 * 1024,
        statement_seconds: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend: Backend
        if is_server(place):
            from kiro2api.store.database_postgres import PostgresServer

            self._backend = PostgresServer(place, statement_seconds=statement_seconds)
        else:
            self._backend = SqliteFile(place, busy_seconds, checked_bytes)
        self._monotonic = monotonic
        self._thread = SerialThread(reactor, "kiro2api-store")
        self._connection: Connection | None = None
        self._opened = False
        self._unreachable: tuple[float, StoreError] | None = None
        self._started = False
        self._stopped = False

    @property
    def place(self) -> str:
        """Where the database is, without the password."""
        return self._backend.place

    @property
    def alive(self) -> bool:
        """Whether it is open and takes work; a lost server is there again once work succeeds."""
        return self._connection is not None and not self._stopped

    def start(self) -> Deferred[None]:
        """Open it and bring its schema up to date, keeping a copy of an old file.

        Fails with StoreError, and leaves all as it is, if it is damaged, foreign or newer.
        """
        self._started = True
        return self._thread.call(lambda: self._translated(self._open))

    def run(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """What ``function`` returns, called in the store's thread inside one transaction.

        Its exception rolls back and fails the Deferred. Cancelling forgets the result; the
        transaction is completed all the same. May be called before ``start`` has fired. A server
        that goes away in the middle fails the Deferred with StoreError; the next call connects.
        """
        if not self._started or self._stopped:
            return fail(StoreError("the store is not open"))
        return self._thread.call(lambda: self._translated(lambda: self._transact(function)))

    def stop(self) -> Deferred[None]:
        """Fires when all work is done and the database is closed."""
        if self._started and not self._stopped:
            self._thread.call(self._close).addErrback(self._close_failed)
        self._stopped = True
        return self._thread.stop()

    # ── in the store's thread ────────────────────────────────────────────────

    def _open(self) -> None:
        self._connection = self._backend.open(self.log)
        self._opened = True

    def _transact(self, function: Callable[[Connection], T]) -> T:
        connection = self._ready()
        try:
            with connection.begin():
                result = function(connection)
                if self._backend.spoilt(connection):
                    raise StoreError("a part of the work failed; nothing was changed")
                return result
        finally:
            if not self._backend.usable(connection):
                self._drop()

    def _ready(self) -> Connection:
        if not self._opened:
            raise StoreError("the store is not open")
        if self._connection is not None and not self._backend.usable(self._connection):
            self._drop()
        if self._connection is None:
            self._connection = self._connected()
            self.log.info("store: connected again to {place}", place=self.place)
        return self._connection

    def _connected(self) -> Connection:
        now = self._monotonic()
        if self._unreachable is not None and now < self._unreachable[0]:
            # Many may wait in line, and each try may last.
            raise StoreError(self._unreachable[1].message)
        try:
            connection = self._translated(self._backend.connect)
        except StoreError as error:
            self._unreachable = (self._monotonic() + _BREATH, error)
            raise
        self._unreachable = None
        return connection

    def _drop(self) -> None:
        """The server is gone."""
        self.log.error("store: the connection to {place} was lost", place=self.place)
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                self._translated(connection.invalidate)
                self._translated(connection.close)
            except StoreError:
                pass  # there is nothing left to be closed

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._opened = False
        if connection is not None:
            connection.close()
            connection.engine.dispose()

    def _translated(self, function: Callable[[], T]) -> T:
        failures: tuple[type[Exception], ...] = (SQLAlchemyError, *self._backend.failures)
        try:
            return function()
        except failures as wrong:
            raise self._backend.named(wrong) from None

    def _close_failed(self, failure: object) -> None:
        self.log.error("store: closing failed")
