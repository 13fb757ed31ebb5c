# -*- test-case-name: tests.dialects.responses.test_parts -*-
"""Tests of the content of items."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Image, Reference, Text
from kiro2api.dialects.responses.parts import parts_of
from kiro2api.dialects.responses.shapes import CONTENT


def parts(content: Any) -> list[Any]:
    """The neutral parts of some content."""
    return list(parts_of(CONTENT.decode(msgspec.json.encode(content))))


class PartsTests(SynchronousTestCase):
    """Content of every form."""

    def test_plain(self) -> None:
        """Strings, one part, lists, nothing."""
        self.assertEqual([Text("a")], parts("a"))
        self.assertEqual([], parts(""))
        self.assertEqual([], parts(None))
        self.assertEqual([Text("a")], parts({"type": "input_text", "text": "a"}))
        self.assertEqual([Text("a"), Text("b")], parts(["a", "", {"text": "b"}]))

    def test_texts(self) -> None:
        """Whatever they are called; empty ones are left out."""
        for kind in ("input_text", "output_text", "text", "summary_text", "new"):
            self.assertEqual([Text("a")], parts([{"type": kind, "text": "a"}]))
        self.assertEqual([], parts([{"type": "output_text", "text": ""}]))

    def test_refusal(self) -> None:
        """What the model would not say is what it said."""
        self.assertEqual([Text("no")], parts([{"type": "refusal", "refusal": "no"}]))
        self.assertIn("left out", parts([{"type": "refusal"}])[0].text)

    def test_image(self) -> None:
        """By value, by address in either form, by file id, or missing."""
        data = "data:image/png;base64,AAAA"
        for given in (data, {"url": data}):
            self.assertEqual(
                [Image("image/png", "AAAA")], parts([{"type": "input_image", "image_url": given}])
            )
        self.assertEqual(
            [Reference("image", "http://x/y.png")],
            parts([{"type": "input_image", "image_url": "http://x/y.png", "detail": "auto"}]),
        )
        self.assertEqual(
            [Reference("image", "file-1")], parts([{"type": "input_image", "file_id": "file-1"}])
        )
        self.assertEqual([Text("[image without data]")], parts([{"type": "input_image"}]))

    def test_file(self) -> None:
        """Likewise."""
        self.assertEqual(
            [Document("application/pdf", "JVBERi0=", "a.pdf")],
            parts([{"type": "input_file", "file_data": "JVBERi0=", "filename": "a.pdf"}]),
        )
        self.assertEqual(
            [Reference("document", "http://x")],
            parts([{"type": "input_file", "file_url": "http://x"}]),
        )
        self.assertEqual(
            [Reference("document", "f")], parts([{"type": "input_file", "file_id": "f"}])
        )
        self.assertEqual([Text("[file without data]")], parts([{"type": "input_file"}]))
        self.assertEqual(
            [Text("[file a without data]")], parts([{"type": "input_file", "filename": "a"}])
        )

    def test_unknown(self) -> None:
        """Something is said in its place."""
        self.assertEqual(
            [Text("[content of type hologram left out]")], parts([{"type": "hologram", "data": 1}])
        )
        self.assertEqual([Text("[content of type unknown left out]")], parts([{}]))
