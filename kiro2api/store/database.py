# -*- test-case-name: tests.store.test_database -*-
"""The database: opened with care, used in one thread of its own, one transaction at a time.

Must not know the rows. No exception of SQLAlchemy or SQLite leaves this module: they become
StoreError, whose text holds no values.
"""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import txaio.tx
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads

from kiro2api.store.migrate import (
    Standing,
    StoreError,
    back_up,
    create,
    migrate,
    revision_of,
    standing,
)
from kiro2api.store.schema import REVISION
from kiro2api.store.thread import SerialThread

__all__ = ["Database", "StoreError"]

T = TypeVar("T")

MEMORY: Final = ":memory:"


class Database:
    """SQLite in WAL mode; every commit is on disk before its Deferred fires.

    :param path: of the file, or ``:memory:``. A missing folder is created for the user only.
    :param busy_seconds: how long to wait for another program that holds the file.
    :param checked_bytes: a larger file is not read through at each start.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        path: str,
        reactor: IReactorFromThreads,
        *,
        busy_seconds: float = 5.0,
        checked_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._checked_bytes = checked_bytes
        self._thread = SerialThread(reactor, "kiro2api-store")
        self._connection: Connection | None = None
        self._started = False
        self._stopped = False

    @property
    def alive(self) -> bool:
        """Whether the file is open and takes work."""
        return self._connection is not None and not self._stopped

    def start(self) -> Deferred[None]:
        """Open the file and bring its schema up to date, keeping a copy of the old one.

        Fails with StoreError, and leaves the file alone, if it is damaged, foreign or newer.
        """
        self._started = True
        return self._thread.call(lambda: self._translated(self._open))

    def run(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """What ``function`` returns, called in the store's thread inside one transaction.

        Its exception rolls back and fails the Deferred. Cancelling forgets the result; the
        transaction is completed all the same. May be called before ``start`` has fired.
        """
        if not self._started or self._stopped:
            return fail(StoreError("the store is not open"))
        return self._thread.call(lambda: self._translated(lambda: self._transact(function)))

    def stop(self) -> Deferred[None]:
        """Fires when all work is done and the file is closed."""
        if self._started and not self._stopped:
            self._thread.call(self._close).addErrback(self._close_failed)
        self._stopped = True
        return self._thread.stop()

    # ── in the store's thread ────────────────────────────────────────────────

    def _transact(self, function: Callable[[Connection], T]) -> T:
        if self._connection is None:
            raise StoreError("the store is not open")
        with self._connection.begin():
            return function(self._connection)

    def _open(self) -> None:
        if self._path != MEMORY:
            self._prepare_file(Path(self._path))
        connection = _engine(self._path, self._busy_seconds).connect()
        try:
            with connection.begin():
                found = standing(connection)
                revision = revision_of(connection)
            if found is Standing.FOREIGN:
                raise StoreError(self._foreign(revision))
            self._check(connection)
            self._claim(connection)
            if found is Standing.OLDER:
                copy = Path(f"{self._path}.bak-{revision}")
                back_up(_driver_connection(connection), copy)
                self.log.info("store: kept a copy before migrating path={path}", path=str(copy))
            if found is not Standing.CURRENT:
                with connection.begin():
                    bring = create if found is Standing.EMPTY else migrate
                    bring(connection)
                self.log.info("store: schema is at revision={revision}", revision=REVISION)
        except BaseException:
            connection.close()
            connection.engine.dispose()
            raise
        self._connection = connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            connection.engine.dispose()

    def _check(self, connection: Connection) -> None:
        if self._path != MEMORY and os.path.getsize(self._path) > self._checked_bytes:
            return
        verdict = _driver_connection(connection).execute("PRAGMA quick_check(1)").fetchone()
        if verdict != ("ok",):
            raise StoreError(self._damaged())

    def _prepare_file(self, path: Path) -> None:
        try:
            if not path.parent.exists():
                path.parent.mkdir(parents=True, mode=0o700)
            # Made by us before SQLite does, because it would ask the umask.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as wrong:
            raise StoreError(
                f"cannot use {path} as the database: {wrong.strerror};"
                " check the folder's owner and mode, or set KIRO_DB_PATH"
            ) from None

    def _claim(self, connection: Connection) -> None:
        """What changes the file itself; only now is it known to be ours."""
        _driver_connection(connection).execute("PRAGMA journal_mode = WAL")
        path = Path(self._path)
        if self._path == MEMORY:
            return
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)
                self.log.warn(
                    "store: file was open to others, now it is not path={path}", path=str(path)
                )
        except OSError:
            self.log.warn("store: others can read the file path={path}", path=str(path))

    def _translated(self, function: Callable[[], T]) -> T:
        try:
            return function()
        except (SQLAlchemyError, sqlite3.Error) as wrong:
            raise self._named(wrong) from None

    def _named(self, wrong: Exception) -> StoreError:
        cause = getattr(wrong, "orig", None) or wrong
        name = getattr(cause, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(self._damaged())
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return StoreError(
                f"cannot write the database {self._path}: check the owner and mode of the file"
                " and of its folder, or set KIRO_DB_PATH"
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreError(f"the database {self._path} is locked by another program")
        if name.startswith("SQLITE_FULL"):
            return StoreError(f"no space is left for the database {self._path}")
        # Not the text: that of SQLAlchemy may quote values.
        return StoreError(f"the database failed: {name or type(cause).__name__}")

    def _damaged(self) -> str:
        return (
            f"{self._path} is damaged or no SQLite database; it was left as it is. Move it away"
            " and start with a new one, or put a copy back (made before a migration: *.bak-*)"
        )

    def _foreign(self, revision: str | None) -> str:
        if revision is None:
            return (
                f"{self._path} was written by another program; it was left as it is."
                " Set KIRO_DB_PATH to a file of its own"
            )
        return (
            f"{self._path} has the schema revision {revision!r}, which this version does not know;"
            " it was left as it is. Use the newer version that wrote it, or another KIRO_DB_PATH"
        )

    def _close_failed(self, failure: object) -> None:
        self.log.error("store: closing failed")


def _engine(path: str, busy_seconds: float) -> Engine:
    # Values of a failed statement must not appear in an exception's text.
    engine = create_engine(
        URL.create("sqlite", database=path),
        hide_parameters=True,
        connect_args={"timeout": busy_seconds},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, record: object) -> None:
    # Python's module would begin transactions late and never for a change of the schema.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    # The write lock at once: a transaction that reads first could not get it later.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
