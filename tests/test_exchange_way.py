"""The ways to put a question."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation, Reasoning, Text, Turn
from kiro2api.errors import UpstreamRefused
from kiro2api.exchange_way import (
    CACHE_POINTS,
    Question,
    Way,
    blames_cache_points,
    blames_fields,
    blames_signature,
    find_way,
    without_fields,
)
from kiro2api.kiro.models import Catalogue
from kiro2api.kiro.reasoning import Abilities
from kiro2api.kiro.request import Prepared
from kiro2api.kiro.unmet import Unmet
from kiro2api.upstream.interfaces import OfferedModel

MODELS = Catalogue()
HIGH = Reasoning("adaptive", effort="high")


def way(
    name: str,
    *offered: OfferedModel,
    reasoning: Reasoning = HIGH,
    takes_fields: bool = True,
    known: bool = True,
) -> Way:
    """The way for a model of this name."""
    return find_way(
        MODELS.resolve(name),
        offered if known else None,
        Conversation((), reasoning=reasoning),
        abilities=Abilities(),
        replay=True,
        takes_fields=lambda id: takes_fields,
    )


class FindWayTests(SynchronousTestCase):
    """What is sent to whom."""

    def test_offered(self) -> None:
        """The account's list decides on id, window and longest answer."""
        entry = OfferedModel("CLAUDE_SONNET_4_5_20250929_V1_0", "", 1234, 99)
        found = way("claude-sonnet-4-5", entry, reasoning=Reasoning())
        self.assertEqual(found, Way("CLAUDE_SONNET_4_5_20250929_V1_0", 1234, 99, sure=True))

    def test_not_offered(self) -> None:
        """Without the account's word, the table's."""
        for known in (True, False):
            found = way("claude-sonnet-4-5", reasoning=Reasoning(), known=known)
            self.assertEqual(found, Way("claude-sonnet-4.5", 200_000, 64_000, sure=True))

    def test_guessed_window(self) -> None:
        """For a name in no table the window is a guess, unless the account's list has it."""
        self.assertFalse(way("brand-new").sure)
        self.assertTrue(way("brand-new", OfferedModel("brand-new", "", 5)).sure)

    def test_fields(self) -> None:
        """By family, or by the model's own schema."""
        self.assertIn(b'"effort":"high"', way("claude-opus-4-7").fields)
        schema = b'{"properties":{"reasoning":{"properties":{"effort":{"enum":["low"]}}}}}'
        entry = OfferedModel("claude-haiku-4.5", fields_schema=schema)
        self.assertEqual(way("claude-haiku-4-5", entry).fields, b'{"reasoning":{"effort":"low"}}')
        self.assertEqual(way("claude-haiku-4-5", entry).preface, "")

    def test_replay(self) -> None:
        """Only to models that sign what they think."""
        self.assertTrue(way("claude-opus-4-7", reasoning=Reasoning()).replay)
        self.assertFalse(way("claude-haiku-4-5", reasoning=Reasoning()).replay)

    def test_cache_points(self) -> None:
        """As many as the account's list says, some where it says no number, none without it."""
        for entry, points in (
            (OfferedModel("claude-opus-4.7", supports_caching=True, max_checkpoints=2), 2),
            (OfferedModel("claude-opus-4.7", supports_caching=True), CACHE_POINTS),
            (OfferedModel("claude-opus-4.7", max_checkpoints=2), 0),
        ):
            self.assertEqual(way("claude-opus-4-7", entry).cache_points, points)
        self.assertEqual(way("claude-opus-4-7", known=False).cache_points, 0)

    def test_tags(self) -> None:
        """Where there are no fields, or they were refused; and only for models that know tags."""
        for found in (way("claude-haiku-4-5"), way("claude-opus-4-7", takes_fields=False)):
            self.assertEqual(found.fields, b"")
            self.assertIn("<thinking_effort>high<", found.preface)
        found = way("deepseek-3.2")
        self.assertEqual((found.fields, found.preface), (b"", ""))

    def test_nothing_wanted(self) -> None:
        """Then nothing is sent, of either kind."""
        for name in ("claude-opus-4-7", "claude-haiku-4-5"):
            found = way(name, reasoning=Reasoning())
            self.assertEqual((found.fields, found.preface), (b"", ""))

    def test_without_fields(self) -> None:
        """The fields go, the tags come."""
        conversation = Conversation((), reasoning=HIGH)
        found = without_fields(way("claude-opus-4-7"), conversation)
        self.assertEqual(found.fields, b"")
        self.assertIn("<thinking_mode>", found.preface)


class BlameTests(SynchronousTestCase):
    """What a refusal is about."""

    def test_fields(self) -> None:
        """By the words, since the reason is one for all."""
        message = "the upstream refused the request: Invalid additionalModelRequestFields: x"
        self.assertTrue(blames_fields(UpstreamRefused(message, code="REQUEST_BODY_INVALID")))
        self.assertFalse(blames_fields(UpstreamRefused("no", code="REQUEST_BODY_INVALID")))

    def test_cache_points(self) -> None:
        """By the word that names them."""
        self.assertTrue(blames_cache_points(UpstreamRefused("cachePoint is not supported")))
        self.assertFalse(blames_cache_points(UpstreamRefused("no")))

    def test_signature(self) -> None:
        """By the reason."""
        self.assertTrue(blames_signature(UpstreamRefused("x", code="THINKING_SIGNATURE_INVALID")))
        self.assertFalse(blames_signature(UpstreamRefused("x")))


class QuestionTests(SynchronousTestCase):
    """One question in several forms."""

    def setUp(self) -> None:
        self.written: list[tuple[Conversation, bool, str]] = []
        self.conversation = Conversation((Turn("user", (Text("hi"),)),))
        self.question = Question(self.conversation, self.write)

    def write(self, conversation: Conversation, replay: bool, preface: str) -> Prepared:
        """Remember."""
        self.written.append((conversation, replay, preface))
        return Prepared(b"{}}}}", {})

    def test_written_once(self) -> None:
        """Only what changes the text makes another form."""
        first = self.question.prepared(Way("a", 1, 1))
        self.assertIs(self.question.prepared(Way("b", 2, 2, fields=b"{}")), first)
        self.assertIsNot(self.question.prepared(Way("a", 1, 1, replay=True)), first)
        self.assertIsNot(self.question.prepared(Way("a", 1, 1, preface="<x>")), first)
        self.assertEqual(
            [more for _, *more in self.written], [[False, ""], [True, ""], [False, "<x>"]]
        )

    def test_forgotten(self) -> None:
        """A body that was sent is not kept while its answer lasts."""
        first = self.question.prepared(Way("a", 1, 1))
        self.question.forget()
        self.assertIsNot(self.question.prepared(Way("a", 1, 1)), first)

    def test_repaired(self) -> None:
        """What was said and what was wrong with it follow the question."""
        self.question.repaired(Unmet("do it", "no")).prepared(Way("a", 1, 1))
        ((conversation, _, _),) = self.written
        self.assertEqual(
            conversation.turns,
            (
                *self.conversation.turns,
                Turn("assistant", (Text("no"),)),
                Turn("user", (Text("do it"),)),
            ),
        )
