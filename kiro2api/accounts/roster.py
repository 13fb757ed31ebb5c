# -*- test-case-name: tests.accounts.test_ledger -*-
"""One group's accounts: who is ready, in configured order, and who rests until when.

Pure. Must not know faults or what they cost: it is told a state and keeps the order.

Strategy: a heap of members that are ready and a heap of those that rest, by the time they return.
Items that no longer hold are dropped when they surface, so that nothing is ever searched.
"""

from collections import Counter
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush

from kiro2api.accounts.account import Account
from kiro2api.accounts.penalties import State


class Member:
    """What the ledger notes about one account."""

    __slots__ = (
        "account",
        "failed",
        "in_flight",
        "key",
        "last_used",
        "queued",
        "reason",
        "recurrences",
        "remembered",
        "served",
        "state",
        "until",
    )

    def __init__(self, account: Account, key: tuple[int, int]) -> None:
        self.account = account
        self.key = key
        self.state = State.READY
        self.reason = ""
        self.until = 0.0
        self.queued = False  # Invariant: in the group's ready heap at most once.
        self.remembered = False
        self.recurrences: dict[str, int] = {}
        self.in_flight = 0
        self.served = 0
        self.failed = 0
        self.last_used = 0.0


class Group:
    """The ready and the resting accounts of one group."""

    def __init__(self) -> None:
        self.members: dict[tuple[int, int], Member] = {}
        self.census: Counter[str] = Counter()
        self._ready: list[tuple[int, int]] = []
        self._resting: list[tuple[float, tuple[int, int]]] = []

    def add(self, member: Member) -> None:
        self.members[member.key] = member
        self.census[member.reason or "ready"] += 1
        self._offer(member)

    def turn(self, member: Member, state: State, reason: str, until: float) -> None:
        """Give an account another state."""
        self.census[member.reason or "ready"] -= 1
        self.census[reason or "ready"] += 1
        member.state, member.reason, member.until = state, reason, until
        if state is State.READY:
            self._offer(member)
        elif until:
            heappush(self._resting, (until, member.key))
            if len(self._resting) > 2 * len(self.members) + 16:
                self._compact()

    def wake(self, now: float) -> None:
        """Make everybody ready whose rest is over."""
        while self._resting and self._resting[0][0] <= now:
            until, key = heappop(self._resting)
            member = self.members[key]
            if member.until == until:
                self.turn(member, State.READY, "", 0.0)

    def first(self, tried: AbstractSet[str]) -> Member | None:
        """The first ready account in order that is not in ``tried``."""
        passed = []
        found = None
        while self._ready and found is None:
            member = self.members[self._ready[0]]
            if member.state is not State.READY:
                member.queued = False
                heappop(self._ready)
            elif member.account.fingerprint in tried:
                passed.append(heappop(self._ready))
            else:
                found = member
        for key in passed:
            heappush(self._ready, key)
        return found

    def earliest(self, now: float) -> float | None:
        """When anybody can serve; ``now`` has been woken for."""
        if self.census["ready"]:
            return now
        while self._resting:
            until, key = self._resting[0]
            if self.members[key].until == until:
                return until
            heappop(self._resting)
        return None

    def _offer(self, member: Member) -> None:
        if not member.queued:
            member.queued = True
            heappush(self._ready, member.key)

    def _compact(self) -> None:
        self._resting = [(e.until, key) for key, e in self.members.items() if e.until]
        heapify(self._resting)
