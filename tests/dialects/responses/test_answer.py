# -*- test-case-name: tests.dialects.responses.test_answer -*-
"""Tests of the stream's writer, and of what it and the collector agree on."""

import json
from typing import Any

from hypothesis import given
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
from kiro2api.dialects.chat.answer import LONGEST_FRAGMENT
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.answer import ResponseWriter
from kiro2api.dialects.responses.collect import ResponseCollector
from kiro2api.dialects.responses.recall import Finished
from kiro2api.errors import Kind, KiroError, StreamTruncated, Throttled, UpstreamRefused
from tests.dialects.chat.events import answers
from tests.dialects.responses.checker import Read, read
from tests.dialects.responses.examples import BROKEN, opening

END = Ended(StopReason.END_TURN)
USAGE = Usage(10, 7, 3, 2)


def written(*events: StreamEvent, **fields: Any) -> Read:
    """A whole stream, read."""
    return read(ResponseWriter(opening(**fields)).write(events))


def collected(*events: StreamEvent, **fields: Any) -> Any:
    """The whole answer."""
    collector = ResponseCollector(opening(**fields))
    collector.add(events)
    return json.loads(collector.reply())


class BytesTests(SynchronousTestCase):
    """The exact bytes of the most frequent events."""

    def test_text(self) -> None:
        """A delta is one event with its type twice, and the text escaped as JSON."""
        writer = ResponseWriter(Opening("ab", "m", 1, 2))
        writer.write([TextDelta("a")])
        self.assertEqual(
            "event: response.output_text.delta\n"
            'data: {"type":"response.output_text.delta","item_id":"msg_ab00","output_index":0,'
            '"content_index":0,"logprobs":[],"delta":"é\\n\\"","sequence_number":5}\n\n'.encode(),
            writer.write([TextDelta('é\n"')]),
        )

    def test_begin(self) -> None:
        """Two events, by themselves or with the first ones, once."""
        writer = ResponseWriter(opening())
        begin = writer.begin()
        self.assertEqual(["response.created", "response.in_progress"], read(begin).types)
        self.assertEqual((b"", b""), (writer.begin(), writer.write([])))
        self.assertEqual(begin, ResponseWriter(opening()).write([]))

    def test_ping(self) -> None:
        """A comment, until the end."""
        writer = ResponseWriter(opening())
        self.assertEqual(b": keep-alive\n\n", writer.ping())
        writer.write([END])
        self.assertEqual(b"", writer.ping())

    def test_end(self) -> None:
        """Nothing follows it."""
        writer = ResponseWriter(opening())
        got = read(writer.write([END, TextDelta("no")]))
        self.assertEqual(("completed", {}), (got.status, got.done))
        for late in (writer.write([END]), writer.begin(), writer.fail(StreamTruncated("x"))):
            self.assertEqual(b"", late)

    def test_one_read_one_write(self) -> None:
        """Batches of any size give the same stream."""
        events: list[StreamEvent] = [
            TextDelta("a"),
            TextDelta("b"),
            ToolBegun("1", "tool0"),
            ToolEnded("1"),
            END,
        ]
        writer = ResponseWriter(opening())
        split = b"".join(writer.write([event]) for event in events)
        self.assertEqual(ResponseWriter(opening()).write(events), split)


