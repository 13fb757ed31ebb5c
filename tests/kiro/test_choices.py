"""Tests of choices among tools."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
)
from kiro2api.conversation.question import ToolChoice
from kiro2api.kiro.choices import CalledFor, FirstCall
from kiro2api.kiro.unmet import text_of, usage_of
from tests.kiro import told
from tests.kiro.told import CALLED, END, USAGE, call, fed, now, pieces

ANY = ToolChoice("any")
NAMED = ToolChoice("named", "t")


class FirstCallTests(SynchronousTestCase):
    """One call at most."""

    def test_second_call(self) -> None:
        """Is where the answer ends, with what came between."""
        first = [TextDelta("a"), *call("1"), TextDelta("b")]
        for batches in ([[*first, *call("2"), USAGE, CALLED]], [first, call("2")]):
            self.assertEqual(fed(FirstCall(now), batches), [*first, now(), CALLED])

    def test_one_call(self) -> None:
        """Nothing changes."""
        events: list[StreamEvent] = [*call("1"), USAGE, CALLED]
        self.assertEqual(fed(FirstCall(now), [events]), events)
        self.assertEqual(FirstCall(now).flush(), [])

    @settings(max_examples=60, deadline=None)
    @given(told.answers, told.cuts)
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int]) -> None:
        """Any answer is the same however it is cut, with one call at most."""
        whole = fed(FirstCall(now), [answer])
        self.assertEqual(fed(FirstCall(now), [[e] for e in pieces(answer, cuts)]), whole)
        self.assertLessEqual(sum(isinstance(event, ToolBegun) for event in whole), 1)


class CalledForTests(SynchronousTestCase):
    """A call that must be made."""

    def test_called(self) -> None:
        """What came before the call comes with it, and the rest as it comes."""
        subject = CalledFor(ANY)
        self.assertEqual(subject.feed([ThinkingDelta("hm"), TextDelta("a")]), [])
        self.assertEqual(subject.feed(call("1")), [ThinkingDelta("hm"), TextDelta("a"), *call("1")])
        self.assertEqual(subject.feed([USAGE, CALLED]), [USAGE, CALLED])
        self.assertIsNone(subject.unmet)

    def test_not_called(self) -> None:
        """The end is not given; what there is is kept for whoever decides."""
        subject = CalledFor(ANY)
        events: list[StreamEvent] = [TextDelta("I "), TextDelta("will"), USAGE, END]
        self.assertEqual(fed(subject, [events[:1], events[1:]]), [])
        unmet = subject.unmet
        assert unmet is not None
        self.assertEqual((unmet.said, unmet.usage, unmet.fault), ("I will", USAGE, None))
        self.assertEqual(unmet.remains, tuple(events))
        self.assertIn("one of the tools", unmet.instruction)
        self.assertEqual(subject.flush(), [])

    def test_another_tool(self) -> None:
        """Is not the one; its call is dropped when the right one comes."""
        subject = CalledFor(NAMED)
        self.assertEqual(fed(subject, [[TextDelta("a"), *call("1", "u")]]), [])
        self.assertEqual(fed(subject, [call("2", "t")]), [TextDelta("a"), *call("2", "t")])
        subject = CalledFor(NAMED)
        self.assertEqual(fed(subject, [[*call("1", "u"), USAGE, CALLED]]), [])
        assert subject.unmet is not None
        self.assertIn("the tool t", subject.unmet.instruction)

    def test_cut_answers(self) -> None:
        """The model did not finish: it is passed on as it is."""
        for reason in (StopReason.MAX_TOKENS, StopReason.REFUSAL, StopReason.STOP_SEQUENCE):
            subject = CalledFor(ANY)
            events: list[StreamEvent] = [TextDelta("a"), USAGE, Ended(reason)]
            self.assertEqual(fed(subject, [events]), events)
            self.assertIsNone(subject.unmet)

    def test_too_much(self) -> None:
        """More than can be held is not held, and then nothing is."""
        subject = CalledFor(ANY, max_held=100)
        self.assertEqual(subject.feed([TextDelta("x" * 60)]), [])
        self.assertEqual(len(subject.feed([TextDelta("y" * 60)])), 2)
        self.assertEqual(subject.feed([USAGE, END]), [USAGE, END])
        self.assertIsNone(subject.unmet)

    def test_failed_answer(self) -> None:
        """What is held comes out."""
        subject = CalledFor(ANY)
        subject.feed([TextDelta("a")])
        self.assertEqual(subject.flush(), [TextDelta("a")])

    @settings(max_examples=60, deadline=None)
    @given(told.answers, told.cuts, st.sampled_from([ANY, NAMED]))
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int], choice: ToolChoice) -> None:
        """Any answer is the same however it is cut: all of it with a call, none of it without."""
        one, other = CalledFor(choice), CalledFor(choice)
        whole = fed(one, [answer])
        self.assertEqual(fed(other, [[event] for event in pieces(answer, cuts)]), whole)
        self.assertEqual(one.unmet is None, bool(whole))
        self.assertEqual(other.unmet is None, bool(whole))
        if whole:
            self.assertEqual(text_of(whole), text_of(answer))
            self.assertEqual(usage_of(whole), USAGE)


class UnmetTests(SynchronousTestCase):
    """The small questions to an answer."""

    def test_usage(self) -> None:
        """None where there is none."""
        self.assertIsNone(usage_of([TextDelta("a")]))
