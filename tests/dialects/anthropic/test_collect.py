"""Tests of the single reply, above all that it tells what the stream tells."""

import json
from typing import Any

from hypothesis import given, settings
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
from kiro2api.dialects.anthropic.answer import AnthropicStreamWriter
from kiro2api.dialects.anthropic.collect import AnthropicCollector
from kiro2api.dialects.dialect import Opening
from tests.dialects.anthropic.grammar import Replay
from tests.dialects.anthropic.strategies import answers, anything

OPENING = Opening(id="0123abcd", model="claude-x", created=7, input_tokens=42)


def collected(*given_events: StreamEvent) -> Any:
    collector = AnthropicCollector(OPENING)
    collector.add(given_events)
    return json.loads(collector.reply())


class CollectorTests(SynchronousTestCase):
    """The shape of the message."""

    def test_bytes(self) -> None:
        """The whole body, exactly; the input keeps the text the model wrote."""
        collector = AnthropicCollector(OPENING)
        collector.add(
            [
                ThinkingDelta("hm"),
                ThinkingDelta("."),
                ThinkingSigned("c2ln"),
                ThinkingRedacted("AA=="),
                TextDelta("one "),
                TextDelta("two"),
            ]
        )
        collector.add(
            [
                ToolBegun("tooluse_1", "read"),
                ToolInputDelta("tooluse_1", '{"p": 1.50'),
                ToolInputDelta("tooluse_1", "}"),
                ToolEnded("tooluse_1"),
                Usage(input_tokens=3, output_tokens=4, cache_read_tokens=5, cache_write_tokens=6),
                Ended(StopReason.TOOL_USE),
            ]
        )
        self.assertEqual(
            collector.reply(),
            b'{"id":"msg_0123abcd","type":"message","role":"assistant","model":"claude-x",'
            b'"content":[{"type":"thinking","thinking":"hm.","signature":"c2ln"},'
            b'{"type":"redacted_thinking","data":"AA=="},{"type":"text","text":"one two"},'
            b'{"type":"tool_use","id":"toolu_1","name":"read","input":{"p": 1.50}}],'
            b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,'
            b'"output_tokens":4,"cache_creation_input_tokens":6,"cache_read_input_tokens":5}}',
        )

    def test_search(self) -> None:
        """Input and result as the stream tells them."""
        reply = collected(
            SearchBegun("tooluse_1", "q"),
            SearchEnded("tooluse_1"),
            Usage(1, 2, searches=1),
            Ended(StopReason.END_TURN),
        )
        self.assertEqual(
            reply["content"],
            [
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "web_search",
                    "input": {"query": "q"},
                },
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            ],
        )
        self.assertEqual(reply["usage"]["server_tool_use"], {"web_search_requests": 1})
        self.assertEqual(reply["stop_reason"], "end_turn")

    def test_empty(self) -> None:
        """An answer without content is a message all the same."""
        reply = collected(Ended(StopReason.STOP_SEQUENCE, "###"))
        self.assertEqual(reply["content"], [])
        self.assertEqual(reply["stop_reason"], "stop_sequence")
        self.assertEqual(reply["stop_sequence"], "###")
        self.assertEqual(reply["usage"]["input_tokens"], 42)
        self.assertEqual(reply["usage"]["output_tokens"], 1)

    def test_cut_input(self) -> None:
        """Input that was cut is left empty, and the reason says so."""
        reply = collected(
            ToolBegun("a", "b"), ToolInputDelta("a", '{"x":'), Ended(StopReason.END_TURN)
        )
        self.assertEqual(reply["content"][0]["input"], {})
        self.assertEqual(reply["stop_reason"], "max_tokens")

    def test_no_arguments(self) -> None:
        """A complete call without a fragment is a good call."""
        reply = collected(ToolBegun("a", "b"), ToolEnded("a"), Ended(StopReason.TOOL_USE))
        self.assertEqual(reply["content"][0]["input"], {})
        self.assertEqual(reply["stop_reason"], "tool_use")


class ParityTests(SynchronousTestCase):
    """One answer, two endings."""

    def check(self, given_events: list[StreamEvent]) -> None:
        """Whoever replays the stream knows what the reply says."""
        replay = Replay(AnthropicStreamWriter(OPENING).write(given_events))
        self.assertTrue(replay.complete)
        self.assertEqual(collected(*given_events), replay.message)

    @settings(max_examples=100, deadline=None)
    @given(answers())
    def test_whole_answers(self, given_events: list[StreamEvent]) -> None:
        """Grammatical answers agree."""
        self.check(given_events)

    @settings(max_examples=100, deadline=None)
    @given(anything)
    def test_anything(self, given_events: list[StreamEvent]) -> None:
        """Any events at all agree, once ended."""
        self.check([*given_events, Ended(StopReason.END_TURN)])
