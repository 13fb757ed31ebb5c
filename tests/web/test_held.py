# -*- test-case-name: tests.web.test_held -*-
"""Tests of what is held of earlier responses."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.held import Finished, Recollection, Wanted
from kiro2api.web.held import HeldResponses, ResponsesInMemory

T = TypeVar("T")


def response(name: str, previous: str = "", size: int = 1) -> Finished:
    """A response with one item given and one made."""
    item = (f"msg_{name}", b"made " + name.encode())
    return Finished(f"resp_{name}", b"b" * size, previous, (b"given " + name.encode(),), (item,))


class HeldTests(SynchronousTestCase):
    """Bounds, owners and chains."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.held: HeldResponses = self.room()

    def room(self, **limits: Any) -> ResponsesInMemory:
        """An empty room."""
        return ResponsesInMemory(self.clock.seconds, **limits)

    def now(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """What comes back at once."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def find(self, name: str, owner: str = "me") -> bytes | None:
        """A response by its short name."""
        return self.now(self.held.find(owner, f"resp_{name}"))

    def before(self, name: str) -> tuple[bytes, ...] | None:
        """All items up to a response."""
        return self.now(self.held.recollect("me", Wanted(f"resp_{name}"))).before

    def test_find_and_forget(self) -> None:
        """Once put away it is found until it is dropped."""
        self.held.keep("me", response("a", size=3))
        self.assertEqual(b"bbb", self.find("a"))
        self.assertTrue(self.now(self.held.forget("me", "resp_a")))
        self.assertIs(None, self.find("a"))
        self.assertFalse(self.now(self.held.forget("me", "resp_a")))

    def test_owners(self) -> None:
        """Nobody finds what is another's."""
        self.held.keep("me", response("a"))
        self.assertIs(None, self.find("a", "you"))
        self.assertFalse(self.now(self.held.forget("you", "resp_a")))
        found = self.now(self.held.recollect("you", Wanted("resp_a", ("msg_a",))))
        self.assertEqual(Recollection(None), found)
        self.assertIsNot(None, self.find("a"))

    def test_nothing_wanted(self) -> None:
        """Most requests refer to nothing."""
        self.assertEqual(Recollection(), self.now(self.held.recollect("me", Wanted())))

    def test_chain(self) -> None:
        """The items of all responses that led to one, oldest first."""
        self.held.keep("me", response("a"))
        self.held.keep("me", response("b", "resp_a"))
        self.assertEqual((b"given a", b"made a", b"given b", b"made b"), self.before("b"))
        self.assertIs(None, self.before("c"))

    def test_listed(self) -> None:
        """What a response was asked with, as far as it is held."""
        for name, previous in (("a", ""), ("b", "resp_a"), ("c", "resp_gone")):
            self.held.keep("me", response(name, previous))
        listed = {name: self.now(self.held.listed("me", f"resp_{name}")) for name in "abcd"}
        self.assertEqual(
            {
                "a": (b"given a",),
                "b": (b"given a", b"made a", b"given b"),
                "c": (b"given c",),
                "d": None,
            },
            listed,
        )

    def test_broken_chain(self) -> None:
        """Half a conversation would be worse than none."""
        self.held.keep("me", response("b", "resp_a"))
        self.assertIs(None, self.before("b"))

    def test_items(self) -> None:
        """Items by their own ids, as long as their response is held."""
        self.held.keep("me", response("a"))
        wanted = Wanted("", ("msg_a", "msg_b"))
        found = self.now(self.held.recollect("me", wanted))
        self.assertEqual(Recollection((), {"msg_a": b"made a"}), found)
        self.now(self.held.forget("me", "resp_a"))
        self.assertEqual(Recollection(), self.now(self.held.recollect("me", wanted)))

    def test_count(self) -> None:
        """What was unused for longest goes first; using a chain uses all of it."""
        self.held = self.room(entries=3)
        self.held.keep("me", response("a"))
        self.held.keep("me", response("b"))
        self.held.keep("me", response("c", "resp_a"))
        self.before("c")
        self.held.keep("me", response("d"))
        self.assertIs(None, self.find("b"))
        self.assertIsNot(None, self.before("c"))

    def test_octets(self) -> None:
        """Room is made by octets, too; what can never fit pushes nobody out."""
        self.held = self.room(octets=5000)
        self.held.keep("me", response("a", size=2000))
        self.held.keep("me", response("b", size=2000))
        self.assertEqual((True, False), (self.find("a") is None, self.find("b") is None))
        self.held.keep("me", response("c", size=5000))
        self.assertEqual((True, False), (self.find("c") is None, self.find("b") is None))
        self.held.keep("you", response("d", size=3000))
        self.assertIsNot(None, self.find("b"))

    def test_same_again(self) -> None:
        """The same id counts once."""
        self.held = self.room(octets=5000)
        for _ in range(5):
            self.held.keep("me", response("a", size=2000))
        self.assertIsNot(None, self.find("a"))

    def test_age(self) -> None:
        """What is used stays, what is not is dropped."""
        self.held = self.room(seconds=100)
        self.held.keep("me", response("a"))
        self.held.keep("me", response("b"))
        self.clock.advance(60)
        self.find("a")
        self.clock.advance(60)
        self.assertIs(None, self.find("b"))
        self.assertIsNot(None, self.find("a"))
