# -*- test-case-name: tests.kiro.test_history -*-
"""Tests of the messages made of a conversation's sides."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Document,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.kiro.history import History, instructed, reasoning_content
from kiro2api.kiro.naming import Names
from kiro2api.kiro.turns import Picture, Piece, Side, alternating
from kiro2api.kiro.wording import CONTINUE, INTERRUPTED, LOOK, SILENT


def user(*parts: Any) -> Turn:
    return Turn("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def assistant(*parts: Any) -> Turn:
    return Turn("assistant", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def written(*turns: Turn) -> list[dict[str, Any]]:
    """The bare messages, with their inputs decoded."""
    history = History(Names(["ls", "rm", "b|c"]))
    messages = history.written(alternating(turns))
    history.fill_inputs()
    decoded = msgspec.json.decode(msgspec.json.encode(messages))
    return [next(iter(message.values())) for message in decoded]


def contents(*turns: Turn) -> list[str]:
    return [message["content"] for message in written(*turns)]


def results(message: dict[str, Any]) -> Any:
    return [
        (one["toolUseId"], one["content"][0]["text"], one["status"])
        for one in message["userInputMessageContext"]["toolResults"]
    ]


class TextTests(SynchronousTestCase):
    """How texts come together."""

    def test_joining(self) -> None:
        """Parts by a line end, turns by a blank line; texts are kept exactly."""
        self.assertEqual(
            contents(
                user(" a\n", "b "), user("c"), assistant("d", "", "e"), assistant("f"), user()
            ),
            [" a\n\nb \n\nc", "d\ne\n\nf", CONTINUE],
        )

    def test_blank(self) -> None:
        """What says nothing becomes a space or a neutral sentence."""
        self.assertEqual(
            contents(user(" \n"), assistant(), user(), assistant("\t"), user("", " ")),
            [CONTINUE, SILENT, CONTINUE, SILENT, CONTINUE],
        )

    def test_origin(self) -> None:
        """User messages name their origin, assistant messages do not."""
        messages = written(user("a"), assistant("b"), user("c"))
        self.assertEqual([m.get("origin") for m in messages], ["AI_EDITOR", None, "AI_EDITOR"])

    def test_notes(self) -> None:
        """Documents and references leave a note on either side."""
        document = Document("application/pdf", "AAAA", "plan.pdf")
        reference = Reference("document", "file_123")
        for message in written(user(document, reference), assistant(document, reference)):
            if message["content"] != CONTINUE:
                self.assertIn("plan.pdf", message["content"])
                self.assertIn("file_123", message["content"])

    def test_pictures(self) -> None:
        """Pictures hang on their message; alone they still get a sentence."""
        history = History(Names([]))
        (message,) = history.written([Side(False, [(Picture("png", "AAAA"),)])])
        self.assertEqual(
            message["userInputMessage"],
            {
                "content": LOOK,
                "origin": "AI_EDITOR",
                "images": [{"format": "png", "source": {"bytes": "AAAA"}}],
            },
        )
        self.assertEqual(history.picture_bytes, 4)

    def test_system_pair(self) -> None:
        """The system text is a user message with an answer, without anything around it."""
        pair = instructed("rules")
        self.assertEqual(pair[0]["userInputMessage"]["content"], "rules")
        self.assertTrue(pair[1]["assistantResponseMessage"]["content"].strip())


class ToolTests(SynchronousTestCase):
    """Calls and results in their messages."""

    def test_pair(self) -> None:
        """A call, its result, and text beside the result, whatever their order."""
        messages = written(
            user("go"),
            assistant("sure", ToolUse("t", "ls", b'{"p":1}')),
            user("look:", ToolResult("t", (Text("a"),)), "ok?"),
        )
        self.assertEqual(messages[1]["content"], "sure")
        self.assertEqual(
            messages[1]["toolUses"], [{"toolUseId": "t", "name": "ls", "input": {"p": 1}}]
        )
        self.assertEqual(results(messages[2]), [("t", "a", "success")])
        self.assertEqual(messages[2]["content"], "look:\nok?")

    def test_results_alone(self) -> None:
        """Beside results the content may be empty, and blank text is none."""
        messages = written(
            user("go"), assistant(ToolUse("t", "ls")), user(" ", ToolResult("t", (Text("a"),)))
        )
        self.assertEqual(messages[1]["content"], SILENT)
        self.assertEqual(messages[2]["content"], "")

    def test_missing_result(self) -> None:
        """A call that the next user turn does not answer was interrupted, and a later result
        of it is text."""
        messages = written(
            user("go"),
            assistant(ToolUse("t", "ls")),
            user("wait"),
            assistant("yes"),
            user(ToolResult("t", (Text("late"),), True)),
        )
        self.assertEqual(results(messages[2]), [("t", INTERRUPTED, "error")])
        self.assertEqual(messages[2]["content"], "wait")
        self.assertNotIn("userInputMessageContext", messages[4])
        self.assertIn("error of the earlier tool call t", messages[4]["content"])
        self.assertIn("late", messages[4]["content"])

    def test_trailing_call(self) -> None:
        """A conversation that ends with a call goes on with its interruption."""
        messages = written(user("go"), assistant(ToolUse("t", "ls")))
        self.assertEqual(results(messages[2]), [("t", INTERRUPTED, "error")])
        self.assertEqual(messages[2]["content"], CONTINUE)

    def test_system_turn_between(self) -> None:
        """A system turn between a call and its result parts them not."""
        messages = written(
            user("go"),
            assistant(ToolUse("t", "ls")),
            Turn("system", (Text("mind"),)),
            user(ToolResult("t", (Text("a"),))),
        )
        self.assertEqual(results(messages[2]), [("t", "a", "success")])
        self.assertEqual(messages[2]["content"], "mind")

    def test_first_turn_with_result(self) -> None:
        """The first message never holds results."""
        messages = written(user(ToolResult("t", (Text("old"), Text("er")))))
        self.assertNotIn("userInputMessageContext", messages[0])
        self.assertIn("result of the earlier tool call t]\nold\ner", messages[0]["content"])

    def test_id_of_an_earlier_pair(self) -> None:
        """An id used in two pairs is renamed in the second one, on both sides of it."""
        pair = (assistant(ToolUse("t", "ls")), user(ToolResult("t", (Text("a"),))))
        messages = written(user("go"), *pair, *pair)
        renamed = messages[3]["toolUses"][0]["toolUseId"]
        self.assertEqual(messages[1]["toolUses"][0]["toolUseId"], "t")
        self.assertNotEqual(renamed, "t")
        self.assertEqual(results(messages[4]), [(renamed, "a", "success")])

    def test_bad_id_and_name(self) -> None:
        """Ids and names outside the alphabet are shortened alike on both sides."""
        id = "call_1\nfc_1"
        messages = written(
            user("go"), assistant(ToolUse(id, "b|c")), user(ToolResult(id, (Text("a"),)))
        )
        use = messages[1]["toolUses"][0]
        self.assertRegex(use["toolUseId"], "^call_1_fc_1_[0-9a-f]{8}$")
        self.assertRegex(use["name"], "^b_c_[0-9a-f]{8}$")
        self.assertEqual(results(messages[2])[0][0], use["toolUseId"])

    def test_call_in_a_user_turn(self) -> None:
        """A call where none can be is text."""
        content = written(user(ToolUse("t", "ls", b'{"p":"/x"}')))[0]["content"]
        for text in ("t", "ls", '{"p":"/x"}'):
            self.assertIn(text, content)

    def test_called(self) -> None:
        """The tools that were called are known in their order, once each."""
        history = History(Names(["ls", "rm"]))
        history.written(
            alternating(
                [assistant(ToolUse("1", "rm"), ToolUse("2", "ls")), assistant(ToolUse("3", "rm"))]
            )
        )
        self.assertEqual(list(history.called), ["rm", "ls"])


class ReasoningTests(SynchronousTestCase):
    """Earlier reasoning."""

    def test_table(self) -> None:
        """The last signed text, else the last encrypted blob, else nothing."""
        signed = Thinking("a", "s1")
        sealed = RedactedThinking("AAAA")
        table: list[tuple[list[Piece], Any]] = [
            ([Thinking("a")], None),
            ([signed], {"reasoningText": {"text": "a", "signature": "s1"}}),
            (
                [signed, Thinking("b", "s2"), Thinking("c")],
                {"reasoningText": {"text": "b", "signature": "s2"}},
            ),
            ([sealed], {"redactedContent": "AAAA"}),
            ([sealed, signed], {"reasoningText": {"text": "a", "signature": "s1"}}),
            ([RedactedThinking("!!"), RedactedThinking("")], None),
        ]
        for parts, wanted in table:
            self.assertEqual(reasoning_content(Side(True, [parts])), wanted)

    def test_only_on_demand(self) -> None:
        """Reasoning is written only where replay was asked for, and only if there is any."""
        sides = alternating([user("a"), assistant(Thinking("t", "s")), assistant("b"), user("c")])
        for replay in (False, True):
            message = History(Names([]), replay_thinking=replay).written(sides)[1]
            has = "reasoningContent" in message["assistantResponseMessage"]
            self.assertEqual(has, replay)
        sides = alternating([user("a"), assistant("b"), user("c")])
        message = History(Names([]), replay_thinking=True).written(sides)[1]
        self.assertEqual(message["assistantResponseMessage"], {"content": "b"})
