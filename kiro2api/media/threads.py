# -*- test-case-name: tests.media.test_threads -*-
"""A few threads of one's own for slow work, and a bound on how much of it waits.

Must not know what the work is. Daemon threads: work that does not end must not hold up the end
of the process.
"""

import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from kiro2api.errors import Kind, KiroError, ShuttingDown
from kiro2api.media.limits import Halted

T = TypeVar("T")

COUNT: Final = 2
WAITING: Final = 64
GRACE: Final = 3.0
"""Seconds that work under way has to end, once the threads are to stop."""
_RETRY: Final = 3.0
_TURN: Final = 0.0001
"""Seconds that a thread may keep the interpreter to itself while there is work. A parser written
in Python takes its whole turn each time the reactor lets go of the interpreter, which it does for
every read and write: with the usual five milliseconds all streams would stutter."""


class _Job:
    """``function`` is taken away when the result is not wanted any more."""

    def __init__(self, function: Callable[[Halted], Any]) -> None:
        self.function: Callable[[Halted], Any] | None = function
        self.halted = Event()
        self.done: Deferred[Any] = Deferred(lambda _: self.halt())

    def halt(self) -> None:
        self.halted.set()
        self.function = None


class Threads:
    """Runs functions away from the reactor; the threads start with the work.

    :param reactor: ``IReactorFromThreads`` and ``IReactorTime``.
    :param waiting: how much work may be under way and waiting together.
    """

    def __init__(
        self, reactor: Any, name: str, *, count: int = COUNT, waiting: int = WAITING
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._count = count
        self._most = waiting
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: set[_Job] = set()
        self._running = 0
        self._stopped = False
        self._stopping: list[Deferred[None]] = []
        self._grace: IDelayedCall | None = None
        self._usual_turn: float | None = None

    def call(self, function: Callable[[Halted], T]) -> Deferred[T]:
        """What ``function`` returns or raises in a thread; it is given a way to ask for its end.

        Cancelling takes waiting work away and asks work under way to end.

        :raises KiroError: there is too much to do already.
        :raises ShuttingDown: after ``stop``.
        """
        if self._stopped:
            raise ShuttingDown("the service is stopping")
        if len(self._jobs) >= self._most:
            raise KiroError(
                "too many attachments are being read at the moment",
                kind=Kind.OVERLOADED,
                retry_after=_RETRY,
                code="attachments_busy",
            )
        job = _Job(function)
        self._jobs.add(job)
        if self._usual_turn is None:
            self._usual_turn = sys.getswitchinterval()
            sys.setswitchinterval(_TURN)
        if self._running < min(len(self._jobs), self._count):
            self._running += 1
            name = f"{self._name}-{self._running}"
            Thread(target=self._run, name=name, daemon=True).start()
        self._queue.put(job)
        return job.done

    def stop(self) -> Deferred[None]:
        """Fires when the threads have ended, or when work under way does not heed the call."""
        if not self._stopped:
            self._stopped = True
            for job in list(self._jobs):
                job.halt()
                if not job.done.called:
                    job.done.errback(ShuttingDown("the service is stopping"))
            for _ in range(self._running):
                self._queue.put(None)
            if self._running:
                self._grace = self._reactor.callLater(GRACE, self._end)
        if self._grace is None:
            return succeed(None)
        ended: Deferred[None] = Deferred(lambda _: None)
        self._stopping.append(ended)
        return ended

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            function, result = job.function, None
            if function is not None:
                try:
                    result = function(job.halted.is_set)
                except BaseException:  # noqa: BLE001 - whatever it is, it belongs to the caller
                    result = Failure()
                    # Frames hold what was worked on, and failures are kept.
                    result.cleanFailure()
            self._reactor.callFromThread(self._deliver, job, result)
            # Otherwise the last work's data lives on until the next work comes.
            del job, function, result
        self._reactor.callFromThread(self._ended)

    def _deliver(self, job: _Job, result: Any) -> None:
        self._jobs.discard(job)
        if not self._jobs:
            self._at_rest()
        job.function = None
        if not job.done.called:
            job.done.callback(result)

    def _ended(self) -> None:
        self._running -= 1
        if not self._running:
            self._end()

    def _at_rest(self) -> None:
        usual, self._usual_turn = self._usual_turn, None
        if usual is not None:
            sys.setswitchinterval(usual)

    def _end(self) -> None:
        self._at_rest()
        grace, self._grace = self._grace, None
        if grace is not None and grace.active():
            grace.cancel()
        waiting, self._stopping = self._stopping, []
        for one in waiting:
            if not one.called:
                one.callback(None)
