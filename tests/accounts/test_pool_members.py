"""Tests for kiro2api.accounts.pool and refresh: accounts that come, change and go."""

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import Parked
from kiro2api.accounts.standing import Change
from kiro2api.errors import (
    AccountSuspended,
    CredentialsRejected,
    Kind,
    NoAccountAvailable,
    NotFound,
    QuotaExhausted,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import SERVED, account, credentials, failed
from tests.accounts.test_pool import DEAD, FRESH, NONE, NOW, ONE, TWO, Case

THREE = account(3)


class AdmitTests(Case):
    """Added and changed while the service runs."""

    def test_added(self) -> None:
        """It is lent at once, and known to whoever asks the pool."""
        self.pool.admit(account(5, group="pro"), FRESH, True, None, 40.0)
        self.assertEqual(self.lease(group="pro").account.name, "account-5")
        self.assertIn("pro", self.pool.groups())
        self.assertEqual(self.pool.account(account(5).fingerprint), account(5, group="pro"))
        self.assertEqual(self.pool.accounts()[-1].name, "account-5")
        self.assertEqual(self.status(account(5)).credits_left, 40.0)

    def test_added_parked_or_off(self) -> None:
        """What the store remembers holds for new accounts."""
        self.pool.admit(account(5, group="pro"), FRESH, True, Parked("exhausted", NOW + 9), None)
        self.pool.admit(account(6, group="pro"), FRESH, False, None, None)
        error = self.nobody(group="pro")
        self.assertEqual((error.kind, error.retry_after), (Kind.QUOTA_EXHAUSTED, 9))
        self.assertIn("1 disabled, 1 out of credits", error.message)
        self.assertFalse(self.status(account(6)).enabled)

    def test_known_already(self) -> None:
        """What was stored may be out of date, unless an operator is needed."""
        self.world.freshen(ONE, TWO)
        stale = credentials("access-old", "refresh-old", NOW)
        self.pool.admit(ONE, stale, True, Parked("exhausted", NOW + 9), None)
        self.assertEqual(self.lease().credentials, FRESH)
        self.pool.admit(ONE, stale, True, Parked("suspended"), None)
        self.assertEqual(self.status(ONE).state, "suspended")
        self.assertEqual(self.store.journal, [])

    def test_new_login(self) -> None:
        """New credentials for an account that needs a login make it ready."""
        keeping = Deferred.fromCoroutine(self.pool.renewals.keep_fresh(ONE))
        self.source.refuse(DEAD)
        self.failureResultOf(keeping, CredentialsRejected)
        self.assertEqual(self.status(ONE).state, "rejected")
        self.pool.admit(ONE, FRESH, True, Parked("login"), None)
        self.assertEqual(self.lease().account, ONE)
        self.assertIsNone(self.store.rows[ONE.fingerprint].parked)

    def test_refused_for_a_moment(self) -> None:
        """An access token that was refused does not make older credentials better."""
        self.world.freshen(ONE)
        self.lease().settle(failed(CredentialsRejected("x")))
        self.pool.admit(ONE, credentials("access-old", "refresh-old", NOW))
        self.assertEqual(self.status(ONE).state, "rejected")
        self.assertEqual(self.world.keyring.current(ONE.fingerprint), FRESH)

    def test_groups(self) -> None:
        """Made, governed and dropped."""
        self.pool.set_group(GroupPolicy("pro", policy="round_robin"))
        self.assertEqual(self.nobody(group="pro").message, "This group has no accounts.")
        self.pool.drop_group("pro")
        self.failureResultOf(self.pool.acquire("pro", NONE), NotFound)
        self.assertRaises(ValueError, self.pool.drop_group, "default")

    def test_credits(self) -> None:
        """Credits that were read bring an exhausted account back, and others are told."""
        self.world.freshen(ONE)
        turned: list[Change] = []
        self.pool.bulletin.turned = turned.append
        self.lease().settle(failed(QuotaExhausted("x")))
        self.pool.credits_known(ONE.fingerprint, 5.0, NOW + 99)
        self.pool.credits_known("nobody", 5.0, None)
        self.assertEqual([change.state.value for change in turned], ["exhausted", "ready"])
        status = self.status(ONE)
        self.assertEqual(
            (status.state, status.probing, status.credits_left, status.resets_at),
            ("ready", True, 5.0, NOW + 99),
        )
        self.assertEqual((status.last_error, status.last_error_at), ("QuotaExhausted", NOW))

    def test_unknown(self) -> None:
        """News of an account that is gone does nothing."""
        self.successResultOf(self.pool.release("nobody"))
        self.pool.lacks("nobody", "opus", 9.0)
        self.pool.expel("nobody")
        self.assertEqual(self.store.journal, [])


class ExpelTests(Case):
    """Removed while it is used."""

    def setUp(self) -> None:
        super().setUp()
        self.world.freshen(ONE)

    def test_loans(self) -> None:
        """A loan ends harmlessly, and cannot renew."""
        lease = self.lease()
        self.pool.expel(ONE.fingerprint)
        fault = self.failureResultOf(lease.renew(), CredentialsRejected).value
        self.assertEqual(fault.code, "removed")
        lease.settle(failed(AccountSuspended("x")))
        self.assertEqual(self.store.journal, [])
        self.pool.admit(ONE, FRESH)
        lease.settle(SERVED)
        self.assertEqual(self.status(ONE).in_flight, 0)

    def test_renewed_by_nobody(self) -> None:
        """The keeper passes over who is gone."""
        self.pool.expel(ONE.fingerprint)
        self.successResultOf(Deferred.fromCoroutine(self.pool.renewals.keep_fresh(ONE)))
        self.assertEqual(self.source.asked, [])

    def test_refresh_under_way(self) -> None:
        """Its answer is not stored: the row is gone, and stays so."""
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.pool.expel(TWO.fingerprint)
        self.source.answer(FRESH)
        self.failureResultOf(acquiring, NoAccountAvailable)
        self.assertEqual(self.store.rows, {})
        self.assertEqual(self.world.renewal.renewed_at(TWO.fingerprint), NOW)

    def test_another_login_meanwhile(self) -> None:
        """The answer to the old login does not replace the new one."""
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.pool.expel(TWO.fingerprint)
        newer = credentials("access-n", "refresh-n", NOW + 9999)
        self.pool.admit(TWO, newer)
        self.source.answer(FRESH)
        self.assertEqual(self.successResultOf(acquiring).credentials, newer)
        self.assertEqual(self.store.rows, {})

    def test_back_meanwhile(self) -> None:
        """The same login again: the answer is its next token."""
        old = self.world.keyring.current(TWO.fingerprint)
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.pool.expel(TWO.fingerprint)
        self.pool.admit(TWO, old)
        self.source.answer(FRESH)
        self.assertEqual(self.successResultOf(acquiring).credentials, FRESH)
        self.assertEqual(self.store.rows[TWO.fingerprint].credentials, FRESH)

    def test_while_it_is_stored(self) -> None:
        """What the store has just taken is used by nobody."""
        self.store.late = True
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.source.answer(FRESH)
        self.pool.expel(TWO.fingerprint)
        self.store.release()
        self.failureResultOf(acquiring, NoAccountAvailable)
        self.assertFalse(self.world.keyring.knows(TWO.fingerprint))

    def test_not_stored_yet(self) -> None:
        """What could not be stored is not tried again."""
        self.store.broken = OSError()
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.source.answer(FRESH)
        self.failureResultOf(acquiring, NoAccountAvailable)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pool.expel(TWO.fingerprint)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_expelled_between_tries(self) -> None:
        """A try that was under way when the account went is the last."""
        self.store.broken = OSError()
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.source.answer(FRESH)
        self.failureResultOf(acquiring, NoAccountAvailable)
        self.store.late = True
        self.clock.advance(1)
        self.pool.expel(TWO.fingerprint)
        self.store.release()
        self.clock.advance(5)
        self.assertEqual(self.store.rows, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_region_corrected(self) -> None:
        """A lease renews with the account as it is now."""
        lease = self.lease()
        moved = msgspec.structs.replace(ONE, region="eu-central-1")
        self.pool.admit(moved, FRESH)
        renewing = lease.renew()
        self.assertEqual(self.source.asked[0][0], moved)
        self.source.refuse(UpstreamUnavailable("x"))
        self.failureResultOf(renewing, UpstreamUnavailable)
