"""Leases in the store: one holder at a time, fences that only grow."""

import subprocess
import sys
from threading import Event

from sqlalchemy import Connection, text
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ILeases, Superseded, refresh_lease
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.leases import LeaseRows, is_dead, outdate, this_process
from tests.store.case import InPostgres, StoreCase
from tests.store.pumped import PATIENCE

ACCOUNT = Account(fingerprint="f1", name="first", method="social")
NAME = refresh_lease("f1")


def tokens(number: int) -> Credentials:
    """The credentials of that number."""
    return Credentials(Secret(f"access-{number}"), Secret(f"refresh-{number}"))


class LeaseCase(StoreCase):
    """Two processes on one database."""

    def setUp(self) -> None:
        super().setUp()
        self.one, self.rows_one = self.process("one")
        self.two, self.rows_two = self.process("two")

    def process(self, holder: str) -> tuple[LeaseRows, AccountRows]:
        """What one process has of the store."""
        database = self.opened()
        return LeaseRows(database, holder, self.clock), AccountRows(database, self.clock)

    def pass_time(self, seconds: float) -> None:
        """Let everybody's clock go on, or back."""
        self.now += seconds

    def win(self, leases: LeaseRows, seconds: float = 25.0) -> int | None:
        """The fence."""
        return self.done(leases.win(NAME, seconds))


class LeaseRowsTests(LeaseCase):
    """Who gets it."""

    def test_interface(self) -> None:
        """They are leases."""
        verifyObject(ILeases, self.one)

    def test_one_holder(self) -> None:
        """The other gets none until it is given up, and then a higher fence."""
        self.assertEqual(self.win(self.one), 1)
        self.assertIsNone(self.win(self.two))
        self.done(self.one.give_up(NAME, 1))
        self.assertEqual(self.win(self.two), 2)
        self.assertIsNone(self.win(self.one))

    def test_names_are_apart(self) -> None:
        """Another lease is another matter."""
        self.assertEqual(self.win(self.one), 1)
        self.assertEqual(self.done(self.two.win("refresh:f2", 25.0)), 1)

    def test_expiry(self) -> None:
        """Whoever dies with it holds it no longer than was said."""
        self.win(self.one, 25.0)
        self.pass_time(20.0)
        self.assertIsNone(self.win(self.two))
        self.pass_time(5.0)
        self.assertEqual(self.win(self.two), 2)

    def test_late_return(self) -> None:
        """Giving up a lease that somebody else has won since takes it from nobody."""
        self.win(self.one)
        self.pass_time(30.0)
        self.win(self.two)
        self.done(self.one.give_up(NAME, 1))
        self.assertIsNone(self.win(self.one))

    def test_own(self) -> None:
        """Who holds it may have it again."""
        self.assertEqual([self.win(self.one), self.win(self.one)], [1, 2])

    def test_clock_set_back(self) -> None:
        """A lease from the future holds nobody up for long."""
        self.win(self.one)
        self.pass_time(-86400.0)
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

    def test_outdated(self) -> None:
        """A lease that is taken away is free, and its fence is past."""
        self.win(self.one)
        fence = self.within(lambda connection: outdate(connection, NAME))
        self.assertEqual(fence, 2)
        self.assertEqual(self.win(self.two), 3)
        other = self.within(lambda connection: outdate(connection, "never won"))
        self.assertEqual(other, 1)


class FencedSaveTests(LeaseCase):
    """Credentials saved under a lease."""

    def save(self, rows: AccountRows, number: int, fence: int) -> None:
        """Save these."""
        self.done(rows.save(ACCOUNT, tokens(number), fence))

    def stored(self) -> Credentials:
        """What is there."""
        found = self.done(self.rows_two.read("f1"))
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
        self.pass_time(30.0)
        self.win(self.two)
        self.save(self.rows_two, 2, 2)
        self.assertRaises(Superseded, self.save, self.rows_one, 1, 1)
        self.assertEqual(self.stored(), tokens(2))

    def test_late_but_newest(self) -> None:
        """As long as the next holder has saved nothing, late credentials are the newest; its
        lease stays its own, and what it saves wins."""
        self.win(self.one)
        self.pass_time(30.0)
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
        self.assertIsNone(self.done(self.rows_one.read("nobody")))


class OnServer(InPostgres):
    """The same in PostgreSQL, whose clock cannot be moved: what is stored is moved instead."""

    def pass_time(self, seconds: float) -> None:
        """As if so much time had passed."""
        shift = f"UPDATE leases SET expires_at = expires_at - {seconds} WHERE holder <> ''"

        def work(connection: Connection) -> None:
            connection.execute(text(shift))

        self.within(work)  # type: ignore[attr-defined]


class LeaseRowsInPostgresTests(OnServer, LeaseRowsTests):
    """Who gets it there."""

    def test_clocks_apart(self) -> None:
        """Machines whose clocks are hours apart agree on who holds it."""
        self.now = 5.0
        self.assertEqual(self.win(self.one), 1)
        self.now = 1e10
        self.assertIsNone(self.win(self.two))

    def test_at_once(self) -> None:
        """Of two that ask for a lease that nobody ever had, one gets it."""
        for number in range(10):
            both = [leases.win(f"n{number}", 25.0) for leases in (self.one, self.two)]
            self.assertEqual({self.done(one) for one in both}, {1, None})

    def test_waits_for_the_other(self) -> None:
        """Who looks while another is winning it sees the outcome."""
        begun, go_on = Event(), Event()
        self.done(self.one.give_up(NAME, self.win(self.one) or 0))

        def slow(connection: Connection) -> None:
            outdate(connection, NAME)
            begun.set()
            go_on.wait(PATIENCE)

        first = self.database.run(slow)
        self.assertTrue(begun.wait(PATIENCE))
        second = self.two.win(NAME, 25.0)
        go_on.set()
        self.done(first)
        self.assertEqual(self.done(second), 3)


class FencedSaveInPostgresTests(OnServer, FencedSaveTests):
    """Credentials saved there."""