class OrderTests(SynchronousTestCase):
    """The order of events of each kind of item."""

    def kinds(self, *events: StreamEvent, **fields: Any) -> list[str]:
        """What comes between beginning and end."""
        got = written(*events, END, **fields)
        return [kind.removeprefix("response.") for kind in got.types[2:-1]]

    def test_message(self) -> None:
        """Item, part, deltas, and the same backwards."""
        self.assertEqual(
            [
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
            ],
            self.kinds(TextDelta("a"), TextDelta("b")),
        )

    def test_empty_text(self) -> None:
        """An empty text opens nothing."""
        self.assertEqual([], self.kinds(TextDelta(""), ThinkingDelta("")))

    def test_function_call(self) -> None:
        """Arguments as they come."""
        self.assertEqual(
            [
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
            ],
            self.kinds(
                ToolBegun("1", "tool0"),
                ToolInputDelta("1", '{"a"'),
                ToolInputDelta("1", ""),
                ToolInputDelta("1", ":1}"),
                ToolEnded("1"),
            ),
        )

    def test_custom_call(self) -> None:
        """Raw text, once it can be told from the JSON around it."""
        events: list[StreamEvent] = [
            ToolBegun("1", "tool1"),
            ToolInputDelta("1", '{"inp'),
            ToolInputDelta("1", 'ut":"raw\\n"}'),
            ToolEnded("1"),
        ]
        self.assertEqual(
            [
                "output_item.added",
                "custom_tool_call_input.delta",
                "custom_tool_call_input.done",
                "output_item.done",
            ],
            self.kinds(*events),
        )
        item = written(*events, END).done[0]
        told = (item["input"], item["name"], item["call_id"])
        self.assertEqual(("raw\n", "tool1", "call_1"), told)

    def test_local_shell(self) -> None:
        """An item without events of its own."""
        events: list[StreamEvent] = [
            ToolBegun("1", "local_shell"),
            ToolInputDelta("1", '{"command":["ls"],"timeout_ms":5}'),
            ToolEnded("1"),
        ]
        self.assertEqual(["output_item.added", "output_item.done"], self.kinds(*events))
        action = written(*events, END).done[0]["action"]
        self.assertEqual((["ls"], 5, {}), (action["command"], action["timeout_ms"], action["env"]))

    def test_reasoning(self) -> None:
        """A summary in words where it is wanted, else the bare item."""
        events: list[StreamEvent] = [ThinkingDelta("hm"), ThinkingDelta("!"), ThinkingSigned("sig")]
        self.assertEqual(["output_item.added", "output_item.done"], self.kinds(*events))
        self.assertEqual(
            [
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ],
            self.kinds(*events, reasoning={"summary": "auto"}),
        )

    def test_hidden_reasoning(self) -> None:
        """Without words there is no summary, wanted or not."""
        for event in (ThinkingRedacted("AAAA"), ThinkingSigned("sig")):
            self.assertEqual(
                ["output_item.added", "output_item.done"],
                self.kinds(event, reasoning={"summary": "auto"}),
            )

    def test_long_arguments(self) -> None:
        """No line gets too long for tunnels that hold back long ones."""
        text = '{"a":"' + "x" * (2 * LONGEST_FRAGMENT) + '"}'
        kinds = self.kinds(ToolBegun("1", "tool0"), ToolInputDelta("1", text), ToolEnded("1"))
        self.assertEqual(3, kinds.count("function_call_arguments.delta"))

    def test_namespace(self) -> None:
        """A call tells the namespace of its tool."""
        item = written(ToolBegun("1", "tool2"), ToolEnded("1"), END).done[0]
        told = (item["name"], item["namespace"], item["arguments"])
        self.assertEqual(("tool2", "space", "{}"), told)

    def test_all_kinds(self) -> None:
        """One after the other, each closed by the next."""
        got = written(
            ThinkingDelta("hm"),
            TextDelta("a"),
            ToolBegun("1", "tool0"),
            ToolEnded("1"),
            TextDelta("b"),
            USAGE,
            END,
        )
        self.assertEqual(
            ["reasoning", "message", "function_call", "message"],
            [got.done[index]["type"] for index in range(4)],
        )
        assert got.response is not None
        self.assertEqual(
            {
                "input_tokens": 15,
                "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 22,
            },
            got.response["usage"],
        )


class EndTests(SynchronousTestCase):
    """How answers end."""

    def test_too_long(self) -> None:
        """An answer that was cut says so, and so does its last item."""
        for reason in (StopReason.MAX_TOKENS, StopReason.CONTEXT_WINDOW):
            got = written(TextDelta("a"), USAGE, Ended(reason))
            assert got.response is not None
            self.assertEqual("incomplete", got.status)
            self.assertEqual({"reason": "max_output_tokens"}, got.response["incomplete_details"])
            self.assertEqual("incomplete", got.done[0]["status"])

    def test_refused(self) -> None:
        """The model would not go on."""
        got = written(Ended(StopReason.REFUSAL))
        assert got.response is not None
        self.assertEqual({"reason": "content_filter"}, got.response["incomplete_details"])

    def test_complete(self) -> None:
        """All other reasons are regular."""
        for reason in (StopReason.END_TURN, StopReason.TOOL_USE, StopReason.STOP_SEQUENCE):
            got = written(TextDelta("a"), Ended(reason))
            self.assertEqual(("completed", "completed"), (got.status, got.done[0]["status"]))

    def test_cut_call(self) -> None:
        """Half a call is never done, whatever its kind; the answer says it is incomplete."""
        for name in ("tool0", "tool1", "local_shell"):
            got = written(
                ToolBegun("1", name), ToolInputDelta("1", '{"a'), Ended(StopReason.MAX_TOKENS)
            )
            self.assertEqual(("incomplete", {}), (got.status, got.done))
            self.assertEqual([0], list(got.cut))

    def test_failure_before_content(self) -> None:
        """The stream still begins as it should."""
        got = read(ResponseWriter(opening()).fail(StreamTruncated("stopped")))
        self.assertEqual(["response.created", "response.in_progress", "response.failed"], got.types)
        assert got.response is not None
        self.assertEqual({"code": "server_error", "message": "stopped"}, got.response["error"])

    def test_failure_after_content(self) -> None:
        """What is open stays open; what was done is still told."""
        writer = ResponseWriter(opening())
        stream = writer.write([TextDelta("a"), ToolBegun("1", "tool0"), ToolInputDelta("1", "{")])
        got = read(stream + writer.fail(StreamTruncated("stopped")))
        assert got.response is not None
        self.assertEqual(["message"], [item["type"] for item in got.response["output"]])
        self.assertEqual("failed", got.status)
        self.assertEqual(b"", writer.write([END]))

    def test_codes(self) -> None:
        """Codes that clients act upon."""
        faults: dict[str, KiroError] = {
            "rate_limit_exceeded": Throttled("slow", retry_after=2.5),
            "context_length_exceeded": UpstreamRefused("long", kind=Kind.CONTEXT_OVERFLOW),
            "server_error": StreamTruncated("cut"),
        }
        for code, fault in faults.items():
            got = read(ResponseWriter(opening()).fail(fault))
            assert got.response is not None
            self.assertEqual(code, got.response["error"]["code"])


