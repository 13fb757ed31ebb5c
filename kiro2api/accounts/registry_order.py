# -*- test-case-name: tests.accounts.test_registry -*-
"""One change after another, each of them whole.

Must not know what is changed.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.errors import KiroError

_T = TypeVar("_T")


class InOrder:
    """Runs changes. Whoever stops waiting for one does not stop it."""

    log = Logger()

    def __init__(self) -> None:
        self._lock = DeferredLock()

    def run(self, change: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """What the change returns, once those before it have ended."""
        waiting: Deferred[_T] = Deferred(lambda _: None)

        async def alone() -> _T:
            await self._lock.acquire()
            try:
                return await change
            finally:
                self._lock.release()

        def deliver(result: Any) -> None:
            if not waiting.called:
                waiting.callback(result)
            elif isinstance(result, Failure) and not result.check(KiroError):
                self.log.failure("a change failed that nobody waits for", failure=result)

        Deferred.fromCoroutine(alone()).addBoth(deliver)
        return waiting

    def ended(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""

        async def nothing() -> None:
            return None

        return self.run(nothing())
