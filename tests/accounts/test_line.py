"""Tests for kiro2api.accounts.line."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.line import Line
from kiro2api.accounts.member import Member
from tests.accounts.fixtures import account

NOBODY: frozenset[str] = frozenset()


def member(serial: int, rank: float | None = None) -> Member:
    """A member that may be chosen."""
    found = Member(account(serial), serial, enabled=True, since=0)
    found.able = True
    found.rank = (serial if rank is None else rank, 0, serial)
    return found


class LineTests(SynchronousTestCase):
    """Who goes first."""

    def setUp(self) -> None:
        self.members = {serial: member(serial) for serial in range(5)}
        self.line = Line(self.members)
        for each in self.members.values():
            self.line.put(each)

    def first(self, *tried: int) -> int | None:
        found = self.line.first({self.members[n].account.fingerprint for n in tried})
        return None if found is None else found.serial

    def test_order(self) -> None:
        """The smallest rank that was not tried; those passed over keep their places."""
        self.assertEqual(self.first(), 0)
        self.assertEqual(self.first(0, 1), 2)
        self.assertEqual(self.first(0, 1, 2, 3, 4), None)
        self.assertEqual(self.first(), 0)
        self.assertIsNone(Line({}).first(NOBODY))

    def test_unable(self) -> None:
        """Who may not be chosen is not, and stands in line again when put there."""
        self.members[0].able = False
        self.assertEqual(self.first(), 1)
        self.members[0].able = True
        self.line.put(self.members[0])
        self.assertEqual(self.first(), 0)

    def test_left(self) -> None:
        """Who left is not chosen, also when it comes back with another rank."""
        self.line.leave(0)
        self.line.leave(9)
        self.assertEqual(self.first(), 1)
        self.members[0].rank = (3.5, 0, 0)
        self.line.put(self.members[0])
        self.assertEqual(self.first(1, 2), 3)
        self.assertEqual(self.first(1, 2, 3), 0)

    def test_gone(self) -> None:
        """A member that is no member any more may still be in the heap."""
        self.line.leave(0)
        del self.members[0]
        self.assertEqual(self.line.first(NOBODY), self.members[1])

    def test_equals(self) -> None:
        """All with the first item of the first, and no more than asked for."""
        for serial in (1, 3, 4):
            self.members[serial].rank = (-1, 0, serial)
            self.line.put(self.members[serial])
        tried = {self.members[3].account.fingerprint}
        found = [e.serial for e in self.line.equals(NOBODY, 8)]
        self.assertEqual(found, [1, 3, 4])
        self.assertEqual([e.serial for e in self.line.equals(tried, 8)], [1, 4])
        self.assertEqual([e.serial for e in self.line.equals(NOBODY, 2)], [1, 3])
        self.assertEqual(Line({}).equals(NOBODY, 8), [])
        self.assertEqual(self.first(1, 3, 4), 0)

    def test_no_piles(self) -> None:
        """Ranks that were replaced do not pile up."""
        for turn in range(1000):
            self.members[4].rank = (100 - turn, 0, 4)
            self.line.put(self.members[4])
        self.assertLess(len(self.line._heap), 40)
        self.assertEqual(self.first(), 4)

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["rank", "unable", "able", "leave"]),
                st.integers(0, 4),
                st.integers(-9, 9),
                st.sets(st.integers(0, 4)),
            ),
            max_size=60,
        )
    )
    def test_like_a_search(self, steps: list[tuple[str, int, int, set[int]]]) -> None:
        """Always the one that a search of everybody finds."""
        members = {serial: member(serial) for serial in range(5)}
        line, inside = Line(members), set[int]()
        for what, serial, value, tried in steps:
            each = members[serial]
            if what == "leave":
                line.leave(serial)
                inside.discard(serial)
            else:
                each.able = what != "unable"
                if what == "rank":
                    each.rank = (value, 0, serial)
                if each.able:
                    line.put(each)
                    inside.add(serial)
            ready = [e for e in members.values() if e.able and e.serial in inside]
            left = [e for e in ready if e.serial not in tried]
            prints = {members[n].account.fingerprint for n in tried}
            self.assertIs(line.first(prints), min(left, key=lambda e: e.rank, default=None))
