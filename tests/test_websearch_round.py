"""Tests for kiro2api.websearch_round."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    SearchBegun,
    SearchEnded,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolEnded,
)
from kiro2api.conversation.question import (
    Conversation,
    RedactedThinking,
    Sampling,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.conversation.search import SearchHit, failed_text, found_text
from kiro2api.websearch_round import MAX_INPUT, Round, Search


class SearchTests(SynchronousTestCase):
    """One call."""

    def test_life(self) -> None:
        """From its input to what came of it; only the first outcome counts."""
        search = Search("i")
        search.more('{"que')
        search.more('ry":"é"}')
        self.assertEqual(search.input, '{"query":"é"}'.encode())
        search.query = "é"
        self.assertFalse(search.shown)
        self.assertEqual(search.begun(), SearchBegun("i", "é"))
        self.assertTrue(search.shown)
        hits = (SearchHit("u"),)
        search.settle(hits)
        search.settle(error="unavailable")
        self.assertEqual(search.ended(), SearchEnded("i", hits))
        self.assertEqual(search.text, found_text(hits))

    def test_failure(self) -> None:
        """The model is told as well."""
        search = Search("i")
        search.settle(error="unavailable")
        self.assertEqual(search.ended(), SearchEnded("i", (), "unavailable"))
        self.assertEqual(search.text, failed_text("unavailable"))

    def test_bound(self) -> None:
        """Input without end is not kept."""
        search = Search("i")
        for _ in range(5):
            search.more("x" * (MAX_INPUT // 2))
        self.assertEqual(len(search.input), MAX_INPUT)


class RoundTests(SynchronousTestCase):
    """What the next round is told."""

    def test_continued(self) -> None:
        """All that was said in its order, the calls, what they found; the choice is spent."""
        this = Round()
        for event in (
            ThinkingDelta("h"),
            ThinkingDelta("m"),
            ThinkingSigned("sig"),
            ThinkingRedacted("AA=="),
            TextDelta("I "),
            TextDelta("look."),
            ThinkingDelta("more"),
            TextDelta("Now."),
            ToolEnded("x"),
        ):
            this.say(event)
        search, failed = Search("a"), Search("b")
        search.more('{"query":"q"}')
        search.settle((SearchHit("u"),))
        failed.settle(error="unavailable")
        this.searches += [search, failed]
        question = Conversation(
            turns=(Turn("user", (Text("?"),)),),
            tool_choice=ToolChoice("named", "t", parallel=False),
            sampling=Sampling(max_tokens=100),
        )
        longer = this.continued(question, "web_search_2", 30)
        self.assertEqual(longer.turns[0], question.turns[0])
        self.assertEqual(
            longer.turns[1:],
            (
                Turn(
                    "assistant",
                    (
                        Thinking("hm", "sig"),
                        RedactedThinking("AA=="),
                        Text("I look."),
                        Thinking("more"),
                        Text("Now."),
                        ToolUse("a", "web_search_2", b'{"query":"q"}'),
                        ToolUse("b", "web_search_2", b"{}"),
                    ),
                ),
                Turn(
                    "user",
                    (
                        ToolResult("a", (Text(search.text),)),
                        ToolResult("b", (Text(failed.text),), True),
                    ),
                ),
            ),
        )
        self.assertEqual(longer.tool_choice, ToolChoice(parallel=False))
        self.assertEqual(longer.sampling.max_tokens, 70)

    def test_limits(self) -> None:
        """No limit stays none, a used up one leaves the least there is."""
        free = Conversation(turns=())
        self.assertIsNone(Round().continued(free, "n", 5).sampling.max_tokens)
        tight = Conversation(turns=(), sampling=Sampling(max_tokens=5))
        self.assertEqual(Round().continued(tight, "n", 9).sampling.max_tokens, 1)
