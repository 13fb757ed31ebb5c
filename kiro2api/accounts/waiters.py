# -*- test-case-name: tests.accounts.test_waiters -*-
"""Those who wait for a busy account: each caller in turn, and each caller's own in order.

Pure. Must not know what they are given, nor what a caller is.
"""

from collections import OrderedDict
from collections.abc import Iterator
from math import inf
from typing import Generic, TypeVar

_W = TypeVar("_W")


class Waiters(Generic[_W]):
    """The queue of one group.

    Invariant: no caller is here without a waiter. The caller whose turn it is comes first; who is
    served goes to the end, who cannot be served keeps its place.
    """

    def __init__(self) -> None:
        self._callers: OrderedDict[str, dict[_W, float]] = OrderedDict()
        self._deadlines: dict[_W, float] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, waiter: object) -> bool:
        return waiter in self._deadlines

    def add(self, caller: str, waiter: _W, deadline: float) -> None:
        """Wait until ``deadline``."""
        self._callers.setdefault(caller, {})[waiter] = deadline
        self._deadlines[waiter] = deadline

    def leave(self, caller: str, waiter: _W) -> None:
        """Wait no longer; nobody else loses or gains a place."""
        if self._deadlines.pop(waiter, None) is None:
            return
        mine = self._callers[caller]
        del mine[waiter]
        if not mine:
            del self._callers[caller]

    def served(self, caller: str, waiter: _W) -> None:
        """The waiter leaves, and the next turn is that of another caller."""
        self.leave(caller, waiter)
        if caller in self._callers:
            self._callers.move_to_end(caller)

    def turns(self) -> Iterator[_W]:
        """Everybody in fair order as it is now: the first of each caller, then the second."""
        mine = [list(waiting) for waiting in self._callers.values()]
        for place in range(max(map(len, mine), default=0)):
            for waiting in mine:
                if place < len(waiting):
                    yield waiting[place]

    def deadline(self) -> float:
        """When the first of them has waited long enough; infinite where nobody waits."""
        return min(self._deadlines.values(), default=inf)

    def overdue(self, now: float) -> list[_W]:
        """Those who have waited long enough."""
        return [waiter for waiter, deadline in self._deadlines.items() if deadline <= now]
