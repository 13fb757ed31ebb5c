"""Tests of the estimate of tokens."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    OutputFormat,
    Part,
    RedactedThinking,
    Reference,
    ServerTool,
    Text,
    Thinking,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.conversation.tokens import estimate, estimate_counts, estimate_text

any_text = st.text(st.characters(codec=None))


class TextTests(SynchronousTestCase):
    """The estimate of one text."""

    def test_values(self) -> None:
        """Known texts of each class of characters."""
        for text, tokens in (
            ("", 0),
            ("a", 1),
            ("Hello world", 3),
            ("Hello, how are you today?", 7),
            ("你", 2),
            ("你好", 3),
            ("你好hello", 4),
            ("a" * 1000, 270),
            ("中" * 1000, 1110),
            ("я" * 1000, 690),
            ("😀" * 100, 153),
        ):
            self.assertEqual(estimate_text(text), tokens, text[:20])

    def test_density(self) -> None:
        """English runs to 3.6 to 4 characters a token, Chinese to about one."""
        self.assertTrue(3.6 <= 10_000 / estimate_text("word " * 2000) <= 4)
        self.assertTrue(0.78 <= 10_000 / estimate_text("中文" * 5000) <= 1)

    @given(any_text)
    def test_counts(self, text: str) -> None:
        """The two lengths say all that the estimate looks at."""
        octets = len(text.encode("utf-8", "surrogatepass"))
        self.assertEqual(estimate_text(text), estimate_counts(len(text), octets))

    @given(any_text, any_text)
    def test_monotone(self, text: str, more: str) -> None:
        """Longer never counts less, something never counts nothing."""
        self.assertLessEqual(estimate_text(text), estimate_text(text + more))
        self.assertEqual(estimate_text(text) == 0, text == "")

    @given(any_text, any_text)
    def test_additive(self, text: str, more: str) -> None:
        """The parts of a text add up to the whole, but for rounding."""
        parts = estimate_text(text) + estimate_text(more)
        self.assertIn(parts - estimate_text(text + more), (0, 1))


class ConversationTests(SynchronousTestCase):
    """The estimate of a question."""

    def cost(self, *parts: Part) -> int:
        """What these parts add to a question."""
        empty = Conversation(turns=(Turn("user", ()),))
        return estimate(Conversation(turns=(Turn("user", parts),))) - estimate(empty)

    def test_frame(self) -> None:
        """A question and each of its turns cost something of their own."""
        self.assertEqual(estimate(Conversation(turns=())), 3)
        self.assertEqual(estimate(Conversation(turns=(Turn("user", ()),) * 2)), 11)

    def test_system(self) -> None:
        """Each system text counts."""
        self.assertEqual(estimate(Conversation(turns=(), system=("a" * 100, "b" * 100))), 57)

    def test_parts(self) -> None:
        """Each kind of part."""
        self.assertEqual(self.cost(Text("a" * 100)), 27)
        self.assertEqual(self.cost(Thinking("a" * 100, "s" * 500)), 27)
        self.assertEqual(self.cost(ToolUse("id", "b" * 100, b'{"k":"%s"}' % (b"v" * 92))), 66)
        self.assertEqual(self.cost(Image("image/png", "A" * 9999)), 1500)
        self.assertEqual(self.cost(Document("application/pdf", "A" * 1000)), 1510)
        read = Document("application/pdf", "A" * 1000, text="hello there")
        self.assertEqual(self.cost(read), self.cost(Text("hello there")))
        self.assertEqual(self.cost(RedactedThinking("A" * 600)), 100)
        self.assertEqual(self.cost(Reference("image", "u" * 100)), 47)
        self.assertEqual(self.cost(ToolResult("id")), 12)
        self.assertEqual(
            self.cost(ToolResult("id", (Text("a" * 100), Image("image/png", "A")))), 1539
        )

    def test_json_is_counted_as_text(self) -> None:
        """Characters beyond ASCII cost the same in JSON as in a text."""
        value = '{"k":"' + "中" * 100 + '"}'
        self.assertEqual(self.cost(ToolUse("id", "", value.encode())), 12 + estimate_text(value))
        self.assertEqual(self.cost(ToolUse("id", "", b"\xff")), 13)

    def test_tools(self) -> None:
        """Tools cost together and each, with name, description and schema."""
        tool = ToolSpec("n" * 100, "d" * 100, b"s" * 100)
        self.assertEqual(estimate(Conversation(turns=(), tools=(tool,))), 3 + 320 + 12 + 81)
        self.assertEqual(
            estimate(Conversation(turns=(), tools=(tool, tool))), 3 + 320 + 2 * (12 + 81)
        )
        search = ServerTool(kind="web_search")
        self.assertEqual(estimate(Conversation(turns=(), server_tools=(search,))), 3 + 320 + 160)

    def test_output_format(self) -> None:
        """A wanted schema is part of the prompt."""
        wanted = OutputFormat("json_schema", b"s" * 100)
        self.assertEqual(estimate(Conversation(turns=(), output_format=wanted)), 30)
