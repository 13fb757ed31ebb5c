# -*- test-case-name: tests.kiro.test_wording -*-
"""Tests of our own sentences."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Reference, ToolUse
from kiro2api.kiro import wording


class NoteTests(SynchronousTestCase):
    """Notes in place of what cannot be sent."""

    def test_name_what_is_missing(self) -> None:
        """Each note names what the client sent."""
        for note, names in (
            (wording.document_note(Document("a/b", "AAAA", "x.pdf")), ["document x.pdf (a/b)"]),
            (wording.document_note(Document("a/b", "AAAA")), ["[document (a/b)"]),
            (wording.reference_note(Reference("image", "https://h/p")), ["image at https://h/p"]),
            (wording.image_note("image/x", "why"), ["image/x", "why"]),
            (wording.misplaced_call(ToolUse("i", "n", b'{"k":1}')), ["i", "n", '{"k":1}']),
            (wording.orphan_result("i", False, "t"), ["result", "i", "t"]),
            (wording.orphan_result("i", True, "t"), ["error", "i", "t"]),
            (wording.tool_heading("n", "d"), ["n", "d"]),
            (wording.named_tool("n"), ["n"]),
        ):
            for name in names:
                self.assertIn(name, note)

    def test_never_blank(self) -> None:
        """Sentences that stand in for content say something."""
        for text in (wording.CONTINUE, wording.LOOK, wording.OPENING, wording.ACKNOWLEDGED):
            self.assertTrue(text.strip())
