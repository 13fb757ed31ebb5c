"""Slow work in threads, and how it ends."""

import sys
from threading import Event, get_ident

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Kind, KiroError, ShuttingDown
from kiro2api.media.limits import Halted
from kiro2api.media.threads import GRACE, Threads
from tests.store.pumped import PATIENCE, PumpedReactor


class TimedReactor(PumpedReactor):
    """Time by hand, and calls from threads by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.callLater = self.clock.callLater


class ThreadsTests(SynchronousTestCase):
    """With real threads."""

    def setUp(self) -> None:
        self.reactor = TimedReactor()
        self.threads = Threads(self.reactor, "test-media", count=2, waiting=4)
        self.gate = Event()
        self.addCleanup(lambda: self.reactor.result_of(self.threads.stop()))
        self.addCleanup(self.gate.set)

    def busy(self) -> tuple[Deferred[str], Event]:
        """Work that ends when it is told to."""
        begun = Event()

        def work(halted: Halted) -> str:
            begun.set()
            self.gate.wait(PATIENCE)
            return "halted" if halted() else "done"

        return self.threads.call(work), begun

    def test_result_and_failure(self) -> None:
        """Both come back to the thread that asked."""
        done = self.threads.call(lambda halted: (get_ident(), halted()))
        where, halted = self.reactor.result_of(done)
        self.assertNotEqual(where, self.reactor.thread)
        self.assertFalse(halted)
        self.assertRaises(
            ZeroDivisionError, self.reactor.result_of, self.threads.call(lambda halted: 1 // 0)
        )

    def test_two_at_a_time(self) -> None:
        """Two works run together, a third waits."""
        (first, began_1), (second, began_2) = self.busy(), self.busy()
        third, began_3 = self.busy()
        self.assertTrue(began_1.wait(PATIENCE) and began_2.wait(PATIENCE))
        self.assertFalse(began_3.wait(0.05))
        self.gate.set()
        for done in (first, second, third):
            self.assertEqual(self.reactor.result_of(done), "done")

    def test_bound(self) -> None:
        """What would wait too long is refused at once, and only then."""
        works = [self.busy()[0] for _ in range(4)]
        error = self.assertRaises(KiroError, self.threads.call, lambda halted: None)
        self.assertEqual((error.kind, error.retry_after), (Kind.OVERLOADED, 3.0))
        self.gate.set()
        for done in works:
            self.reactor.result_of(done)
        self.assertEqual(self.reactor.result_of(self.threads.call(lambda halted: 7)), 7)

    def test_cancel(self) -> None:
        """Work under way is told, waiting work is never begun."""
        (first, began), (second, _) = self.busy(), self.busy()
        third, never = self.busy()
        self.assertTrue(began.wait(PATIENCE))
        told: list[bool] = []

        def heeding(halted: Halted) -> None:
            told.append(halted())

        fourth = self.threads.call(heeding)
        first.cancel()
        third.cancel()
        self.failureResultOf(first, CancelledError)
        self.failureResultOf(third, CancelledError)
        self.gate.set()
        self.reactor.result_of(second)
        self.reactor.result_of(fourth)
        self.assertEqual(told, [False])
        self.assertFalse(never.is_set())

    def test_stop(self) -> None:
        """Work under way is told and waited for; waiting work fails; new work is refused."""
        (first, began), (second, _), (third, never) = self.busy(), self.busy(), self.busy()
        self.assertTrue(began.wait(PATIENCE))
        stopped, again = self.threads.stop(), self.threads.stop()
        for done in (first, second, third):
            self.failureResultOf(done, ShuttingDown)
        self.assertNoResult(stopped)
        self.gate.set()
        self.reactor.result_of(stopped)
        self.successResultOf(again)
        self.assertFalse(never.is_set())
        self.assertRaises(ShuttingDown, self.threads.call, lambda halted: None)
        self.assertEqual(self.reactor.clock.getDelayedCalls(), [])
        self.successResultOf(self.threads.stop())

    def test_short_turns(self) -> None:
        """While there is work, threads take short turns; afterwards the usual ones."""
        usual = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, usual)
        (first, _), (second, _) = self.busy(), self.busy()
        self.assertLess(sys.getswitchinterval(), usual)
        self.gate.set()
        self.reactor.result_of(first)
        self.reactor.result_of(second)
        self.assertAlmostEqual(sys.getswitchinterval(), usual)

    def test_short_turns_end_with_stop(self) -> None:
        """Even where work is left behind."""
        usual = sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, usual)
        done, _ = self.busy()
        stopped = self.threads.stop()
        self.reactor.clock.advance(GRACE)
        self.successResultOf(stopped)
        self.failureResultOf(done, ShuttingDown)
        self.assertAlmostEqual(sys.getswitchinterval(), usual)

    def test_stop_unused(self) -> None:
        """Without work there were no threads."""
        self.successResultOf(Threads(self.reactor, "unused").stop())

    def test_stop_is_not_held_up(self) -> None:
        """Work that does not end is left behind after a while."""
        _, began = self.busy()
        self.assertTrue(began.wait(PATIENCE))
        stopped, impatient = self.threads.stop(), self.threads.stop()
        _.addErrback(lambda failure: failure.trap(ShuttingDown))
        impatient.cancel()
        self.failureResultOf(impatient, CancelledError)
        self.reactor.clock.advance(GRACE)
        self.successResultOf(stopped)

    def test_stop_cancelled(self) -> None:
        """Whoever gives up waiting for the end does no harm."""
        done, began = self.busy()
        self.assertTrue(began.wait(PATIENCE))
        stopped = self.threads.stop()
        self.failureResultOf(done, ShuttingDown)
        stopped.cancel()
        self.failureResultOf(stopped, CancelledError)
