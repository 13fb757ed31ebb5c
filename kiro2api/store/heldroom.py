# -*- test-case-name: tests.store.test_responses -*-
"""How many responses are held for each key and for how long, and which have to go.

Sums over a table are not for every write: between two looks the room is counted on, so several
processes together may go beyond it by a fraction. Used in the store's thread only. Must not know
how responses are written.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from kiro2api.store.schema import RESPONSES

_LOOK_SECONDS: Final = 60.0
_FRACTION: Final = 16
"""What is taken between two looks, and what is given back at once, as a part of the whole."""

_SWEPT_AT_ONCE: Final = 5000


class _Tally(msgspec.Struct):
    """What one owner has, as of the last look and since."""

    looked: float
    entries: int
    octets: int
    new_entries: int = 0
    new_octets: int = 0


class HeldRoom:
    """The room of every owner.

    :param entries: responses held per owner.
    :param octets: bytes held per owner, compressed.
    :param seconds: a response unused for longer is dropped.
    """

    def __init__(
        self,
        entries: int = 10_000,
        octets: int = 256 * 1024 * 1024,
        seconds: float = 30 * 24 * 3600.0,
    ) -> None:
        self.entries = entries
        self.octets = octets
        self.seconds = seconds
        # What is larger would have to go as soon as room is made.
        self.largest = _less(octets)
        self._tallies: dict[str, _Tally] = {}
        self._swept: float | None = None

    def taken(self, owner: str, octets: int) -> None:
        """One more response was written."""
        tally = self._tallies.setdefault(owner, _Tally(float("-inf"), 0, 0))
        tally.new_entries += 1
        tally.new_octets += octets

    def surplus(self, connection: Connection, now: float) -> list[str]:
        """The ids of what must go: what is too old, and what was unused for longest of those who
        have too much."""
        found: list[str] = []
        if self._swept is None or now - self._swept >= _LOOK_SECONDS:
            self._swept = now
            stale = select(RESPONSES.c.id).where(RESPONSES.c.used_at < now - self.seconds)
            found += connection.execute(stale.limit(_SWEPT_AT_ONCE)).scalars()
        for owner in [owner for owner, tally in self._tallies.items() if self._due(tally, now)]:
            found += self._surplus_of(owner, connection, now)
        return found

    def _due(self, tally: _Tally, now: float) -> bool:
        return bool(tally.new_entries) and (
            now - tally.looked >= _LOOK_SECONDS
            or tally.new_entries > self.entries // _FRACTION
            or tally.new_octets > self.octets // _FRACTION
            or tally.entries + tally.new_entries > self.entries
            or tally.octets + tally.new_octets > self.octets
        )

    def _surplus_of(self, owner: str, connection: Connection, now: float) -> list[str]:
        mine = RESPONSES.c.owner == owner
        entries, octets = connection.execute(
            select(func.count(), func.coalesce(func.sum(RESPONSES.c.octets), 0)).where(mine)
        ).one()
        found: list[str] = []
        if entries > self.entries or octets > self.octets:
            oldest = select(RESPONSES.c.id, RESPONSES.c.octets).where(mine)
            order = (RESPONSES.c.used_at, RESPONSES.c.created_at)
            for row in connection.execute(oldest.order_by(*order)):
                if entries <= _less(self.entries) and octets <= _less(self.octets):
                    break
                found.append(row.id)
                entries -= 1
                octets -= row.octets
        self._tallies[owner] = _Tally(now, entries, int(octets))
        return found


def _less(limit: int) -> int:
    """A little room is made at once, so that not every write has to make some."""
    return limit - limit // _FRACTION
