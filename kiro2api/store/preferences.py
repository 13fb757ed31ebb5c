# -*- test-case-name: tests.store.test_preferences -*-
"""What an operator has set while the service runs, as texts by name.

Must not know what a name means or which values are good.
"""

import time
from collections.abc import Callable

from sqlalchemy import Connection, delete, select, update
from twisted.internet.defer import Deferred

from kiro2api.store.changes import note
from kiro2api.store.database import Database
from kiro2api.store.database_portable import put_missing
from kiro2api.store.schema import PREFERENCES


class PreferenceRows:
    """The table ``preferences``. :param now: epoch seconds, for the notes of changes.

    ``put_in`` and ``removed`` work inside a transaction of the caller's.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def load(self) -> Deferred[dict[str, str]]:
        """Everything set."""

        def load(connection: Connection) -> dict[str, str]:
            return {row.key: row.value for row in connection.execute(select(PREFERENCES))}

        return self._database.run(load)

    def put(self, key: str, value: str) -> Deferred[None]:
        """Set one."""
        return self._database.run(lambda connection: self.put_in(connection, key, value))

    def remove(self, key: str) -> Deferred[bool]:
        """Set it no longer; whether it was."""
        return self._database.run(lambda connection: self.removed(connection, key))

    def put_in(self, connection: Connection, key: str, value: str) -> None:
        """``put`` inside a transaction."""
        mine = update(PREFERENCES).where(PREFERENCES.c.key == key).values(value=value)
        if not put_missing(connection, PREFERENCES, {"key": key, "value": value}):
            connection.execute(mine)
        note(connection, "setting", key, self._now())

    def removed(self, connection: Connection, key: str) -> bool:
        """``remove`` inside a transaction."""
        mine = delete(PREFERENCES).where(PREFERENCES.c.key == key)
        if connection.execute(mine).rowcount == 0:
            return False
        note(connection, "setting", key, self._now())
        return True
