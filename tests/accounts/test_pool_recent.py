# -*- test-case-name: tests.accounts.test_pool_recent -*-
"""Whom the pool tells of when it is asked for news."""

from kiro2api.accounts.outcome import Parked
from tests.accounts.fixtures import SERVED, account, credentials
from tests.accounts.test_pool import ONE, Case


class RecentTests(Case):
    """With very many accounts only those are looked at to whom something happened, and a few."""

    def setUp(self) -> None:
        super().setUp()
        self.all = {status.name for status in self.pool.snapshot(self.clock.seconds())}

    def recent(self, most: int) -> list[str]:
        """The names of those that are told of."""
        return [status.name for status in self.pool.recent(self.clock.seconds(), most)]

    def settled(self) -> None:
        """What has happened so far is told."""
        self.pool.recent(self.clock.seconds(), len(self.all))

    def test_in_turn(self) -> None:
        """Everybody's turn comes, in the order of choice, again and again."""
        order = [status.name for status in self.pool.snapshot(self.clock.seconds())]
        self.assertEqual([self.recent(1)[0] for _ in range(2 * len(order))], 2 * order)
        self.assertEqual(self.recent(2 * len(order)), order)

    def test_used(self) -> None:
        """Who is lent, and given back, is told of both times, once."""
        self.world.freshen(ONE)
        self.settled()
        lease = self.lease()
        (status,) = self.pool.recent(self.clock.seconds(), 0)
        self.assertEqual((status.name, status.in_flight), (ONE.name, 1))
        self.assertEqual(self.recent(0), [])
        lease.settle(SERVED)
        self.assertEqual((self.recent(0), self.recent(0)), ([ONE.name], []))

    def test_changed(self) -> None:
        """Who is new, changed or released as well; nobody who is gone."""
        self.settled()
        new = account(77)
        self.pool.admit(new, credentials(), parked=Parked("suspended"))
        self.assertEqual(self.recent(0), [new.name])
        self.successResultOf(self.pool.release(new.fingerprint))
        self.assertEqual(self.recent(0), [new.name])
        self.pool.credits_known(new.fingerprint, 5.0, None)
        self.assertEqual(self.recent(0), [new.name])
        self.pool.credits_known(new.fingerprint, 4.0, None)
        self.pool.expel(new.fingerprint)
        self.assertEqual(self.recent(0), [])

    def test_counted(self) -> None:
        """How many there are needs no look at any."""
        self.assertEqual(self.pool.readiness(self.clock.seconds()), (len(self.all),) * 2)
