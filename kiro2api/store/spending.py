# -*- test-case-name: tests.store.test_spending -*-
"""What keys have spent, by day, over all processes and restarts; and when they were used last.

Written in batches: each process adds what it has seen since the last time, and reads what all
have added. Must not know budgets.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, delete, select, update
from twisted.internet.defer import Deferred

from kiro2api.store.database import Database
from kiro2api.store.database_portable import put_missing
from kiro2api.store.schema import CLIENT_KEYS, KEY_DAYS

KEPT_DAYS: Final = 70
"""More than two months, so that the last month can still be shown."""

Spent = dict[int, dict[int, float]]
"""Credits by key and day (counted from 1970-01-01, in UTC)."""


class SpendingRows:
    """The table ``key_days``, and ``last_used_at`` of ``client_keys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settle(
        self, used: Mapping[int, float], spent: Mapping[int, Mapping[int, float]], since: int
    ) -> Deferred[Spent]:
        """Add what was spent, note when keys were used, and give the sums of all processes.

        :param used: epoch seconds by key.
        :param since: the first day that is asked for.
        """

        def put(connection: Connection) -> Spent:
            # In one order, or two processes could wait for each other.
            for key_id, moment in sorted(used.items()):
                connection.execute(
                    update(CLIENT_KEYS)
                    .where(CLIENT_KEYS.c.id == key_id, CLIENT_KEYS.c.last_used_at < moment)
                    .values(last_used_at=moment)
                )
            if spent:
                # What a key spent that is gone must not burden another with its number.
                there = select(CLIENT_KEYS.c.id).where(CLIENT_KEYS.c.id.in_(tuple(spent)))
                for key_id in sorted(connection.execute(there).scalars()):
                    for day, credits in sorted(spent[key_id].items()):
                        _add(connection, key_id, day, credits)
            connection.execute(delete(KEY_DAYS).where(KEY_DAYS.c.day < since - KEPT_DAYS))
            sums: Spent = {}
            for row in connection.execute(select(KEY_DAYS).where(KEY_DAYS.c.day >= since)):
                sums.setdefault(row.key_id, {})[row.day] = row.credits
            return sums

        return self._database.run(put)


def _add(connection: Connection, key_id: int, day: int, credits: float) -> None:
    if not put_missing(connection, KEY_DAYS, {"key_id": key_id, "day": day, "credits": credits}):
        connection.execute(
            update(KEY_DAYS)
            .where(KEY_DAYS.c.key_id == key_id, KEY_DAYS.c.day == day)
            .values(credits=KEY_DAYS.c.credits + credits)
        )
