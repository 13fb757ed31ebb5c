# -*- test-case-name: tests.kiro.test_cache_points -*-
"""Points of the prompt cache in the request body."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Conversation, Image, Text, ToolSpec, ToolUse, Turn
from kiro2api.kiro.request import Prepared, prepare
from kiro2api.kiro.rules import check

CONTINUATION = "4b2f6a1e-0000-4000-8000-000000000002"
POINT = {"type": "default"}
LOOK = ToolUse("t", "look", b'{"a":1,"cachePoint":{"type":"default"}}')
NAMES = "abcdef"


def written(conversation: Conversation) -> Prepared:
    """The body, still without an account."""
    return prepare(
        conversation,
        conversation_id="c",
        continuation_id=CONTINUATION,
        tool_description_limit=1000,
    )


def talk(*marks: int, **more: Any) -> Conversation:
    """Seven turns, of which these are marked."""
    turns = tuple(
        Turn("assistant" if index % 2 else "user", (Text(f"turn {index}"),), index in marks)
        for index in range(7)
    )
    return Conversation(turns, **more)


def messages(body: bytes) -> list[Any]:
    """All messages, the current one last; the body is what the upstream accepts."""
    decoded = msgspec.json.decode(body)
    assert check(decoded) == []
    state = decoded["conversationState"]
    turns = [*state["history"], state["currentMessage"]]
    return [message for turn in turns for message in turn.values()]


def pointed(conversation: Conversation, points: int) -> list[int]:
    """Which messages have a point."""
    found = messages(written(conversation).body("m", "", b"", points))
    for message in found:
        assert message.get("cachePoint", POINT) == POINT
    return [index for index, message in enumerate(found) if "cachePoint" in message]


class CachePointTests(SynchronousTestCase):
    """Where points are set, and which ones."""

    def test_where_they_were_marked(self) -> None:
        """On messages of both sides and on the current one."""
        self.assertEqual(pointed(talk(0, 3, 6), 4), [0, 3, 6])

    def test_the_last_ones(self) -> None:
        """Where too many are marked, the last ones stay."""
        for points, kept in ((4, [3, 4, 5, 6]), (2, [5, 6]), (1, [6]), (0, [])):
            self.assertEqual(pointed(talk(0, 1, 2, 3, 4, 5, 6), points), kept)

    def test_system(self) -> None:
        """The one after the system text always stays; the pair goes before all turns."""
        marked = talk(1, 4, 6, system=("Be brief.",), cache_system=True)
        for points, kept in ((4, [0, 3, 6, 8]), (3, [0, 6, 8]), (2, [0, 8]), (1, [0]), (0, [])):
            self.assertEqual(pointed(marked, points), kept)

    def test_system_without_text(self) -> None:
        """There is nothing on which it could be set; tools never have one."""
        marked = talk(6, cache_system=True, tools=(ToolSpec("look", "Looks."),))
        self.assertEqual(pointed(marked, 4), [6])
        self.assertEqual(written(marked).body("m", "", b"", 4).count(b"cachePoint"), 1)

    def test_one_preparation(self) -> None:
        """With and without are joined from the same pieces, and differ in nothing else."""
        prepared = written(talk(0, 3, 6, system=("Be brief.",), cache_system=True))
        plain = prepared.body("m", "", b"", 0)
        self.assertNotIn(b"cachePoint", plain)
        self.assertNotIn(b'"type"', plain)
        full = prepared.body("m", "", b"", 4)
        self.assertEqual(full.replace(b',"cachePoint":{"type":"default"}', b""), plain)
        unmarked = written(talk(system=("Be brief.",))).body("m", "", b"", 4)
        self.assertEqual(unmarked, plain)

    def test_texts_and_inputs_that_look_alike(self) -> None:
        """What a client writes is never taken for a place of ours."""
        said = ',"cachePoint":' + msgspec.json.encode({"type": CONTINUATION}).decode()
        turns = (
            Turn("user", (Text(said),)),
            Turn("assistant", (LOOK,)),
            Turn("user", (Text("go"),), cache=True),
        )
        conversation = Conversation(turns, tools=(ToolSpec("look", "Looks."),))
        for points in (0, 1):
            found = messages(written(conversation).body("m", "", b"", points))
            self.assertEqual(found[0]["content"], said)
            self.assertEqual(found[1]["toolUses"][0]["input"]["cachePoint"], POINT)
            self.assertEqual("cachePoint" in found[2], points == 1)

    def test_merged_and_moved(self) -> None:
        """Turns that become one message share their point; what moves takes it along."""
        pair = (Turn("user", (Text("a"),), cache=True), Turn("user", (Text("b"),)))
        self.assertEqual(pointed(Conversation(pair), 4), [0])
        pair = (Turn("user", (Text("a"),)), Turn("user", (Text("b"),), cache=True))
        self.assertEqual(pointed(Conversation(pair), 4), [0])
        picture = Image("image/png", "iVBORw0KGgo=")
        moved = (Turn("user", (Text("a"),)), Turn("assistant", (Text("b"), picture), cache=True))
        self.assertEqual(pointed(Conversation(moved), 4), [2])
