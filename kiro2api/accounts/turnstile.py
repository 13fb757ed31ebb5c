# -*- test-case-name: tests.accounts.test_turnstile -*-
"""Lets requests wait for busy accounts: some of them, for some time, in a fair order.

Must not know accounts or leases: it is told how to serve a waiter, and when things change.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from kiro2api.accounts.interfaces import Wanted
from kiro2api.accounts.waiters import Waiters
from kiro2api.errors import KiroError

_T = TypeVar("_T")


class Waiter(Generic[_T]):
    """One request. ``since``: when it began to wait (clock seconds), also if it does so again."""

    __slots__ = ("deferred", "group", "passed", "renewed", "since", "wanted")

    def __init__(
        self, group: str, passed: set[str], renewed: set[str], wanted: Wanted, since: float
    ) -> None:
        self.group = group
        self.passed = passed
        self.renewed = renewed
        self.wanted = wanted
        self.since = since
        self.deferred: Deferred[_T]


class Turnstile(Generic[_T]):
    """The waiters of all groups, and the one timer that looks after them.

    Whoever changes anything that somebody may wait for calls ``look``.
    """

    def __init__(
        self,
        clock: IReactorTime,
        serve: Callable[[Waiter[_T]], _T | None],
        crowded: Callable[[str], bool],
        soonest: Callable[[str], float | None],
        refusal: Callable[[Waiter[_T]], KiroError],
        *,
        limit: int,
        seconds: float,
    ) -> None:
        """
        :param serve: gives a waiter what it waits for, or None if it must wait on; raises
            KiroError if waiting is in vain.
        :param crowded: whether nobody of a group is ready and somebody busy.
        :param soonest: when something changes in a group by itself (clock seconds).
        :param refusal: what a waiter hears for whom there is no room or no more time.
        :param limit: waiters per group. :param seconds: how long each waits at most.
        """
        self._clock = clock
        self._serve = serve
        self._crowded = crowded
        self._soonest = soonest
        self._refusal = refusal
        self.limit = limit
        self.seconds = seconds
        self._groups: dict[str, Waiters[Waiter[_T]]] = {}
        self._timer: IDelayedCall | None = None
        self._looking = self._again = False

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._groups)

    def counts(self) -> dict[str, int]:
        """How many wait, by group."""
        return {group: len(waiters) for group, waiters in self._groups.items()}

    def wait(self, waiter: Waiter[_T]) -> Deferred[_T]:
        """Fires with what ``serve`` gives. Cancellable.

        :raises KiroError: the refusal, at once or later, or what ``serve`` raised.
        """
        waiters = self._groups.get(waiter.group)
        deadline = waiter.since + self.seconds
        full = (0 if waiters is None else len(waiters)) >= self.limit
        if full or deadline <= self._clock.seconds():
            raise self._refusal(waiter)
        if waiters is None:
            waiters = self._groups[waiter.group] = Waiters()
        waiters.add(waiter.wanted.caller, waiter, deadline)

        def cancelled(_: Deferred[_T]) -> None:
            self._leave(waiter)

        waiter.deferred = Deferred(cancelled)
        self._arm()
        return waiter.deferred

    def look(self) -> None:
        """Something has changed: serve those who can be served."""
        if self._looking:
            self._again = True  # Who was just served caused it: not from within.
            return
        self._looking = True
        try:
            while True:
                self._again = False
                for group in tuple(self._groups):
                    self._look_at(group)
                if not self._again:
                    break
        finally:
            self._looking = False
        self._arm()

    def stop(self, error: Callable[[], KiroError]) -> None:
        """Nobody waits any longer."""
        for waiters in tuple(self._groups.values()):
            for waiter in tuple(waiters.turns()):
                if self._leave(waiter):
                    waiter.deferred.errback(error())
        self._arm()

    def _look_at(self, group: str) -> None:
        waiters = self._groups.get(group)
        if waiters is None:
            return  # Its last waiter left while others were looked at.
        for waiter in waiters.overdue(self._clock.seconds()):
            if self._leave(waiter):
                waiter.deferred.errback(self._refusal(waiter))
        for waiter in waiters.turns():
            if waiter not in waiters:
                continue  # It left while others were served.
            if self._crowded(group):
                break
            try:
                served = self._serve(waiter)
            except KiroError as error:
                self._leave(waiter)
                waiter.deferred.errback(error)
                continue
            if served is not None:
                waiters.served(waiter.wanted.caller, waiter)
                self._tidy(group)
                waiter.deferred.callback(served)

    def _leave(self, waiter: Waiter[_T]) -> bool:
        """Whether it was still there."""
        waiters = self._groups.get(waiter.group)
        if waiters is None or waiter not in waiters:
            return False
        waiters.leave(waiter.wanted.caller, waiter)
        self._tidy(waiter.group)
        return True

    def _tidy(self, group: str) -> None:
        if not self._groups.get(group):
            self._groups.pop(group, None)
        if not self._groups:
            self._arm()

    def _arm(self) -> None:
        """Be woken when somebody has waited long enough, or something changes by itself."""
        times = []
        for group, waiters in self._groups.items():
            times.append(waiters.deadline())
            if (soonest := self._soonest(group)) is not None:
                times.append(soonest)
        when = min(times, default=None)
        if self._timer is not None:
            if when == self._timer.getTime():
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            wait = max(when - self._clock.seconds(), 0.0)
            self._timer = self._clock.callLater(wait, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.look()
