"""Tests for kiro2api.accounts.refresh."""

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import StoredAccount
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import CredentialsRejected, Throttled, UpstreamUnavailable
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import account, credentials
from tests.accounts.records import LogRecorder
from tests.fakes.store import MemoryStore

ONE, TWO = account(1), account(2)
NEW = credentials("access-1", "refresh-1", 9000.0)
NEWER = credentials("access-2", "refresh-2", 9900.0)


class Case(SynchronousTestCase):
    """One source, one store, two accounts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.source = ScriptedSource()
        self.store = MemoryStore()
        self.keyring = Keyring({a.fingerprint: credentials() for a in (ONE, TWO)})
        self.renewal = RefreshOnce({"social": self.source}, self.store, self.keyring, self.clock)
        self.log = LogRecorder(self)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def stored(self) -> Credentials:
        return self.store.rows[ONE.fingerprint].credentials


class SingleFlightTests(Case):
    """One refresh for all who wait."""

    def test_one_call(self) -> None:
        """Everybody gets the result of one call."""
        waiters = [self.renewal.renew(ONE) for _ in range(3)]
        self.assertEqual(len(self.source.asked), 1)
        self.source.answer(NEW)
        for waiter in waiters:
            self.assertIs(self.successResultOf(waiter), NEW)

    def test_accounts_do_not_wait_for_each_other(self) -> None:
        """Each account has a call of its own."""
        self.renewal.renew(ONE)
        self.renewal.renew(TWO)
        self.assertEqual([a for a, _ in self.source.asked], [ONE, TWO])

    def test_next_call(self) -> None:
        """After one call another may follow; it asks with the rotated token."""
        self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.renewal.renew(ONE)
        self.assertEqual([c for _, c in self.source.asked], [credentials(), NEW])

    def test_one_failure(self) -> None:
        """Everybody gets the failure, each in a Failure of their own."""
        waiters = [self.renewal.renew(ONE) for _ in range(3)]
        fault = Throttled("x")
        self.source.refuse(fault)
        failures = [self.failureResultOf(waiter, Throttled) for waiter in waiters]
        self.assertEqual([f.value for f in failures], [fault] * 3)
        self.assertEqual(len({id(f) for f in failures}), 3)
        self.assertEqual(self.keyring.current(ONE.fingerprint), credentials())
        self.assertEqual(self.store.journal, [])

    def test_counts(self) -> None:
        """Calls are counted by how they ended, however many waited for each."""
        for _ in range(2):
            self.renewal.renew(ONE)
        self.source.answer(NEW)
        for fault in (Throttled("x"), CredentialsRejected("dead"), Throttled("y")):
            waiter = self.renewal.renew(ONE)
            self.source.refuse(fault)
            self.failureResultOf(waiter)
        self.assertEqual(self.renewal.counts, {"renewed": 1, "failed": 2, "rejected": 1})

    def test_asking_out_of_a_failure(self) -> None:
        """Who asks again while the failure is delivered begins another call."""
        again: list[Deferred[Credentials]] = []
        self.renewal.renew(ONE).addErrback(lambda _: again.append(self.renewal.renew(ONE)))
        self.source.refuse(Throttled("x"))
        self.assertEqual(len(self.source.asked), 2)
        self.source.answer(NEW)
        self.assertIs(self.successResultOf(again[0]), NEW)

    def test_completed_before_it_is_used(self) -> None:
        """What a login does not tell is there before anybody goes on with the new token."""
        looking: Deferred[None] = Deferred()
        looked_at: list[str] = []

        def complete(account: Account) -> Deferred[None]:
            looked_at.append(account.name)
            return looking

        self.renewal.completing = complete
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.assertNoResult(waiter)
        complete_ones = msgspec.structs.replace(NEW, profile_arn="arn")
        self.keyring.put(ONE.fingerprint, complete_ones)
        looking.callback(None)
        self.assertEqual(self.successResultOf(waiter), complete_ones)
        self.assertEqual(looked_at, [ONE.name])

    def test_no_source(self) -> None:
        """An API key cannot be renewed."""
        failure = self.failureResultOf(self.renewal.renew(account(3, method="api_key")))
        self.assertIsInstance(failure.value, CredentialsRejected)

    def test_unexpected(self) -> None:
        """A bug in a source is logged and looks like a passing failure."""
        waiter = self.renewal.renew(ONE)
        self.source.refuse(KeyError("x"))
        self.failureResultOf(waiter, UpstreamUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_cancelled_below(self) -> None:
        """A cancellation that comes from the source is not the waiter's own."""
        waiter = self.renewal.renew(ONE)
        self.source.refuse(CancelledError())
        self.failureResultOf(waiter, UpstreamUnavailable)

    def test_renewed_at(self) -> None:
        """The moment of the last success is known."""
        self.assertEqual(self.renewal.renewed_at(ONE.fingerprint), 0.0)
        self.renewal.renew(ONE)
        self.clock.advance(5)
        self.source.answer(NEW)
        self.assertEqual(self.renewal.renewed_at(ONE.fingerprint), 1005.0)


