"""Tests of content blocks."""

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Document,
    Image,
    Part,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from kiro2api.conversation.search import failed_text
from kiro2api.dialects.anthropic.blocks import MESSAGE, SEARCHING
from kiro2api.dialects.anthropic.searches import seal
from kiro2api.errors import RequestRejected

RAWS = msgspec.json.Decoder(list[msgspec.Raw])
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


def read(*blocks: Any) -> tuple[Part, ...]:
    return MESSAGE.read(RAWS.decode(json.dumps(blocks)), "messages[2].content")


class BlockTests(SynchronousTestCase):
    """Each known block, and what is made of the others."""

    def refused(self, block: Any, param: str) -> None:
        """The block is refused with this path below its own."""
        refusal = self.assertRaises(RequestRejected, read, {"type": "text", "text": "x"}, block)
        self.assertEqual(refusal.param, f"messages[2].content[1]{param}")

    def test_content_forms(self) -> None:
        """Absent, a string, a list, strings in a list; empty text is nothing."""
        self.assertEqual(MESSAGE.read(None, "x"), ())
        self.assertEqual(MESSAGE.read("", "x"), ())
        self.assertEqual(MESSAGE.read([], "x"), ())
        self.assertEqual(MESSAGE.read("hi", "x"), (Text("hi"),))
        self.assertEqual(read("hi", {"type": "text", "text": ""}), (Text("hi"),))

    def test_text(self) -> None:
        """Other keys are ignored, wherever the type stands."""
        block = {"cache_control": {"type": "ephemeral"}, "text": "hi", "type": "text"}
        self.assertEqual(read(block), (Text("hi"),))

    def test_image(self) -> None:
        """By value, by data URL, by URL, by file id."""
        url = {"type": "url", "url": "https://example.org/a.png"}
        inline = {"type": "url", "url": "data:image/gif;base64,R0lG"}
        stored = {"type": "file", "file_id": "file_1"}
        self.assertEqual(
            read(*({"type": "image", "source": source} for source in (PNG, url, inline, stored))),
            (
                Image("image/png", "iVBORw=="),
                Reference("image", "https://example.org/a.png"),
                Image("image/gif", "R0lG"),
                Reference("image", "file_1"),
            ),
        )

    def test_document(self) -> None:
        """By value, as text, by URL, by file id; a title is not lost."""
        url = {"type": "url", "url": "https://example.org/a.pdf"}
        plain = {"type": "text", "media_type": "text/plain", "data": "words"}
        stored = {"type": "file", "file_id": "file_1"}
        self.assertEqual(
            read(
                {"type": "document", "source": PDF, "title": "T", "context": "C"},
                {"type": "document", "source": PDF},
                {"type": "document", "source": plain, "title": "T", "context": "C"},
                {"type": "document", "source": url, "title": None},
                {"type": "document", "source": stored},
            ),
            (
                Text("C"),
                Document("application/pdf", "JVBERi0=", "T"),
                Document("application/pdf", "JVBERi0="),
                Text("T"),
                Text("C"),
                Text("words"),
                Reference("document", "https://example.org/a.pdf"),
                Reference("document", "file_1"),
            ),
        )

    def test_document_of_blocks(self) -> None:
        """Its own texts and images; deeper documents are not unfolded."""
        inner = {"type": "document", "source": PDF}
        content = [{"type": "text", "text": "a"}, {"type": "image", "source": PNG}, inner]
        self.assertEqual(
            read(
                {
                    "type": "document",
                    "title": "T",
                    "source": {"type": "content", "content": content},
                },
                {"type": "document", "source": {"type": "content", "content": "only"}},
            ),
            (
                Text("T"),
                Text("a"),
                Image("image/png", "iVBORw=="),
                Text(json.dumps(inner, separators=(",", ":"))),
                Text("only"),
            ),
        )

    def test_unknown_sources(self) -> None:
        """A new kind of source is shown as it came."""
        for kind in ("image", "document"):
            block = {"type": kind, "source": {"type": "cloud", "key": 1}}
            self.assertEqual(read(block), (Text(json.dumps(block, separators=(",", ":"))),))

    def test_tool_use(self) -> None:
        """The input stays JSON text; none is an empty object."""
        self.assertEqual(
            read(
                {"type": "tool_use", "id": "a", "name": "n", "input": {"k": [1, 2]}},
                {"type": "tool_use", "id": "b", "name": "n"},
                {"type": "tool_use", "id": "c", "name": "n", "input": None},
            ),
            (
                ToolUse("a", "n", b'{"k": [1, 2]}'),
                ToolUse("b", "n", b"{}"),
                ToolUse("c", "n", b"{}"),
            ),
        )

    def test_tool_result(self) -> None:
        """Content absent, text, or blocks of every kind that a result may hold."""
        blocks = [
            {"type": "text", "text": "out"},
            {"type": "image", "source": PNG},
            {"type": "document", "source": PDF},
            {"type": "tool_reference", "tool_name": "Later"},
            {"type": "search_result", "source": "s", "title": "t", "content": []},
            {"type": "tool_use", "id": "x", "name": "y"},
            "bare",
        ]
        self.assertEqual(
            read(
                {"type": "tool_result", "tool_use_id": "a"},
                {"tool_use_id": "b", "type": "tool_result", "content": "out", "is_error": True},
                {"type": "tool_result", "tool_use_id": "c", "content": blocks, "is_error": None},
            ),
            (
                ToolResult("a"),
                ToolResult("b", (Text("out"),), is_error=True),
                ToolResult(
                    "c",
                    (
                        Text("out"),
                        Image("image/png", "iVBORw=="),
                        Document("application/pdf", "JVBERi0="),
                        Text("The tool Later is available now."),
                        Text("t\ns"),
                        Text('{"type":"tool_use","id":"x","name":"y"}'),
                        Text("bare"),
                    ),
                ),
            ),
        )

    def test_thinking(self) -> None:
        """With and without text and signature."""
        self.assertEqual(
            read(
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "thinking", "thinking": None, "signature": None},
                {"type": "redacted_thinking", "data": "AA=="},
            ),
            (Thinking("hm", "c2ln"), Thinking(""), RedactedThinking("AA==")),
        )

    def test_search_result(self) -> None:
        """Where it is from, then what it says."""
        content = [{"type": "text", "text": "passage"}]
        self.assertEqual(
            read(
                {"type": "search_result", "source": "s", "title": "t", "content": content},
                {"type": "search_result", "content": content},
            ),
            (Text("t\ns"), Text("passage"), Text("passage")),
        )

    def test_server_tools(self) -> None:
        """What a server ran itself is told in text, without what only that server can read."""
        page = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "E"}
        self.assertEqual(
            read(
                {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {"q": 1}},
                {"type": "web_search_tool_result", "tool_use_id": "i", "content": [page]},
                {"type": "web_search_tool_result", "content": [{"url": "u"}]},
            ),
            (
                Text('(The server ran web_search with {"q":1}.)'),
                Text("(The web search gave this back:\n[1] t\nu\n)"),
                Text("(The web search gave this back:\n[1] u\nu\n)"),
            ),
        )

    def test_searches_as_calls(self) -> None:
        """Where the search is offered again, searches are calls of it, with the excerpts that we
        have sealed; other servers' tools stay text."""
        page = {"type": "web_search_result", "url": "u", "title": "t", "page_age": "May 1, 2026"}
        blocks = [
            {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {"query": "q"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "i",
                "content": [page | {"encrypted_content": seal("An excerpt.")}],
            },
            {"type": "server_tool_use", "id": "j", "name": "web_search"},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "j",
                "content": {
                    "type": "web_search_tool_result_error",
                    "error_code": "max_uses_exceeded",
                },
            },
            {"type": "server_tool_use", "id": "k", "name": "code_execution", "input": {}},
            {"type": "text", "text": "so"},
        ]
        found = "[1] t\nu\nMay 1, 2026\nAn excerpt."
        failed = failed_text("max_uses_exceeded")
        self.assertEqual(
            SEARCHING.read(RAWS.decode(json.dumps(blocks)), "x"),
            (
                ToolUse("i", "web_search", b'{"query": "q"}'),
                ToolResult("i", (Text(found),)),
                ToolUse("j", "web_search", b"{}"),
                ToolResult("j", (Text(failed),), True),
                Text("(The server ran code_execution with {}.)"),
                Text("so"),
            ),
        )
        self.assertEqual(read(blocks[3]), (Text(f"(The web search gave this back:\n{failed}\n)"),))

    def test_unknown(self) -> None:
        """Unknown blocks, and server blocks of a shape we do not know, become their JSON."""
        for block in (
            {"type": "tool_addition", "tool": {"name": "n"}},
            {"type": "web_search_tool_result", "content": {"what": "happened"}},
            {"type": "search_result", "source": {"x": 1}},
            {"type": "tool_reference"},
        ):
            self.assertEqual(read(block), (Text(json.dumps(block, separators=(",", ":"))),))

    def test_refusals(self) -> None:
        """A bad field of a known block is named."""
        self.refused({"type": "text"}, ".text")
        self.refused({"type": "text", "text": 1}, ".text")
        self.refused({"text": "x"}, ".type")
        self.refused({"type": 1}, ".type")
        self.refused(5, "")
        self.refused(["x"], "")
        self.refused({"type": "image"}, ".source")
        self.refused({"type": "image", "source": "x"}, ".source")
        self.refused({"type": "image", "source": {"type": "base64"}}, ".source.data")
        self.refused({"type": "image", "source": {"type": "url"}}, ".source.url")
        self.refused({"type": "document", "source": {"type": "file"}}, ".source.file_id")
        self.refused(
            {"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}},
            ".source.content[0].text",
        )
        self.refused({"type": "tool_use", "id": "a"}, ".name")
        self.refused({"type": "tool_result"}, ".tool_use_id")
        self.refused({"type": "tool_result", "tool_use_id": "a", "content": {}}, ".content")
        self.refused(
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": 1}]},
            ".content[0].text",
        )
        self.refused({"type": "redacted_thinking"}, ".data")
