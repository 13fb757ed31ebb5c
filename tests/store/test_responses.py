# -*- test-case-name: tests.store.test_responses -*-
"""Finished responses as rows: for every process, bounded, and written behind the answer's back."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.held import Finished, Recollection, Wanted
from kiro2api.store import responses
from kiro2api.store.database import Database
from kiro2api.store.heldroom import HeldRoom
from kiro2api.store.responses import ResponseRows
from kiro2api.store.schema import RESPONSE_ITEMS, RESPONSES
from tests.store.pumped import PumpedReactor

T = TypeVar("T")


def response(name: str, previous: str = "", body: bytes = b"b") -> Finished:
    """A response with one item given and one made."""
    item = (f"msg_{name}", b"made " + name.encode())
    return Finished(f"resp_{name}", body, previous, (b"given " + name.encode(),), (item,))


def noise(size: int) -> bytes:
    """Octets that no compression makes fewer."""
    state, out = 1, bytearray()
    for _ in range(size):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        out.append(state >> 16 & 255)
    return bytes(out)


class HurriedClock(Clock):
    """Time passes as soon as somebody waits for it."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """Call at once."""
        self.meanwhile()
        call = super().callLater(delay, callable, *args, **kw)
        self.advance(delay)
        return call


class RowsCase(SynchronousTestCase):
    """A database file and a process that uses it."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.clock = HurriedClock()
        self.epoch = 1_000_000.0
        self.path = Path(self.mktemp())
        self.database = self.open()
        self.held = self.rows()

    def open(self) -> Database:
        """One more process' connection."""
        database = Database(str(self.path), self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        self.reactor.result_of(database.start())
        return database

    def rows(self, database: Database | None = None, **room: Any) -> ResponseRows:
        """The rows as a process sees them."""
        return ResponseRows(
            database or self.database, self.clock, lambda: self.epoch, HeldRoom(**room)
        )

    def now(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """What comes of it."""
        return self.reactor.result_of(Deferred.fromCoroutine(coroutine))

    def find(self, name: str, owner: str = "me") -> bytes | None:
        """A response by its short name."""
        return self.now(self.held.find(owner, f"resp_{name}"))

    def before(self, name: str) -> tuple[bytes, ...] | None:
        """All items up to a response."""
        return self.now(self.held.recollect("me", Wanted(f"resp_{name}"))).before

    def keep(self, finished: Finished, owner: str = "me") -> None:
        """Keep, and wait until that is written."""
        self.held.keep(owner, finished)
        self.reactor.result_of(self.held.stop())

    def there(self) -> list[str]:
        """The short names of all that is in the file, and nothing but its items."""
        found = self.reactor.result_of(
            self.database.run(
                lambda c: list(c.execute(select(RESPONSES.c.id).order_by("id")).scalars())
            )
        )
        owners = self.reactor.result_of(
            self.database.run(
                lambda c: set(c.execute(select(RESPONSE_ITEMS.c.response_id)).scalars())
            )
        )
        self.assertEqual(set(found), owners)
        return [name.removeprefix("resp_") for name in found]


class ResponseRowsTests(RowsCase):
    """What is found again."""

    def test_find_and_forget(self) -> None:
        """Once put away it is found at once, until it is dropped."""
        self.held.keep("me", response("a", body=b"bbb"))
        self.assertEqual(b"bbb", self.find("a"))
        self.assertTrue(self.now(self.held.forget("me", "resp_a")))
        self.assertIs(None, self.find("a"))
        self.assertFalse(self.now(self.held.forget("me", "resp_a")))
        self.assertEqual([], self.there())

    def test_owners(self) -> None:
        """Nobody finds what is another's."""
        self.held.keep("me", response("a"))
        self.assertIs(None, self.find("a", "you"))
        self.assertFalse(self.now(self.held.forget("you", "resp_a")))
        found = self.now(self.held.recollect("you", Wanted("resp_a", ("msg_a",))))
        self.assertEqual(Recollection(None), found)
        self.assertIs(None, self.now(self.held.listed("you", "resp_a")))
        self.assertIsNot(None, self.find("a"))

    def test_nothing_wanted(self) -> None:
        """Most requests refer to nothing: the database is not asked."""
        self.reactor.result_of(self.database.stop())
        self.assertEqual(Recollection(), self.now(self.held.recollect("me", Wanted())))

    def test_chain(self) -> None:
        """The items of all responses that led to one, oldest first."""
        self.held.keep("me", response("a"))
        self.held.keep("me", response("b", "resp_a"))
        self.held.keep("me", response("c", "resp_b"))
        self.assertEqual((b"given a", b"made a", b"given b", b"made b"), self.before("b"))
        self.assertEqual(
            (b"given a", b"made a", b"given b", b"made b", b"given c"),
            self.now(self.held.listed("me", "resp_c")),
        )
        self.assertIs(None, self.before("d"))

    def test_broken_chain(self) -> None:
        """Half a conversation would be worse than none; what was asked is told all the same."""
        self.held.keep("me", response("b", "resp_a"))
        self.assertIs(None, self.before("b"))
        self.assertEqual((b"given b",), self.now(self.held.listed("me", "resp_b")))

    def test_items(self) -> None:
        """Items by their own ids, as long as their response is held."""
        for name in "abc":
            self.held.keep("me", response(name))
        wanted = Wanted("", ("msg_a", "msg_b", "msg_x", *(f"msg_{n}" for n in range(1200))))
        found = self.now(self.held.recollect("me", wanted))
        self.assertEqual(Recollection((), {"msg_a": b"made a", "msg_b": b"made b"}), found)
        self.now(self.held.forget("me", "resp_a"))
        found = self.now(self.held.recollect("me", wanted))
        self.assertEqual({"msg_b": b"made b"}, found.items)

    def test_no_items(self) -> None:
        """An answer may have made nothing."""
        self.keep(Finished("resp_a", b"b", "", (b"given",), ()))
        self.assertEqual((b"given",), self.before("a"))

    def test_same_again(self) -> None:
        """The same id counts once, in one write or in two."""
        self.keep(response("a", body=b"1"))
        for body in (b"2", b"3", b"4"):
            self.held.keep("me", response("a", body=body))
        self.assertEqual(b"4", self.find("a"))
        self.assertEqual(["a"], self.there())

    @settings(max_examples=30, deadline=None)
    @given(
        body=st.binary(max_size=300),
        given_items=st.lists(st.binary(max_size=50), max_size=4),
        made=st.lists(st.binary(max_size=50), max_size=4),
    )
    def test_any_content(self, body: bytes, given_items: list[bytes], made: list[bytes]) -> None:
        """Every octet comes back as it was."""
        named = tuple((f"m{index}", json) for index, json in enumerate(made))
        self.held.keep("me", Finished("resp_a", body, "", tuple(given_items), named))
        self.assertEqual(body, self.find("a"))
        self.assertEqual((*given_items, *made), self.before("a"))


class ProcessTests(RowsCase):
    """Several processes, and one after the other."""

    def test_another_process(self) -> None:
        """Goes on with a response that this one has held, and drops it for both."""
        self.keep(response("a"))
        other = self.rows(self.open())
        self.assertEqual(b"b", self.now(other.find("me", "resp_a")))
        other.keep("me", response("b", "resp_a"))
        self.reactor.result_of(other.stop())
        self.assertEqual((b"given a", b"made a", b"given b", b"made b"), self.before("b"))
        self.assertTrue(self.now(other.forget("me", "resp_a")))
        self.assertIs(None, self.before("b"))

    def test_a_moment_later(self) -> None:
        """What another process is about to write is waited for, a moment."""
        other = self.rows(self.open())
        asked = self.clock.seconds()
        self.assertIs(None, self.find("a"))
        waited = self.clock.seconds() - asked
        self.assertTrue(0 < waited < 1)

        def written() -> None:
            other.keep("me", response("a"))
            self.reactor.result_of(other.stop())

        self.clock.meanwhile = written
        self.assertEqual((b"given a", b"made a"), self.before("a"))

    def test_restart(self) -> None:
        """An orderly stop writes everything first."""
        for name in "abcde":
            self.held.keep("me", response(name))
        stopped = self.held.stop()
        self.assertNoResult(stopped)
        self.reactor.result_of(stopped)
        self.reactor.result_of(self.database.stop())
        self.database = self.open()
        self.held = self.rows()
        self.assertEqual(list("abcde"), self.there())
        self.assertEqual(b"b", self.find("e"))

    def test_nothing_to_write(self) -> None:
        """A stop does not wait for nothing."""
        self.successResultOf(self.held.stop())


class WritingTests(RowsCase):
    """Behind the answer's back."""

    def count_writes(self) -> list[int]:
        """A list that grows by an entry for each transaction."""
        writes: list[int] = []
        run = self.database.run

        def counted(function: Any) -> Any:
            writes.append(1)
            return run(function)

        self.patch(self.database, "run", counted)
        return writes

    def test_several_at_once(self) -> None:
        """What comes while a write is under way is written together."""
        writes = self.count_writes()
        for number in range(50):
            self.held.keep("me", response(f"{number:02}"))
        self.reactor.result_of(self.held.stop())
        self.assertLessEqual(len(writes), 3)
        self.assertEqual(50, len(self.there()))

    def test_too_slow(self) -> None:
        """What waits is bounded; later there is room again."""
        self.patch(responses, "BACKLOG", 1000)
        for name in "abc":
            self.held.keep("me", response(name, body=b"x" * 400))
        self.reactor.result_of(self.held.stop())
        self.assertEqual(["a", "b"], self.there())
        self.keep(response("d", body=b"x" * 400))
        self.assertEqual(["a", "b", "d"], self.there())

    def test_failing_write(self) -> None:
        """Is told in the log and spoils nothing."""
        self.reactor.result_of(self.database.stop())
        self.held.keep("me", response("a"))
        self.successResultOf(self.held.stop())
        self.held.keep("me", response("b"))
        self.successResultOf(self.held.stop())

    def test_use_is_not_always_noted(self) -> None:
        """A read right after another one changes nothing in the file."""
        self.keep(response("a"))

        def used() -> Any:
            return self.reactor.result_of(
                self.database.run(lambda c: c.execute(select(RESPONSES.c.used_at)).scalar_one())
            )

        self.epoch += 30
        self.find("a")
        self.assertEqual(1_000_000.0, used())
        self.epoch += 60
        self.find("a")
        self.assertEqual(self.epoch, used())


class RoomTests(RowsCase):
    """Bounds."""

    def test_count(self) -> None:
        """What was unused for longest goes first; using a chain uses all of it."""
        self.held = self.rows(entries=3)
        for name, previous in (("a", ""), ("b", ""), ("c", "resp_a")):
            self.keep(response(name, previous))
            self.epoch += 1
        self.epoch += 100
        self.before("c")
        self.keep(response("d"))
        self.assertEqual(["a", "c", "d"], self.there())

    def test_octets(self) -> None:
        """Room is made by octets, too; what can never fit pushes nobody out."""
        self.held = self.rows(octets=5000)
        for name in "abc":
            self.epoch += 1
            self.keep(response(name, body=noise(2000)))
        self.assertEqual(["b", "c"], self.there())
        self.keep(response("d", body=noise(5000)))
        self.keep(response("e", body=noise(3000)), "you")
        self.assertEqual(["b", "c", "e"], self.there())

    def test_a_little_more_room(self) -> None:
        """Not every write has to make room."""
        self.held = self.rows(entries=32)
        for number in range(33):
            self.epoch += 1
            self.keep(response(f"{number:02}"))
        self.assertEqual(30, len(self.there()))

    def test_others_take_room(self) -> None:
        """What other processes have written is found out after a while."""
        self.held = self.rows(entries=32)
        other = self.rows(self.open(), entries=1000)
        self.keep(response("first"))
        for number in range(40):
            other.keep("me", response(f"{number:02}"))
        self.reactor.result_of(other.stop())
        self.epoch += 61
        self.keep(response("last"))
        left = self.there()
        self.assertEqual(30, len(left))
        self.assertIn("last", left)

    def test_age(self) -> None:
        """What is used stays, what is not is not found and then dropped, whoever owns it."""
        self.held = self.rows(seconds=1000)
        self.keep(response("a"))
        self.keep(response("b"))
        self.keep(response("c", "resp_b"), "you")
        self.epoch += 600
        self.find("a")
        self.epoch += 600
        self.assertIs(None, self.find("b"))
        self.assertIsNot(None, self.find("a"))
        self.keep(response("d"))
        self.assertEqual(["a", "d"], self.there())

    def test_everything_too_much(self) -> None:
        """A limit that was lowered may leave next to nothing."""
        self.keep(response("a", body=noise(3000)))
        self.held = self.rows(octets=1000)
        self.keep(response("b", body=noise(800)))
        self.assertEqual(["b"], self.there())
        self.held = self.rows(entries=0)
        self.keep(response("c"))
        self.assertEqual([], self.there())

    def test_compressed(self) -> None:
        """What repeats itself takes little room."""
        self.keep(response("a", body=b"again and " * 10_000))
        octets = self.reactor.result_of(
            self.database.run(
                lambda c: c.execute(select(func.sum(RESPONSES.c.octets))).scalar_one()
            )
        )
        self.assertLess(octets, 2000)
