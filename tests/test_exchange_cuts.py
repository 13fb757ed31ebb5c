"""What the model is told about a call that was cut."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Conversation,
    Image,
    Text,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.exchange_cuts import Cuts
from kiro2api.kiro.wording import cut_call

SHOT = Image("image/png", "AAAA")
FIRST = Conversation((Turn("user", (Text("write it"),)),), tools=(ToolSpec("Write"),))


def longer(*turns: Turn) -> Conversation:
    """The conversation, continued."""
    return msgspec.structs.replace(FIRST, turns=(*FIRST.turns, *turns))


class CutsTests(SynchronousTestCase):
    """Once, and only where it belongs."""

    def setUp(self) -> None:
        self.cuts = Cuts(capacity=2)
        self.cuts.add("k", FIRST, "Write")

    def last(self, conversation: Conversation) -> Turn:
        """The last turn after the correction."""
        return self.cuts.corrected("k", conversation).turns[-1]

    def test_dropped_call(self) -> None:
        """A client that kept only the text has the model told by a note, once."""
        following = longer(
            Turn("assistant", (Text("I will"),)), Turn("user", (Text("go on"),), cache=True)
        )
        told = self.last(following)
        self.assertEqual(told.parts, (Text("go on"), Text(cut_call("Write"))))
        self.assertTrue(told.cache)
        self.assertEqual(self.last(following), told)
        self.cuts.told("k")
        self.cuts.told("k")
        self.assertIs(self.cuts.corrected("k", following), following)
        self.assertEqual(len(self.cuts), 0)

    def test_kept_call(self) -> None:
        """A client that kept the call has it answered, under the client's own id."""
        following = longer(
            Turn("assistant", (ToolUse("a", "Read"), ToolUse("call_1", "Write", b'{"text":'))),
            Turn("user", (Text("go on"),)),
            Turn("system", (Text("a hook"),)),
        )
        result = ToolResult("call_1", (Text(cut_call("Write")),), is_error=True)
        self.assertEqual(self.last(following).parts, (result, Text("a hook")))

    def test_other_call(self) -> None:
        """A later call of another tool is not the one that was cut."""
        following = longer(
            Turn("assistant", (ToolUse("a", "Read"),)),
            Turn("user", (ToolResult("a"),)),
        )
        self.assertEqual(self.last(following).parts[-1], Text(cut_call("Write")))

    def test_no_answer_before(self) -> None:
        """Also where the client sends nothing of the answer."""
        told = self.last(longer(Turn("user", (Text("again"),))))
        self.assertEqual(told.parts, (Text("again"), Text(cut_call("Write"))))

    def test_not_here(self) -> None:
        """Another conversation, the same question again, a title for it, a prefilled answer: none
        of them is told, and the next turn still is."""
        answer = Turn("assistant", (Text("I will"),))
        following = longer(answer, Turn("user", (Text("go on"),)))
        self.assertIs(self.cuts.corrected("other", following), following)
        for beside in (
            FIRST,
            msgspec.structs.replace(following, tools=()),
            longer(Turn("user", (Text("x"),)), answer),
            longer(answer, answer),
            msgspec.structs.replace(
                following,
                turns=(Turn("user", (Text("write something else"),)), *following.turns[1:]),
            ),
            Conversation(()),
        ):
            self.assertIs(self.cuts.corrected("k", beside), beside)
        self.assertEqual(len(self.last(following).parts), 2)

    def test_results(self) -> None:
        """A turn that holds only results is told from others by their ids."""
        first = msgspec.structs.replace(FIRST, turns=(Turn("user", (ToolResult("a"), SHOT)),))
        self.cuts.add("k", first, "Write")
        rest = (Turn("assistant", ()), Turn("user", (Text("go on"),)))
        for id, corrected in (("b", False), ("a", True)):
            following = msgspec.structs.replace(
                FIRST, turns=(Turn("user", (ToolResult(id), SHOT)), *rest)
            )
            self.assertEqual(self.cuts.corrected("k", following) is not following, corrected)

    def test_nothing_asked(self) -> None:
        """A conversation without turns can only be told by its length."""
        self.cuts.add("k", msgspec.structs.replace(FIRST, turns=()), "Write")
        self.assertEqual(len(self.last(longer()).parts), 2)

    def test_bounded(self) -> None:
        """The oldest is forgotten; a second cut of one conversation takes the first one's place."""
        self.cuts.add("l", FIRST, "Write")
        self.cuts.add("k", FIRST, "Write")
        self.cuts.add("m", FIRST, "Write")
        following = longer(Turn("assistant", ()), Turn("user", (Text("go on"),)))
        told = [self.cuts.corrected(key, following) is not following for key in "klm"]
        self.assertEqual(told, [True, False, True])
