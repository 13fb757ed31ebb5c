# -*- test-case-name: tests.accounts.test_line -*-
"""Who is ready, and in which order they go.

Pure. Must not know why anybody is ready, nor what gives the order: members carry their rank.

Strategy: a heap. What no longer holds is dropped when it surfaces, so that nothing is ever
searched; when more than half no longer holds, the heap is built anew.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from typing import Final

from kiro2api.accounts.member import Member, Rank

_SLACK: Final = 16


class Line:
    """The members that may be chosen."""

    def __init__(self, members: Mapping[int, Member]) -> None:
        """:param members: by serial; everybody in line must be there."""
        self._members = members
        self._heap: list[Rank] = []
        # Invariant: of a member's items in the heap only the one that is this very object counts.
        self._places: dict[int, Rank] = {}

    def put(self, member: Member) -> None:
        """Let a member stand in line, or give it the place of its new rank."""
        rank = member.rank
        if self._places.get(member.serial) is rank:
            return
        self._places[member.serial] = rank
        heappush(self._heap, rank)
        if len(self._heap) > 2 * len(self._places) + _SLACK:
            self._heap = list(self._places.values())
            heapify(self._heap)

    def leave(self, serial: int) -> None:
        """A member is not to be chosen from this line."""
        self._places.pop(serial, None)

    def first(self, tried: AbstractSet[str]) -> Member | None:
        """The first who is ready and not in ``tried`` (fingerprints)."""
        if self._heap:
            # Nearly always the top of the heap holds, and was not tried.
            rank = self._heap[0]
            member = self._members.get(rank[2])
            if (
                member is not None
                and member.able
                and self._places.get(rank[2]) is rank
                and member.account.fingerprint not in tried
            ):
                return member
        passed: list[Rank] = []
        found = self._surface(tried, passed)
        for rank in passed:
            heappush(self._heap, rank)
        return found

    def equals(self, tried: AbstractSet[str], most: int) -> list[Member]:
        """The first, and those that are as good: at most ``most`` with the same first item
        of their rank."""
        passed: list[Rank] = []
        found: list[Member] = []
        while len(found) < most and (member := self._surface(tried, passed)) is not None:
            if found and member.rank[0] != found[0].rank[0]:
                break
            found.append(member)
            passed.append(heappop(self._heap))
        for rank in passed:
            heappush(self._heap, rank)
        return found

    def _surface(self, tried: AbstractSet[str], passed: list[Rank]) -> Member | None:
        """The first as above, on top of the heap; those that were tried go into ``passed``."""
        heap, places, members = self._heap, self._places, self._members
        while heap:
            rank = heap[0]
            serial = rank[2]
            if places.get(serial) is not rank:
                heappop(heap)
                continue
            member = members[serial]
            if not member.able:
                heappop(heap)
                del places[serial]
            elif member.account.fingerprint in tried:
                passed.append(heappop(heap))
            else:
                return member
        return None
