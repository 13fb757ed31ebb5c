# -*- test-case-name: tests.store.test_captures -*-
"""Failed requests that were kept because an operator asked for it, for a while.

The switch is in the store, so that all processes obey it, and ends by itself. Must not know what
is in a capture; it is redacted before it comes here.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select
from twisted.internet.defer import Deferred

from kiro2api.metering_capture import Captured
from kiro2api.store.audit import wrote
from kiro2api.store.database import Database
from kiro2api.store.preferences import PreferenceRows
from kiro2api.store.schema import CAPTURES, PREFERENCES

SWITCH: Final = "captures_until"
MOST: Final = 200
MOST_SECONDS: Final = 7 * 86400.0


class CaptureRows:
    """The table ``captures`` and its switch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def until(self) -> Deferred[float]:
        """When capturing ends or has ended; 0 for never begun."""
        return self._database.run(_until)

    def switch(self, until: float, actor: str, now: float) -> Deferred[None]:
        """Capture until then (epoch seconds); 0 to end it. Audited."""

        def put(connection: Connection) -> None:
            rows = PreferenceRows(self._database, lambda: now)
            action = "capture.start" if until else "capture.stop"
            wrote(connection, actor, action, "captures", {"until": until}, now)
            if until:
                rows.put_in(connection, SWITCH, repr(until))
            else:
                rows.removed(connection, SWITCH)

        return self._database.run(put)

    def keep(self, request_id: str, make: Callable[[], bytes], now: float) -> Deferred[float]:
        """Keep what ``make`` gives, if it is still wanted; it is called in the store's thread.

        Fires with when capturing ends.
        """

        def put(connection: Connection) -> float:
            until = _until(connection)
            if now < until:
                content = make()
                connection.execute(delete(CAPTURES).where(CAPTURES.c.request_id == request_id))
                connection.execute(
                    insert(CAPTURES).values(
                        request_id=request_id, at=now, octets=len(content), content=content
                    )
                )
                _prune(connection, now)
            return until

        return self._database.run(put)

    def listed(self, now: float) -> Deferred[list[Captured]]:
        """All of them, the newest first; those that are too old are dropped."""

        def look(connection: Connection) -> list[Captured]:
            _prune(connection, now)
            c = CAPTURES.c
            rows = connection.execute(
                select(c.request_id, c.at, c.octets).order_by(c.at.desc(), c.request_id)
            )
            return [Captured(row.request_id, row.at, row.octets) for row in rows]

        return self._database.run(look)

    def read(self, request_id: str) -> Deferred[bytes | None]:
        """One of them, as JSON text."""

        def look(connection: Connection) -> bytes | None:
            found = connection.execute(
                select(CAPTURES.c.content).where(CAPTURES.c.request_id == request_id)
            ).scalar()
            return None if found is None else bytes(found)

        return self._database.run(look)

    def clear(self, actor: str, now: float) -> Deferred[int]:
        """Drop all of them and end capturing; how many there were. Audited."""

        def drop(connection: Connection) -> int:
            PreferenceRows(self._database, lambda: now).removed(connection, SWITCH)
            gone = connection.execute(delete(CAPTURES)).rowcount
            wrote(connection, actor, "capture.clear", "captures", {"dropped": gone}, now)
            return gone

        return self._database.run(drop)


def _until(connection: Connection) -> float:
    found = connection.execute(
        select(PREFERENCES.c.value).where(PREFERENCES.c.key == SWITCH)
    ).scalar()
    try:
        return float(found or 0)
    except ValueError:
        return 0.0


def _prune(connection: Connection, now: float) -> None:
    c = CAPTURES.c
    connection.execute(delete(CAPTURES).where(c.at < now - MOST_SECONDS))
    count = connection.execute(select(func.count()).select_from(CAPTURES)).scalar_one()
    if count > MOST:
        oldest = select(c.request_id).order_by(c.at).limit(count - MOST)
        connection.execute(delete(CAPTURES).where(c.request_id.in_(oldest.scalar_subquery())))
