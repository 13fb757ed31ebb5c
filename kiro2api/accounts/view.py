# -*- test-case-name: tests.accounts.test_verdicts -*-
"""A group's accounts as one model sees them: without those that are known to lack it.

Pure. Must not know faults or policies. The view of no model in particular has everybody.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from typing import Final

from kiro2api.accounts.line import Line
from kiro2api.accounts.member import BUSY, DISABLED, Member

_SLACK: Final = 16

NEVER_BACK: Final = ("login", "suspended")
"""Why an account rests that only an operator can bring back."""


class View:
    """Who can serve, who returns when, and how many stand how, among those that have the model.

    ``lacking`` is until when each of the others is left out, ``brief`` who of them is only resting
    from the model. ``census`` counts labels of those that have it.
    """

    def __init__(self, members: Mapping[int, Member]) -> None:
        self._members = members
        self.line = Line(members)
        self.census: Counter[str] = Counter()
        self.lacking: dict[int, float] = {}
        self.brief: set[int] = set()
        # Items hold while they are the end of a lack, or of the rest of somebody who lacks nothing.
        self.returns: list[tuple[float, int]] = []
        for member in members.values():
            self.enter(member)

    def enter(self, member: Member) -> None:
        """Take in a member."""
        self.census[member.label] += 1
        if member.able:
            self.line.put(member)
        if member.due:
            self.expect(member.due, member.serial)

    def leave(self, member: Member) -> None:
        """Forget a member. It is one of the members for the last time."""
        if member.serial in self.lacking:
            self._have(member.serial)
        else:
            self.census[member.label] -= 1
        self.line.leave(member.serial)

    def relabel(self, member: Member, before: str) -> None:
        """A member's label or rank has changed."""
        if member.serial not in self.lacking:
            self.census[before] -= 1
            self.census[member.label] += 1
            if member.able:
                self.line.put(member)

    def lack(self, member: Member, until: float, *, brief: bool) -> None:
        """A member does not have this model until then."""
        serial = member.serial
        if serial not in self.lacking:
            self.census[member.label] -= 1
            self.line.leave(serial)
        self.lacking[serial] = until
        (self.brief.add if brief else self.brief.discard)(serial)
        self.expect(until, serial)

    def expect(self, when: float, serial: int) -> None:
        """Something about a member changes then."""
        heappush(self.returns, (when, serial))
        if len(self.returns) > 2 * len(self._members) + len(self.lacking) + _SLACK:
            kept = {item for item in self.returns if self._holds(item)}
            self.returns = list(kept)
            heapify(self.returns)

    def soonest(self) -> tuple[float, int] | None:
        """When something changes by itself, and about whom (serial)."""
        while self.returns:
            if self._holds(self.returns[0]):
                return self.returns[0]
            heappop(self.returns)
        return None

    def wake(self, now: float) -> None:
        """Take back those whose lack was believed long enough; the group has woken for ``now``."""
        while (soonest := self.soonest()) is not None and soonest[0] <= now:
            member = self._members[soonest[1]]
            self._have(member.serial)
            self.enter(member)

    def waits_for(self, tried: AbstractSet[int]) -> bool:
        """Whether somebody is merely busy who is not in ``tried`` (serials)."""
        mine = (self._members[serial] for serial in tried if serial not in self.lacking)
        return self.census[BUSY] > sum(member.label == BUSY for member in mine)

    def hopeless(self) -> bool:
        """Whether all who can be asked, now or some time by themselves, lack the model."""
        gone = sum(self.census[label] for label in (DISABLED, *NEVER_BACK))
        having = len(self._members) - len(self.lacking) - gone
        return bool(self.lacking) and not having and not self.brief

    def _have(self, serial: int) -> None:
        del self.lacking[serial]
        self.brief.discard(serial)

    def _holds(self, item: tuple[float, int]) -> bool:
        when, serial = item
        lacks = self.lacking.get(serial)
        if lacks is not None:
            return lacks == when
        member = self._members.get(serial)
        return member is not None and member.due == when