class CancelTests(Case):
    """Waiters leave; the refresh stays."""

    def test_one_leaves(self) -> None:
        """The others are served."""
        first, second, third = (self.renewal.renew(ONE) for _ in range(3))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.source.answer(NEW)
        self.assertIs(self.successResultOf(first), NEW)
        self.assertIs(self.successResultOf(third), NEW)
        self.assertEqual(self.source.cancelled, 0)

    def test_all_leave(self) -> None:
        """The call goes on: its rotated token must not be lost."""
        waiter = self.renewal.renew(ONE)
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.source.answer(NEW)
        self.assertEqual(self.source.cancelled, 0)
        self.assertEqual(self.stored(), NEW)
        self.assertIs(self.keyring.current(ONE.fingerprint), NEW)

    def test_all_leave_and_it_fails(self) -> None:
        """A failure nobody waits for is nobody's."""
        waiter = self.renewal.renew(ONE)
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.source.refuse(Throttled("x"))
        self.assertEqual(self.log.lines(), [])

    def test_leaving_during_delivery(self) -> None:
        """A waiter that another one's callback cancels is left alone."""
        first = self.renewal.renew(ONE)
        second = self.renewal.renew(ONE)
        first.addCallback(lambda _: second.cancel())
        self.source.answer(NEW)
        self.failureResultOf(second, CancelledError)


class StoreFirstTests(Case):
    """Nothing is used before it is stored."""

    def test_order(self) -> None:
        """While the store writes, nobody has the new credentials."""
        self.store.late = True
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.assertNoResult(waiter)
        self.assertEqual(self.keyring.current(ONE.fingerprint), credentials())
        late = self.renewal.renew(ONE)
        self.assertEqual(len(self.source.asked), 1)
        self.store.release()
        self.assertIs(self.successResultOf(waiter), NEW)
        self.assertIs(self.successResultOf(late), NEW)
        self.assertIs(self.keyring.current(ONE.fingerprint), NEW)

    def test_stored_before_any_waiter(self) -> None:
        """The first thing a waiter can see is the stored row."""
        seen: list[Credentials] = []
        self.renewal.renew(ONE).addCallback(lambda _: seen.append(self.stored()))
        self.source.answer(NEW)
        self.assertEqual(seen, [NEW])

    def test_park_state_stays(self) -> None:
        """Saving leaves the rest of the row alone."""
        self.store.rows[ONE.fingerprint] = StoredAccount(credentials())
        self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.assertEqual(self.store.rows[ONE.fingerprint], StoredAccount(NEW))


