# -*- test-case-name: tests.dialects.chat.test_ending -*-
"""Tests of what streamed and whole answers have in common."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import StopReason, Usage
from kiro2api.dialects.chat.ending import (
    Counts,
    PromptDetails,
    call_id,
    completion_id,
    counts,
    finish_reason,
)
from kiro2api.dialects.dialect import Opening

OPENING = Opening("abc", "m", 1, 40)


class FinishReasonTests(SynchronousTestCase):
    """``finish_reason`` for every reason, with and without calls."""

    def test_table(self) -> None:
        """The whole table."""
        expected = {
            StopReason.END_TURN: ("stop", "tool_calls"),
            StopReason.TOOL_USE: ("stop", "tool_calls"),
            StopReason.STOP_SEQUENCE: ("stop", "tool_calls"),
            StopReason.MAX_TOKENS: ("length", "length"),
            StopReason.CONTEXT_WINDOW: ("length", "length"),
            StopReason.REFUSAL: ("content_filter", "tool_calls"),
        }
        self.assertEqual(
            expected,
            {
                reason: (finish_reason(reason, False), finish_reason(reason, True))
                for reason in StopReason
            },
        )


class CountsTests(SynchronousTestCase):
    """``counts`` adds up as this dialect wants it."""

    def test_cache_included(self) -> None:
        """What came from and went to a cache is part of the prompt."""
        self.assertEqual(
            Counts(111, 7, 118, PromptDetails(10)),
            counts(OPENING, Usage(1, 7, cache_read_tokens=10, cache_write_tokens=100)),
        )

    def test_nothing_reported(self) -> None:
        """The estimate stands in."""
        self.assertEqual(Counts(40, 0, 40, PromptDetails(0)), counts(OPENING, None))


class IdTests(SynchronousTestCase):
    """Ids look as clients know them."""

    def test_completion(self) -> None:
        """The answer's own id."""
        self.assertEqual("chatcmpl-abc", completion_id(OPENING))

    def test_call(self) -> None:
        """The upstream's prefix is replaced, any other id prefixed."""
        self.assertEqual("call_X1", call_id("tooluse_X1"))
        self.assertEqual("call_X1", call_id("X1"))
