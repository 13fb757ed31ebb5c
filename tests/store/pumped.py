"""The reactor's part in a test with a real second thread, worked by hand."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds after which a test gives up; it is never waited for when all is well."""


@implementer(IReactorFromThreads)
class PumpedReactor:
    """Keeps what other threads hand over until the test's own thread runs it."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kw: object) -> None:
        """Take over a call from another thread."""
        self._calls.put(lambda: callable(*args, **kw))

    def pump(self) -> None:
        """Run one call, waiting for it."""
        try:
            call = self._calls.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError("no other thread called") from None
        call()

    def result_of(self, deferred: Deferred[T]) -> T:
        """Pump until the Deferred has fired; its result, or its exception raised."""
        outcome: list[T | Failure] = []
        deferred.addBoth(outcome.append)
        while not outcome:
            self.pump()
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]
