# -*- test-case-name: tests.dialects.responses.test_draft -*-
"""Tests of the answer while it grows."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    SearchEnded,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.conversation.question import RedactedThinking, Thinking
from kiro2api.dialects.responses.draft import AnyItem, Draft
from kiro2api.dialects.responses.echo import Echo
from kiro2api.dialects.responses.sealed import unseal
from tests.dialects.responses.examples import asked

END = Ended(StopReason.END_TURN)


class Notes:
    """An onlooker that remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def begun(self, item: AnyItem) -> None:
        """Remember."""
        self.seen.append(("begun", item.id))

    def more(self, item: AnyItem, text: str) -> None:
        """Remember."""
        self.seen.append(("more", text))

    def done(self, item: AnyItem, json: bytes) -> None:
        """Remember."""
        self.seen.append(("done", item.id))


class DraftTests(SynchronousTestCase):
    """Items one after the other."""

    def draft(self, *events: StreamEvent) -> Draft:
        """A draft that took some events and the end."""
        echo = asked().echo
        assert isinstance(echo, Echo)
        self.notes = Notes()
        draft = Draft("u", echo, self.notes)
        for event in (*events, END):
            draft.take(event)
        return draft

    def made(self, *events: StreamEvent) -> list[Any]:
        """The items that can be referred to."""
        return [json.loads(item) for _, item in self.draft(*events).made]

    def test_signature_without_text(self) -> None:
        """The upstream may keep the words to itself."""
        (item,) = self.made(ThinkingSigned("s"))
        self.assertEqual(Thinking("", "s"), unseal(item["encrypted_content"]))

    def test_late_signature(self) -> None:
        """A signature of a text that is closed already has no place."""
        items = self.made(ThinkingDelta("a"), TextDelta("b"), ThinkingSigned("s"))
        self.assertEqual(["reasoning", "message"], [item["type"] for item in items])
        self.assertNotIn("encrypted_content", items[0])

    def test_several(self) -> None:
        """Each signature ends an item; encrypted reasoning is one by itself."""
        items = self.made(
            ThinkingDelta("a"),
            ThinkingSigned("s"),
            ThinkingDelta("b"),
            ThinkingRedacted("AA"),
            ThinkingSigned(""),
            ThinkingRedacted(""),
        )
        self.assertEqual(
            [Thinking("a", "s"), None, RedactedThinking("AA")],
            [unseal(item.get("encrypted_content", "")) for item in items],
        )

    def test_call_without_arguments(self) -> None:
        """``{}`` is told as any arguments are."""
        self.draft(ToolBegun("1", "tool0"), ToolEnded("1"))
        self.assertEqual([("begun", "fc_u00"), ("more", "{}"), ("done", "fc_u00")], self.notes.seen)

    def test_call_twice(self) -> None:
        """An id that came before is not begun again."""
        again = (ToolBegun("1", "tool0"), ToolEnded("1"))
        self.assertEqual(1, len(self.made(*again, *again)))

    def test_strays(self) -> None:
        """Fragments and ends of calls and searches that are not open."""
        self.assertEqual([], self.draft(SearchEnded("1")).shown)
        self.assertEqual([], self.draft(ToolInputDelta("1", "{}"), ToolEnded("1")).shown)
        (item,) = self.made(
            ToolBegun("1", "tool0"), ToolInputDelta("2", "x"), ToolEnded("2"), ToolEnded("1")
        )
        self.assertEqual("{}", item["arguments"])

    def test_interrupted_call(self) -> None:
        """It counts as cut and is never told as done."""
        draft = self.draft(ToolBegun("1", "tool0"), TextDelta("a"), ToolEnded("1"))
        self.assertEqual(
            ["incomplete", "completed"], [json.loads(i)["status"] for i in draft.shown]
        )
        self.assertNotIn(("done", "fc_u00"), self.notes.seen)
        self.assertEqual(["msg_u01"], [name for name, _ in draft.made])

    def test_thought(self) -> None:
        """Reasoning is estimated also where it is not shown."""
        self.assertGreater(self.draft(ThinkingDelta("word " * 40)).thought, 30)
