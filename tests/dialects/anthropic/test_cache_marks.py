# -*- test-case-name: tests.dialects.anthropic.test_cache_marks -*-
"""Marks of the prompt cache in a client's request."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation
from kiro2api.dialects.anthropic.ask import parse

MARK = {"cache_control": {"type": "ephemeral"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def text(said: str, **more: Any) -> dict[str, Any]:
    """A block."""
    return {"type": "text", "text": said, **more}


def asked(*contents: Any, **more: Any) -> Conversation:
    """A conversation of these contents, the user's first."""
    messages = [
        {"role": "assistant" if index % 2 else "user", "content": content}
        for index, content in enumerate(contents)
    ]
    body = {"model": "m", "max_tokens": 9, "messages": messages, **more}
    return parse(msgspec.json.encode(body)).conversation


def marked(conversation: Conversation) -> list[bool]:
    """Which turns are marked."""
    return [turn.cache for turn in conversation.turns]


class CacheMarkTests(SynchronousTestCase):
    """What counts as a mark, and for what."""

    def test_blocks(self) -> None:
        """Any block of a message marks it."""
        use = {"type": "tool_use", "id": "t", "name": "n", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t"}
        found = asked(
            [text("a", **MARK), text("b")],
            [{**use, **MARK}],
            [{**result, **MARK}],
            "c",
            [text("d")],
        )
        self.assertEqual(marked(found), [True, True, True, False, False])
        self.assertFalse(found.cache_system)

    def test_system_and_tools(self) -> None:
        """Both go before all messages."""
        for more in (
            {"system": [text("s", **MARK)]},
            {"tools": [{"name": "n", "input_schema": {}, **MARK}]},
        ):
            found = asked("a", **more)
            self.assertTrue(found.cache_system)
            self.assertEqual(marked(found), [False])

    def test_whole_request(self) -> None:
        """A mark on the request means its last message."""
        self.assertEqual(marked(asked("a", "b", "c", **MARK)), [False, False, True])

    def test_no_mark(self) -> None:
        """Null, and what is no object."""
        for odd in (None, "ephemeral", 1):
            found = asked([text("a", cache_control=odd)], cache_control=odd, system=[text("s")])
            self.assertEqual(marked(found), [False])
            self.assertFalse(found.cache_system)

    def test_inside_an_input(self) -> None:
        """A tool's input may say what it likes."""
        use = {"type": "tool_use", "id": "t", "name": "n", "input": MARK}
        self.assertEqual(marked(asked("a", [use])), [False, False])

    def test_searching(self) -> None:
        """A message that falls into rounds is marked at its end, an empty one not at all."""
        calls = [
            text("a"),
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            text("b", **MARK),
        ]
        found = asked("q", calls, "c", tools=[SEARCH])
        self.assertEqual(marked(found), [False, False, False, True, False])
        self.assertEqual(marked(asked("q", [text("", **MARK)], "c", tools=[SEARCH])), [False] * 2)
