# -*- test-case-name: tests.store.test_changes -*-
"""What has changed, in order, so that every process on one store can follow.

Must not know what a change means: it names a topic and a subject, and whoever follows reads the
rest where it is kept.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, delete, func, insert, select
from twisted.internet.defer import Deferred

from kiro2api.store.database import Database
from kiro2api.store.database_portable import alone
from kiro2api.store.schema import CHANGES

Topic: TypeAlias = Literal["account", "group", "key", "setting"]

_MOST: Final = 1000
"""Changes told at once; the rest is told when asked again."""


class Change(msgspec.Struct, frozen=True):
    """One change; ``serial`` grows, with gaps."""

    serial: int
    topic: str
    subject: str


def note(connection: Connection, topic: Topic, subject: str, now: float) -> None:
    """Say so in the transaction that changes something, after everything else in it.

    A serial becomes visible only after every smaller one: where writers are not alone anyway,
    the numbers are given out one transaction at a time. Hence last, so that nobody waits long.
    """
    note_all(connection, topic, (subject,), now)


def note_all(connection: Connection, topic: Topic, subjects: Iterable[str], now: float) -> None:
    """The same for many of one topic."""
    rows = [{"topic": topic, "subject": subject, "at": now} for subject in subjects]
    if rows:
        alone(connection, "changes")
        connection.execute(insert(CHANGES), rows)


class ChangeRows:
    """The table ``changes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, serial: int) -> Deferred[tuple[int, list[Change]]]:
        """What changed after that serial, oldest first, and the serial to ask with next time.

        At most 1,000 at once: ask again until there are none.
        """

        def since(connection: Connection) -> tuple[int, list[Change]]:
            newer = select(CHANGES).where(CHANGES.c.serial > serial)
            rows = connection.execute(newer.order_by(CHANGES.c.serial).limit(_MOST))
            found = [Change(row.serial, row.topic, row.subject) for row in rows]
            return (found[-1].serial if found else serial), found

        return self._database.run(since)

    def latest(self) -> Deferred[int]:
        """The serial from which to follow for whoever has just read everything; 0 for none."""

        def latest(connection: Connection) -> int:
            return connection.execute(select(func.max(CHANGES.c.serial))).scalar() or 0

        return self._database.run(latest)

    def prune(self, before: float) -> Deferred[int]:
        """Drop what was noted before that time (epoch seconds); how much it was.

        Whoever has not followed since then has to read everything anew.
        """

        def prune(connection: Connection) -> int:
            return connection.execute(delete(CHANGES).where(CHANGES.c.at < before)).rowcount

        return self._database.run(prune)
