# -*- test-case-name: tests.emulator.test_performance -*-
"""Tests for the frames of an answer and the steps of their delivery."""

from collections.abc import Sequence

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator import frames
from kiro2api.emulator.performance import (
    Part,
    Performance,
    Step,
    Turn,
    Wait,
    delivered,
    events,
)
from kiro2api.emulator.script import Script
from kiro2api.errors import ProtocolViolation
from kiro2api.wire.eventstream import Frame, FrameDecoder

PLAY = Performance("m", "A text of thirty characters ..", context_percent=1.5, credits=0.25)
CALLS = (Part("id-a", "first", '{"path":"some/file"}'), Part("id-b", "second", "{}"))


def kinds(sent: Sequence[bytes]) -> list[str]:
    """The event types of these frames."""
    return [frame.headers.event_type for frame in read(sent)]


def read(sent: Sequence[bytes]) -> list[Frame]:
    """The frames, decoded."""
    return FrameDecoder().receive(b"".join(sent))


def payloads(sent: Sequence[bytes], kind: str) -> list[dict[str, object]]:
    """The payloads of one kind of event."""
    return [msgspec.json.decode(f.payload) for f in read(sent) if f.headers.event_type == kind]


class EventsTests(SynchronousTestCase):
    """Sound answers."""

    def played(self, play: Performance = PLAY, **script: object) -> list[bytes]:
        return list(events(play, Script(**script)))  # type: ignore[arg-type]

    def test_text(self) -> None:
        """Text in small pieces, then what the answer cost."""
        sent = self.played()
        texts = payloads(sent, "assistantResponseEvent")
        self.assertEqual("".join(str(t["content"]) for t in texts), PLAY.text)
        self.assertGreater(len(texts), 1)
        self.assertEqual(texts[0]["modelId"], "m")
        self.assertEqual(kinds(sent)[-2:], ["contextUsageEvent", "meteringEvent"])
        [usage] = payloads(sent, "contextUsageEvent")
        self.assertEqual(usage, {"contextUsagePercentage": 1.5})
        [metering] = payloads(sent, "meteringEvent")
        self.assertEqual(metering, {"unit": "credit", "unitPlural": "credits", "usage": 0.25})

    def test_huge_text(self) -> None:
        """A huge text comes in larger pieces, each within the upstream's limit."""
        play = msgspec.structs.replace(PLAY, text="x" * 100_000)
        texts = payloads(self.played(play, repeat=2), "assistantResponseEvent")
        self.assertEqual(sum(len(str(t["content"])) for t in texts), 200_000)
        self.assertLessEqual(max(len(str(t["content"])) for t in texts), 10_240)

    def test_many_events(self) -> None:
        """As many events as ordered, made one by one."""
        endless = events(PLAY, Script(events=10**9))
        self.assertEqual(len([next(endless) for _ in range(5)]), 5)

    def test_thinking(self) -> None:
        """Reasoning comes first, its signature after it."""
        play = msgspec.structs.replace(
            PLAY, thinking="Let me think of it.", signature="c2ln", redacted="cmVk"
        )
        sent = self.played(play)
        shown = payloads(sent, "reasoningContentEvent")
        self.assertEqual("".join(str(p.get("text", "")) for p in shown), play.thinking)
        self.assertEqual(shown[-2:], [{"signature": "c2ln"}, {"redactedContent": "cmVk"}])
        self.assertEqual(kinds(sent)[: len(shown)], ["reasoningContentEvent"] * len(shown))

    def test_tools(self) -> None:
        """Start, fragments, stop; nothing between for a call without arguments."""
        play = msgspec.structs.replace(PLAY, parts=CALLS)
        uses = payloads(self.played(play), "toolUseEvent")
        self.assertEqual(
            uses,
            [
                {"name": "first", "toolUseId": "id-a"},
                {"input": '{"path":"som', "name": "first", "toolUseId": "id-a"},
                {"input": 'e/file"}', "name": "first", "toolUseId": "id-a"},
                {"name": "first", "toolUseId": "id-a", "stop": True},
                {"name": "second", "toolUseId": "id-b"},
                {"name": "second", "toolUseId": "id-b", "stop": True},
            ],
        )

    def test_interleaved(self) -> None:
        """Parallel calls mixed, each still in its own order."""
        play = msgspec.structs.replace(PLAY, parts=CALLS)
        uses = payloads(self.played(play, interleave=True), "toolUseEvent")
        ids = [use["toolUseId"] for use in uses]
        self.assertEqual(ids, ["id-a", "id-b", "id-a", "id-b", "id-a", "id-a"])

    def test_no_stop(self) -> None:
        """Only the last call is left open."""
        play = msgspec.structs.replace(PLAY, parts=CALLS)
        uses = payloads(self.played(play, no_stop=True), "toolUseEvent")
        self.assertEqual([use["toolUseId"] for use in uses if "stop" in use], ["id-a"])

    def test_metadata(self) -> None:
        """Token counts and a stop reason, together or alone, before the rest of the end."""
        usage = {"uncachedInputTokens": 1, "outputTokens": 2, "totalTokens": 3}
        sent = self.played(token_usage=usage, stop_reason="end_turn")
        expected = {"tokenUsage": usage, "stopReason": "end_turn"}
        self.assertEqual(payloads(sent, "metadataEvent"), [expected])
        self.assertEqual(kinds(sent)[-3], "metadataEvent")
        self.assertEqual(
            payloads(self.played(stop_reason="max_tokens"), "metadataEvent"),
            [{"stopReason": "max_tokens"}],
        )
        self.assertEqual(
            payloads(self.played(token_usage=usage), "metadataEvent"), [{"tokenUsage": usage}]
        )

    def test_no_ending(self) -> None:
        """An answer without the events that end one."""
        self.assertEqual(set(kinds(self.played(no_ending=True))), {"assistantResponseEvent"})


