# -*- test-case-name: tests.kiro.test_pairing -*-
"""Tests of the pairing of calls and results."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Document, Image, Reference, Text, ToolResult
from kiro2api.kiro.naming import Labels
from kiro2api.kiro.pairing import Calls, result_texts
from kiro2api.kiro.wording import INTERRUPTED, SILENT


def result(id: str, *texts: str, is_error: bool = False) -> ToolResult:
    return ToolResult(id, tuple(map(Text, texts)), is_error)


class CallsTests(SynchronousTestCase):
    """One assistant message's calls."""

    def setUp(self) -> None:
        self.calls = Calls(Labels())

    def brief(self) -> list[tuple[str, list[str], str]]:
        return [
            (one["toolUseId"], [block["text"] for block in one["content"]], one["status"])
            for one in self.calls.results()
        ]

    def test_order_of_the_calls(self) -> None:
        """Results come in the order of the calls."""
        self.calls.called("a")
        self.calls.called("b")
        self.assertEqual(len(self.calls), 2)
        self.assertTrue(self.calls.answered(result("b", "two", is_error=True)))
        self.assertTrue(self.calls.answered(result("a", "one")))
        self.assertEqual(self.brief(), [("a", ["one"], "success"), ("b", ["two"], "error")])

    def test_missing(self) -> None:
        """A call without a result gets an error in our words."""
        self.calls.called("a")
        self.assertEqual(self.brief(), [("a", [INTERRUPTED], "error")])

    def test_orphan(self) -> None:
        """A result of another id is not taken."""
        self.calls.called("a")
        self.assertFalse(self.calls.answered(result("b")))

    def test_empty(self) -> None:
        """A result that says nothing has one block of a space."""
        self.calls.called("a")
        self.calls.answered(result("a", "", ""))
        self.assertEqual(self.brief(), [("a", [SILENT], "success")])

    def test_several_results_of_one_call(self) -> None:
        """They are joined; the last one's status counts."""
        self.calls.called("a")
        for one in (result("a", "1", is_error=True), result("a"), result("a", "2", "3")):
            self.assertTrue(self.calls.answered(one))
        self.assertEqual(self.brief(), [("a", ["1", "2", "3"], "success")])

    def test_duplicate_ids(self) -> None:
        """Calls of one id are renamed, the results go to them in order, the rest to the last."""
        first, second = self.calls.called("a"), self.calls.called("a")
        for text in "123":
            self.calls.answered(result("a", text))
        self.assertEqual(self.brief(), [(first, ["1"], "success"), (second, ["2", "3"], "success")])
        self.assertEqual(first, "a")

    def test_reused_in_a_later_message(self) -> None:
        """An id used again later is renamed within its own pair."""
        labels = Labels()
        Calls(labels).called("a")
        self.calls = Calls(labels)
        label = self.calls.called("a")
        self.assertNotEqual(label, "a")
        self.calls.answered(result("a", "x"))
        self.assertEqual(self.brief(), [(label, ["x"], "success")])


class ResultTextsTests(SynchronousTestCase):
    """What a result says."""

    def test_parts(self) -> None:
        """Texts as they are, notes for documents and references, nothing for images."""
        texts = result_texts(
            ToolResult(
                "t",
                (
                    Text("a"),
                    Text(""),
                    Document("application/pdf", "AAAA", "plan.pdf"),
                    Reference("image", "https://example.org/x.png"),
                    Image("image/png", ""),
                ),
            )
        )
        self.assertEqual(texts[0], "a")
        self.assertIn("plan.pdf (application/pdf)", texts[1])
        self.assertIn("https://example.org/x.png", texts[2])
        self.assertEqual(len(texts), 3)