class BrokenStoreTests(Case):
    """Renewed credentials outlive a store that fails."""

    def renew_with_broken_store(self) -> None:
        self.store.broken = OSError("canary")
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        fault = self.failureResultOf(waiter, UpstreamUnavailable).value
        self.assertEqual(fault.code, "store_failed")

    def test_not_used(self) -> None:
        """They are not used, and the operator is told loudly but not the store's words."""
        self.renew_with_broken_store()
        self.assertEqual(self.keyring.current(ONE.fingerprint), credentials())
        (event,) = self.log.events
        self.assertEqual(event["log_level"].name, "critical")
        self.assertNotIn("canary", self.log.lines()[0])
        self.assertNotIn("refresh-1", self.log.lines()[0])
        self.store.broken = None
        self.clock.advance(1)

    def test_retried(self) -> None:
        """The store is tried again, more and more seldom, until it works."""
        self.renew_with_broken_store()
        for wait in (1, 2, 4, 8, 16, 32, 60, 60):
            (call,) = self.clock.getDelayedCalls()
            self.assertEqual(call.getTime() - self.clock.seconds(), wait)
            self.clock.advance(wait)
        self.store.broken = None
        self.clock.advance(60)
        self.assertEqual(self.stored(), NEW)
        self.assertIs(self.keyring.current(ONE.fingerprint), NEW)
        self.assertEqual(len(self.source.asked), 1)

    def test_cancelled_by_the_store(self) -> None:
        """A store that gives up the write has failed like any other."""
        self.store.broken = CancelledError()
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.failureResultOf(waiter, UpstreamUnavailable)
        self.store.broken = None
        self.clock.advance(1)
        self.assertEqual(self.stored(), NEW)

    def test_next_waiter_saves(self) -> None:
        """Who asks meanwhile stores what there is: the old refresh token may be dead."""
        self.renew_with_broken_store()
        self.store.broken = None
        self.assertIs(self.successResultOf(self.renewal.renew(ONE)), NEW)
        self.assertEqual(len(self.source.asked), 1)
        self.assertEqual(self.stored(), NEW)

    def test_next_waiter_fails_as_well(self) -> None:
        """While the store is broken there is one timer, not one per request."""
        self.renew_with_broken_store()
        self.failureResultOf(self.renewal.renew(ONE), UpstreamUnavailable)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.store.broken = None
        self.clock.advance(2)
        self.assertEqual(self.stored(), NEW)

    def test_later_refresh(self) -> None:
        """After that the account is renewed as ever."""
        self.renew_with_broken_store()
        self.store.broken = None
        self.clock.advance(1)
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEWER)
        self.assertIs(self.successResultOf(waiter), NEWER)
        self.assertEqual(self.stored(), NEWER)

    def test_retry_meets_a_waiter(self) -> None:
        """A retry that falls into a waiter's own attempt does not start another."""
        self.renew_with_broken_store()
        self.store.broken, self.store.late = None, True
        waiter = self.renewal.renew(ONE)
        self.clock.advance(5)
        self.assertEqual(self.store.held(), 1)
        self.store.release()
        self.assertIs(self.successResultOf(waiter), NEW)


class StopTests(Case):
    """The end of the service."""

    def test_idle(self) -> None:
        """Nothing under way, nothing to wait for."""
        self.successResultOf(self.renewal.stop())

    def test_waits(self) -> None:
        """A refresh under way is waited for: its answer may rotate the token."""
        self.renewal.renew(ONE)
        stopping = self.renewal.stop()
        self.assertNoResult(stopping)
        self.source.answer(NEW)
        self.successResultOf(stopping)
        self.assertEqual(self.stored(), NEW)

    def test_nothing_new(self) -> None:
        """No refresh begins any more."""
        self.renewal.stop()
        self.failureResultOf(self.renewal.renew(ONE), UpstreamUnavailable)
        self.assertEqual(self.source.asked, [])

    def broken(self) -> None:
        self.store.broken = OSError()
        self.failureResultOf(self._renewed())

    def _renewed(self) -> Deferred[Credentials]:
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        return waiter

    def test_last_try(self) -> None:
        """What is not stored yet is tried once more, at once."""
        self.broken()
        self.store.broken = None
        self.successResultOf(self.renewal.stop())
        self.assertEqual(self.stored(), NEW)

    def test_last_try_fails(self) -> None:
        """If that fails as well, the stop does not hang and no timer is left."""
        self.broken()
        self.successResultOf(self.renewal.stop())
        self.assertEqual(self.store.rows, {})
        self.assertIn("are LOST", self.log.lines()[-1])

    def test_during_a_retry(self) -> None:
        """A retry under way is that last try."""
        self.broken()
        self.store.broken, self.store.late = None, True
        self.clock.advance(1)
        stopping = self.renewal.stop()
        self.assertEqual(self.store.held(), 1)
        self.store.release()
        self.successResultOf(stopping)
        self.assertEqual(self.stored(), NEW)
