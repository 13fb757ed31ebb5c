"""Results that are kept."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Image, Text
from kiro2api.media.limits import Unreadable
from kiro2api.media.results import Results


class ResultsTests(SynchronousTestCase):
    """Bounds in size and time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.results = Results(self.clock.seconds, max_bytes=10_000)

    def test_kinds(self) -> None:
        """Every kind of result, None among them."""
        refusal = Unreadable("x")
        for result in (Text("a"), Image("image/png", "a"), refusal, None):
            self.assertIsNone(self.results.find(repr(result).encode()))
            self.results.keep(repr(result).encode(), result)
            self.assertEqual(self.results.find(repr(result).encode()), (result,))

    def test_the_oldest_go(self) -> None:
        """What was asked for last stays."""
        for number in range(4):
            self.results.keep(b"%d" % number, Text("x" * 2000))
        self.results.find(b"0")
        self.results.keep(b"4", Text("x" * 2000))
        kept = [number for number in range(5) if self.results.find(b"%d" % number)]
        self.assertEqual(kept, [0, 2, 3, 4])
        self.assertLessEqual(self.results.held, 10_000)

    def test_replaced(self) -> None:
        """One result per key is counted."""
        for _ in range(10):
            self.results.keep(b"a", Text("x" * 2000))
        self.assertEqual(self.results.held, 2400)

    def test_too_large(self) -> None:
        """One result does not drive all others out; letters beyond ASCII count for more."""
        self.results.keep(b"a", Text("x" * 6000))
        self.assertIsNone(self.results.find(b"a"))
        self.results.keep(b"b", Text("\u5408" * 2000))
        self.assertIsNone(self.results.find(b"b"))

    def test_end(self) -> None:
        """Some are kept for a while only."""
        self.results.keep(b"a", Text("x"), lasting=10)
        self.clock.advance(9)
        self.assertIsNotNone(self.results.find(b"a"))
        self.clock.advance(1)
        self.assertIsNone(self.results.find(b"a"))
        self.assertEqual(self.results.held, 0)
