# -*- test-case-name: tests.dialects.responses.test_collect -*-
"""Tests of whole answers; what they hold is compared with streams in test_answer."""

import json

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta
from kiro2api.dialects.dialect import Opening
from kiro2api.dialects.responses.collect import ResponseCollector
from tests.dialects.responses.examples import BROKEN, opening


class CollectTests(SynchronousTestCase):
    """One JSON object."""

    def test_after_the_end(self) -> None:
        """What comes then is not looked at."""
        collector = ResponseCollector(Opening("ab", "m", 1, 30))
        collector.add([TextDelta("a"), Ended(StopReason.END_TURN), TextDelta("b")])
        collector.add([TextDelta("c")])
        reply = json.loads(collector.reply())
        self.assertEqual("a", reply["output"][0]["content"][0]["text"])
        self.assertEqual(("resp_ab", 30), (reply["id"], reply["usage"]["input_tokens"]))

    @given(BROKEN)
    def test_anything(self, events: list[StreamEvent]) -> None:
        """Any events give a response, also without an end."""
        collector = ResponseCollector(opening())
        collector.add(events)
        self.assertIn(json.loads(collector.reply())["status"], ("completed", "incomplete"))
