"""Tests for kiro2api.upstream.stream: the same bytes, cut anywhere."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.errors import StreamTruncated, UpstreamFault
from tests.fakes.upstream import event, metered, said
from tests.upstream.streaming import THROTTLED, Sink, StreamTestCase

BODY = (
    said("Hé")
    + event("toolUseEvent", toolUseId="t1", name="ls")
    + event("toolUseEvent", toolUseId="t1", name="ls", input='{"p":1}')
    + event("toolUseEvent", toolUseId="t1", name="ls", stop=True)
    + event("contextUsageEvent", contextUsagePercentage=2.0)
    + metered()
)
EVENTS: list[StreamEvent] = [
    TextDelta("Hé"),
    ToolBegun("t1", "LS"),
    ToolInputDelta("t1", '{"p":1}'),
    ToolEnded("t1"),
]


class SplitTests(StreamTestCase):
    """The same bytes give the same events, however the network cuts them."""

    def run_pieces(self, pieces: Sequence[bytes]) -> Sink:
        self.open()
        self.stream.flow(self.sink)
        for piece in pieces:
            self.response.give(piece)
        self.response.end()
        return self.sink

    def test_every_split(self) -> None:
        """Cut in two at every position."""
        for at in range(1, len(BODY)):
            sink = self.run_pieces([BODY[:at], BODY[at:]])
            self.assertEqual(sink.all[:-2], EVENTS, at)
            self.assertEqual(sink.all[-1], Ended(StopReason.TOOL_USE), at)
            self.assertEqual(sink.endings, [None], at)

    def test_every_split_of_a_faulty_stream(self) -> None:
        """Cut in two at every position, a fault always comes behind the same events."""
        for faulty in (THROTTLED, b"x" * 30):
            body = said("a") + said("b") + faulty
            for at in range(1, len(body)):
                sink = self.run_pieces([body[:at], body[at:]])
                self.assertEqual(sink.text, "ab", at)
                self.assertIsInstance(sink.endings[0], UpstreamFault)
                self.assertEqual(len(sink.endings), 1)

    def test_every_truncation(self) -> None:
        """Broken off after any number of bytes, it never ends as if it were complete before its
        last frame, and always ends."""
        for size in range(1, len(BODY) + 1):
            self.open()
            self.stream.flow(self.sink)
            self.response.give(BODY[:size])
            self.response.cut()
            (fault,) = self.sink.endings
            if size < len(BODY):
                self.assertIsInstance(fault, StreamTruncated, size)
            else:
                self.assertIsNone(fault)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(1, len(BODY) - 1), max_size=30))
    def test_any_cuts(self, cuts: list[int]) -> None:
        """Cut anywhere, any number of times, with the sink pausing at will."""
        marks = sorted({0, len(BODY), *cuts})
        pieces = [BODY[a:b] for a, b in pairwise(marks)]
        sink = self.run_pieces(pieces)
        self.assertEqual(sink.all[:-2], EVENTS)
        self.assertEqual(sink.endings, [None])
