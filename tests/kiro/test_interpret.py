"""Tests of the interpreter."""

import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.errors import (
    ProtocolViolation,
    StreamTruncated,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.tally import Tally
from kiro2api.wire.eventstream import Frame
from tests.kiro.frames import context, error, event, exception, metering, said, tool
from tests.kiro.told import counted

CUT = exception("ContentLengthExceededException", {"message": "m"})


def interpreter(names: dict[str, str] | None = None) -> Interpreter:
    """One with a window of 1000 tokens and a question of 77."""
    return Interpreter(window=1000, input_estimate=77, names=names or {})


def ended(events: list[StreamEvent]) -> StopReason:
    """The reason at the end of these events, which have exactly one usage and one end."""
    *_, usage, end = events
    assert isinstance(usage, Usage)
    assert isinstance(end, Ended)
    return end.reason


class ContentTests(SynchronousTestCase):
    """Events that say something."""

    def told(self, *frames: Frame) -> list[StreamEvent]:
        return interpreter().feed(frames)

    def test_text(self) -> None:
        """Text as it comes, equal neighbours included; empty text is nothing."""
        events = self.told(said("ha"), said("ha"), said(""), said("\n\n"))
        self.assertEqual(events, [TextDelta("ha"), TextDelta("ha"), TextDelta("\n\n")])

    def test_other_keys_first(self) -> None:
        """The order of keys and unknown ones do not matter."""
        frame = event("assistantResponseEvent", b'{"modelId":"m","new":[{}],"content":"x"}')
        self.assertEqual(self.told(frame), [TextDelta("x")])
        self.assertEqual(self.told(event("assistantResponseEvent", {"modelId": "m"})), [])
        self.assertEqual(self.told(event("assistantResponseEvent", {"content": None})), [])

    def test_code(self) -> None:
        """A code event is text."""
        self.assertEqual(self.told(event("codeEvent", {"content": "x=1"})), [TextDelta("x=1")])

    def test_reasoning(self) -> None:
        """Text, signature and sealed content, alone or together."""
        name = "reasoningContentEvent"
        events = self.told(
            event(name, {"text": "hm"}),
            event(name, {"text": "!", "signature": "c2ln"}),
            event(name, {"redactedContent": "eA=="}),
            event(name, {"text": "", "signature": None}),
        )
        self.assertEqual(
            events,
            [
                ThinkingDelta("hm"),
                ThinkingDelta("!"),
                ThinkingSigned("c2ln"),
                ThinkingRedacted("eA=="),
            ],
        )

    def test_tool_with_text_and_thinking_inside(self) -> None:
        """Names are restored; what arrives inside a call follows it."""
        events = interpreter({"up": "client"}).feed(
            [
                said("go"),
                tool("a", "up", input="{"),
                said("later"),
                event("reasoningContentEvent", {"text": "hm", "signature": "s"}),
                tool("a", "up", input="}"),
                tool("a", "up", stop=True),
            ]
        )
        self.assertEqual(
            events,
            [
                TextDelta("go"),
                ToolBegun("a", "client"),
                ToolInputDelta("a", "{"),
                ToolInputDelta("a", "}"),
                ToolEnded("a"),
                TextDelta("later"),
                ThinkingDelta("hm"),
                ThinkingSigned("s"),
            ],
        )

    def test_silent_and_unknown(self) -> None:
        """Known events without a meaning pass silently, unknown ones are counted."""
        subject = interpreter()
        known = ("initial-response", "messageMetadataEvent", "citationEvent", "intentsEvent")
        self.assertEqual(subject.feed([event(name, b"") for name in known]), [])
        self.assertEqual(subject.ignored, {})
        subject.feed([event("newEvent", b"?"), event("newEvent", b""), event("", b"")])
        self.assertEqual(subject.ignored, {"newEvent": 2, "": 1})

    def test_unknown_names_are_bounded(self) -> None:
        """The upstream cannot fill our memory with names."""
        subject = interpreter()
        subject.feed([event(f"new{number}" + "x" * 100, b"") for number in range(100)])
        self.assertLessEqual(len(subject.ignored), 33)
        self.assertLessEqual(max(map(len, subject.ignored)), 64)
        self.assertEqual(sum(subject.ignored.values()), 100)

    def test_unexpected_payloads(self) -> None:
        """Of the wrong shape: the upstream speaks another language."""
        for name in (
            "assistantResponseEvent",
            "reasoningContentEvent",
            "toolUseEvent",
            "contextUsageEvent",
            "meteringEvent",
            "metadataEvent",
            "invalidStateEvent",
        ):
            for payload in (b"", b"{", b"[]", b"\xff"):
                self.assertRaises(ProtocolViolation, interpreter().feed, [event(name, payload)])
        self.assertRaises(ProtocolViolation, interpreter().feed, [tool("a", input=5)])


class EndTests(SynchronousTestCase):
    """The end of the HTTP body."""

    def test_plain(self) -> None:
        """Content without any sign of completion is complete if the body ended cleanly."""
        subject = interpreter()
        subject.feed([said("hello")])
        self.assertEqual(
            subject.finish(), [Usage(input_tokens=77, output_tokens=2), Ended(StopReason.END_TURN)]
        )
        self.assertEqual(subject.finish(), [])
        self.assertEqual(subject.feed([said("more")]), [])

    def test_usage(self) -> None:
        """Percentage and credits are told."""
        subject = interpreter()
        subject.feed([said("hello"), context(50.0), metering(0.25)])
        self.assertEqual(
            subject.finish()[0],
            Usage(498, 2, credits=0.25, context_percent=50.0, provenance="derived"),
        )

    def test_exact_usage_and_reason(self) -> None:
        """Metadata is preferred; the question's estimate plays no part."""
        subject = interpreter()
        usage = {"uncachedInputTokens": 1, "outputTokens": 2, "totalTokens": 3, "new": 1}
        payload = {"tokenUsage": usage, "stopReason": "max_tokens"}
        subject.feed([said("hello"), event("metadataEvent", payload)])
        self.assertEqual(
            subject.finish(), [Usage(1, 2, provenance="exact"), Ended(StopReason.MAX_TOKENS)]
        )

    def test_tool_use(self) -> None:
        """A finished call is the reason."""
        subject = interpreter()
        subject.feed([tool("a", stop=True)])
        self.assertIs(ended(subject.finish()), StopReason.TOOL_USE)

    def test_nothing_at_all(self) -> None:
        """No answer is a failure, also after events that say nothing."""
        for frames in ([], [event("initial-response", b"{}")], [said("")]):
            subject = interpreter()
            subject.feed(frames)
            self.assertRaises(UpstreamUnavailable, subject.finish)
            self.assertRaises(UpstreamUnavailable, subject.finish)
            self.assertTrue(subject.done)

    def test_empty_but_complete(self) -> None:
        """An answer may have no content, if the upstream says that it is complete."""
        for frame in (metering(), context(3), event("metadataEvent", {"stopReason": "end_turn"})):
            subject = interpreter()
            self.assertEqual(subject.feed([frame]), [])
            self.assertIs(ended(subject.finish()), StopReason.END_TURN)

    def test_thinking_only(self) -> None:
        """Thinking is content."""
        subject = interpreter()
        subject.feed([event("reasoningContentEvent", {"redactedContent": "eA=="})])
        self.assertIs(ended(subject.finish()), StopReason.END_TURN)

    def test_open_call_without_completion(self) -> None:
        """A cut connection: the call must not be taken for whole."""
        subject = interpreter()
        subject.feed([said("x"), tool("a", input='{"p":1}')])
        self.assertRaises(StreamTruncated, subject.finish)
        self.assertEqual(subject.feed([said("x")]), [])
        self.assertRaises(StreamTruncated, subject.finish)

    def test_open_call_with_completion(self) -> None:
        """The model ran out of room: no end of the call, no invented input."""
        for frame in (metering(), context(3), event("metadataEvent", {"stopReason": "tool_use"})):
            subject = interpreter()
            events = subject.feed([tool("a"), said("held"), frame])
            self.assertEqual(events, [ToolBegun("a", "t")])
            events = subject.finish()
            self.assertEqual(len(events), 2)
            self.assertIs(ended(events), StopReason.MAX_TOKENS)

    def test_stopped_call_with_half_an_input(self) -> None:
        """The same, when the upstream stops the call by name; completion is not needed."""
        subject = interpreter()
        events = subject.feed([tool("a", input='{"p":"half', stop=True), said("dropped")])
        self.assertEqual(events, [ToolBegun("a", "t"), ToolInputDelta("a", '{"p":"half')])
        self.assertIs(ended(subject.finish()), StopReason.MAX_TOKENS)


class DoneTests(SynchronousTestCase):
    """Whether more is needed of the upstream."""

    def test_metering_is_the_last(self) -> None:
        """Nothing else is."""
        subject = interpreter()
        self.assertFalse(subject.done)
        subject.feed([said("x"), context(1.0), event("metadataEvent", {})])
        self.assertFalse(subject.done)
        subject.feed([metering()])
        self.assertTrue(subject.done)

    def test_not_inside_a_call(self) -> None:
        """An open call may still go on; one that was cut never does."""
        subject = interpreter()
        subject.feed([tool("a", input='{"'), metering()])
        self.assertFalse(subject.done)
        subject.feed([tool("a", stop=True)])
        self.assertTrue(subject.done)
        self.assertIs(ended(subject.finish()), StopReason.MAX_TOKENS)

    def test_after_the_end(self) -> None:
        """Ended and failed answers need nothing."""
        subject = interpreter()
        subject.feed([CUT])
        self.assertTrue(subject.done)
        subject = interpreter()
        subject.feed([said("x"), error("Oops", "")])
        self.assertTrue(subject.done)


class FaultTests(SynchronousTestCase):
    """Frames that are no events."""

    def test_output_budget(self) -> None:
        """The end of the output budget is an end, not a failure."""
        subject = interpreter()
        events = subject.feed([said("x"), CUT, said("y")])
        self.assertEqual(events[0], TextDelta("x"))
        self.assertEqual(len(events), 3)
        self.assertIs(ended(events), StopReason.MAX_TOKENS)
        self.assertEqual(subject.feed([said("y")]), [])
        self.assertEqual(subject.finish(), [])

    def test_output_budget_inside_a_call(self) -> None:
        """The call stays without an end."""
        events = interpreter().feed([tool("a", input="{"), CUT])
        self.assertEqual(events[:2], [ToolBegun("a", "t"), ToolInputDelta("a", "{")])
        self.assertIs(ended(events), StopReason.MAX_TOKENS)
        self.assertEqual(len(events), 4)

    def test_faults(self) -> None:
        """Each kind of frame that fails the answer, at once if nothing preceded it."""
        cases: list[tuple[Frame, type[UpstreamFault]]] = [
            (exception("ThrottlingException", {"message": "m"}), Throttled),
            (exception("error", {"message": "m"}), UpstreamUnavailable),
            (error("InternalError", "m"), UpstreamUnavailable),
            (event("invalidStateEvent", {"reason": "R", "message": "m"}), UpstreamRefused),
            (event("invalidStateEvent", {}), UpstreamRefused),
        ]
        for frame, cls in cases:
            subject = interpreter()
            self.assertRaises(cls, subject.feed, [frame, said("x")])
            self.assertEqual(subject.feed([said("x")]), [])
            self.assertRaises(cls, subject.finish)
            self.assertIsInstance(subject.fault, cls)

    def test_unknown_kind_of_frame(self) -> None:
        """Only three kinds exist."""
        for kind in ("", "Event", "bye"):
            (frame,) = [exception("x", b"")]
            frame = Frame(
                type(frame.headers)(kind, "assistantResponseEvent", "", "", "", "", {}), b"{}"
            )
            self.assertRaises(ProtocolViolation, interpreter().feed, [frame])

    def test_what_preceded_is_told_first(self) -> None:
        """Events of the same batch are given, the fault then is raised by either call."""
        frames = [said("x"), exception("ThrottlingException", {})]
        subject = interpreter()
        self.assertEqual(subject.feed(frames), [TextDelta("x")])
        self.assertIsInstance(subject.fault, Throttled)
        self.assertRaises(Throttled, subject.feed, [])
        self.assertEqual(subject.feed([said("y")]), [])
        subject = interpreter()
        subject.feed(frames)
        self.assertRaises(Throttled, subject.finish)
        self.assertRaises(Throttled, subject.finish)


class BatchTests(SynchronousTestCase):
    """How frames are grouped never matters."""

    FRAMES = (
        said("hello"),
        said("ä"),
        event("reasoningContentEvent", {"text": "hm", "signature": "s"}),
        tool("a", input="{"),
        tool("a", input="}"),
        tool("a", stop=True),
        tool("b", input={"x": 1}),
        tool("b", stop=True),
        tool("c", stop=True),
        context(12.5),
        metering(),
        event("unknown", b""),
        CUT,
        error("Oops", "m"),
        event("meteringEvent", b"[]"),
    )

    def outcome(self, batches: list[list[Frame]]) -> tuple[list[StreamEvent], object]:
        subject = interpreter()
        events: list[StreamEvent] = []
        try:
            for batch in batches:
                events += subject.feed(batch)
            events += subject.finish()
        except UpstreamFault as fault:
            return events, (type(fault), fault.message)
        return events, None

    @settings(max_examples=100)
    @given(
        st.lists(st.sampled_from(FRAMES), max_size=20),
        st.sets(st.integers(min_value=1, max_value=19)),
    )
    def test_any_grouping(self, frames: list[Frame], cuts: set[int]) -> None:
        """One batch, one frame at a time, or anything between: the same events and end."""
        edges = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
        groups = [frames[a:b] for a, b in pairwise(edges)]
        whole = self.outcome([frames])
        self.assertEqual(self.outcome([[frame] for frame in frames]), whole)
        self.assertEqual(self.outcome(groups), whole)
        if whole[1] is None:
            ended(whole[0])


class HalvesTests(SynchronousTestCase):
    """Characters that are cut between events."""

    def test_every_split(self) -> None:
        """Text and reasoning are the same wherever a piece ends, in a character too."""
        text = "a\ud83d\ude00b\ud83dc\ude00"
        for name, key, kind in (
            ("assistantResponseEvent", "content", TextDelta),
            ("reasoningContentEvent", "text", ThinkingDelta),
        ):
            for at in range(len(text) + 1):
                subject = interpreter()
                pieces = (json.dumps({key: piece}).encode() for piece in (text[:at], text[at:]))
                events = subject.feed([event(name, piece) for piece in pieces])
                events += subject.feed([metering()]) + subject.finish()
                joined = "".join(e.text for e in events if isinstance(e, kind))
                self.assertEqual(joined, "a\U0001f600b\ufffdc\ufffd", (name, at))

    def test_last_half(self) -> None:
        """A character whose other half never comes is shown as lost, before the end."""
        subject = interpreter()
        self.assertEqual(
            subject.feed([event("assistantResponseEvent", b'{"content":"\\ud83d"}')]), []
        )
        thought = event("reasoningContentEvent", b'{"text":"\\ud83d","signature":"s"}')
        self.assertEqual(subject.feed([thought]), [ThinkingSigned("s")])
        events = subject.finish()
        self.assertEqual(events[:2], [ThinkingDelta("\ufffd"), TextDelta("\ufffd")])
        self.assertEqual(ended(events), StopReason.END_TURN)

    def test_inputs(self) -> None:
        """The input of a call is joined as well, each call for itself, also at its stop."""
        text = '{"p":"\ud83d\ude00"}'
        for at in range(len(text) + 1):
            subject = interpreter()
            frames = [
                event("toolUseEvent", json.dumps({"toolUseId": "a", "name": "t", **more}).encode())
                for more in ({"input": text[:at]}, {"input": text[at:]}, {"stop": True})
            ]
            events = subject.feed([*frames, metering()])
            inputs = "".join(e.json for e in events if isinstance(e, ToolInputDelta))
            self.assertEqual(inputs, '{"p":"\U0001f600"}', at)
        payload = b'{"toolUseId":"b","name":"t","input":"1\\ud83d","stop":true}'
        events = interpreter().feed([event("toolUseEvent", payload)])
        self.assertEqual(events[1:3], [ToolInputDelta("b", "1\ufffd"), ToolEnded("b")])
        payload = b'{"toolUseId":"b","name":"t","input":{"p":1}}'
        subject = interpreter()
        subject.feed([event("assistantResponseEvent", b'{"content":"\\ud83dx"}')])
        events = subject.feed([event("toolUseEvent", payload), tool("b", stop=True)])
        self.assertEqual(events[1], ToolInputDelta("b", '{"p":1}'))


class FailedTests(SynchronousTestCase):
    """What is left of an answer that failed."""

    def test_flush(self) -> None:
        """Text that waited for an open call comes out, once."""
        subject = interpreter()
        subject.feed([tool("a", input='{"p":'), said("later"), tool("b", input="{}")])
        self.assertRaises(Throttled, subject.feed, [exception("ThrottlingException", {})])
        self.assertTrue(subject.cut_call)
        self.assertEqual(subject.flush(), [TextDelta("later")])
        self.assertEqual(subject.flush(), [])

    def test_no_call_without_input(self) -> None:
        """Never behind a call that could be taken for one without arguments."""
        subject = interpreter()
        subject.feed([tool("a"), said("later")])
        self.assertEqual(subject.flush(), [])

    def test_nothing_open(self) -> None:
        """Then nothing waits."""
        subject = interpreter()
        subject.feed([said("a")])
        self.assertEqual(subject.flush(), [])
        self.assertFalse(subject.cut_call)


class SizeTests(SynchronousTestCase):
    """What is counted is what was given, at any time."""

    def test_held_text_counts_when_it_goes_on(self) -> None:
        """So a limit on tokens can be kept to the character."""
        subject = interpreter({"up": "client"})
        frames = [
            said("h\u00e9"),
            tool("a", "up", input="{"),
            said("later"),
            event("reasoningContentEvent", {"text": "hm", "signature": "sig"}),
            tool("b", "up", input="{}", stop=True),
            tool("a", "up", input="}"),
            tool("a", "up", stop=True),
            metering(),
        ]
        given: list[StreamEvent] = []
        for frame in frames:
            given += subject.feed([frame])
            tally = Tally()
            counted(tally, given)
            self.assertEqual(
                (subject.tally.chars, subject.tally.octets), (tally.chars, tally.octets)
            )
        self.assertEqual(subject.usage().output_tokens, subject.finish()[0].output_tokens)  # type: ignore[union-attr]
