"""Tests of the neutral answer: that its events are cheap values."""

import gc
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
    added,
)


class EventTests(SynchronousTestCase):
    """The closed union of events."""

    def test_untracked(self) -> None:
        """Events are made in numbers, so none of them may burden the garbage collector."""
        for kind in get_args(StreamEvent):
            self.assertFalse(kind.__struct_config__.gc, kind)
        self.assertFalse(gc.is_tracked(TextDelta("a")))

    def test_usage(self) -> None:
        """What is not known is zero, and an estimate until somebody counted."""
        usage = Usage(input_tokens=1, output_tokens=2)
        self.assertEqual((usage.cache_read_tokens, usage.cache_write_tokens), (0, 0))
        self.assertEqual((usage.credits, usage.context_percent), (0.0, 0.0))
        self.assertEqual(usage.provenance, "estimated")

    def test_added(self) -> None:
        """Everything adds up; a sum is as sure as its less sure part."""
        one = Usage(1, 2, 3, 4, credits=0.5, context_percent=9, provenance="exact", searches=1)
        other = Usage(10, 20, 30, 40, credits=1.5, context_percent=12, provenance="derived")
        expected = Usage(11, 22, 33, 44, 2.0, 12, "derived", 1)
        self.assertEqual(added(one, other), expected)

    def test_equal_by_value(self) -> None:
        """Events compare by what they say."""
        self.assertEqual(Ended(StopReason.END_TURN), Ended(StopReason.END_TURN, ""))
        self.assertNotEqual(Ended(StopReason.STOP_SEQUENCE, "a"), Ended(StopReason.STOP_SEQUENCE))
