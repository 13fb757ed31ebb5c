"""The ways to put a question."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Reasoning,
    Text,
    ToolResult,
    Turn,
)
from kiro2api.errors import UpstreamRefused
from kiro2api.exchange_way import (
    CACHE_POINTS,
    Question,
    Way,
    find_way,
    other_way,
    without_fields,
)
from kiro2api.kiro.models import Catalogue
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.reasoning import Abilities
from kiro2api.kiro.unmet import Unmet
from kiro2api.upstream.interfaces import OfferedModel

MODELS = Catalogue()
HIGH = Reasoning("adaptive", effort="high")
THINKING = Conversation((), reasoning=HIGH)


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
        takes=lambda what, id: what != "fields" or takes_fields,
    )


class FindWayTests(SynchronousTestCase):
    """What is sent to whom."""

    def test_offered(self) -> None:
        """The account's list decides on id, window and longest answer."""
        entry = OfferedModel("CLAUDE_SONNET_4_5_20250929_V1_0", "", 1234, 99)
        found = way("claude-sonnet-4-5", entry, reasoning=Reasoning())
        self.assertEqual(
            found, Way("CLAUDE_SONNET_4_5_20250929_V1_0", 1234, 99, sure=True, listed=True)
        )

    def test_not_offered(self) -> None:
        """Without the account's word, the table's."""
        for known in (True, False):
            found = way("claude-sonnet-4-5", reasoning=Reasoning(), known=known)
            listed = False if known else None
            wanted = Way("claude-sonnet-4.5", 200_000, 64_000, sure=True, listed=listed)
            self.assertEqual(found, wanted)

    def test_listed(self) -> None:
        """Whether the account's list holds the model; it need not hold the one for any."""
        entry = OfferedModel("glm-5")
        self.assertIs(way("glm-5", entry).listed, True)
        self.assertIs(way("deepseek-3.2", entry).listed, False)
        self.assertIsNone(way("auto", entry).listed)

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

    def test_point_tokens(self) -> None:
        """As the account's list says."""
        entry = OfferedModel("claude-opus-4.7", supports_caching=True, min_checkpoint_tokens=4096)
        self.assertEqual(way("claude-opus-4-7", entry).point_tokens, 4096)

    def test_documents(self) -> None:
        """As such only where the account's list names them and there is one outside of a tool
        result."""
        entry = OfferedModel("claude-opus-4.7", input_types=("TEXT", "DOCUMENT"))
        paper = Document("application/pdf", "JVBERg==")
        inside = ToolResult("a", (paper,))
        for part, offered, documents in (
            (paper, entry, True),
            (inside, entry, False),
            (paper, OfferedModel("claude-opus-4.7", input_types=("TEXT", "IMAGE")), False),
        ):
            found = find_way(
                MODELS.resolve("claude-opus-4-7"),
                (offered,),
                Conversation((Turn("user", (part,)),)),
                abilities=Abilities(),
                replay=True,
            )
            self.assertEqual(found.documents, documents)

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


class OtherWayTests(SynchronousTestCase):
    """What a refusal is about, and the way without that."""

    full = Way("claude-opus-4.7", 9, 9, fields=b"{}", replay=True, cache_points=4, documents=True)

    def other(self, fault: UpstreamRefused, way: Way) -> tuple[str, Way] | None:
        """For a question that wants reasoning."""
        return other_way(fault, way, Conversation((), reasoning=HIGH))

    def test_each(self) -> None:
        """Fields and cache points are known by the words, the rest by its reason; without such a
        thing in the way there is nothing else to do."""
        changed: dict[str, tuple[UpstreamRefused, dict[str, object]]] = {
            "fields": (
                UpstreamRefused("refused: Invalid additionalModelRequestFields: x"),
                {"fields": b"", "preface": without_fields(self.full, THINKING).preface},
            ),
            "cache_points": (UpstreamRefused("cachePoint: no"), {"cache_points": 0}),
            "signature": (
                UpstreamRefused("x", code="THINKING_SIGNATURE_INVALID"),
                {"replay": False},
            ),
            "documents": (
                UpstreamRefused("x", code="DOCUMENT_SIZE_EXCEEDED"),
                {"documents": False},
            ),
        }
        for what, (fault, without) in changed.items():
            other = msgspec.structs.replace(self.full, **without)
            self.assertEqual(self.other(fault, self.full), (what, other))
            self.assertIsNone(self.other(fault, other))

    def test_something_else(self) -> None:
        """Is not mended."""
        for fault in (UpstreamRefused("no"), UpstreamRefused("no", code="REQUEST_BODY_INVALID")):
            self.assertIsNone(self.other(fault, self.full))


class QuestionTests(SynchronousTestCase):
    """One question in several forms."""

    def setUp(self) -> None:
        self.written: list[tuple[Conversation, Way]] = []
        self.conversation = Conversation((Turn("user", (Text("hi"),)),))
        self.question = Question(self.conversation, self.write)

    def write(self, conversation: Conversation, way: Way) -> Prepared:
        """Remember."""
        self.written.append((conversation, way))
        return Prepared(b"{}}}}", {})

    def test_written_once(self) -> None:
        """Only what changes the text makes another form."""
        first = self.question.prepared(Way("a", 1, 1))
        self.assertIs(self.question.prepared(Way("b", 2, 2, fields=b"{}")), first)
        self.assertIsNot(self.question.prepared(Way("a", 1, 1, replay=True)), first)
        self.assertIsNot(self.question.prepared(Way("a", 1, 1, preface="<x>")), first)
        self.assertIsNot(self.question.prepared(Way("a", 1, 1, documents=True)), first)
        self.assertEqual(
            [(way.replay, way.preface, way.documents) for _, way in self.written],
            [(False, "", False), (True, "", False), (False, "<x>", False), (False, "", True)],
        )

    def test_forgotten(self) -> None:
        """A body that was sent is not kept while its answer lasts."""
        first = self.question.prepared(Way("a", 1, 1))
        self.question.forget()
        self.assertIsNot(self.question.prepared(Way("a", 1, 1)), first)

    def test_repaired(self) -> None:
        """What was said and what was wrong with it follow the question."""
        self.question.repaired(Unmet("do it", "no")).prepared(Way("a", 1, 1))
        ((conversation, _),) = self.written
        self.assertEqual(
            conversation.turns,
            (
                *self.conversation.turns,
                Turn("assistant", (Text("no"),)),
                Turn("user", (Text("do it"),)),
            ),
        )
