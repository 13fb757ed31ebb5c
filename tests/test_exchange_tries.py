"""What happened to a question."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation
from kiro2api.errors import StreamStalled, Throttled
from kiro2api.exchange_tries import ABANDONED, SERVED, Asking, Attempt, outcome_of


class AskingTests(SynchronousTestCase):
    """The diary of a question."""

    def setUp(self) -> None:
        self.asking = Asking(Conversation(()), "m", "g", 1)

    def test_repairs(self) -> None:
        """Each word once, in the order of the first time; each question has its own."""
        self.asking.repaired("a", "b")
        self.asking.repaired("a", "c")
        self.assertEqual(self.asking.repairs, ["a", "b", "c"])
        self.assertEqual(Asking(Conversation(()), "m", "g", 1).repairs, [])

    def test_failed_later(self) -> None:
        """An answer that broke off did not serve after all; an attempt that had failed already
        stays as it is, and so does nothing at all."""
        self.asking.failed_later(StreamStalled("x"))
        self.assertEqual(self.asking.tried, [])
        self.asking.tried.append(Attempt("a", "m", SERVED, 200, 0.5))
        self.asking.failed_later(StreamStalled("x", code="stalled"))
        self.assertEqual(self.asking.tried, [Attempt("a", "m", "stalled", 200, 0.5)])
        self.asking.tried = [Attempt("a", "m", ABANDONED, 0, 0.5)]
        self.asking.failed_later(Throttled("x", status=429))
        self.assertEqual(self.asking.tried[0].outcome, ABANDONED)

    def test_outcome(self) -> None:
        """The code of a fault tells most; there is always a kind."""
        self.assertEqual(
            outcome_of(Throttled("x", code="ThrottlingException")), "ThrottlingException"
        )
        self.assertEqual(outcome_of(Throttled("x")), "rate_limited")
