# -*- test-case-name: tests.store.test_thread -*-
"""One thread that does blocking work in order, away from the reactor.

Must not know what the work is. A daemon thread: a process that dies without ``stop`` does not
hang on it, and whoever needs the work done waits for its Deferred or for ``stop``.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class SerialThread:
    """Runs functions one after the other; starts with the first, ends with ``stop``."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._stopped = False
        self._stopping: list[Deferred[None]] = []

    def call(self, function: Callable[[], T]) -> Deferred[T]:
        """What ``function`` returns or raises in the thread.

        Cancelling only forgets the result: the work is done all the same, whole.
        """
        if self._stopped:
            raise RuntimeError("the thread was stopped")
        done: Deferred[T] = Deferred(lambda _: None)

        def deliver(result: Any) -> None:
            if not done.called:
                done.callback(result)

        def work() -> None:
            result: T | Failure
            try:
                result = function()
            except BaseException:  # noqa: BLE001 - whatever it is, it belongs to the caller
                result = Failure()
            self._reactor.callFromThread(deliver, result)

        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._work.put(work)
        return done

    def stop(self) -> Deferred[None]:
        """Fires when all work handed over before is done and the thread has ended."""
        if self._thread is None:
            self._stopped = True
            return succeed(None)
        if not self._stopped:
            self._stopped = True
            self._work.put(None)
        waiting: Deferred[None] = Deferred(lambda _: None)
        self._stopping.append(waiting)
        return waiting

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            # Otherwise the last work's result lives on until the next work comes.
            del work
        self._reactor.callFromThread(self._ended)

    def _ended(self) -> None:
        assert self._thread is not None
        self._thread.join()  # it has nothing left to do
        self._thread = None
        waiting, self._stopping = self._stopping, []
        for one in waiting:
            if not one.called:
                one.callback(None)
