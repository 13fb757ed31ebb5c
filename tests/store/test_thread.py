"""Work in order in another thread, whatever becomes of those who wait for it."""

import threading
from functools import partial
from threading import Event, get_ident

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store.thread import SerialThread
from tests.store.pumped import PATIENCE, PumpedReactor


class SerialThreadTests(SynchronousTestCase):
    """The life of the thread."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.thread = SerialThread(self.reactor, "test-serial")
        self.addCleanup(lambda: self.reactor.result_of(self.thread.stop()))

    def test_result_and_failure(self) -> None:
        """Results and exceptions come back to the thread that asked."""
        where: list[int] = []

        def work() -> int:
            where.append(get_ident())
            return 42

        done = self.thread.call(work).addCallback(lambda result: (result, get_ident()))
        self.assertEqual(self.reactor.result_of(done), (42, self.reactor.thread))
        self.assertNotEqual(where, [self.reactor.thread])
        self.assertRaises(
            ZeroDivisionError, self.reactor.result_of, self.thread.call(lambda: 1 // 0)
        )

    def test_nothing_overlaps(self) -> None:
        """Many pieces of work are done one by one, in the order they came."""
        seen: list[int] = []
        running: list[int] = []

        def work(number: int) -> int:
            running.append(number)
            seen.append(len(running))
            running.remove(number)
            return number

        results: list[int] = []
        for number in range(50):
            self.thread.call(partial(work, number)).addCallback(results.append)
        self.reactor.result_of(self.thread.call(lambda: None))
        self.assertEqual(results, list(range(50)))
        self.assertEqual(set(seen), {1})

    def test_cancel_forgets_only_the_result(self) -> None:
        """Cancelled work, under way or still waiting, is done all the same."""
        gate, begun, done = Event(), Event(), list[str]()

        def first() -> None:
            begun.set()
            gate.wait(PATIENCE)
            done.append("first")

        under_way = self.thread.call(first)
        waiting = self.thread.call(lambda: done.append("second"))
        self.assertTrue(begun.wait(PATIENCE))
        under_way.cancel()
        waiting.cancel()
        self.failureResultOf(under_way, CancelledError)
        self.failureResultOf(waiting, CancelledError)
        gate.set()
        self.reactor.result_of(self.thread.call(lambda: None))
        self.assertEqual(done, ["first", "second"])

    def test_stop_waits_for_work(self) -> None:
        """Everybody who stops hears of it after the last work, when the thread is gone."""
        gate, done = Event(), list[str]()
        self.thread.call(lambda: gate.wait(PATIENCE))
        self.thread.call(lambda: done.append("last"))
        first, second = self.thread.stop(), self.thread.stop()
        self.assertNoResult(first)
        self.assertRaises(RuntimeError, self.thread.call, lambda: None)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        gate.set()
        self.assertIsNone(self.reactor.result_of(first))
        self.assertEqual(done, ["last"])
        self.assertNotIn("test-serial", [thread.name for thread in threading.enumerate()])
        self.successResultOf(self.thread.stop())

    def test_stop_without_work(self) -> None:
        """A thread that never had work was never started."""
        self.successResultOf(self.thread.stop())
        self.assertRaises(RuntimeError, self.thread.call, lambda: None)

    def test_does_not_hold_the_process(self) -> None:
        """A forgotten thread does not keep a dying process alive."""
        thread = self.reactor.result_of(self.thread.call(threading.current_thread))
        self.assertTrue(thread.daemon)