class KeptTests(SynchronousTestCase):
    """What is put away."""

    def test_finished(self) -> None:
        """The whole response, with reasoning in the form that can be sent back."""
        for make in (self.streamed, self.whole):
            kept: list[Finished] = []
            make(kept)
            (finished,) = kept
            self.assertEqual(("resp_ab", ""), (finished.id, finished.previous))
            self.assertEqual("completed", json.loads(finished.body)["status"])
            self.assertEqual(["rs_ab00", "msg_ab01"], [name for name, _ in finished.made])
            reasoning = json.loads(finished.made[0][1])
            self.assertIn("encrypted_content", reasoning)
            self.assertNotIn("encrypted_content", json.loads(finished.body)["output"][0])
            (message,) = finished.given
            self.assertEqual("Hi", json.loads(message)["content"])

    EVENTS = (ThinkingDelta("hm"), ThinkingSigned("s"), TextDelta("a"), END)

    def streamed(self, kept: list[Finished]) -> None:
        """By a stream."""
        ResponseWriter(opening(kept)).write(self.EVENTS)

    def whole(self, kept: list[Finished]) -> None:
        """By a whole answer."""
        collector = ResponseCollector(opening(kept))
        collector.add(self.EVENTS)
        collector.reply()

    def test_not_wanted(self) -> None:
        """Neither what the client wants forgotten, nor what failed."""
        kept: list[Finished] = []
        ResponseWriter(opening(kept, store=False)).write(self.EVENTS)
        ResponseWriter(opening(kept)).fail(StreamTruncated("x"))
        self.assertEqual([], kept)

    def test_cut_call(self) -> None:
        """Half a call cannot be referred to."""
        kept: list[Finished] = []
        writer = ResponseWriter(opening(kept))
        writer.write([ToolBegun("1", "tool0"), Ended(StopReason.MAX_TOKENS)])
        self.assertEqual((), kept[0].made)


FIELDS = st.sampled_from(
    [
        {},
        {"reasoning": {"summary": "auto"}},
        {"include": ["reasoning.encrypted_content"], "reasoning": {"summary": "detailed"}},
        {"store": False},
    ]
)


class GeneratedTests(SynchronousTestCase):
    """Any events at all."""

    @given(BROKEN, FIELDS, st.integers(0, 5))
    def test_any_events(self, events: list[StreamEvent], fields: dict[str, Any], size: int) -> None:
        """The grammar holds however broken the events are, and however they are batched."""
        writer = ResponseWriter(opening(**fields))
        out = b""
        for start in range(0, len(events), size + 1):
            out += writer.write(events[start : start + size + 1])
        got = read(out + writer.fail(StreamTruncated("x")))
        self.assertIn(got.status, ("completed", "incomplete", "failed"))

    @given(answers(), FIELDS)
    def test_parity(self, events: list[StreamEvent], fields: dict[str, Any]) -> None:
        """A stream ends with the very object that a whole answer is."""
        self.assertEqual(written(*events, **fields).response, collected(*events, **fields))

    @given(BROKEN, FIELDS)
    def test_parity_of_anything(self, events: list[StreamEvent], fields: dict[str, Any]) -> None:
        """Also for broken events."""
        events = [*events, END]
        self.assertEqual(written(*events, **fields).response, collected(*events, **fields))
