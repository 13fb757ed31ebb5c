"""Tests for kiro2api.accounts.leases, and for refreshes of processes that share a store."""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.interfaces import ILeases, Parked, StoredAccount
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.leases import LEASE_SECONDS, PATIENCE_SECONDS, FreeLeases, Turns
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import CredentialsRejected, UpstreamUnavailable
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import account, credentials
from tests.accounts.records import LogRecorder
from tests.fakes.store import MemoryStore

ONE = account(1)
NAME = f"refresh:{ONE.fingerprint}"
OLD = credentials("access-0", "refresh-0", 900.0)
NEW = credentials("access-1", "refresh-1", 9000.0)
NEWER = credentials("access-2", "refresh-2", 9900.0)
DEAD = CredentialsRejected("x", code="invalid_grant")


@implementer(ILeases)
class SharedLeases:
    """Leases in memory; ``holder`` says whose they are, ``elsewhere`` is somebody else."""

    def __init__(self) -> None:
        self.fence = 0
        self.elsewhere = False
        self.broken: Exception | None = None
        self.journal: list[str] = []

    def win(self, name: str, seconds: float) -> Deferred[int | None]:
        if self.broken is not None:
            return fail(self.broken)
        self.journal.append(f"asked {name} {seconds:g}")
        if self.elsewhere:
            return succeed(None)
        self.fence += 1
        return succeed(self.fence)

    def give_up(self, name: str, fence: int) -> Deferred[None]:
        self.journal.append(f"free {name} {fence}")
        return succeed(None) if self.broken is None else fail(self.broken)


class TurnsTests(SynchronousTestCase):
    """Waiting for a lease."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.leases = SharedLeases()
        self.turns = Turns(self.leases, self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def won(self) -> Deferred[int]:
        return Deferred.fromCoroutine(self.turns.won("x"))

    def test_interface(self) -> None:
        """Both kinds are leases."""
        verifyObject(ILeases, FreeLeases())
        verifyObject(ILeases, self.leases)

    def test_at_once(self) -> None:
        """Nobody else wants it."""
        self.assertEqual(self.successResultOf(self.won()), 1)
        self.assertEqual(self.leases.journal, [f"asked x {LEASE_SECONDS:g}"])

    def test_waits(self) -> None:
        """It is asked for again, less and less often, until the other is done."""
        self.leases.elsewhere = True
        won = self.won()
        for _ in range(20):
            self.clock.advance(0.5)
        self.assertNoResult(won)
        self.assertLessEqual(len(self.leases.journal), 30)
        self.leases.elsewhere = False
        self.clock.advance(0.5)
        self.assertEqual(self.successResultOf(won), 1)

    def test_patience(self) -> None:
        """Nobody waits for ever."""
        self.leases.elsewhere = True
        won = self.won()
        while self.clock.seconds() < PATIENCE_SECONDS:
            self.assertNoResult(won)
            self.clock.advance(0.5)
        self.assertEqual(self.failureResultOf(won, UpstreamUnavailable).value.code, "lease_busy")

    def test_stop(self) -> None:
        """Who waits is sent away, and whoever comes later."""
        self.leases.elsewhere = True
        waiting = self.won()
        self.turns.stop()
        for each in (waiting, self.won()):
            self.assertEqual(self.failureResultOf(each, UpstreamUnavailable).value.code, "stopping")

    def test_cancelled(self) -> None:
        """A waiter that leaves leaves no timer."""
        self.leases.elsewhere = True
        waiting = self.won()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.turns.stop()

    def test_broken_store(self) -> None:
        """Without a lease there is no refresh; the store's words are not repeated."""
        log = LogRecorder(self)
        for error in (OSError("canary"), CancelledError()):
            self.leases.broken = error
            fault = self.failureResultOf(self.won(), UpstreamUnavailable).value
            self.assertEqual(fault.code, "store_failed")
        self.turns.give_up("x", 1)
        self.assertNotIn("canary", "".join(log.lines()))


