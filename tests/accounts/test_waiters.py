"""Tests for kiro2api.accounts.waiters."""

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.waiters import Waiters


class WaitersTests(SynchronousTestCase):
    """The fair queue."""

    def setUp(self) -> None:
        self.waiters: Waiters[str] = Waiters()
        for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
            self.waiters.add(name[0], name, 100.0 + int(name[1]))

    def test_turns(self) -> None:
        """The first of each caller, then the second."""
        self.assertEqual(list(self.waiters.turns()), ["a1", "b1", "c1", "a2", "c2", "a3"])
        self.assertEqual(len(self.waiters), 6)
        self.assertEqual(list(Waiters[str]().turns()), [])

    def test_served(self) -> None:
        """Who was served goes behind the others, who left did not have its turn."""
        self.waiters.served("a", "a1")
        self.assertEqual(list(self.waiters.turns())[:3], ["b1", "c1", "a2"])
        self.waiters.leave("c", "c1")
        self.assertEqual(list(self.waiters.turns())[:3], ["b1", "c2", "a2"])
        self.waiters.served("b", "b1")
        self.assertEqual(list(self.waiters.turns()), ["c2", "a2", "a3"])
        self.assertNotIn("b1", self.waiters)
        self.waiters.leave("b", "b1")
        self.assertEqual(len(self.waiters), 3)

    def test_deadlines(self) -> None:
        """Who has waited long enough."""
        self.assertEqual(self.waiters.deadline(), 101.0)
        self.assertEqual(self.waiters.overdue(101.0), ["a1", "b1", "c1"])
        self.assertEqual(self.waiters.overdue(100.9), [])
        self.assertEqual(Waiters[str]().deadline(), inf)

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
    def test_nobody_starves(self, steps: list[tuple[str, bool]]) -> None:
        """Between two turns of one caller everybody who waits has had at most one."""
        waiters: Waiters[int] = Waiters()
        callers: dict[int, str] = {}
        since: dict[str, list[str]] = {}
        for number, (caller, add) in enumerate(steps):
            if add or not len(waiters):
                waiters.add(caller, number, 0.0)
                callers[number] = caller
                since.setdefault(caller, [])
                continue
            served = next(waiters.turns())
            who = callers[served]
            waiters.served(who, served)
            for other, turns in since.items():
                if other != who:
                    turns.append(who)
                    self.assertLessEqual(turns.count(who), 1)
            left = {callers[n] for n in waiters.turns()}
            since = {name: since[name] if name != who else [] for name in left}
