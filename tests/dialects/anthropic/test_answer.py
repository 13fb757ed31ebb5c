"""Tests of the streamed answer: exact bytes, then order under any events."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    SearchBegun,
    SearchEnded,
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
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.anthropic.answer import AnthropicStreamWriter
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import Kind, KiroError, StreamStalled, StreamTruncated
from tests.dialects.anthropic.grammar import Replay, events
from tests.dialects.anthropic.strategies import answers, anything

OPENING = Opening(id="0123abcd", model="claude-x", created=7, input_tokens=42, request_id="req_77")

START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_0123abcd",'
    b'"type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,'
    b'"stop_sequence":null,"usage":{"input_tokens":42,"output_tokens":1,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
)
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def sse(name: str, fields: str) -> bytes:
    return f'event: {name}\ndata: {{"type":"{name}"{fields}}}\n\n'.encode()


def block_start(index: int, block: str) -> bytes:
    return sse("content_block_start", f',"index":{index},"content_block":{block}')


def delta(index: int, value: str) -> bytes:
    return sse("content_block_delta", f',"index":{index},"delta":{value}')


def block_stop(index: int) -> bytes:
    return sse("content_block_stop", f',"index":{index}')


def end(reason: str, usage: tuple[int, int, int, int], sequence: str = "null") -> bytes:
    return sse(
        "message_delta",
        f',"delta":{{"stop_reason":"{reason}","stop_sequence":{sequence}}},"usage":'
        f'{{"input_tokens":{usage[0]},"output_tokens":{usage[1]},'
        f'"cache_creation_input_tokens":{usage[2]},"cache_read_input_tokens":{usage[3]}}}',
    ) + sse("message_stop", "")


def error(kind: str, message: str) -> bytes:
    return sse(
        "error",
        f',"error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_77"',
    )


class BytesTests(SynchronousTestCase):
    """Exact bytes of single answers."""

    def setUp(self) -> None:
        self.writer = AnthropicStreamWriter(OPENING)

    def written(self, *given: StreamEvent) -> bytes:
        """The bytes after the beginning."""
        data = self.writer.write(given)
        self.assertTrue(data.startswith(START))
        return data[len(START) :]

    def test_begin(self) -> None:
        """The beginning is the empty message and a ping, once."""
        self.assertEqual(self.writer.begin(), START)
        self.assertEqual(self.writer.begin(), b"")

    def test_begins_by_itself(self) -> None:
        """Writing begins where nobody has; writing nothing does not."""
        self.assertEqual(self.writer.write([]), b"")
        self.assertTrue(self.writer.write([TextDelta("a")]).startswith(START))
        self.assertEqual(self.writer.begin(), b"")

    def test_begin_then_write(self) -> None:
        """A begun answer does not begin again."""
        self.writer.begin()
        self.assertTrue(self.writer.write([TextDelta("a")]).startswith(b"event: content_block_s"))

    def test_text(self) -> None:
        """Deltas of one text share a block; JSON escapes stay on one line."""
        self.assertEqual(
            self.written(
                TextDelta("one\n"),
                TextDelta('"two"'),
                TextDelta("三"),
                Usage(input_tokens=10, output_tokens=20, cache_read_tokens=3, cache_write_tokens=4),
                Ended(StopReason.END_TURN),
            ),
            block_start(0, '{"type":"text","text":""}')
            + delta(0, '{"type":"text_delta","text":"one\\n"}')
            + delta(0, '{"type":"text_delta","text":"\\"two\\""}')
            + delta(0, '{"type":"text_delta","text":"三"}')
            + block_stop(0)
            + end("end_turn", (10, 20, 4, 3)),
        )

    def test_empty_deltas(self) -> None:
        """Empty texts neither open a block nor show in one."""
        self.assertEqual(
            self.written(
                TextDelta(""),
                ThinkingDelta(""),
                ThinkingSigned(""),
                ThinkingRedacted(""),
                TextDelta("a"),
                TextDelta(""),
                TextDelta("b"),
            ),
            block_start(0, '{"type":"text","text":""}')
            + delta(0, '{"type":"text_delta","text":"a"}')
            + delta(0, '{"type":"text_delta","text":"b"}'),
        )

    def test_search(self) -> None:
        """Two blocks per search, then the text goes on; the usage counts it, the stop reason does
        not."""
        self.assertEqual(
            self.written(
                TextDelta("a"),
                SearchBegun("tooluse_1", 'say "x"'),
                SearchEnded("tooluse_1", (SearchHit("https://u", "T", "S", "May 1, 2026"),)),
                TextDelta("b"),
                Usage(input_tokens=1, output_tokens=2, searches=1),
                Ended(StopReason.TOOL_USE),
            ),
            block_start(0, '{"type":"text","text":""}')
            + delta(0, '{"type":"text_delta","text":"a"}')
            + block_stop(0)
            + block_start(
                1,
                '{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}',
            )
            + delta(
                1,
                '{"type":"input_json_delta",'
                '"partial_json":"{\\"query\\":\\"say \\\\\\"x\\\\\\"\\"}"}',
            )
            + block_stop(1)
            + block_start(
                2,
                '{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":['
                '{"url":"https://u","title":"T",'
                '"encrypted_content":"eyJraXJvMmFwaSI6MSwic25pcHBldCI6IlMifQ==",'
                '"page_age":"May 1, 2026","type":"web_search_result"}]}',
            )
            + block_stop(2)
            + block_start(3, '{"type":"text","text":""}')
            + delta(3, '{"type":"text_delta","text":"b"}')
            + block_stop(3)
            + sse(
                "message_delta",
                ',"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":'
                '{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":0,'
                '"cache_read_input_tokens":0,"server_tool_use":{"web_search_requests":1}}',
            )
            + sse("message_stop", ""),
        )

    def test_failed_search(self) -> None:
        """An error is a result, too; a second result has no place."""
        self.assertEqual(
            self.written(
                SearchBegun("s", "q"),
                SearchEnded("s", error="too_many_requests"),
                SearchEnded("s"),
                SearchEnded("t"),
                SearchBegun("s", "q"),
            ),
            block_start(
                0, '{"type":"server_tool_use","id":"srvtoolu_s","name":"web_search","input":{}}'
            )
            + delta(0, '{"type":"input_json_delta","partial_json":"{\\"query\\":\\"q\\"}"}')
            + block_stop(0)
            + block_start(
                1,
                '{"type":"web_search_tool_result","tool_use_id":"srvtoolu_s","content":'
                '{"error_code":"too_many_requests","type":"web_search_tool_result_error"}}',
            )
            + block_stop(1),
        )

    def test_thinking(self) -> None:
        """A signature ends its block; later reasoning opens another."""
        self.assertEqual(
            self.written(
                ThinkingDelta("so"),
                ThinkingDelta(" then"),
                ThinkingSigned("c2ln"),
                ThinkingDelta("more"),
                ThinkingRedacted("ZGF0YQ=="),
                ThinkingSigned("bG9uZQ=="),
                TextDelta("done"),
            ),
            block_start(0, '{"type":"thinking","thinking":"","signature":""}')
            + delta(0, '{"type":"thinking_delta","thinking":"so"}')
            + delta(0, '{"type":"thinking_delta","thinking":" then"}')
            + delta(0, '{"type":"signature_delta","signature":"c2ln"}')
            + block_stop(0)
            + block_start(1, '{"type":"thinking","thinking":"","signature":""}')
            + delta(1, '{"type":"thinking_delta","thinking":"more"}')
            + block_stop(1)
            + block_start(2, '{"type":"redacted_thinking","data":"ZGF0YQ=="}')
            + block_stop(2)
            + block_start(3, '{"type":"thinking","thinking":"","signature":""}')
            + delta(3, '{"type":"signature_delta","signature":"bG9uZQ=="}')
            + block_stop(3)
            + block_start(4, '{"type":"text","text":""}')
            + delta(4, '{"type":"text_delta","text":"done"}'),
        )

    def test_tool(self) -> None:
        """A call is a block of its own; text after it opens a new one."""
        self.assertEqual(
            self.written(
                TextDelta("look"),
                ToolBegun("tooluse_Ab1", "read"),
                ToolInputDelta("tooluse_Ab1", '{"p":'),
                ToolInputDelta("tooluse_Ab1", "1}"),
                ToolEnded("tooluse_Ab1"),
                TextDelta("after"),
                Usage(input_tokens=1, output_tokens=2),
                Ended(StopReason.TOOL_USE),
            ),
            block_start(0, '{"type":"text","text":""}')
            + delta(0, '{"type":"text_delta","text":"look"}')
            + block_stop(0)
            + block_start(1, '{"type":"tool_use","id":"toolu_Ab1","name":"read","input":{}}')
            + delta(1, '{"type":"input_json_delta","partial_json":""}')
            + delta(1, '{"type":"input_json_delta","partial_json":"{\\"p\\":"}')
            + delta(1, '{"type":"input_json_delta","partial_json":"1}"}')
            + block_stop(1)
            + block_start(2, '{"type":"text","text":""}')
            + delta(2, '{"type":"text_delta","text":"after"}')
            + block_stop(2)
            + end("tool_use", (1, 2, 0, 0)),
        )

    def test_tool_without_arguments(self) -> None:
        """A complete call without a fragment has the input of an empty object."""
        self.assertEqual(
            self.written(ToolBegun("toolu_kept", "now"), ToolEnded("toolu_kept")),
            block_start(0, '{"type":"tool_use","id":"toolu_kept","name":"now","input":{}}')
            + delta(0, '{"type":"input_json_delta","partial_json":""}')
            + delta(0, '{"type":"input_json_delta","partial_json":"{}"}')
            + block_stop(0),
        )

    def test_tool_cut(self) -> None:
        """A call that was cut is never completed by us and never called complete."""
        self.assertEqual(
            self.written(ToolBegun("x", "now"), Ended(StopReason.MAX_TOKENS)),
            block_start(0, '{"type":"tool_use","id":"toolu_x","name":"now","input":{}}')
            + delta(0, '{"type":"input_json_delta","partial_json":""}')
            + block_stop(0)
            + end("max_tokens", (42, 1, 0, 0)),
        )

    def test_long_input(self) -> None:
        """A long fragment is spread over events and joins to the same text."""
        whole = json.dumps({"text": "ü" * 20000}, ensure_ascii=False)
        data = self.written(
            ToolBegun("x", "put"),
            ToolInputDelta("x", whole),
            ToolEnded("x"),
            Ended(StopReason.TOOL_USE),
        )
        found = events(data)
        pieces = [
            value["delta"]["partial_json"] for name, value in found if name == "content_block_delta"
        ]
        self.assertEqual("".join(pieces), whole)
        self.assertEqual([len(piece) for piece in pieces], [0, 8192, 8192, 3628])

    def test_no_content(self) -> None:
        """An answer without content is whole; usage falls back to the estimate."""
        self.assertEqual(self.written(Ended(StopReason.END_TURN)), end("end_turn", (42, 1, 0, 0)))

    def test_stop_reasons(self) -> None:
        """Each reason has its word; a stop sequence is shown with its own reason only."""
        for reason, word, sequence in (
            (StopReason.END_TURN, "end_turn", "null"),
            (StopReason.MAX_TOKENS, "max_tokens", "null"),
            (StopReason.STOP_SEQUENCE, "stop_sequence", '"###"'),
            (StopReason.REFUSAL, "refusal", "null"),
            (StopReason.CONTEXT_WINDOW, "model_context_window_exceeded", "null"),
        ):
            writer = AnthropicStreamWriter(OPENING)
            writer.begin()
            self.assertEqual(
                writer.write([Ended(reason, stop_sequence="###")]),
                end(word, (42, 1, 0, 0), sequence),
            )

    def test_tool_use_iff_tool(self) -> None:
        """The reason tool_use goes with a call, and only with one."""
        self.assertIn(b'"stop_reason":"end_turn"', self.written(Ended(StopReason.TOOL_USE)))
        self.writer = AnthropicStreamWriter(OPENING)
        self.assertIn(
            b'"stop_reason":"tool_use"',
            self.written(ToolBegun("a", "b"), ToolEnded("a"), Ended(StopReason.END_TURN)),
        )

    def test_broken_input(self) -> None:
        """A call whose input is no JSON turns the end into max_tokens."""
        for reason in (StopReason.TOOL_USE, StopReason.END_TURN, StopReason.STOP_SEQUENCE):
            self.writer = AnthropicStreamWriter(OPENING)
            data = self.written(
                ToolBegun("a", "b"),
                ToolInputDelta("a", '{"x":1}{}'),
                ToolEnded("a"),
                Ended(reason, "s"),
            )
            self.assertTrue(data.endswith(end("max_tokens", (42, 1, 0, 0))))
        self.writer = AnthropicStreamWriter(OPENING)
        data = self.written(
            ToolBegun("a", "b"), ToolInputDelta("a", "["), Ended(StopReason.CONTEXT_WINDOW)
        )
        self.assertTrue(data.endswith(end("model_context_window_exceeded", (42, 1, 0, 0))))

    def test_strangers_in_a_call(self) -> None:
        """Fragments of another id, a second beginning and late fragments are dropped."""
        self.assertEqual(
            self.written(
                ToolInputDelta("a", "lost"),
                ToolEnded("a"),
                ToolBegun("a", "b"),
                ToolBegun("a", "b"),
                ToolInputDelta("other", "lost"),
                ToolInputDelta("a", ""),
                ToolInputDelta("a", "{}"),
                ToolEnded("other"),
                ToolEnded("a"),
                ToolInputDelta("a", "{}"),
                ToolEnded("a"),
                ToolBegun("a", "b"),
            ),
            block_start(0, '{"type":"tool_use","id":"toolu_a","name":"b","input":{}}')
            + delta(0, '{"type":"input_json_delta","partial_json":""}')
            + delta(0, '{"type":"input_json_delta","partial_json":"{}"}')
            + block_stop(0),
        )

    def test_half_a_surrogate_pair(self) -> None:
        """What UTF-8 cannot carry is replaced, in the first delta and in later ones."""
        data = self.written(TextDelta("a\ud83d"), TextDelta("\ude00b"))
        texts = [
            value["delta"]["text"] for name, value in events(data) if name == "content_block_delta"
        ]
        self.assertEqual(texts, ["a\ufffd", "\ufffdb"])

    def test_last_usage_counts(self) -> None:
        """A later usage replaces an earlier one."""
        data = self.written(Usage(1, 1), Usage(5, 6), Ended(StopReason.END_TURN))
        self.assertEqual(data, end("end_turn", (5, 6, 0, 0)))


class FailTests(SynchronousTestCase):
    """A failure and a ping in every state."""

    fault = StreamTruncated("the answer was cut")
    shown = error("overloaded_error", "the answer was cut")

    def check(self, given: list[StreamEvent], closing: bytes) -> None:
        """Fail after these events; nothing may follow."""
        writer = AnthropicStreamWriter(OPENING)
        before = writer.write(given)
        self.assertEqual(writer.ping(), PING)
        after = writer.fail(self.fault)
        self.assertEqual(after, closing + self.shown)
        self.assertIsNotNone(Replay(before + after).error)
        self.assertEqual(writer.fail(self.fault), b"")
        self.assertEqual(writer.ping(), b"")
        self.assertEqual(writer.begin(), b"")
        self.assertEqual(writer.write([TextDelta("a"), Ended(StopReason.END_TURN)]), b"")

    def test_before_the_beginning(self) -> None:
        """The error may be the first event of all."""
        self.check([], b"")

    def test_between_blocks(self) -> None:
        """Nothing is open, nothing is closed."""
        self.check([ThinkingRedacted("AA==")], b"")

    def test_begun(self) -> None:
        """The same right after the beginning."""
        writer = AnthropicStreamWriter(OPENING)
        writer.begin()
        self.assertEqual(writer.fail(self.fault), self.shown)

    def test_in_text(self) -> None:
        """The text is closed first."""
        self.check([TextDelta("a")], block_stop(0))

    def test_in_thinking(self) -> None:
        """The reasoning is closed first."""
        self.check([ThinkingDelta("a")], block_stop(0))

    def test_in_tool(self) -> None:
        """The call is left open, whatever came of its input: clients run a closed one."""
        begun: list[StreamEvent] = [TextDelta("a"), ToolBegun("t", "n")]
        self.check(begun, b"")
        self.check([*begun, ToolInputDelta("t", "{}")], b"")
        self.check([*begun, ToolInputDelta("t", "{}"), ToolEnded("t")], b"")

    def test_after_the_end(self) -> None:
        """An ended answer cannot fail, ping or grow any more."""
        writer = AnthropicStreamWriter(OPENING)
        writer.write([Ended(StopReason.END_TURN)])
        self.assertEqual(writer.fail(self.fault), b"")
        self.assertEqual(writer.ping(), b"")
        self.assertEqual(writer.begin(), b"")
        self.assertEqual(writer.write([TextDelta("a")]), b"")

    def test_kinds(self) -> None:
        """The type of the error follows the kind of the failure."""
        for fault, kind in (
            (StreamStalled("m"), "timeout_error"),
            (KiroError("m"), "api_error"),
            (KiroError("m", kind=Kind.RATE_LIMITED), "rate_limit_error"),
            (KiroError("m", kind=Kind.OVERLOADED), "overloaded_error"),
        ):
            self.assertEqual(AnthropicStreamWriter(OPENING).fail(fault), error(kind, "m"))


class PropertyTests(SynchronousTestCase):
    """Well-formed whatever comes."""

    @settings(max_examples=100, deadline=None)
    @given(answers())
    def test_whole_answers(self, given_events: list[StreamEvent]) -> None:
        """A grammatical answer gives a whole message with all of its text."""
        replay = Replay(AnthropicStreamWriter(OPENING).write(given_events))
        self.assertTrue(replay.complete)
        for event_type, field, block_type in (
            (TextDelta, "text", "text"),
            (ThinkingDelta, "thinking", "thinking"),
        ):
            self.assertEqual(
                "".join(
                    block[field]
                    for block in replay.message["content"]
                    if block["type"] == block_type
                ),
                "".join(event.text for event in given_events if isinstance(event, event_type)),
            )

    @settings(max_examples=100, deadline=None)
    @given(answers(), st.lists(st.integers(1, 5)))
    def test_batches(self, given_events: list[StreamEvent], sizes: list[int]) -> None:
        """The bytes do not depend on how the events were batched."""
        whole = AnthropicStreamWriter(OPENING).write(given_events)
        writer, parts, rest = AnthropicStreamWriter(OPENING), [], given_events
        for size in sizes:
            parts.append(writer.write(rest[:size]))
            rest = rest[size:]
        parts.append(writer.write(rest))
        self.assertEqual(b"".join(parts), whole)

    @settings(max_examples=100, deadline=None)
    @given(anything, st.integers(0, 20))
    def test_anything_then_failure(self, given_events: list[StreamEvent], at: int) -> None:
        """Any events, pings among them, and a failure anywhere: still well-formed."""
        writer = AnthropicStreamWriter(OPENING)
        data = b""
        for event in given_events[:at]:
            data += writer.write([event]) + writer.ping()
        failing = writer.fail(StreamTruncated("cut"))
        data += failing + writer.write(given_events[at:]) + writer.ping()
        replay = Replay(data)
        ended = any(isinstance(event, Ended) for event in given_events[:at])
        self.assertEqual(replay.complete, ended)
        self.assertEqual(replay.error is None, ended)
