# -*- test-case-name: tests.store.test_keys -*-
"""Keys of clients, as rows that do not give the keys away.

Only a digest is kept. Keys are generated with 256 random bits, so a fast hash is enough: there
is no dictionary to try. Must not know how a request presents its key.
"""

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred

from kiro2api.redaction import Secret
from kiro2api.store.database import Database, StoreError
from kiro2api.store.schema import CLIENT_KEYS

Role: TypeAlias = Literal["admin", "client"]

PREFIX: Final = "sk-kiro-"
SHORTEST: Final = 32


class StoredKey(msgspec.Struct, frozen=True):
    """One key, as the gate knows it; ``digest`` is ``digest_of`` the key."""

    id: int
    name: str
    digest: bytes
    role: Role
    created_at: float


def new_key() -> Secret:
    """A fresh key; shown to its owner once and stored nowhere."""
    return Secret(PREFIX + secrets.token_urlsafe(32))


def digest_of(key: str) -> bytes:
    """32 bytes that stand for the key; ``person`` keeps them apart from any other hash of it."""
    return blake2b(key.encode("utf-8"), digest_size=32, person=b"kiro2api-key").digest()


class KeyRows:
    """The table ``client_keys``. :param now: epoch seconds, for the time stamps of rows."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def add(self, name: str, key: Secret, role: Role) -> Deferred[int]:
        """Store a key's digest and give its id.

        :raises ValueError: for a key short enough to be guessed from its digest.
        Fails with StoreError if the key is there already.
        """
        if len(key.reveal()) < SHORTEST:
            raise ValueError(f"a stored key needs at least {SHORTEST} characters")
        values = {
            "name": name,
            "digest": digest_of(key.reveal()),
            "role": role,
            "created_at": self._now(),
        }

        def put(connection: Connection) -> int:
            try:
                added = connection.execute(insert(CLIENT_KEYS).values(values))
            except IntegrityError:
                raise StoreError("this key is stored already") from None
            return int(added.lastrowid)

        return self._database.run(put)

    def digests(self) -> Deferred[tuple[StoredKey, ...]]:
        """All keys, oldest first."""
        return self._database.run(_load)

    def remove(self, key_id: int) -> Deferred[bool]:
        """Forget a key; whether there was one."""

        def drop(connection: Connection) -> bool:
            gone = connection.execute(delete(CLIENT_KEYS).where(CLIENT_KEYS.c.id == key_id))
            return gone.rowcount > 0

        return self._database.run(drop)


def _load(connection: Connection) -> tuple[StoredKey, ...]:
    rows = connection.execute(select(CLIENT_KEYS).order_by(CLIENT_KEYS.c.id))
    return tuple(StoredKey(r.id, r.name, r.digest, r.role, r.created_at) for r in rows)
