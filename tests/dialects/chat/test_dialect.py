# -*- test-case-name: tests.dialects.chat.test_dialect -*-
"""Tests of the dialect as the web layer sees it."""

import json

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta
from kiro2api.dialects.chat.dialect import CHAT
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import RequestRejected, Throttled
from tests.dialects.chat.checker import read

OPENING = Opening("ab", "m", 1, 2)


class ChatTests(SynchronousTestCase):
    """``CHAT`` offers what a dialect must."""

    def test_names(self) -> None:
        """Its name and the header of the request id."""
        self.assertEqual(("chat", "x-request-id"), (CHAT.name, CHAT.id_header))

    def test_parse(self) -> None:
        """It understands its own requests and rejects others."""
        self.assertEqual("m", CHAT.parse(b'{"model":"m","messages":[{"content":"q"}]}').model)
        self.assertRaises(RequestRejected, CHAT.parse, b"{}")

    def test_answers(self) -> None:
        """It writes the same answer both ways."""
        events: list[StreamEvent] = [TextDelta("a"), Ended(StopReason.END_TURN)]
        collector = CHAT.collector(OPENING)
        collector.add(events)
        reply = json.loads(collector.reply())
        self.assertEqual("a", reply["choices"][0]["message"]["content"])
        self.assertEqual("a", read(CHAT.writer(OPENING).write(events)).content)

    def test_errors(self) -> None:
        """It shows failures; the request id is the header's alone."""
        error = Throttled("too often")
        self.assertEqual(429, CHAT.status(error))
        body = CHAT.error_body(error, "req-7")
        self.assertEqual("rate_limit_exceeded", json.loads(body)["error"]["code"])
        self.assertNotIn(b"req-7", body)
