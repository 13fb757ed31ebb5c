# -*- test-case-name: tests.store.test_keys -*-
"""Keys of clients, as rows that do not give the keys away.

Only a digest is kept. Keys are generated with 256 random bits, so a fast hash is enough: there
is no dictionary to try. Must not know how a request presents its key.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update
from twisted.internet.defer import Deferred

from kiro2api.redaction import Secret
from kiro2api.store.audit import wrote
from kiro2api.store.changes import note
from kiro2api.store.database import Database, StoreError
from kiro2api.store.database_portable import alone
from kiro2api.store.schema import CLIENT_KEYS, KEY_DAYS, SESSIONS

Role: TypeAlias = Literal["admin", "client"]

PREFIX: Final = "sk-kiro-"
SHORTEST: Final = 32
GENERATED: Final = "generated"
"""The name of the key that a first start without any key makes."""

_LISTS: Final = ("groups", "models")


class StoredKey(msgspec.Struct, frozen=True):
    """One key, as the gate knows it; ``digest`` is ``digest_of`` the key.

    ``hint`` is the key's end. ``groups`` and ``models`` are empty for all; of the limits 0 means
    none; ``expires_at`` and ``last_used_at`` are epoch seconds, 0 for never.
    """

    id: int
    name: str
    digest: bytes
    role: Role
    created_at: float
    hint: str = ""
    enabled: bool = True
    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requests_per_minute: int = 0
    max_in_flight: int = 0
    credits_per_day: float = 0.0
    credits_per_month: float = 0.0
    expires_at: float = 0.0
    last_used_at: float = 0.0


class KeyTaken(StoreError):
    """There is such a key already. ``field``: what it has in common, ``name`` or ``key``."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def new_key() -> Secret:
    """A fresh key; shown to its owner once and stored nowhere."""
    return Secret(PREFIX + secrets.token_urlsafe(32))


def digest_of(key: str) -> bytes:
    """32 bytes that stand for the key; ``person`` keeps them apart from any other hash of it."""
    return blake2b(key.encode("utf-8"), digest_size=32, person=b"kiro2api-key").digest()


def hint_of(key: Secret) -> str:
    """The end of a key, by which its owner knows it; nothing of one that is short."""
    return key.reveal()[-4:] if len(key.reveal()) >= SHORTEST else ""


class KeyRows:
    """The table ``client_keys``. :param now: epoch seconds, for the time stamps of rows."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def add(
        self, name: str, key: Secret, role: Role, *, actor: str = "", **terms: Any
    ) -> Deferred[int]:
        """Store a key's digest and give its id.

        :param actor: who asked for it; empty for the service itself, which is not audited.
        :param terms: further fields of StoredKey.
        :raises ValueError: for a key short enough to be guessed from its digest.
        Fails with KeyTaken if the key or its name is there already.
        """
        if len(key.reveal()) < SHORTEST:
            raise ValueError(f"a stored key needs at least {SHORTEST} characters")
        now = self._now()
        values = {
            "name": name,
            "digest": digest_of(key.reveal()),
            "role": role,
            "created_at": now,
            "hint": hint_of(key),
            **_columns(terms),
        }

        def put(connection: Connection) -> int:
            _refuse_name(connection, name, 0)
            known = select(CLIENT_KEYS.c.id).where(CLIENT_KEYS.c.digest == values["digest"])
            if connection.execute(known).first() is not None:
                raise KeyTaken("this key is stored already", "key")
            added = connection.execute(insert(CLIENT_KEYS).values(values))
            assert added.inserted_primary_key is not None
            key_id = int(added.inserted_primary_key[0])
            if actor:
                detail = {"name": name, "role": role, **terms}
                wrote(connection, actor, "key.create", name, detail, now)
            note(connection, "key", str(key_id), now)
            return key_id

        return self._database.run(put)

    def digests(self) -> Deferred[tuple[StoredKey, ...]]:
        """All keys, oldest first."""
        return self._database.run(_load)

    def find(self, ids: Iterable[int]) -> Deferred[dict[int, StoredKey]]:
        """Those of the keys that are there."""
        wanted = tuple(ids)

        def read(connection: Connection) -> dict[int, StoredKey]:
            rows = connection.execute(select(CLIENT_KEYS).where(CLIENT_KEYS.c.id.in_(wanted)))
            return {row.id: _stored(row) for row in rows}

        return self._database.run(read)

    def patch(self, key_id: int, *, actor: str, **terms: Any) -> Deferred[StoredKey | None]:
        """Change some fields of a key; the key as it is now, None if there is none.

        Fails with KeyTaken if another key has the new name.
        """
        now = self._now()
        values = _columns(terms)

        def put(connection: Connection) -> StoredKey | None:
            wanted = select(CLIENT_KEYS).where(CLIENT_KEYS.c.id == key_id)
            row = connection.execute(wanted).first()
            if row is None:
                return None
            if "name" in terms:
                _refuse_name(connection, terms["name"], key_id)
            if values:
                changed = update(CLIENT_KEYS).where(CLIENT_KEYS.c.id == key_id).values(values)
                connection.execute(changed)
                wrote(connection, actor, "key.change", row.name, terms, now)
                note(connection, "key", str(key_id), now)
            return _stored(connection.execute(wanted).one())

        return self._database.run(put)

    def remove(self, key_id: int, *, actor: str = "") -> Deferred[bool]:
        """Forget a key, its sessions and what it has spent; whether there was one."""
        now = self._now()

        def drop(connection: Connection) -> bool:
            wanted = select(CLIENT_KEYS.c.name).where(CLIENT_KEYS.c.id == key_id)
            row = connection.execute(wanted).first()
            if row is None:
                return False
            connection.execute(delete(CLIENT_KEYS).where(CLIENT_KEYS.c.id == key_id))
            # A number may be given out again.
            connection.execute(delete(KEY_DAYS).where(KEY_DAYS.c.key_id == key_id))
            connection.execute(delete(SESSIONS).where(SESSIONS.c.key_id == key_id))
            if actor:
                wrote(connection, actor, "key.delete", row.name, {}, now)
            note(connection, "key", str(key_id), now)
            return True

        return self._database.run(drop)


def _refuse_name(connection: Connection, name: str, own_id: int) -> None:
    alone(connection, "client_keys")
    same = select(CLIENT_KEYS.c.id).where(CLIENT_KEYS.c.name == name, CLIENT_KEYS.c.id != own_id)
    if connection.execute(same).first() is not None:
        raise KeyTaken(f"there is a key named {name!r} already", "name")


def _columns(terms: dict[str, Any]) -> dict[str, Any]:
    columns = dict(terms)
    for field in _LISTS:
        if field in columns:
            names = list(columns[field])
            columns[field] = msgspec.json.encode(names).decode() if names else ""
    return columns


def _load(connection: Connection) -> tuple[StoredKey, ...]:
    rows = connection.execute(select(CLIENT_KEYS).order_by(CLIENT_KEYS.c.id))
    return tuple(_stored(row) for row in rows)


def _stored(row: Row[Any]) -> StoredKey:
    fields = dict(row._mapping)
    for field in _LISTS:
        fields[field] = tuple(msgspec.json.decode(fields[field] or b"[]", type=list[str]))
    return StoredKey(**fields)