class SharedCase(SynchronousTestCase):
    """One process of several."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.source = ScriptedSource()
        self.store = MemoryStore({ONE.fingerprint: StoredAccount(OLD)})
        self.leases = SharedLeases()
        self.keyring = Keyring({ONE.fingerprint: OLD})
        self.renewal = RefreshOnce(
            {"social": self.source}, self.store, self.keyring, self.clock, self.leases
        )
        self.told: list[str] = []
        self.renewal.on_renewed = self.told.append
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def elsewhere(self, fresh: Credentials) -> None:
        """Another process has renewed and stored."""
        self.leases.fence += 1
        self.store.rows[ONE.fingerprint] = StoredAccount(fresh)
        self.store.fences[ONE.fingerprint] = self.leases.fence

    def current(self) -> Credentials:
        return self.keyring.current(ONE.fingerprint)


class SharedRefreshTests(SharedCase):
    """Refreshes under a lease."""

    def test_ours(self) -> None:
        """Won, looked at the row, renewed, saved with the fence, told."""
        waiter = self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.assertIs(self.successResultOf(waiter), NEW)
        self.assertEqual(self.store.fences[ONE.fingerprint], 1)
        self.assertEqual(self.told, [ONE.fingerprint])
        self.assertEqual(self.leases.journal, [f"asked {NAME} 25"])  # the save frees it

    def test_another_login_meanwhile(self) -> None:
        """The answer to a login that was replaced is dropped, and its lease given up."""
        waiter = self.renewal.renew(ONE)
        self.keyring.put(ONE.fingerprint, NEWER)
        self.source.answer(NEW)
        self.assertIs(self.successResultOf(waiter), NEWER)
        self.assertEqual(self.store.rows[ONE.fingerprint], StoredAccount(OLD))
        self.assertEqual(self.leases.journal[-1], f"free {NAME} 1")

    def test_another_was_faster(self) -> None:
        """What it stored is taken, and nothing is asked."""
        self.leases.elsewhere = True
        waiter = self.renewal.renew(ONE)
        self.assertNoResult(waiter)
        self.elsewhere(NEW)
        self.leases.elsewhere = False
        self.clock.advance(0.05)
        self.assertEqual(self.successResultOf(waiter), NEW)
        self.assertEqual(self.current(), NEW)
        self.assertEqual(self.source.asked, [])
        self.assertEqual(self.leases.journal[-1], f"free {NAME} 2")
        self.assertEqual(self.renewal.renewed_at(ONE.fingerprint), self.clock.seconds())
        self.assertEqual(self.told, [])

    def test_what_it_stored_has_expired(self) -> None:
        """Then the refresh is made, with the refresh token that is good now."""
        self.elsewhere(credentials("access-1", "refresh-1", 999.0))
        waiter = self.renewal.renew(ONE)
        self.assertEqual(self.source.asked[0][1].refresh_token.reveal(), "refresh-1")
        self.source.answer(NEWER)
        self.assertIs(self.successResultOf(waiter), NEWER)

    def test_only_parked(self) -> None:
        """A row without credentials is no news."""
        self.store.rows.clear()
        self.successResultOf(self.store.park(ONE.fingerprint, Parked("exhausted", 2000.0)))
        self.renewal.renew(ONE)
        self.assertEqual(self.source.asked, [(ONE, OLD)])
        self.source.answer(NEW)

    def test_no_second_look_if_nobody_was_between(self) -> None:
        """A process that won the last time, too, knows the row: it saves that transaction."""
        self.renewal.renew(ONE)
        self.source.answer(NEW)
        self.store.rows[ONE.fingerprint] = StoredAccount(NEWER)  # nobody does that
        self.renewal.renew(ONE)
        self.assertEqual(self.source.asked[1], (ONE, NEW))
        self.source.answer(NEWER)
        self.elsewhere(credentials("access-3", "refresh-3", 9999.0))
        self.successResultOf(self.renewal.renew(ONE))
        self.assertEqual(self.current().access_token.reveal(), "access-3")

    def test_failure_frees(self) -> None:
        """A refresh that fails leaves the lease to others."""
        waiter = self.renewal.renew(ONE)
        self.source.refuse(UpstreamUnavailable("x"))
        self.failureResultOf(waiter, UpstreamUnavailable)
        self.assertEqual(self.leases.journal[-1], f"free {NAME} 1")

    def test_dead_or_replaced(self) -> None:
        """A refused refresh token is looked up once more: somebody late may have replaced it."""
        waiter = self.renewal.renew(ONE)
        self.elsewhere(NEW)
        self.source.refuse(DEAD)
        self.assertEqual(self.successResultOf(waiter), NEW)
        waiter = self.renewal.renew(ONE)
        self.assertEqual(self.leases.journal[-2], f"free {NAME} 1")
        self.source.refuse(DEAD)
        self.assertIs(self.failureResultOf(waiter, CredentialsRejected).value, DEAD)

    def test_superseded(self) -> None:
        """Who was held up for too long takes what another has stored since."""
        waiter = self.renewal.renew(ONE)
        self.elsewhere(NEWER)
        self.source.answer(NEW)
        self.assertEqual(self.successResultOf(waiter), NEWER)
        self.assertEqual(self.store.rows[ONE.fingerprint].credentials, NEWER)
        self.assertEqual(self.told, [])

    def test_unreadable(self) -> None:
        """A store that cannot be read is a passing failure, and the lease is free."""
        self.store.broken = OSError("canary")
        log = LogRecorder(self)
        waiter = self.renewal.renew(ONE)
        fault = self.failureResultOf(waiter, UpstreamUnavailable).value
        self.assertEqual(fault.code, "store_failed")
        self.assertEqual(self.source.asked, [])
        self.assertEqual(self.leases.journal[-1], f"free {NAME} 1")
        self.assertNotIn("canary", "".join(log.lines()))

    def test_stop_while_waiting(self) -> None:
        """A stop does not wait for another process."""
        self.leases.elsewhere = True
        waiter = self.renewal.renew(ONE)
        self.successResultOf(self.renewal.stop())
        self.failureResultOf(waiter, UpstreamUnavailable)


class RenewedElsewhereTests(SharedCase):
    """News of another process."""

    def follow(self) -> None:
        self.successResultOf(self.renewal.renewed_elsewhere(ONE))

    def test_taken(self) -> None:
        """Its credentials are used from now on, also against the floor for refused tokens."""
        self.elsewhere(NEW)
        self.follow()
        self.assertEqual(self.current(), NEW)
        self.assertEqual(self.renewal.renewed_at(ONE.fingerprint), 1000.0)

    def test_during_our_own(self) -> None:
        """A flight under way is not disturbed."""
        self.renewal.renew(ONE)
        self.elsewhere(NEWER)
        self.follow()
        self.assertEqual(self.current(), OLD)
        self.source.answer(NEW)

    def test_after_the_stop(self) -> None:
        """Nothing is read any more."""
        self.successResultOf(self.renewal.stop())
        self.elsewhere(NEW)
        self.follow()
        self.assertEqual(self.current(), OLD)

    def test_unreadable(self) -> None:
        """The next refresh looks again."""
        self.elsewhere(NEW)
        self.store.broken = OSError()
        self.follow()
        self.assertEqual(self.current(), OLD)
