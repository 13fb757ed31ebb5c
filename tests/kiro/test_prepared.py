"""Bodies that are completed for an account."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Image,
    Text,
    Thinking,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.request import prepare

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" * 1000


def written(*turns: Turn, **more: Any) -> Prepared:
    """The body, still without an account."""
    replay = more.pop("replay", False)
    return prepare(
        Conversation(turns, **more),
        conversation_id="c",
        continuation_id="4b2f6a1e-0000-4000-8000-000000000002",
        tool_description_limit=1000,
        replay_thinking=replay,
    )


def pointed(prepared: Prepared, points: int, tokens: int) -> list[int]:
    """Which messages have a point."""
    state = msgspec.json.decode(prepared.body("m", "", b"", points, tokens))["conversationState"]
    messages = [*state["history"], state["currentMessage"]]
    inner = [message for each in messages for message in each.values()]
    return [index for index, message in enumerate(inner) if "cachePoint" in message]


def talk(size: int, *marks: int) -> list[Turn]:
    """Five turns, of which these are marked."""
    roles = ("user", "assistant", "user", "assistant", "user")
    return [
        Turn(role, (Text("x" * size),), index in marks)  # type: ignore[arg-type]
        for index, role in enumerate(roles)
    ]


class PointTokensTests(SynchronousTestCase):
    """No point where the prefix is smaller than the model wants it."""

    def test_early(self) -> None:
        """About a thousand tokens per turn, three in all wanted."""
        prepared = written(*talk(3700, 0, 1, 2, 3, 4))
        self.assertEqual(pointed(prepared, 4, 0), [1, 2, 3, 4])
        self.assertEqual(pointed(prepared, 5, 3000), [2, 3, 4])
        self.assertEqual(pointed(prepared, 2, 3000), [3, 4])
        self.assertEqual(pointed(prepared, 4, 100_000), [])
        self.assertEqual(pointed(prepared, 0, 3000), [])

    def test_system(self) -> None:
        """The place after the system text is kept only if that is large enough; tools count,
        since the model reads them first."""
        for tools, tokens, places in (
            ((), 1000, [0, 3, 6]),
            ((), 3000, [3, 4, 6]),
            ((ToolSpec("t", schema=b'{"description":"' + b"x" * 8000 + b'"}'),), 3000, [0, 3, 6]),
        ):
            prepared = written(
                *talk(3700, 1, 2, 4), system=("s" * 3700,), cache_system=True, tools=tools
            )
            found = pointed(prepared, 3, tokens)
            self.assertEqual(found, places if tokens == 3000 and not tools else [0, 4, 6])

    def test_pictures(self) -> None:
        """Base64 is no text."""
        turns = [Turn("user", (Image("image/png", PNG), Text("x")), True)]
        self.assertEqual(pointed(written(*turns), 4, 1000), [])


class RepairsTests(SynchronousTestCase):
    """Short words for what was mended."""

    def test_nothing(self) -> None:
        """A plain conversation needs none."""
        self.assertEqual(written(*talk(5)).repairs, ())

    def test_each(self) -> None:
        """One shape of a request each."""
        said, asked = Turn("assistant", (Text("b"),)), Turn("user", (Text("a"),))
        thought = Turn("assistant", (Thinking("hm"), Text("b")))
        call = Turn("assistant", (ToolUse("1", "t"),))
        table: list[tuple[str, tuple[Turn, ...], dict[str, Any]]] = [
            ("history.merged", (asked, asked), {}),
            ("history.opened", (said, asked), {}),
            ("prefill.moved", (asked, said), {}),
            ("tools.renamed", (asked,), {"tools": (ToolSpec("a b"),)}),
            ("tools.moved", (asked,), {"tools": (ToolSpec("t", "x" * 1001),)}),
            ("tools.stand_ins", (asked, call, Turn("user", (ToolResult("1"),))), {}),
            ("results.added", (asked, call, asked), {"tools": (ToolSpec("t"),)}),
            ("results.as_text", (Turn("user", (ToolResult("1"),)),), {}),
            ("thinking.left_out", (asked, thought, asked), {}),
            ("thinking.unsigned_dropped", (asked, thought, asked), {"replay": True}),
            ("images.left_out", (Turn("user", (Image("image/png", "?"),)),), {}),
        ]
        for word, turns, more in table:
            self.assertEqual(written(*turns, **more).repairs, (word,), word)


class LeaksTests(SynchronousTestCase):
    """What may be found in the text of an answer."""

    def test_declared(self) -> None:
        """Only tools that are declared now, by the names that the model knows them by."""
        asked = Turn("user", (Text("a"),))
        call = Turn("assistant", (ToolUse("1", "gone"),))
        prepared = written(asked, call, asked, tools=(ToolSpec("t t"), ToolSpec("")))
        leaks = prepared.leaks()
        assert leaks is not None
        (upstream,) = (theirs for theirs, ours in prepared.names.items() if ours == "t t")
        for name, found in ((upstream, True), ("gone", False), ("t t", False)):
            pieces = leaks.feed(f'<invoke name="{name}"></invoke>')
            self.assertEqual(isinstance((pieces or [""])[0], str), not found)
            leaks.feed("\n")

    def test_nothing_to_call(self) -> None:
        """Then nothing is searched."""
        self.assertIsNone(written(Turn("user", (Text("a"),))).leaks())
