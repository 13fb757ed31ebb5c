"""Tests for kiro2api.accounts.parkbook."""

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.parkbook import ParkBook
from tests.accounts.records import LogRecorder
from tests.fakes.store import MemoryStore


class ParkBookTests(SynchronousTestCase):
    """What is written down, and in which order."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.book = ParkBook(self.store)

    def test_at_once(self) -> None:
        """With a quick store nothing is left to wait for."""
        self.book.note("a", Parked("exhausted", 5.0))
        self.assertEqual(self.store.rows["a"].parked, Parked("exhausted", 5.0))
        self.successResultOf(self.book.written())

    def test_forget(self) -> None:
        """None forgets."""
        self.book.note("a", Parked("exhausted", 5.0))
        self.book.note("a", None)
        self.assertIsNone(self.store.rows["a"].parked)

    def test_order(self) -> None:
        """While one write is under way the next waits, and only the last of those counts."""
        self.store.late = True
        self.book.note("a", Parked("exhausted", 1.0))
        self.book.note("a", Parked("exhausted", 2.0))
        self.book.note("a", None)
        self.book.note("b", Parked("suspended"))
        self.assertEqual(self.store.held(), 2)
        written = self.book.written()
        self.store.release()
        self.assertNoResult(written)
        self.store.release()
        self.successResultOf(written)
        self.assertIsNone(self.store.rows["a"].parked)
        self.assertEqual(self.store.rows["b"].parked, Parked("suspended"))
        self.assertEqual(self.store.journal, [("park", "a"), ("park", "b"), ("park", "a")])

    def test_again(self) -> None:
        """A book that was written out can be written on."""
        for _ in range(2):
            self.book.note("a", Parked("suspended"))
        self.assertEqual(len(self.store.journal), 2)

    def test_broken_store(self) -> None:
        """A failed write is logged without the store's words, and stops nothing."""
        recorder = LogRecorder(self)
        self.store.broken = OSError("canary")
        self.book.note("a" * 32, Parked("suspended"))
        self.successResultOf(self.book.written())
        self.assertEqual(recorder.lines(), ["a parked account is not stored (OSError): aaaaaaaa"])
        self.store.broken = None
        self.book.note("a" * 32, Parked("suspended"))
        self.assertEqual(self.store.rows["a" * 32].parked, Parked("suspended"))

    def test_cancelled_by_the_store(self) -> None:
        """A store that gives up a write while it stops does not hold up the end."""
        self.store.broken = CancelledError()
        self.book.note("a", Parked("suspended"))
        self.successResultOf(self.book.written())
