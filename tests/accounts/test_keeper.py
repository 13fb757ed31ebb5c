"""Tests for kiro2api.accounts.keeper."""

from itertools import pairwise

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.keeper import KeeperService
from kiro2api.errors import Throttled, UpstreamUnavailable
from tests.accounts.fixtures import account
from tests.accounts.records import LogRecorder


class FakePool:
    """Accounts and when their tokens expire; renewals stay open until answered."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.expiry: dict[Account, float] = {}
        self.asked: list[Account] = []
        self.open: list[tuple[Account, Deferred[None]]] = []
        self.cancelled = 0
        self.at_once = False
        self.broken: Exception | None = None

    def renewable(self, now: float) -> list[tuple[Account, float]]:
        if self.broken is not None:
            raise self.broken
        return list(self.expiry.items())

    async def keep_fresh(self, account: Account) -> None:
        self.asked.append(account)
        if not self.at_once:

            def cancelled(_: Deferred[None]) -> None:
                self.cancelled += 1

            answer: Deferred[None] = Deferred(cancelled)
            self.open.append((account, answer))
            await answer
        self.expiry[account] = self.clock.seconds() + 3600

    def answer(self) -> None:
        self.open.pop(0)[1].callback(None)

    def refuse(self, fault: Exception) -> None:
        self.open.pop(0)[1].errback(fault)


class Case(SynchronousTestCase):
    """A keeper that looks every 30 seconds for tokens that expire within 300."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(10_000)
        self.pool = FakePool(self.clock)
        self.keeper = KeeperService(self.pool, self.clock, every=30, ahead=300, spread=0, abreast=2)
        self.log = LogRecorder(self)

    def start(self, *expiries: float) -> None:
        """Start with accounts whose tokens expire so many seconds from now."""
        now = self.clock.seconds()
        self.pool.expiry = {account(n): now + left for n, left in enumerate(expiries)}
        self.keeper.startService()

    def tearDown(self) -> None:
        if self.keeper.running:
            self.successResultOf(self.keeper.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DueTests(Case):
    """Which accounts are renewed, and when."""

    def test_removed(self) -> None:
        """What was noted of an account that is gone is forgotten: it may come back with a token
        that is due."""
        self.pool.at_once = True
        self.start(100)
        self.assertEqual(len(self.pool.asked), 1)
        expiry, self.pool.expiry = self.pool.expiry, {}
        self.clock.advance(30)
        self.pool.expiry = dict.fromkeys(expiry, self.clock.seconds() + 100)
        self.clock.advance(30)
        self.assertEqual(len(self.pool.asked), 2)

    def test_start(self) -> None:
        """At the start those that expire soon, or were never used, are renewed at once."""
        self.start(301, 300, -10_000)
        self.assertEqual(self.pool.asked, [account(1), account(2)])

    def test_later(self) -> None:
        """Later those that come within reach."""
        self.start(330)
        self.clock.advance(29)
        self.assertEqual(self.pool.asked, [])
        self.clock.advance(1)
        self.assertEqual(self.pool.asked, [account(0)])

    def test_not_twice(self) -> None:
        """One under way is not asked again."""
        self.start(0)
        self.clock.pump([30] * 5)
        self.assertEqual(len(self.pool.asked), 1)

    def test_over_and_over(self) -> None:
        """A token is renewed whenever its time comes again."""
        self.pool.at_once = True
        self.start(0)
        self.clock.pump([30] * 110)
        self.assertEqual(len(self.pool.asked), 2)

    def test_spread(self) -> None:
        """Accounts are renewed earlier by a share of their own that never changes."""
        keeper = KeeperService(self.pool, self.clock, every=30, ahead=300, spread=300, abreast=5)
        last = account(0xFFFFFFFF)
        self.pool.expiry = {account(0): 10_000 + 301, last: 10_000 + 600}
        keeper.startService()
        self.assertEqual(self.pool.asked, [last])
        self.pool.answer()
        self.successResultOf(keeper.stopService())

    def test_short_lived(self) -> None:
        """Tokens that live shorter than we look ahead are not renewed at every look."""
        self.start(0)
        self.pool.answer()
        self.pool.expiry[account(0)] = self.clock.seconds() + 100
        self.clock.pump([30] * 4)
        self.assertEqual(len(self.pool.asked), 1)
        self.clock.advance(30)
        self.assertEqual(len(self.pool.asked), 2)


class AbreastTests(Case):
    """How many at a time."""

    def test_bounded(self) -> None:
        """Never more than allowed; the next begins when one ends."""
        self.start(*[0] * 5)
        self.assertEqual(len(self.pool.open), 2)
        for left in (2, 2, 2, 1, 0):
            self.pool.answer()
            self.assertEqual(len(self.pool.open), left)
        self.assertEqual(self.pool.asked, [account(n) for n in range(5)])

    def test_last_one(self) -> None:
        """An odd one out does not wait for the next look."""
        keeper = KeeperService(self.pool, self.clock, abreast=5)
        self.pool.expiry = {account(n): 0.0 for n in range(3)}
        keeper.startService()
        self.assertEqual(len(self.pool.open), 3)
        self.successResultOf(keeper.stopService())

    def test_many_at_once(self) -> None:
        """Thousands that end at once do not exhaust the stack."""
        self.pool.at_once = True
        self.start(*[0] * 5000)
        self.assertEqual(len(self.pool.asked), 5000)


class FailureTests(Case):
    """Nothing stops the keeper."""

    def test_others_go_on(self) -> None:
        """A failure concerns one account."""
        self.start(0, 0, 0)
        self.pool.refuse(UpstreamUnavailable("canary"))
        self.assertEqual(self.pool.asked, [account(0), account(1), account(2)])
        self.assertEqual(
            self.log.lines(),
            ["account account-0 could not be renewed ahead of need: UpstreamUnavailable"],
        )

    def test_backoff(self) -> None:
        """A failing account is tried again, more and more seldom; success starts over."""
        self.start(0)
        times = []
        for _ in range(4):
            times.append(self.clock.seconds())
            self.pool.refuse(UpstreamUnavailable("x"))
            while not self.pool.open:
                self.clock.advance(30)
        self.assertEqual([b - a for a, b in pairwise(times)], [30, 60, 120])
        self.pool.answer()
        self.pool.expiry[account(0)] = 0.0
        self.clock.advance(150)
        self.pool.refuse(UpstreamUnavailable("x"))
        self.clock.advance(30)
        self.assertEqual(len(self.pool.open), 1)

    def test_retry_after(self) -> None:
        """The login service may ask for a longer pause."""
        self.start(0)
        self.pool.refuse(Throttled("x", retry_after=600))
        self.clock.pump([30] * 19)
        self.assertEqual(len(self.pool.asked), 1)
        self.clock.advance(30)
        self.assertEqual(len(self.pool.asked), 2)

    def test_bug_in_one(self) -> None:
        """Also an error nobody foresaw concerns one account only."""
        self.start(0, 0, 0)
        self.pool.refuse(KeyError("x"))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(len(self.pool.asked), 3)

    def test_bug_in_the_look(self) -> None:
        """A look that fails is followed by the next."""
        self.pool.broken = KeyError("x")
        self.start(0)
        self.pool.broken = None
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.clock.advance(30)
        self.assertEqual(len(self.pool.asked), 1)


class StopTests(Case):
    """The end."""

    def test_stop(self) -> None:
        """Waiting is given up, what is queued is dropped, no timer is left."""
        self.start(*[0] * 5)
        self.successResultOf(self.keeper.stopService())
        self.assertEqual(self.pool.cancelled, 2)
        self.assertEqual(len(self.pool.asked), 2)
        self.clock.advance(1000)
        self.assertEqual(len(self.pool.asked), 2)

    def test_again(self) -> None:
        """A stopped keeper can be started again."""
        self.start(0, 0, 0)
        self.successResultOf(self.keeper.stopService())
        self.keeper.startService()
        self.assertEqual(len(self.pool.asked), 4)

    def test_never_started(self) -> None:
        """Stopping what never ran is nothing."""
        self.successResultOf(self.keeper.stopService())
