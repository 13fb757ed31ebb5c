"""Custom tools: raw text for the client, JSON for the model."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.dialects.chat.answer import ChunkWriter
from kiro2api.dialects.chat.ask import parse
from kiro2api.dialects.chat.collect import CompletionCollector
from kiro2api.dialects.chat.freeform import raw_text
from kiro2api.dialects.dialect import Opening
from tests.dialects.chat.checker import read

OPENING = Opening(id="1", model="m", created=1, input_tokens=1, freeform=frozenset({"patch"}))
CALL = (
    ToolBegun("tooluse_a", "patch"),
    ToolInputDelta("tooluse_a", '{"input":"*** Begin'),
    ToolInputDelta("tooluse_a", '\\nend"}'),
    ToolEnded("tooluse_a"),
)
PLAIN = (ToolBegun("b", "ls"), ToolInputDelta("b", "{}"), ToolEnded("b"))
END = Ended(StopReason.TOOL_USE)


class FreeformTests(SynchronousTestCase):
    """Both ways of answering."""

    def test_asked(self) -> None:
        """A custom tool is marked as such."""
        asked = parse(
            b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":'
            b'[{"type":"custom","custom":{"name":"patch"}},'
            b'{"type":"function","function":{"name":"ls"}}]}'
        )
        self.assertEqual([tool.freeform for tool in asked.conversation.tools], [True, False])

    def test_raw_text(self) -> None:
        """The text inside the JSON, or what there is instead of it."""
        self.assertEqual(raw_text('{"input":"a\\nb"}'), "a\nb")
        self.assertEqual(raw_text("not json"), "not json")
        self.assertEqual(raw_text('{"other":1}'), '{"other":1}')

    def test_whole(self) -> None:
        """One JSON answer with a custom call beside a function call."""
        collector = CompletionCollector(OPENING)
        collector.add([*CALL, *PLAIN, END])
        calls = msgspec.json.decode(collector.reply())["choices"][0]["message"]["tool_calls"]
        self.assertEqual(
            calls[0],
            {
                "id": "call_a",
                "type": "custom",
                "custom": {"name": "patch", "input": "*** Begin\nend"},
            },
        )
        self.assertEqual(calls[1]["type"], "function")

    def test_streamed(self) -> None:
        """One chunk once the call is complete; function calls keep their place."""
        writer = ChunkWriter(OPENING)
        before = writer.begin() + writer.write(CALL[:3])
        self.assertNotIn(b"tool_calls", before)
        chunk = writer.write(CALL[3:])
        self.assertIn(
            b'"tool_calls":[{"index":0,"id":"call_a","type":"custom",'
            b'"custom":{"name":"patch","input":"*** Begin\\nend"}}]',
            chunk,
        )
        rest = writer.write([*PLAIN, END])
        self.assertIn(b'"index":1', rest)
        read(ChunkWriter(OPENING).write([*PLAIN, END]), include_usage=False)

    def test_cut(self) -> None:
        """A call that was cut off is not told, and the reason says why."""
        cut: list[StreamEvent] = [*CALL[:2], Ended(StopReason.MAX_TOKENS)]
        writer, collector = ChunkWriter(OPENING), CompletionCollector(OPENING)
        collector.add(cut)
        self.assertNotIn(b"custom", writer.write(cut))
        choice = msgspec.json.decode(collector.reply())["choices"][0]
        self.assertNotIn("tool_calls", choice["message"])
        self.assertEqual(choice["finish_reason"], "length")
