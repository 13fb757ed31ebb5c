# -*- test-case-name: tests.store.test_database_postgres -*-
"""PostgreSQL, through psycopg 3, which is installed as the extra ``postgres``.

Must not know threads or rows. Imported only by a service that uses such a database. The password
is in no text of ours, and the driver's own texts are never repeated.
"""

import math
import select
from typing import Any, Final

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from kiro2api.store import migrate
from kiro2api.store.database_portable import alone
from kiro2api.store.migrate import Standing, StoreError
from kiro2api.store.schema import REVISION

_CONNECT_SECONDS: Final = 5
_LOCK_SECONDS: Final = 15.0
_IDLE_SECONDS: Final = 60.0

# States of SQL as PostgreSQL's manual lists them (appendix A).
_STATES: Final = {
    "25006": "the database {place} is read-only: it is a replica, or was made so",
    "28000": "the database {place} does not let the user in: check KIRO_DB_URL",
    "28P01": "the database {place} does not accept the password: check KIRO_DB_URL",
    "3D000": "there is no such database as {place}: create it first, or check KIRO_DB_URL",
    "40001": "two writers met in the database; nothing was changed by this one",
    "40P01": "two writers met in the database; nothing was changed by this one",
    "42501": "the database {place} does not allow this: its user must own the tables",
    "53100": "no space is left for the database {place}",
    "53300": "the database {place} has no connection to spare",
    "55P03": "the database {place} is locked by another program",
    "57014": "the database {place} took too long",
}
_SAID: Final = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    'role "': "28000",
    "too many clients": "53300",
    "remaining connection slots": "53300",
    'database "': "3D000",
}
"""A refused connection has no state, only a text (in English, unless the server speaks another
language, when the general message has to do)."""


class PostgresServer:
    """One database of a server; see ``database.Database`` for the parameters."""

    def __init__(self, address: str, *, statement_seconds: float) -> None:
        self._statement_seconds = statement_seconds
        self.place = "KIRO_DB_URL"
        self._url: URL | None = None
        try:
            url = make_url(address).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            return  # told by ``open``
        if url.database:
            self._url = url
            port = f":{url.port}" if url.port else ""
            host = url.host or url.query.get("host") or "local"
            self.place = f"postgresql://{url.username or ''}@{host}{port}/{url.database}"

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """The driver's root, once it is there."""
        try:
            from psycopg import Error
        except ImportError:
            return ()
        return (Error,)

    def open(self, log: Any) -> Connection:
        """Connect, and bring the schema up to date, one process at a time."""
        connection = self.connect()
        try:
            with connection.begin():
                # Others may be migrating for longer than a statement may last otherwise.
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                alone(connection, "migration")
                found = migrate.standing(connection)
                if found is Standing.FOREIGN:
                    raise StoreError(self._foreign(migrate.revision_of(connection)))
                if found is not Standing.CURRENT:
                    migrate.bring_up(connection, found)
            if found is not Standing.CURRENT:
                log.info("store: schema is at revision={revision}", revision=REVISION)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect(self) -> Connection:
        """A connection as all are; nobody else uses it, so that there is no pool."""
        if self._url is None:
            raise StoreError(
                "KIRO_DB_URL must be as in postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, with"
                " special characters of the password percent-encoded"
            )
        try:
            engine = create_engine(
                self._url,
                hide_parameters=True,
                poolclass=NullPool,
                connect_args=self._arguments(self._url),
            )
        except ImportError:
            raise StoreError(
                "KIRO_DB_URL needs the PostgreSQL driver: pip install 'kiro2api[postgres]'"
            ) from None
        event.listen(engine, "connect", self._configure)
        return engine.connect()

    def usable(self, connection: Connection) -> bool:
        """Whether the server still listens. Between two transactions it has nothing to say, so
        that anything to be read is its farewell or the end of the connection."""
        if connection.invalidated or connection.closed:
            return False
        driver: Any = connection.connection.driver_connection
        if driver is None or driver.closed or driver.broken:
            return False
        waiting = select.poll()
        waiting.register(driver.pgconn.socket, select.POLLIN)
        return not waiting.poll(0)

    def spoilt(self, connection: Connection) -> bool:
        """After a statement that failed the server would roll back and call that a commit."""
        from psycopg.pq import TransactionStatus

        driver: Any = connection.connection.driver_connection
        return bool(driver.info.transaction_status == TransactionStatus.INERROR)

    def named(self, wrong: Exception) -> StoreError:
        """What the server complains about, without any value."""
        cause = getattr(wrong, "orig", None) or wrong
        state = getattr(cause, "sqlstate", None) or self._state_said(str(cause))
        if state in _STATES:
            return StoreError(_STATES[state].format(place=self.place))
        if getattr(wrong, "connection_invalidated", False) or state.startswith(("08", "57P")):
            return StoreError(f"the connection to the database {self.place} was lost")
        if not state and type(cause).__name__ in ("OperationalError", "ConnectionTimeout"):
            return StoreError(
                f"the database {self.place} cannot be reached: check that it runs, and KIRO_DB_URL"
            )
        return StoreError(f"the database failed: {state or type(cause).__name__}")

    def _arguments(self, url: URL) -> dict[str, object]:
        """What the driver is told, unless the address says otherwise."""
        defaults = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "kiro2api",
            # A server that vanished is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        }
        return {name: value for name, value in defaults.items() if name not in url.query}

    def _configure(self, connection: Any, record: object) -> None:
        limits = {
            "statement_timeout": self._statement_seconds,
            "lock_timeout": min(_LOCK_SECONDS, self._statement_seconds),
            # Of a process that hangs in the middle of a transaction, with all its locks.
            "idle_in_transaction_session_timeout": _IDLE_SECONDS,
        }
        # What is set inside a transaction ends with it.
        connection.autocommit = True
        for name, seconds in limits.items():
            connection.execute(f"SET {name} = {math.ceil(seconds * 1000)}")
        connection.autocommit = False

    @staticmethod
    def _state_said(said: str) -> str:
        return next((state for words, state in _SAID.items() if words in said), "")

    def _foreign(self, revision: str | None) -> str:
        if revision is None:
            return (
                f"{self.place} holds tables of another program; it was left as it is."
                " Set KIRO_DB_URL to a database of its own"
            )
        return (
            f"{self.place} has the schema revision {revision!r}, which this version does not know;"
            " it was left as it is. Use the newer version that wrote it, or another KIRO_DB_URL"
        )
