"""Tests of the dialect as one object."""

import json

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason
from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.dialect import Opening
from kiro2api.errors import KiroError, RequestRejected


class DialectTests(SynchronousTestCase):
    """Everything the web layer calls."""

    opening = Opening(id="ab", model="m", created=1, input_tokens=2, request_id="r")

    def test_names(self) -> None:
        """For logs, and for the header that clients read."""
        self.assertEqual(ANTHROPIC.name, "anthropic")
        self.assertEqual(ANTHROPIC.id_header, "request-id")

    def test_parse(self) -> None:
        """A request, or a refusal."""
        self.assertEqual(ANTHROPIC.parse(b'{"model":"m","messages":[{"role":"user"}]}').model, "m")
        self.assertRaises(RequestRejected, ANTHROPIC.parse, b"{}")

    def test_both_endings(self) -> None:
        """A writer and a collector for the same answer, each with a state of its own."""
        writer, other = ANTHROPIC.writer(self.opening), ANTHROPIC.writer(self.opening)
        self.assertTrue(writer.write([Ended(StopReason.END_TURN)]).endswith(b'_stop"}\n\n'))
        self.assertTrue(other.begin())
        collector = ANTHROPIC.collector(self.opening)
        collector.add([Ended(StopReason.END_TURN)])
        self.assertEqual(json.loads(collector.reply())["id"], "msg_ab")

    def test_errors(self) -> None:
        """Status and body."""
        self.assertEqual(ANTHROPIC.status(KiroError("m")), 500)
        self.assertIn(b'"request_id":"r"', ANTHROPIC.error_body(KiroError("m"), "r"))