class DeliveredTests(SynchronousTestCase):
    """Faults on the way."""

    def steps(self, pace: float = 0.0, count: int = 3, **script: object) -> list[Step]:
        """The steps for so many frames; what hangs ends the list."""
        sent = [frames.event("assistantResponseEvent", {"content": str(n)}) for n in range(count)]
        self.sent = list(sent)
        steps: list[Step] = []
        for step in delivered(iter(sent), Script(**script), pace):  # type: ignore[arg-type]
            steps.append(step)
            if isinstance(step, Turn):
                break
        return steps

    def test_sound(self) -> None:
        """Without faults just the frames."""
        self.assertEqual(self.steps(), self.sent)
        self.assertEqual(self.steps(count=0), [])

    def test_pauses(self) -> None:
        """Between frames, not before the first; an order beats the usual pace."""
        steps = self.steps(pace=0.5)
        a, b, c = self.sent
        self.assertEqual(steps, [a, Wait(0.5), b, Wait(0.5), c])
        self.assertEqual(self.steps(pace=0.5, delay=2.0)[1], Wait(2.0))
        self.assertEqual(self.steps(interval=3.0)[1], Wait(3.0))

    def test_cut(self) -> None:
        """At every position, rough or clean; a position beyond the end changes nothing."""
        for position in range(4):
            rough = self.steps(cut_at=position)
            self.assertEqual(rough, [*self.sent[:position], Turn.ABORT])
            clean = self.steps(cut_at=position, clean=True)
            self.assertEqual(clean, self.sent[:position])
        self.assertEqual(self.steps(cut_at=4), self.sent)

    def test_stall(self) -> None:
        """Nothing more from there, or after everything."""
        self.assertEqual(self.steps(stall_at=1), [self.sent[0], Turn.HANG])
        self.assertEqual(self.steps(linger=True), [*self.sent, Turn.HANG])

    def test_stall_ends(self) -> None:
        """Whoever goes on after a stall gets the rest: nothing is lost in the plan."""
        sent = [b"a", b"b"]
        self.assertEqual(
            list(delivered(iter(sent), Script(stall_at=1), 0.0)), [b"a", Turn.HANG, b"b"]
        )

    def test_exception_frame(self) -> None:
        """An exception frame ends the answer."""
        steps = self.steps(
            exception_at=1, exception="ThrottlingException", message="No.", reason="R"
        )
        self.assertEqual(steps[0], self.sent[0])
        [frame] = read([step for step in steps[1:] if isinstance(step, bytes)])
        self.assertEqual(frame.headers.message_type, "exception")
        self.assertEqual(frame.headers.exception_type, "ThrottlingException")
        self.assertEqual(msgspec.json.decode(frame.payload), {"message": "No.", "reason": "R"})

    def test_error_frame(self) -> None:
        """An error frame ends it too."""
        for error, code in (("", "InternalError"), ("Boom", "Boom")):
            steps = self.steps(error_at=0, error=error, message="No.")
            [frame] = read([step for step in steps if isinstance(step, bytes)])
            self.assertEqual(frame.headers.message_type, "error")
            self.assertEqual(frame.headers.error_code, code)
            self.assertEqual(frame.headers.error_message, "No.")

    def test_bad_checksum(self) -> None:
        """Exactly one frame is spoilt."""
        steps = self.steps(bad_crc_at=1)
        self.assertEqual([steps[0], steps[2]], [self.sent[0], self.sent[2]])
        spoilt = steps[1]
        assert isinstance(spoilt, bytes)
        self.assertEqual(len(spoilt), len(self.sent[1]))
        self.assertRaises(ProtocolViolation, FrameDecoder().receive, spoilt)

    def test_garbage(self) -> None:
        """Bytes that are no frame."""
        steps = self.steps(garbage_at=2)
        self.assertEqual(steps, [*self.sent[:2], frames.GARBAGE, self.sent[2]])
        self.assertRaises(ProtocolViolation, FrameDecoder().receive, frames.GARBAGE)

    def test_unknown_event(self) -> None:
        """An event that nobody knows, otherwise sound."""
        steps = self.steps(unknown_at=3)
        self.assertEqual(steps[:3], self.sent)
        extra = steps[3]
        assert isinstance(extra, bytes)
        self.assertEqual(kinds([extra]), ["somethingNewEvent"])

    def test_slices(self) -> None:
        """The same bytes in smaller writes."""
        steps = self.steps(slice=7)
        pieces = [step for step in steps if isinstance(step, bytes)]
        self.assertEqual(b"".join(pieces), b"".join(self.sent))
        self.assertEqual(max(len(piece) for piece in pieces), 7)
