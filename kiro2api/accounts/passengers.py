# -*- test-case-name: tests.accounts.test_refresh, tests.accounts.test_quotawatch -*-
"""Those who wait for the outcome of one and the same call.

Must not know what is called, nor when.
"""

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Passengers(Generic[T]):
    """Waiters by what they wait for.

    Each has a Deferred of its own: a shared one would be cancelled for all. A dict keeps their
    order while one can leave at no cost.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Deferred[T], None]] = {}

    def board(self, call: str) -> Deferred[T]:
        """One more waits; cancelling gives up waiting."""
        waiting = self._waiting.setdefault(call, {})

        def leave(waiter: Deferred[T]) -> None:
            waiting.pop(waiter, None)

        waiter: Deferred[T] = Deferred(leave)
        waiting[waiter] = None
        return waiter

    def land(self, call: str, result: T | Failure) -> None:
        """The outcome, for all who wait now; who asks out of a callback waits for another."""
        for waiter in tuple(self._waiting.pop(call, {})):
            if waiter.called:
                continue
            if isinstance(result, Failure):
                # One Failure each: Deferreds change the Failures that pass through them.
                assert result.value is not None
                waiter.errback(Failure(result.value.with_traceback(None)))
            else:
                waiter.callback(result)
