"""Leases in the store: one holder at a time, fences that only grow."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ILeases, Superseded, refresh_lease
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from kiro2api.store.leases import LeaseRows, is_dead, this_process
from tests.store.pumped import PumpedReactor

ACCOUNT = Account(fingerprint="f1", name="first", method="social")
NAME = refresh_lease("f1")


def tokens(number: int) -> Credentials:
    """The credentials of that number."""
    return Credentials(Secret(f"access-{number}"), Secret(f"refresh-{number}"))


class LeaseCase(SynchronousTestCase):
    """Two processes on one file."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.now = 1000.0
        self.path = Path(self.mktemp())
        self.one, self.rows_one = self.process("one")
        self.two, self.rows_two = self.process("two")

    def process(self, holder: str) -> tuple[LeaseRows, AccountRows]:
        """What one process has of the store."""
        database = Database(str(self.path), self.reactor)
        self.reactor.result_of(database.start())
        self.addCleanup(lambda: self.reactor.result_of(database.stop()))
        clock = lambda: self.now  # noqa: E731
        return LeaseRows(database, holder, clock), AccountRows(database, clock)

    def win(self, leases: LeaseRows, seconds: float = 25.0) -> int | None:
        """The fence."""
        return self.reactor.result_of(leases.win(NAME, seconds))


class LeaseRowsTests(LeaseCase):
    """Who gets it."""

    def test_interface(self) -> None:
        """They are leases."""
        verifyObject(ILeases, self.one)

    def test_one_holder(self) -> None:
        """The other gets none until it is given up, and then a higher fence."""
        self.assertEqual(self.win(self.one), 1)
        self.assertIsNone(self.win(self.two))
        self.reactor.result_of(self.one.give_up(NAME, 1))
        self.assertEqual(self.win(self.two), 2)
        self.assertIsNone(self.win(self.one))

    def test_names_are_apart(self) -> None:
        """Another lease is another matter."""
        self.assertEqual(self.win(self.one), 1)
        self.assertEqual(self.reactor.result_of(self.two.win("refresh:f2", 25.0)), 1)

    def test_expiry(self) -> None:
        """Whoever dies with it holds it no longer than was said."""
        self.win(self.one, 25.0)
        self.now += 24.9
        self.assertIsNone(self.win(self.two))
        self.now += 0.1
        self.assertEqual(self.win(self.two), 2)

    def test_late_return(self) -> None:
        """Giving up a lease that somebody else has won since takes it from nobody."""
        self.win(self.one)
        self.now += 30.0
        self.win(self.two)
        self.reactor.result_of(self.one.give_up(NAME, 1))
        self.assertIsNone(self.win(self.one))

    def test_own(self) -> None:
        """Who holds it may have it again."""
        self.assertEqual([self.win(self.one), self.win(self.one)], [1, 2])

    def test_clock_set_back(self) -> None:
        """A lease from the future holds nobody up for long."""
        self.win(self.one)
        self.now -= 86400.0
        self.assertEqual(self.win(self.two), 2)

    def test_dead_holder(self) -> None:
        """Nobody waits for a process that is gone."""
        self.win(self.one)
        self.assertIsNone(self.win(self.two))
        self.two._dead = lambda holder: holder == "one"
        self.assertEqual(self.win(self.two), 2)

    def test_who_is_dead(self) -> None:
        """Only a process whose number means the same here can be known to be."""
        name = this_process()
        self.assertNotEqual(name, this_process())
        self.assertFalse(is_dead(name))
        machine = name.rpartition("/")[0].rpartition("/")[0]
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        self.assertTrue(is_dead(f"{machine}/{gone.pid}/x"))
        for other in (f"elsewhere/{gone.pid}/x", f"{machine}/x/x", "one", ""):
            self.assertFalse(is_dead(other))


class FencedSaveTests(LeaseCase):
    """Credentials saved under a lease."""

    def save(self, rows: AccountRows, number: int, fence: int) -> None:
        """Save these."""
        self.reactor.result_of(rows.save(ACCOUNT, tokens(number), fence))

    def stored(self) -> Credentials:
        """What is there."""
        found = self.reactor.result_of(self.rows_two.read("f1"))
        assert found is not None
        return found.credentials

    def test_gives_up(self) -> None:
        """The lease is free together with the save."""
        fence = self.win(self.one)
        assert fence is not None
        self.save(self.rows_one, 1, fence)
        self.assertEqual(self.stored(), tokens(1))
        self.assertEqual(self.win(self.two), 2)

    def test_superseded(self) -> None:
        """Whoever was held up does not bring back what another has replaced since."""
        self.win(self.one)
        self.now += 30.0
        self.win(self.two)
        self.save(self.rows_two, 2, 2)
        self.assertRaises(Superseded, self.save, self.rows_one, 1, 1)
        self.assertEqual(self.stored(), tokens(2))

    def test_late_but_newest(self) -> None:
        """As long as the next holder has saved nothing, late credentials are the newest; its
        lease stays its own, and what it saves wins."""
        self.win(self.one)
        self.now += 30.0
        self.win(self.two)
        self.save(self.rows_one, 1, 1)
        self.assertEqual(self.stored(), tokens(1))
        self.assertIsNone(self.win(self.one))
        self.save(self.rows_two, 2, 2)
        self.assertEqual(self.stored(), tokens(2))

    def test_without_a_lease(self) -> None:
        """A save outside of any lease is no refresh: it is done, and the fence stays."""
        self.win(self.one)
        self.save(self.rows_one, 1, 7)
        self.save(self.rows_two, 2, 0)
        self.assertEqual(self.stored(), tokens(2))
        self.assertRaises(Superseded, self.save, self.rows_one, 1, 6)

    def test_read(self) -> None:
        """Nothing is stored of an unknown account."""
        self.assertIsNone(self.reactor.result_of(self.rows_one.read("nobody")))
