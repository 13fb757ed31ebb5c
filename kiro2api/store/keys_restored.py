# -*- test-case-name: tests.store.test_keys_restored -*-
"""Keys that come back from a backup: by their digests, for the keys themselves are in none.

Must not know how a request presents its key.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select
from twisted.internet.defer import Deferred

from kiro2api.store.audit import wrote
from kiro2api.store.changes import note
from kiro2api.store.database import Database
from kiro2api.store.database_portable import alone
from kiro2api.store.keys import StoredKey
from kiro2api.store.schema import CLIENT_KEYS


class RestoredKeys:
    """Puts keys into the table ``client_keys``. :param now: epoch seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def restore(self, actor: str, keys: Sequence[StoredKey]) -> Deferred[list[int]]:
        """Those that are not there yet, in one transaction; the ids that they have now.

        One whose name is taken gets another.
        """

        def restore(connection: Connection) -> list[int]:
            now = self._now()
            alone(connection, "client_keys")
            known = connection.execute(select(CLIENT_KEYS.c.digest, CLIENT_KEYS.c.name)).all()
            digests = {row.digest for row in known}
            names = {row.name for row in known}
            added: dict[int, str] = {}
            for key in keys:
                if key.digest in digests:
                    continue
                name = _free(key.name, names)
                digests.add(key.digest)
                names.add(name)
                done = connection.execute(
                    insert(CLIENT_KEYS).values({**_columns(key), "name": name})
                )
                assert done.inserted_primary_key is not None
                added[int(done.inserted_primary_key[0])] = name
            if added:
                wrote(connection, actor, "key.restore", "", {"names": list(added.values())}, now)
            for key_id in added:
                note(connection, "key", str(key_id), now)
            return list(added)

        return self._database.run(restore)


def _columns(key: StoredKey) -> dict[str, Any]:
    columns = msgspec.structs.asdict(key)
    del columns["id"]
    for field in ("groups", "models"):
        names = columns[field]
        columns[field] = msgspec.json.encode(names).decode("utf-8") if names else ""
    return columns


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
