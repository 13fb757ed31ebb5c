# -*- test-case-name: tests.dialects.responses.test_mcp -*-
"""Tests of how MCP servers are told of that nobody here calls."""

import json
from typing import Any

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta
from kiro2api.dialects.responses.answer import ResponseWriter
from kiro2api.dialects.responses.collect import ResponseCollector
from tests.dialects.responses.checker import read
from tests.dialects.responses.examples import BROKEN, asked, opening

SERVERS = [
    {"type": "mcp", "server_label": "docs", "server_url": "https://docs.example/"},
    {"type": "mcp", "server_label": "mail", "connector_id": "c"},
]
END = Ended(StopReason.END_TURN)


def both(*events: StreamEvent, **fields: Any) -> Any:
    """The response, which is the same streamed and whole."""
    writer = ResponseWriter(opening(tools=SERVERS, **fields))
    streamed = read(b"".join(writer.write([event]) for event in events)).response
    collector = ResponseCollector(opening(tools=SERVERS, **fields))
    collector.add(events)
    whole = json.loads(collector.reply())
    assert streamed == whole, (streamed, whole)
    return whole


class ToolListTests(SynchronousTestCase):
    """A list that failed for each server."""

    def test_told(self) -> None:
        """Before all else, with the server's label and a reason."""
        *lists, message = both(TextDelta("Hi"), END)["output"]
        self.assertEqual(["docs", "mail"], [each["server_label"] for each in lists])
        for each in lists:
            self.assertEqual(("mcp_list_tools", []), (each["type"], each["tools"]))
            self.assertIn("MCP", each["error"])
        self.assertEqual("message", message["type"])

    def test_no_content(self) -> None:
        """Also where there is nothing else to tell."""
        self.assertEqual(2, len(both(END)["output"]))

    def test_told_once(self) -> None:
        """A client that brings the list along is not told again; the model always is."""
        lists = both(END)["output"]
        given_items = [*lists[:1], {"role": "user", "content": "Hi"}]
        output = both(END, input=given_items)["output"]
        self.assertEqual(["mail"], [each["server_label"] for each in output])
        for items in ("Hi", given_items):
            system = asked(tools=SERVERS, input=items).conversation.system
            self.assertIn("MCP server docs, MCP server mail", system[-1])

    def test_kept(self) -> None:
        """A later request that goes on from here knows the list, too."""
        kept: list[Any] = []
        collector = ResponseCollector(opening(kept, tools=SERVERS))
        collector.add([END])
        collector.reply()
        self.assertEqual(
            ["mcp_list_tools"] * 2, [json.loads(made)["type"] for _, made in kept[0].made]
        )

    @given(BROKEN)
    def test_any_answer(self, events: list[StreamEvent]) -> None:
        """The grammar holds whatever follows."""
        writer = ResponseWriter(opening(tools=SERVERS))
        read(b"".join(writer.write([event]) for event in events))
