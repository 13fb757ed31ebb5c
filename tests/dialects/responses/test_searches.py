# -*- test-case-name: tests.dialects.responses.test_searches -*-
"""Tests of searches as items."""

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import SearchEnded
from kiro2api.conversation.question import Part, Text, ToolResult, ToolUse
from kiro2api.conversation.search import SearchHit, failed_text, found_text
from kiro2api.dialects.responses.searches import SearchCall, parts_of
from kiro2api.dialects.responses.shapes import Item

PAGE = SearchHit("https://a.example/", "A", "About a.", "May 1, 2026")


def back(offered: bool = True, **fields: Any) -> tuple[Part, ...]:
    """The parts of an item that comes back."""
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", **fields}
    return parts_of(msgspec.json.decode(json.dumps(item), type=Item), "input[0]", offered)


def told(**fields: Any) -> str:
    """What the model is told of the result."""
    _, result = back(**fields)
    assert isinstance(result, ToolResult)
    (text,) = result.parts
    assert isinstance(text, Text)
    return text.text


class ItemTests(SynchronousTestCase):
    """What the client is shown."""

    def test_states(self) -> None:
        """The query from the beginning, the addresses only if wanted, the pages never."""
        item = SearchCall("ab", 2, "tooluse_1", "q")
        expected: dict[str, Any] = {
            "id": "ws_ab02",
            "type": "web_search_call",
            "status": "in_progress",
            "action": {"type": "search", "query": "q"},
        }
        self.assertEqual(expected, json.loads(item.json("in_progress")))
        item.end(SearchEnded("tooluse_1", (PAGE,)))
        expected["status"] = "completed"
        self.assertEqual(expected, json.loads(item.shown(False)))
        self.assertEqual(
            [{"type": "url", "url": PAGE.url}], json.loads(item.shown(True))["action"]["sources"]
        )
        item.end(SearchEnded("tooluse_1", error="unavailable"))
        self.assertEqual("failed", json.loads(item.shown(True))["status"])

    def test_there_and_back(self) -> None:
        """What is kept tells the model the same again."""
        item = SearchCall("ab", 0, "tooluse_1", "q")
        item.end(SearchEnded("tooluse_1", (PAGE,)))
        self.assertEqual(
            (
                ToolUse("ws_ab00", "web_search", b'{"query":"q"}'),
                ToolResult("ws_ab00", (Text(found_text([PAGE])),)),
            ),
            parts_of(msgspec.json.decode(item.kept(), type=Item), "x", True),
        )


class HistoryTests(SynchronousTestCase):
    """What comes back."""

    ACTION = {"type": "search", "query": "q"}

    def test_nothing_known(self) -> None:
        """The pages are not in what clients are shown."""
        self.assertIn("not kept", told(action=self.ACTION))
        self.assertIn("not kept", told(action=self.ACTION, results=None))

    def test_sources(self) -> None:
        """Addresses are better than nothing; what has none is no page."""
        sources = [{"type": "url", "url": PAGE.url}, {"type": "api", "name": "x"}]
        self.assertEqual(
            found_text([SearchHit(PAGE.url)]), told(action={**self.ACTION, "sources": sources})
        )

    def test_found_nothing(self) -> None:
        """That is something else."""
        self.assertEqual(found_text([]), told(action=self.ACTION, results=[]))

    def test_failed(self) -> None:
        """The model is told so."""
        use, result = back(status="failed", action=self.ACTION)
        self.assertEqual(ToolUse("ws_1", "web_search", b'{"query":"q"}'), use)
        self.assertEqual(ToolResult("ws_1", (Text(failed_text("")),), True), result)

    def test_queries(self) -> None:
        """Other servers look for several things at once; an id may be missing."""
        use, _ = back(id=None, action={"type": "search", "queries": ["x", "y"]})
        self.assertEqual(ToolUse("ws_input[0]", "web_search", b'{"query":"x"}'), use)

    def test_not_offered(self) -> None:
        """Without the tool there is nothing to call."""
        self.assertEqual(
            (
                Text('(The server ran web_search with {"query":"q"}.)'),
                Text(f"(The web search gave this back:\n{found_text([])}\n)"),
            ),
            back(False, action=self.ACTION, results=[]),
        )

    def test_no_search(self) -> None:
        """Pages that were opened, and whatever else."""
        others: list[Any] = [{"type": "open_page", "url": "u"}, {"queries": []}, {"query": 5}, 1]
        for action in [*others, None]:
            self.assertEqual((), back(action=action))
        self.assertEqual((), back(action=self.ACTION, results="x"))
