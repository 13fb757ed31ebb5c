# -*- test-case-name: tests.store.test_sessions -*-
"""Sessions of the console, as rows that do not give the cookies away.

Must not know cookies or requests: a session is known here by the digest of its token.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select
from twisted.internet.defer import Deferred

from kiro2api.store.database import Database
from kiro2api.store.keys import Role
from kiro2api.store.schema import SESSIONS


class StoredSession(msgspec.Struct, frozen=True):
    """One session.

    ``key_id`` is 0 for a configured key, which is known by ``name``; ``binding`` proves that the
    key is still the one with which the session was begun. Times are epoch seconds.
    """

    digest: bytes
    name: str
    role: Role
    key_id: int
    binding: bytes
    csrf: str
    created_at: float
    expires_at: float


class SessionRows:
    """The table ``sessions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, session: StoredSession) -> Deferred[None]:
        """Keep a new session, and drop those that had ended before it began."""

        def put(connection: Connection) -> None:
            ended = SESSIONS.c.expires_at <= session.created_at
            connection.execute(delete(SESSIONS).where(ended))
            connection.execute(insert(SESSIONS).values(msgspec.structs.asdict(session)))

        return self._database.run(put)

    def find(self, digest: bytes) -> Deferred[StoredSession | None]:
        """The session of a token, ended or not."""

        def read(connection: Connection) -> StoredSession | None:
            row: Any = connection.execute(
                select(SESSIONS).where(SESSIONS.c.digest == digest)
            ).first()
            return None if row is None else StoredSession(**dict(row._mapping))

        return self._database.run(read)

    def remove(self, digest: bytes) -> Deferred[bool]:
        """End a session; whether there was one."""

        def drop(connection: Connection) -> bool:
            gone = connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest))
            return gone.rowcount > 0

        return self._database.run(drop)

    def prune(self, now: float) -> Deferred[int]:
        """Drop those that have ended; how many there were."""

        def drop(connection: Connection) -> int:
            gone = connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at <= now))
            return gone.rowcount

        return self._database.run(drop)
