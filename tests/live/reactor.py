"""Tests that run in the reactor itself, and what is looked at when one of them ends.

pytest-twisted runs them; it bounds no test and does not mind what is left behind. ``ReactorCase``
does both: a delayed call, a logged error that was not flushed or a socket that is still open two
seconds after the end fails the test, and nothing of it gets into the next one.

It knows nothing of the service.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

reactor: Any = the_reactor

SECONDS_TO_CLOSE = 2.0
"""Closing takes some turns of the reactor, and the other end's word."""

_says = SynchronousTestCase()
"""Never run; its assertions are trial's own."""


@implementer(ILogObserver)
class Watch:
    """Notes what is there already, and from then on every error that is logged."""

    def __init__(self) -> None:
        self.errors: list[Failure] = []
        self._open = _selectables()
        self._calls = set(reactor.getDelayedCalls())
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self.errors.append(event["log_failure"])

    def flush(self, *kinds: type[BaseException]) -> list[Failure]:
        """The errors of these kinds, or all; they count no longer."""
        flushed = [error for error in self.errors if not kinds or error.check(*kinds)]
        self.errors = [error for error in self.errors if error not in flushed]
        return flushed

    async def end(self) -> list[BaseException]:
        """One exception for every kind of thing that was left; all of it is taken away."""
        deadline = reactor.seconds() + SECONDS_TO_CLOSE
        while _selectables() - self._open and reactor.seconds() < deadline:
            await deferLater(reactor, 0.005)
        left = _selectables() - self._open
        for selectable in left:
            reactor.removeReader(selectable)
            reactor.removeWriter(selectable)
        # What was to happen at once may still happen.
        await deferLater(reactor, 0)
        await deferLater(reactor, 0)
        calls = [call for call in reactor.getDelayedCalls() if call not in self._calls]
        pending = [str(call) for call in calls]
        for call in calls:
            call.cancel()
        globalLogPublisher.removeObserver(self)
        found: list[BaseException] = []
        if left:
            found.append(AssertionError(f"left open: {sorted(map(repr, left))}"))
        if pending:
            found.append(AssertionError(f"left in the reactor: {pending}"))
        found += [error.value or AssertionError(str(error)) for error in self.flush()]
        return found


class ReactorCase:
    """A test class for pytest whose tests are coroutines; otherwise much like trial's TestCase."""

    timeout: float = 30
    """Seconds for a test, and for each of its cleanups."""

    _watch: Watch
    _cleanups: list[Callable[[], object]]

    assertEqual = staticmethod(_says.assertEqual)
    assertNotEqual = staticmethod(_says.assertNotEqual)
    assertTrue = staticmethod(_says.assertTrue)
    assertFalse = staticmethod(_says.assertFalse)
    assertIn = staticmethod(_says.assertIn)
    assertNotIn = staticmethod(_says.assertNotIn)
    assertLess = staticmethod(_says.assertLess)
    assertGreater = staticmethod(_says.assertGreater)
    assertGreaterEqual = staticmethod(_says.assertGreaterEqual)
    assertRegex = staticmethod(_says.assertRegex)
    assertRaises = staticmethod(_says.assertRaises)
    fail = staticmethod(_says.fail)

    def __init_subclass__(cls) -> None:
        """Tests are bounded, and told to pytest-twisted."""
        super().__init_subclass__()
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, pytest_twisted.ensureDeferred(_bounded(test)))

    @pytest_twisted.async_yield_fixture(autouse=True)
    async def around(self, request: pytest.FixtureRequest) -> AsyncIterator[None]:
        """What happens before and after each test, in the reactor."""
        # pytest-twisted does not bind a fixture to the instance that runs the test.
        case: ReactorCase = request.instance
        case._watch, case._cleanups = Watch(), []
        try:
            case.setUp()
            yield
        finally:
            await case._end()

    def setUp(self) -> None:
        """To be extended; runs in the reactor."""

    def addCleanup(self, call: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Calls it after the test, the last one first, and waits for the Deferred it gives."""
        self._cleanups.append(functools.partial(call, *args, **kwargs))

    def flushLoggedErrors(self, *kinds: type[BaseException]) -> list[Failure]:
        """The errors of these kinds that were logged, or all; they fail the test no longer."""
        return self._watch.flush(*kinds)

    async def _end(self) -> None:
        # pytest-twisted calls this from outside of the reactor.
        await deferLater(reactor, 0)
        found: list[BaseException] = []

        def failed(failure: Failure) -> None:
            found.append(failure.value or AssertionError(str(failure)))

        while self._cleanups:
            done = maybeDeferred(self._cleanups.pop()).addTimeout(self.timeout, reactor)
            await done.addErrback(failed)
        found += await self._watch.end()
        if len(found) == 1:
            raise found[0]
        if found:
            raise BaseExceptionGroup("after the test", found)


def _bounded(
    test: Callable[..., Coroutine[Deferred[Any], Any, None]],
) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(self: ReactorCase, **fixtures: Any) -> None:
        await Deferred.fromCoroutine(test(self, **fixtures)).addTimeout(self.timeout, reactor)

    return run


def _selectables() -> set[Any]:
    """Everything that the reactor looks after."""
    fds = IReactorFDSet(reactor)
    return {*fds.getReaders(), *fds.getWriters()}
