"""Tests of the neutral question: that it is a value."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation, Text, ToolChoice, Turn


class ConversationTests(SynchronousTestCase):
    """Values that nobody changes behind another's back."""

    def test_defaults(self) -> None:
        """Turns alone make a question in which nothing else was said."""
        conversation = Conversation(turns=())
        self.assertEqual(conversation.system, ())
        self.assertEqual(conversation.tools, ())
        self.assertEqual(conversation.tool_choice, ToolChoice("auto", "", True))
        self.assertIsNone(conversation.sampling.max_tokens)
        self.assertIsNone(conversation.reasoning.mode)
        self.assertIsNone(conversation.output_format)
        self.assertEqual(conversation.session, "")
        self.assertEqual(conversation.server_tools, ())

    def test_frozen(self) -> None:
        """Nothing of a question can be set anew."""
        conversation = Conversation(turns=(Turn("user", (Text("a"),)),))
        for value, name in (
            (conversation, "session"),
            (conversation.turns[0], "role"),
            (conversation.turns[0].parts[0], "text"),
            (conversation.sampling, "max_tokens"),
        ):
            self.assertRaises(AttributeError, setattr, value, name, "b")

    def test_equal_by_value(self) -> None:
        """Equal questions are equal and hash alike, so they may key a cache."""
        one, other = (Conversation(turns=(Turn("user", (Text("a"),)),)) for _ in range(2))
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))
        self.assertNotEqual(one, Conversation(turns=(Turn("system", (Text("a"),)),)))
