"""Tests of the limit on tokens."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolBegun,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.tokens import estimate_counts, estimate_text
from kiro2api.kiro.budget import Budget
from kiro2api.kiro.tally import Tally
from tests.kiro import told
from tests.kiro.told import END, USAGE, call, fed, pieces

FULL = Ended(StopReason.MAX_TOKENS)


def cut(limit: int, batches: list[list[StreamEvent]]) -> list[StreamEvent]:
    """What is left of an answer."""
    tally = Tally()
    return fed(Budget(limit, tally, lambda: tally.usage(1000, 7)), batches, tally)


class BudgetTests(SynchronousTestCase):
    """Up to the limit."""

    def test_within(self) -> None:
        """An answer that fits is left alone, whatever the upstream counts."""
        events: list[StreamEvent] = [TextDelta("x" * 37), Usage(1, 99), END]
        self.assertEqual(cut(10, [events]), events)

    def test_text(self) -> None:
        """As many characters as fit, the cost so far, the reason."""
        *rest, usage, end = cut(10, [[TextDelta("x" * 30)], [TextDelta("y" * 30), USAGE, END]])
        self.assertEqual(rest, [TextDelta("x" * 30 + "y" * 7)])
        self.assertEqual((usage, end), (Usage(7, 10), FULL))
        self.assertLessEqual(estimate_text("x" * 37), 10)
        self.assertGreater(estimate_text("x" * 38), 10)

    def test_other_scripts(self) -> None:
        """Characters of several octets cost more."""
        text, _, _ = cut(10, [[TextDelta("\N{SNOWMAN}" * 30), USAGE, END]])
        self.assertEqual(text, TextDelta("\N{SNOWMAN}" * 9))

    def test_everything_counts(self) -> None:
        """Thinking, names and inputs of calls; signatures do not."""
        events: list[StreamEvent] = [
            ThinkingDelta("t" * 18),
            ThinkingSigned("s" * 1000),
            TextDelta(""),
            ToolBegun("a", "n" * 4),
            ToolInputDelta("a", "i" * 100),
        ]
        *rest, _, end = cut(10, [events])
        self.assertEqual(rest, [*events[:2], events[3], ToolInputDelta("a", "i" * 15)])
        self.assertEqual(end, FULL)
        *rest, _, end = cut(1, [[ThinkingDelta("abcdef")]])
        self.assertEqual((rest, end), ([ThinkingDelta("abc")], FULL))

    def test_no_half_a_name(self) -> None:
        """A call whose name does not fit does not begin."""
        *rest, _, end = cut(5, [[TextDelta("x" * 16)], call("a", "long_name")])
        self.assertEqual((rest, end), ([TextDelta("x" * 16)], FULL))

    def test_wrong_count(self) -> None:
        """A size that grows beyond what comes cuts nothing."""

        class Wrong:
            chars = octets = 1000

        subject = Budget(10, Wrong(), lambda: USAGE)
        self.assertEqual(subject.feed([TextDelta("a")]), [TextDelta("a")])
        self.assertFalse(subject.done)
        self.assertEqual(subject.flush(), [])

    @settings(max_examples=100, deadline=None)
    @given(told.answers, told.cuts, st.integers(1, 20))
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int], limit: int) -> None:
        """Any answer ends at the same place however it is cut, and never beyond the limit."""
        whole = cut(limit, [answer])
        parts = cut(limit, [[event] for event in pieces(answer, cuts)])
        self.assertEqual(parts[:-2], whole[:-2])
        self.assertEqual(parts[-1], whole[-1])
        alone = fed(Budget(limit, None, told.now), [[event] for event in pieces(answer, cuts)])
        self.assertEqual(alone[:-2], whole[:-2])
        tally = Tally()
        told.counted(tally, whole)
        self.assertLessEqual(estimate_counts(tally.chars, tally.octets), limit)
