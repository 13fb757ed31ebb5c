# -*- test-case-name: tests.kiro.test_weight -*-
"""Tests of the naming of large parts."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.kiro.weight import largest

MB = 1_000_000


class LargestTests(SynchronousTestCase):
    """The largest parts of a conversation."""

    def test_ranked(self) -> None:
        """The largest come first, in bytes of UTF-8, images aside."""
        conversation = Conversation(
            turns=(
                Turn("user", (Text("é" * MB), Image("image/png", "A" * 9 * MB))),
                Turn("assistant", (ToolUse("t", "ls", b"x" * MB * 3), Thinking("y" * MB))),
                Turn("user", (ToolResult("t", (Text("z" * MB), Reference("image", "u" * MB))),)),
                Turn("user", (Document("application/pdf", "A" * 9 * MB, text="t" * (MB // 2)),)),
            ),
            system=("s" * MB, "s" * MB * 4),
            tools=(ToolSpec("ls", "d" * MB, b"s" * 5 * MB),),
        )
        self.assertEqual(
            largest(conversation, 4),
            "tools 'ls' 6.0 MB, system 5.0 MB, messages[1] 4.0 MB, messages[0] 2.0 MB",
        )
        self.assertEqual(largest(conversation, 1), "tools 'ls' 6.0 MB")

    def test_empty_parts_unnamed(self) -> None:
        """What weighs nothing is not named."""
        self.assertEqual(largest(Conversation(turns=(Turn("user", ()),))), "")
