"""Documents that go to the model as such."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation, Document, Part, Text, ToolResult, Turn
from kiro2api.kiro.media import DOCUMENT_CHARACTERS
from kiro2api.kiro.papers import TOTAL
from kiro2api.kiro.request import prepare
from kiro2api.kiro.rules import check

DATA = "JVBERi0x"


def pdf(name: str = "", data: str = DATA, kind: str = "application/pdf") -> Document:
    """A document with a text."""
    return Document(kind, data, name, f"text of {name}")


def sent(*turns: Turn, documents: bool = True) -> list[Any]:
    """The user's messages, the current one last; the body is what the upstream accepts."""
    prepared = prepare(
        Conversation(turns),
        conversation_id="c",
        continuation_id="4b2f6a1e-0000-4000-8000-000000000002",
        tool_description_limit=1000,
        documents=documents,
    )
    body = msgspec.json.decode(prepared.body("m", ""))
    assert check(body) == []
    state = body["conversationState"]
    messages = [*state["history"], state["currentMessage"]]
    return [m["userInputMessage"] for m in messages if "userInputMessage" in m]


def user(*parts: Part) -> Turn:
    """A turn."""
    return Turn("user", parts)


class PapersTests(SynchronousTestCase):
    """Which documents are sent, and how."""

    def test_shape(self) -> None:
        """Name without its ending, format, data; never without a word beside it."""
        (message,) = sent(user(pdf("Q3 report.pdf")))
        wanted = {"name": "Q3 report", "format": "pdf", "source": {"bytes": DATA}}
        self.assertEqual(message["documents"], [wanted])
        self.assertEqual(message["content"], "Please look at what is attached.")

    def test_not_taken(self) -> None:
        """A model that does not take documents is told their text, or that they are left out."""
        (message,) = sent(user(Text("see"), pdf("a"), Document("x/y", "AAAA")), documents=False)
        self.assertNotIn("documents", message)
        self.assertEqual(
            message["content"],
            "see\ntext of a\n[document (x/y) left out: its format is not passed on]",
        )

    def test_format(self) -> None:
        """By the kind that the client says, else by the name's ending; others stay text."""
        for document, kind in (
            (pdf("a", kind="text/csv; charset=utf-8"), "csv"),
            (pdf("a.XLSX", kind="application/octet-stream"), "xlsx"),
            (pdf("a.exe", kind="application/octet-stream"), None),
        ):
            (message,) = sent(user(document))
            formats = [paper["format"] for paper in message.get("documents", ())]
            self.assertEqual(formats, [kind] if kind else [])
            self.assertEqual("text of" in message["content"], kind is None)

    def test_names(self) -> None:
        """Plain, not too long, and each once."""
        (message,) = sent(user(pdf("a/b*.pdf"), pdf("a b"), pdf(""), pdf("é.pdf"), pdf("n" * 200)))
        names = [paper["name"] for paper in message["documents"]]
        self.assertEqual(names, ["a b (2)", "a b", "document (2)", "document", "n" * 100])

    def test_newest_first(self) -> None:
        """Of too many the oldest are told as text."""
        turns = [user(Text("q"), *(pdf(f"{index}-{n}") for n in range(2))) for index in range(4)]
        middle = Turn("assistant", (Text("so"), pdf("mine")))
        messages = sent(*(turn for each in turns for turn in (each, middle)), user(Text("on")))
        names = [[p["name"] for p in m.get("documents", ())] for m in messages]
        self.assertEqual(names, [[], ["1-1"], ["2-0", "2-1"], ["3-0", "3-1"], []])
        self.assertEqual(sum(map(len, names)), TOTAL)
        self.assertIn("text of 1-0", messages[1]["content"])

    def test_unfit(self) -> None:
        """What is too large, empty or no base64 is told as text; so is what a tool returned."""
        large = "A" * (DOCUMENT_CHARACTERS + 4)
        for part in (pdf("a", large), pdf("a", ""), pdf("a", "?"), ToolResult("t", (pdf("a"),))):
            (message,) = sent(user(part))
            self.assertNotIn("documents", message)
            self.assertIn("text of a", message["content"])
