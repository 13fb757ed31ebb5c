"""Tests of stop sequences."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from kiro2api.kiro.stops import Stops
from tests.kiro import told
from tests.kiro.told import END, USAGE, call, fed, now, pieces


def stopped(stop: str) -> list[StreamEvent]:
    """The end of an answer that met this."""
    return [now(), Ended(StopReason.STOP_SEQUENCE, stop)]


class StopsTests(SynchronousTestCase):
    """Found, and not found."""

    def after(self, text: str, *stops: str) -> list[StreamEvent]:
        """The events of a text, the same wherever it is cut."""
        expected = fed(Stops(stops, now), [[TextDelta(text), USAGE, END]])
        for at in range(len(text) + 1):
            batches: list[list[StreamEvent]] = [
                [TextDelta(text[:at])],
                [TextDelta(text[at:])],
                [USAGE, END],
            ]
            self.assertEqual(fed(Stops(stops, now), batches), expected, at)
        letters: list[list[StreamEvent]] = [[TextDelta(letter)] for letter in text]
        self.assertEqual(fed(Stops(stops, now), [*letters, [USAGE, END]]), expected)
        return expected

    def test_found(self) -> None:
        """The text before it, what it cost, the reason and the sequence."""
        self.assertEqual(self.after("one two three", "two"), [TextDelta("one "), *stopped("two")])
        self.assertEqual(self.after("two", "two"), stopped("two"))

    def test_not_found(self) -> None:
        """Everything, also what looks like the beginning of one until the very end."""
        self.assertEqual(self.after("one tw", "two", "x"), [TextDelta("one tw"), USAGE, END])
        self.assertEqual(self.after("aab", "aac"), [TextDelta("aab"), USAGE, END])

    def test_first_complete_one_counts(self) -> None:
        """The one that is complete first, the longest of several that end at once."""
        self.assertEqual(self.after("xabcd", "abcd", "bc"), [TextDelta("xa"), *stopped("bc")])
        self.assertEqual(self.after("xabc", "bc", "abc", "c"), [TextDelta("x"), *stopped("abc")])
        self.assertEqual(self.after("aaab", "aab"), [TextDelta("a"), *stopped("aab")])
        self.assertEqual(self.after("abab", "abb", "ba"), [TextDelta("a"), *stopped("ba")])

    def test_only_text_is_searched(self) -> None:
        """Reasoning and inputs are not, and nothing is found across them."""
        events: list[StreamEvent] = [
            TextDelta("ST"),
            ThinkingDelta("STOP"),
            *call("a", "t", "STOP"),
            TextDelta("OP"),
        ]
        self.assertEqual(fed(Stops(["STOP"], now), [[*events, USAGE, END]]), [*events, USAGE, END])

    def test_empty_ones_are_none(self) -> None:
        """An empty text would be found at once."""
        self.assertEqual(self.after("ab", "", "b"), [TextDelta("a"), *stopped("b")])

    def test_nothing_follows(self) -> None:
        """Not even within the batch."""
        events: list[StreamEvent] = [TextDelta("aSTOPb"), TextDelta("STOP"), USAGE, END]
        self.assertEqual(fed(Stops(["STOP"], now), [events]), [TextDelta("a"), *stopped("STOP")])

    def test_failed_answer(self) -> None:
        """What is held comes out."""
        subject = Stops(["STOP"], now)
        self.assertEqual(subject.feed([TextDelta("a ST")]), [TextDelta("a ")])
        self.assertEqual(subject.flush(), [TextDelta("ST")])
        self.assertEqual(subject.flush(), [])

    @settings(max_examples=100, deadline=None)
    @given(
        told.answers,
        told.cuts,
        st.lists(st.text(st.sampled_from("ab<\U0001f600"), min_size=1, max_size=4), min_size=1),
    )
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int], stops: list[str]) -> None:
        """Any answer ends at the same place however it is cut, and shows no sequence."""
        whole = fed(Stops(stops, now), [answer])
        cut = fed(Stops(stops, now), [[event] for event in pieces(answer, cuts)])
        self.assertEqual(cut, whole)
        for event in whole:
            if isinstance(event, TextDelta):
                self.assertFalse([stop for stop in stops if stop in event.text])
