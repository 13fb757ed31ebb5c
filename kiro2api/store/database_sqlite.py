# -*- test-case-name: tests.store.test_database -*-
"""SQLite: a file made private, checked, copied before it is migrated, refused when it is not ours.

Must not know threads or rows.
"""

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from kiro2api.store import migrate
from kiro2api.store.migrate import Standing, StoreError
from kiro2api.store.schema import REVISION

MEMORY: Final = ":memory:"

_BUSY_PAUSE: Final = 0.02


class SqliteFile:
    """One file, or ``:memory:``; see ``database.Database`` for the parameters."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: str, busy_seconds: float, checked_bytes: int) -> None:
        self.place = path
        self._busy_seconds = busy_seconds
        self._checked_bytes = checked_bytes

    def open(self, log: Any) -> Connection:
        """Open the file, checked and with the newest schema."""
        if self.place != MEMORY:
            self._prepare(Path(self.place))
        connection = self.connect()
        try:
            with connection.begin():
                found = migrate.standing(connection)
                revision = migrate.revision_of(connection)
            if found is Standing.FOREIGN:
                raise StoreError(self._foreign(revision))
            self._check(connection)
            self._claim(connection, log)
            if found is Standing.OLDER:
                copy = Path(f"{self.place}.bak-{revision}")
                migrate.back_up(_driver_connection(connection), copy)
                log.info("store: kept a copy before migrating path={path}", path=str(copy))
            if found is not Standing.CURRENT:
                with connection.begin():
                    # A process that starts at the same time may have done it by now.
                    found = migrate.standing(connection)
                    if found is not Standing.CURRENT:
                        migrate.bring_up(connection, found)
                log.info("store: schema is at revision={revision}", revision=REVISION)
        except BaseException:
            connection.close()
            connection.engine.dispose()
            raise
        return connection

    def connect(self) -> Connection:
        """A connection as all are."""
        return _engine(self.place, self._busy_seconds).connect()

    def usable(self, connection: Connection) -> bool:
        """A file does not go away."""
        return True

    def spoilt(self, connection: Connection) -> bool:
        """A statement that fails undoes itself only."""
        return False

    def named(self, wrong: Exception) -> StoreError:
        """What SQLite complains about, without any value."""
        cause = getattr(wrong, "orig", None) or wrong
        name = getattr(cause, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(self._damaged())
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return StoreError(
                f"cannot write the database {self.place}: check the owner and mode of the file"
                " and of its folder, or set KIRO_DB_PATH"
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreError(f"the database {self.place} is locked by another program")
        if name.startswith("SQLITE_FULL"):
            return StoreError(f"no space is left for the database {self.place}")
        # Not the text: that of SQLAlchemy may quote values.
        return StoreError(f"the database failed: {name or type(cause).__name__}")

    def _prepare(self, path: Path) -> None:
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

    def _check(self, connection: Connection) -> None:
        if self.place != MEMORY and os.path.getsize(self.place) > self._checked_bytes:
            return
        verdict = _driver_connection(connection).execute("PRAGMA quick_check(1)").fetchone()
        if verdict != ("ok",):
            raise StoreError(self._damaged())

    def _claim(self, connection: Connection, log: Any) -> None:
        """What changes the file itself; only now is it known to be ours."""
        self._write_ahead(_driver_connection(connection))
        path = Path(self.place)
        if self.place == MEMORY:
            return
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)
                log.warn(
                    "store: file was open to others, now it is not path={path}", path=str(path)
                )
        except OSError:
            log.warn("store: others can read the file path={path}", path=str(path))

    def _write_ahead(self, driver: sqlite3.Connection) -> None:
        """SQLite does not wait for others here, such as a process that starts at the same time."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                driver.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as wrong:
                busy = wrong.sqlite_errorname.startswith("SQLITE_BUSY")
                if not busy or time.monotonic() >= deadline:
                    raise
                time.sleep(_BUSY_PAUSE)
            else:
                return

    def _damaged(self) -> str:
        return (
            f"{self.place} is damaged or no SQLite database; it was left as it is. Move it away"
            " and start with a new one, or put a copy back (made before a migration: *.bak-*)"
        )

    def _foreign(self, revision: str | None) -> str:
        if revision is None:
            return (
                f"{self.place} was written by another program; it was left as it is."
                " Set KIRO_DB_PATH to a file of its own"
            )
        return (
            f"{self.place} has the schema revision {revision!r}, which this version does not know;"
            " it was left as it is. Use the newer version that wrote it, or another KIRO_DB_PATH"
        )


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
    # A token that was replaced, sealed or removed does not linger in unused parts of the file.
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    # The write lock at once: a transaction that reads first could not get it later.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
