# -*- test-case-name: tests.dialects.responses.test_dialect -*-
"""Tests of the dialect as one object."""

import json

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason
from kiro2api.conversation.held import Finished, Recollection
from kiro2api.dialects.dialect import Dialect, Opening
from kiro2api.dialects.responses.dialect import ResponsesDialect
from kiro2api.errors import KiroError, RequestRejected

BODY = b'{"model":"m","input":"a","stream":true}'


class DialectTests(SynchronousTestCase):
    """Every method."""

    def test_all(self) -> None:
        """From a request to its answer, in either form."""
        kept: list[Finished] = []
        dialect: Dialect = ResponsesDialect(keep=kept.append)
        asked = dialect.parse(BODY)
        self.assertEqual(("m", True), (asked.model, asked.stream))
        opening = Opening("ab", "m", 1, 2, echo=asked.echo)
        end = [Ended(StopReason.END_TURN)]
        self.assertIn(b"response.completed", dialect.writer(opening).write(end))
        collector = dialect.collector(opening)
        collector.add(end)
        self.assertEqual("completed", json.loads(collector.reply())["status"])
        self.assertEqual(["resp_ab", "resp_ab"], [finished.id for finished in kept])
        self.assertEqual(("responses", "x-request-id"), (dialect.name, dialect.id_header))

    def test_errors(self) -> None:
        """As in the chat dialect."""
        dialect = ResponsesDialect()
        self.assertEqual(500, dialect.status(KiroError("x")))
        self.assertEqual(
            "x", json.loads(dialect.error_body(KiroError("x"), ""))["error"]["message"]
        )

    def test_recollection(self) -> None:
        """What was looked up is what the request refers to."""
        body = b'{"model":"m","input":"a","previous_response_id":"r"}'
        given = b'{"role":"user","content":"before"}'
        asked = ResponsesDialect(Recollection((given,))).parse(body)
        self.assertEqual(2, len(asked.conversation.turns))
        lost = ResponsesDialect(Recollection(None))
        error = self.assertRaises(RequestRejected, lost.parse, body)
        self.assertEqual("previous_response_not_found", error.code)
