# -*- test-case-name: tests.store.test_audit -*-
"""What operators did: who, what, on what, when.

Must not know what an action does. Whoever writes leaves secrets out of the detail.
"""

import time
from collections.abc import Callable

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, true
from twisted.internet.defer import Deferred

from kiro2api.store.database import Database
from kiro2api.store.schema import AUDIT


class Audited(msgspec.Struct, frozen=True):
    """One action. ``at``: epoch seconds; ``detail``: what JSON can say."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: object


def wrote(
    connection: Connection, actor: str, action: str, subject: str, detail: object, now: float
) -> None:
    """Write one down in the transaction that does it."""
    values = {
        "at": now,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": msgspec.json.encode(detail).decode("utf-8"),
    }
    connection.execute(insert(AUDIT).values(values))


class AuditRows:
    """The table ``audit``. :param now: epoch seconds, for the time stamps of rows."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def write(self, actor: str, action: str, subject: str, detail: object = None) -> Deferred[None]:
        """Write down what changes nothing in the store."""
        now = self._now()
        return self._database.run(
            lambda connection: wrote(connection, actor, action, subject, detail, now)
        )

    def page(self, before_id: int, limit: int, subject: str = "") -> Deferred[list[Audited]]:
        """The newest first, from before that id (0: from the newest), of one subject or of all."""

        def page(connection: Connection) -> list[Audited]:
            wanted = select(AUDIT).where(_of(subject)).order_by(AUDIT.c.id.desc()).limit(limit)
            if before_id:
                wanted = wanted.where(AUDIT.c.id < before_id)
            return [
                Audited(
                    row.id,
                    row.at,
                    row.actor,
                    row.action,
                    row.subject,
                    msgspec.json.decode(row.detail),
                )
                for row in connection.execute(wanted)
            ]

        return self._database.run(page)

    def count(self, subject: str = "") -> Deferred[int]:
        """How many there are."""

        def count(connection: Connection) -> int:
            counted = select(func.count()).select_from(AUDIT).where(_of(subject))
            return connection.execute(counted).scalar_one()

        return self._database.run(count)

    def prune(self, before: float) -> Deferred[int]:
        """Drop what is older than that time (epoch seconds); how much it was."""

        def prune(connection: Connection) -> int:
            return connection.execute(delete(AUDIT).where(AUDIT.c.at < before)).rowcount

        return self._database.run(prune)


def _of(subject: str) -> ColumnElement[bool]:
    return AUDIT.c.subject == subject if subject else true()
