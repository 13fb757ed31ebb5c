# -*- test-case-name: tests.dialects.chat.test_parts -*-
"""Tests of message content in all its forms."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Document,
    Image,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from kiro2api.dialects.chat.parts import parts_of, result_parts
from kiro2api.dialects.chat.shapes import Content

PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}


def content(value: object) -> Content:
    return msgspec.json.Decoder(Content).decode(msgspec.json.encode(value))  # type: ignore[no-any-return]


class PartsOfTests(SynchronousTestCase):
    """``parts_of`` reads every known part and loses none of the others silently."""

    def check(self, value: object, *expected: object) -> None:
        self.assertEqual(list(expected), parts_of(content(value)))

    def test_forms(self) -> None:
        """A string, nothing, a list and a single part."""
        self.check("a", Text("a"))
        self.check("")
        self.check(None)
        self.check([])
        self.check(["a", "", {"type": "text", "text": "b"}], Text("a"), Text("b"))
        self.check({"type": "text", "text": "a"}, Text("a"))

    def test_text(self) -> None:
        """Text without text is left out."""
        self.check([{"type": "text", "text": ""}, {"type": "text"}])

    def test_image_url(self) -> None:
        """By value, by address, as an object and as a string."""
        self.check([PNG], Image("image/png", "AAAA"))
        self.check(
            [{"type": "image_url", "image_url": "https://example.org/a"}],
            Reference("image", "https://example.org/a"),
        )
        self.check(
            [{"type": "input_image", "image_url": "data:image/gif;base64,R0"}],
            Image("image/gif", "R0"),
        )

    def test_image_without_data(self) -> None:
        """A broken image is a note, lest it break the session for ever."""
        note = Text("[image without data]")
        for part in (
            {"type": "image_url"},
            {"type": "image_url", "image_url": {}},
            {"type": "image_url", "image_url": ""},
            {"type": "image", "source": "x"},
            {"type": "image", "source": {"type": "base64"}},
        ):
            self.check([part], note)

    def test_foreign_image(self) -> None:
        """The block of the other dialect: by value, address and file id."""
        self.check(
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AA"},
                },
                {"type": "image", "source": {"type": "base64", "data": "AA"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/b"}},
                {"type": "image", "source": {"type": "url", "url": "data:image/png;base64,BB"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "image", "image_url": {"url": "https://example.org/c"}},
            ],
            Image("image/png", "AA"),
            Image("", "AA"),
            Reference("image", "https://example.org/b"),
            Image("image/png", "BB"),
            Reference("image", "file_1"),
            Reference("image", "https://example.org/c"),
        )

    def test_file(self) -> None:
        """By value, by id, by address and not at all."""
        for given, expected in [
            (
                {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
                Document("application/pdf", "JVBE", "a.pdf"),
            ),
            ({"file_data": "data:text/plain;base64,YQ=="}, Text("a")),
            ({"file_id": "file_1"}, Reference("document", "file_1")),
            (
                {"file_url": "https://example.org/d", "file_id": "x"},
                Reference("document", "https://example.org/d"),
            ),
            ({"filename": "a.pdf"}, Text("[file a.pdf without data]")),
            (None, Text("[file without data]")),
        ]:
            self.check([{"type": "file", "file": given}], expected)

    def test_document(self) -> None:
        """The block of the other dialect, with each of its sources."""
        for source, expected in [
            (
                {"type": "base64", "media_type": "application/pdf", "data": "JV"},
                Document("application/pdf", "JV", "T"),
            ),
            ({"type": "base64", "data": "JV"}, Document("", "JV", "T")),
            ({"type": "text", "media_type": "text/plain", "data": "abc"}, Text("[T]\nabc")),
            ({"type": "content", "content": "abc"}, Text("abc")),
            ({"type": "content", "content": [{"type": "text", "text": "abc"}]}, Text("abc")),
            (
                {"type": "url", "url": "https://example.org/e"},
                Reference("document", "https://example.org/e"),
            ),
            ({"type": "file", "file_id": "f1"}, Reference("document", "f1")),
            ({"type": "base64"}, Text("[document without data]")),
            ("x", Text("[content of type document left out]")),
        ]:
            self.check([{"type": "document", "title": "T", "source": source}], expected)

    def test_document_without_title(self) -> None:
        """A document needs no name."""
        source = {"type": "text", "data": "abc"}
        self.check([{"type": "document", "source": source}], Text("abc"))

    def test_audio(self) -> None:
        """Audio is named, since it cannot be passed on."""
        for audio, kind in (({"data": "A", "format": "wav"}, "wav"), (None, "unknown format")):
            self.check(
                [{"type": "input_audio", "input_audio": audio}],
                Text(f"[audio ({kind}) left out: it cannot be heard here]"),
            )

    def test_refusal(self) -> None:
        """A refusal is text."""
        self.check(
            [{"type": "refusal", "refusal": "no"}, {"type": "refusal", "refusal": None}],
            Text("no"),
        )

    def test_tool_use(self) -> None:
        """A foreign call keeps its input byte for byte."""
        raw = msgspec.Raw(b'{ "a":1.50 }')
        self.check(
            [
                {"type": "tool_use", "id": "t1", "name": "f", "input": raw},
                {"type": "tool_use", "input": None},
                {"type": "tool_use"},
            ],
            ToolUse("t1", "f", b'{ "a":1.50 }'),
            ToolUse("", "", b"{}"),
            ToolUse("", "", b"{}"),
        )

    def test_tool_result(self) -> None:
        """A foreign result, with content of any form."""
        self.check(
            [
                {"type": "tool_result", "tool_use_id": "t1", "content": "a", "is_error": True},
                {"type": "tool_result", "tool_use_id": "t2", "content": [PNG], "is_error": False},
                {"type": "tool_result"},
            ],
            ToolResult("t1", (Text("a"),), True),
            ToolResult("t2", (Image("image/png", "AAAA"),)),
            ToolResult(""),
        )

    def test_thinking(self) -> None:
        """Reasoning is kept where it is signed or sealed."""
        self.check(
            [
                {"type": "thinking", "thinking": "h", "signature": "s"},
                {"type": "thinking", "thinking": "h"},
                {"type": "thinking", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "redacted_thinking"},
            ],
            Thinking("h", "s"),
            RedactedThinking("d"),
        )

    def test_unknown(self) -> None:
        """Unknown kinds give their text, their content or at least their name."""
        self.check(
            [
                {"type": "mood", "text": "blue"},
                {"text": "no type"},
                {
                    "type": "search_result",
                    "source": "s",
                    "content": [{"type": "text", "text": "c"}],
                },
                {"type": "mood", "content": {"type": "odd", "code": 3}},
                {"type": "mood"},
                {},
            ],
            Text("blue"),
            Text("no type"),
            Text("c"),
            Text("[content of type odd left out]"),
            Text("[content of type mood left out]"),
            Text("[content of type unknown left out]"),
        )


class ResultPartsTests(SynchronousTestCase):
    """``result_parts`` yields only what a result may hold."""

    def test_kinds(self) -> None:
        """Results inside a result are opened, calls and reasoning left out."""
        value = [
            {"type": "tool_result", "content": [{"type": "text", "text": "in"}, PNG]},
            {"type": "tool_use", "id": "x", "name": "f", "input": {}},
            {"type": "file", "file": {"file_id": "f1"}},
            "out",
        ]
        self.assertEqual(
            (Text("in"), Image("image/png", "AAAA"), Reference("document", "f1"), Text("out")),
            result_parts(content(value)),
        )
