# -*- test-case-name: tests.test_starting -*-
"""Waiting for threads before the reactor runs.

What must have succeeded before the service says it has started (the store opened, the accounts
loaded, the port bound) happens before the reactor runs, so that a failure ends the start with
one line and an exit status. Must not know what is waited for.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

T = TypeVar("T")


class StartFailed(Exception):
    """The service cannot start; the text is one line for the operator."""


@implementer(IReactorFromThreads)
class StartingReactor:
    """``callFromThread`` that works before the reactor runs, and is the reactor's own after."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._calls: SimpleQueue[Callable[[], object]] | None = SimpleQueue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Run in the main thread, soon."""
        calls = self._calls
        if calls is None:
            self._reactor.callFromThread(callable, *args, **kwargs)
        else:
            calls.put(lambda: callable(*args, **kwargs))

    def wait_for(self, awaited: Deferred[T], seconds: float) -> T:
        """The result of ``awaited``; raises its failure, or StartFailed after ``seconds``."""
        assert self._calls is not None
        results: list[T] = []
        failures: list[Failure] = []
        awaited.addCallbacks(results.append, failures.append)
        while not results and not failures:
            try:
                self._calls.get(timeout=seconds)()
            except Empty:
                raise StartFailed(f"the start took longer than {seconds:g} seconds") from None
        if failures:
            failures[0].raiseException()
        return results[0]

    def hand_over(self) -> None:
        """From now on the reactor runs, or will; nothing that was queued is lost."""
        calls, self._calls = self._calls, None
        while calls is not None and not calls.empty():
            self._reactor.callFromThread(calls.get())
