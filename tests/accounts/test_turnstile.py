"""Tests for kiro2api.accounts.turnstile, through the pool: requests that wait."""

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import Lease, Wanted
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import (
    AccountSuspended,
    Kind,
    ModelOverloaded,
    NoAccountAvailable,
    NotFound,
    ShuttingDown,
    Throttled,
    UpstreamUnavailable,
)
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import SERVED, account, credentials, failed
from tests.fakes.store import MemoryStore

ONE, TWO = account(1), account(2)
NONE: frozenset[str] = frozenset()
NOW = 1000.0


class Case(SynchronousTestCase):
    """Two accounts that take one loan each."""

    limit = 3

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.ledger = Ledger([ONE, TWO])
        good = credentials("access", "refresh", NOW + 1e6)
        keyring = Keyring({ONE.fingerprint: good, TWO.fingerprint: good})
        self.keyring, store, self.source = keyring, MemoryStore(), ScriptedSource()
        renewal = RefreshOnce({"social": self.source}, store, keyring, self.clock)
        self.pool = AccountPool(
            self.ledger,
            keyring,
            store,
            renewal,
            self.clock,
            jitter=lambda: 0.0,
            queue_limit=self.limit,
            queue_seconds=30.0,
        )
        self.pool.set_group(GroupPolicy("default", max_in_flight=1))
        self.leases = [self.now(self.ask()), self.now(self.ask())]

    def tearDown(self) -> None:
        self.successResultOf(self.pool.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(self, caller: str = "", model: str = "", *tried: str) -> Deferred[Lease]:
        wanted = Wanted(model, "", caller)
        return self.pool.acquire("default", frozenset(tried), wanted)

    def now(self, asked: Deferred[Lease]) -> Lease:
        return self.successResultOf(asked)

    def refused(self, asked: Deferred[Lease]) -> NoAccountAvailable:
        error = self.failureResultOf(asked, NoAccountAvailable).value
        assert isinstance(error, NoAccountAvailable)
        return error


class WaitTests(Case):
    """All are busy."""

    def test_in_order(self) -> None:
        """Whoever came first is served when a loan ends."""
        first, second = self.ask(), self.ask()
        self.assertEqual(self.pool.waiting(), {"default": 2})
        self.leases[1].settle(SERVED)
        self.assertEqual(self.now(first).account, TWO)
        self.assertNoResult(second)
        self.leases[0].settle(failed(AccountSuspended("x")))
        self.assertNoResult(second)
        self.now(first)
        self.leases = []
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.pool.waiting(), {})

    def test_callers_in_turn(self) -> None:
        """One caller's crowd does not hold up another."""
        served: list[int] = []

        def done(lease: Lease, number: int) -> None:
            served.append(number)
            lease.settle(SERVED)

        for number, caller in enumerate("aab"):
            self.ask(caller).addCallback(done, number)
        self.leases[0].settle(SERVED)
        self.assertEqual(served, [0, 2, 1])

    def test_no_room(self) -> None:
        """One more than may wait hears so at once."""
        asked = [self.ask() for _ in range(3)]
        error = self.refused(self.ask())
        self.assertEqual((error.kind, error.retry_after), (Kind.RATE_LIMITED, 1.0))
        self.assertIn("2 busy", error.message)
        for each in asked:
            each.cancel()
            self.failureResultOf(each, CancelledError)

    def test_long_enough(self) -> None:
        """After its time a waiter hears that it may come back."""
        asked = self.ask()
        self.clock.advance(10)
        later = self.ask()
        self.clock.advance(19.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertEqual(self.refused(asked).kind, Kind.RATE_LIMITED)
        self.assertNoResult(later)
        self.clock.advance(10)
        self.refused(later)

    def test_nobody_to_wait_for(self) -> None:
        """When the last busy account is parked, waiting is over."""
        asked = self.ask()
        self.leases[0].settle(failed(Throttled("x", retry_after=90)))
        self.assertNoResult(asked)
        self.leases[1].settle(failed(Throttled("x", retry_after=70)))
        self.assertEqual(self.refused(asked).retry_after, 70)

    def test_a_rest_ends_first(self) -> None:
        """Also an account that comes back from a rest serves those who wait."""
        self.leases[0].settle(failed(Throttled("x", retry_after=10)))
        asked = self.ask()
        self.clock.advance(10)
        self.assertEqual(self.now(asked).account, ONE)

    def test_tried(self) -> None:
        """Who has tried the account that is free waits on; the next one gets it."""
        picky, other = self.ask("a", "", ONE.fingerprint), self.ask("b")
        self.leases[0].settle(SERVED)
        self.assertNoResult(picky)
        self.now(other)
        self.leases[1].settle(SERVED)
        self.assertEqual(self.now(picky).account, TWO)

    def test_more_room(self) -> None:
        """The operator adds an account, releases one, or lifts a limit."""
        first, second, third = self.ask(), self.ask(), self.ask()
        self.pool.admit(account(3), credentials("a", "r", NOW + 1e6), True, None, None)
        self.assertEqual(self.now(first).account.name, "account-3")
        self.leases[0].settle(failed(AccountSuspended("x")))
        self.successResultOf(self.pool.release(ONE.fingerprint))
        self.assertEqual(self.now(second).account, ONE)
        self.pool.set_group(GroupPolicy("default"))
        self.now(third)

    def test_everybody_removed(self) -> None:
        """Without any account nobody is busy."""
        asked = self.ask()
        for each in (ONE, TWO, account(9)):
            self.pool.expel(each.fingerprint)
        self.assertEqual(self.refused(asked).message, "This group has no accounts.")

    def test_group_dropped(self) -> None:
        """A waiter of a group that is dropped hears that there is none."""
        self.pool.admit(account(3, group="pro"), credentials("a", "r", NOW + 1e6))
        self.pool.set_group(GroupPolicy("pro", max_in_flight=1))
        self.now(self.pool.acquire("pro", NONE))
        asked = self.pool.acquire("pro", NONE)
        self.pool.admit(account(3), credentials("a", "r", NOW + 1e6))
        self.assertNotEqual(self.pool.waiting(), {"pro": 1})
        self.refused(asked)
        self.pool.drop_group("pro")
        self.failureResultOf(self.pool.acquire("pro", NONE), NotFound)

    def test_lacking(self) -> None:
        """Once all are known to lack the model, waiting for it is over."""
        asked = self.ask("", "opus")
        self.pool.lacks(ONE.fingerprint, "opus", 60.0)
        self.pool.lacks(TWO.fingerprint, "opus", 60.0)
        self.assertNoResult(asked)
        self.leases[0].settle(SERVED)
        error = self.refused(asked)
        self.assertEqual((error.kind, error.code), (Kind.MODEL_NOT_FOUND, "model_lacking"))
        self.assertEqual(error.retry_after, 60.0)

    def test_overloaded(self) -> None:
        """A model that rests is not waited for."""
        self.leases[0].settle(Outcome(End.FAILED, ModelOverloaded("x"), "opus"))
        error = self.refused(self.ask("", "opus"))
        self.assertEqual((error.kind, error.retry_after), (Kind.OVERLOADED, 2.0))

    def test_a_trial_holds_up(self) -> None:
        """While an account is tried by one, the others wait, until the answer begins."""
        self.pool.set_group(GroupPolicy("default"))
        for lease in self.leases:
            lease.settle(failed(UpstreamUnavailable("x")))
        self.clock.advance(5)
        probes = [self.now(self.ask()), self.now(self.ask())]
        asked = self.ask()
        self.assertNoResult(asked)
        probes[0].answered()
        self.assertEqual(self.now(asked).account, ONE)
        probes[0].settle(SERVED)
        probes[0].answered()

    def test_renewal_of_a_waiter(self) -> None:
        """A waiter whose account must be renewed first, and cannot be, waits on; its time runs
        from the beginning."""
        asked = self.ask()
        self.keyring.put(ONE.fingerprint, credentials("old", "refresh", NOW))
        self.clock.advance(20)
        self.leases[0].settle(SERVED)
        self.assertEqual(len(self.source.asked), 1)
        self.assertEqual(self.pool.waiting(), {})
        self.source.refuse(UpstreamUnavailable("x"))
        self.assertEqual(self.pool.waiting(), {"default": 1})
        self.clock.advance(5)
        self.assertEqual(len(self.source.asked), 2)
        self.source.refuse(UpstreamUnavailable("x"))
        self.clock.advance(5)
        self.refused(asked)

    def test_stop(self) -> None:
        """Nobody waits for a service that ends."""
        asked = [self.ask(), self.ask()]
        self.successResultOf(self.pool.stop())
        for each in asked:
            self.failureResultOf(each, ShuttingDown)

    def leaving_together(self) -> list[Deferred[Lease]]:
        """Two requests of which the second leaves when the first hears anything."""
        first, second = self.ask(), self.ask()
        second.addErrback(lambda failure: failure.trap(CancelledError) and None)

        def leave(result: object) -> None:
            second.cancel()

        return [first.addBoth(leave), second]

    def test_left_because_of_another(self) -> None:
        """Whoever hears something may make others leave, also of those who were next."""
        whats: list[Callable[[], object]] = [
            lambda: self.leases[0].settle(SERVED),
            lambda: self.clock.advance(30),
            self.pool.stop,
        ]
        for what in whats:
            asked = self.leaving_together()
            what()
            for each in asked:
                self.successResultOf(each)
            self.assertEqual(self.pool.waiting(), {})

    def test_left_another_group(self) -> None:
        """The last of another group may leave in the middle of a look, too."""
        self.pool.admit(account(3, group="pro"), credentials("a", "r", NOW + 1e6))
        self.pool.set_group(GroupPolicy("pro", max_in_flight=1))
        self.now(self.pool.acquire("pro", NONE))
        first, other = self.ask(), self.pool.acquire("pro", NONE)
        first.addCallback(lambda lease: other.cancel())
        self.leases[0].settle(SERVED)
        self.successResultOf(first)
        self.failureResultOf(other, CancelledError)


class NoQueueTests(Case):
    """Waiting is switched off."""

    limit = 0

    def test_at_once(self) -> None:
        """Busy accounts are a refusal."""
        error = self.refused(self.ask())
        self.assertEqual((error.kind, error.retry_after), (Kind.RATE_LIMITED, 1.0))
