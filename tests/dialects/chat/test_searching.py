# -*- test-case-name: tests.dialects.chat.test_searching -*-
"""Tests of the web search in chat completions."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import ServerTool, ToolSpec
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.chat.ask import parse
from kiro2api.dialects.chat.searching import Echo, Said
from kiro2api.dialects.dialect import Asked
from kiro2api.errors import RequestRejected


def ask(**more: Any) -> Asked:
    """A request with these keys besides."""
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}], **more}
    return parse(json.dumps(body).encode())


class AskTests(SynchronousTestCase):
    """Who gets a search."""

    def search(self, **more: Any) -> ServerTool | None:
        asked = ask(**more)
        self.assertEqual(asked.echo, Echo() if asked.conversation.server_tools else None)
        return next(iter(asked.conversation.server_tools), None)

    def test_none(self) -> None:
        """Nobody who does not ask for one; a tool of that name is the client's."""
        tool = {"type": "function", "function": {"name": "web_search"}}
        for more in (
            {},
            {"web_search_options": None},
            {"tools": [tool]},
            {"tools": [{"type": "web_search", "name": "n", "parameters": {"type": "object"}}]},
            {"tools": [{"type": "web_searching"}]},
        ):
            self.assertIsNone(self.search(**more))

    def test_options(self) -> None:
        """Options without content are enough; the place is taken out of its wrapper."""
        self.assertEqual(self.search(web_search_options={}), ServerTool("web_search"))
        place = {"type": "approximate", "approximate": {"city": "Graz"}}
        for location, expected in (
            (place, b'{"city": "Graz"}'),
            ({"city": "Graz"}, b'{"city": "Graz"}'),
            ("Graz", b""),
            (None, b""),
        ):
            options = {"search_context_size": "high", "user_location": location}
            self.assertEqual(
                self.search(web_search_options=options),
                ServerTool("web_search", user_location=expected),
            )
        self.assertRaises(RequestRejected, self.search, web_search_options=7)

    def test_tool(self) -> None:
        """As a tool, of whatever date, with its limits; it is no tool of the client."""
        tool = {
            "type": "web_search_20250305",
            "name": "look",
            "max_uses": 2,
            "allowed_domains": ["a.example", ""],
            "user_location": {"type": "approximate", "city": "Graz"},
        }
        own = {"type": "function", "function": {"name": "f"}}
        self.assertEqual(
            self.search(tools=[own, tool]),
            ServerTool(
                "web_search",
                "look",
                2,
                ("a.example",),
                (),
                b'{"type": "approximate", "city": "Graz"}',
            ),
        )
        self.assertEqual(ask(tools=[own, tool]).conversation.tools, (ToolSpec("f"),))
        self.assertEqual(
            self.search(tools=[{"type": "web_search_preview"}]), ServerTool("web_search")
        )


class SaidTests(SynchronousTestCase):
    """Texts around searches."""

    def test_apart(self) -> None:
        """A search parts them, unless they are apart already or there is none before."""
        said = Said()
        said.found([])
        shown = said.more("") + said.more("a") + said.more("b")
        said.found([])
        said.found([SearchHit("d")])
        shown += said.more("") + said.more("c") + said.more("d")
        said.found([])
        shown += said.more(" e")
        self.assertEqual(shown, "ab\n\ncd e")
        (named,) = said.annotations
        self.assertEqual(named.url_citation.start_index, shown.index("d"))
