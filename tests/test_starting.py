"""Waiting for threads before the reactor runs."""

from threading import Thread

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.starting import StartFailed, StartingReactor


class FakeReactor:
    """Records what is handed on."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def callFromThread(self, callable: object, *args: object, **kwargs: object) -> None:
        """Record and run."""
        self.calls.append(callable)
        callable(*args, **kwargs)  # type: ignore[operator]


class StartingReactorTests(SynchronousTestCase):
    """Before, during and after the hand-over."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.starting = StartingReactor(self.reactor)  # type: ignore[arg-type]

    def test_waits_for_another_thread(self) -> None:
        """The result of a Deferred that a thread fires."""
        awaited: Deferred[int] = Deferred()
        thread = Thread(target=lambda: self.starting.callFromThread(awaited.callback, 7))
        thread.start()
        self.assertEqual(self.starting.wait_for(awaited, 5), 7)
        thread.join()
        self.assertEqual(self.reactor.calls, [])

    def test_ready_results(self) -> None:
        """What is there already is given at once; a failure is raised."""
        self.assertEqual(self.starting.wait_for(succeed(1), 5), 1)
        self.assertRaises(KeyError, self.starting.wait_for, fail(KeyError("x")), 5)

    def test_gives_up(self) -> None:
        """A start that hangs ends."""
        self.assertRaises(StartFailed, self.starting.wait_for, Deferred(), 0.01)

    def test_hand_over(self) -> None:
        """Queued calls and later ones go to the reactor."""
        seen: list[int] = []
        self.starting.callFromThread(seen.append, 1)
        self.assertEqual(seen, [])
        self.starting.hand_over()
        self.starting.callFromThread(seen.append, 2)
        self.assertEqual(seen, [1, 2])
        self.assertEqual(len(self.reactor.calls), 2)
        self.starting.hand_over()
