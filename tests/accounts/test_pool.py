"""Tests for kiro2api.accounts.pool and status."""

from collections.abc import Iterable, Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, Lease, Outcome, Parked, StoredAccount, Wanted
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.notices import Notice, Renewed, Turned
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    Kind,
    ModelOverloaded,
    NoAccountAvailable,
    NotFound,
    QuotaExhausted,
    ShuttingDown,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)
from tests.accounts.fakes import ScriptedSource
from tests.accounts.fixtures import ABANDONED, SERVED, account, credentials, failed
from tests.accounts.records import LogRecorder
from tests.fakes.store import UNSAVED, MemoryStore

ONE, TWO, THREE = account(1), account(2), account(3)
KEY = account(4, method="api_key", group="keys")
NOW = 1000.0
FRESH = credentials("access-fresh", "refresh-fresh", NOW + 3600)
DEAD = CredentialsRejected("x", code="invalid_grant")
NONE: frozenset[str] = frozenset()


class World:
    """A pool and everything around it."""

    def __init__(
        self, accounts: Iterable[Account] = (ONE, TWO, KEY), store: MemoryStore | None = None
    ) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.source = ScriptedSource()
        self.store = MemoryStore() if store is None else store
        self.ledger = Ledger(accounts)
        self.keyring = Keyring(
            {
                a.fingerprint: credentials("ksk_1", "")
                if a.method == "api_key"
                else credentials("", f"refresh-{a.order}")
                for a in self.ledger.accounts()
            }
        )
        self.renewal = RefreshOnce({"social": self.source}, self.store, self.keyring, self.clock)
        self.pool = AccountPool(
            self.ledger, self.keyring, self.store, self.renewal, self.clock, jitter=lambda: 0.0
        )

    def freshen(self, *accounts: Account) -> None:
        """Give these accounts tokens that are good for an hour."""
        for each in accounts:
            token = msgspec.structs.replace(FRESH)
            self.keyring.put(each.fingerprint, token)

    def in_flight(self) -> int:
        return sum(status.in_flight for status in self.pool.snapshot(self.clock.seconds()))


class Case(SynchronousTestCase):
    """One world per test."""

    def setUp(self) -> None:
        self.world = World()
        self.pool, self.source = self.world.pool, self.world.source
        self.clock, self.store = self.world.clock, self.world.store

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def lease(self, *tried: Account, group: str = "default") -> Lease:
        """A lease that is there at once."""
        return self.successResultOf(
            self.pool.acquire(group, frozenset(a.fingerprint for a in tried))
        )

    def nobody(self, *tried: Account, group: str = "default") -> NoAccountAvailable:
        """The failure when there is none."""
        acquiring = self.pool.acquire(group, frozenset(a.fingerprint for a in tried))
        value = self.failureResultOf(acquiring, NoAccountAvailable).value
        assert isinstance(value, NoAccountAvailable)
        return value

    def status(self, who: Account) -> AccountStatus:
        found = {s.name: s for s in self.pool.snapshot(self.clock.seconds())}
        return found[who.name]


class AcquireTests(Case):
    """Lending."""

    def test_fresh_token(self) -> None:
        """With a usable token the lease is there at once."""
        self.world.freshen(ONE)
        lease = self.lease()
        self.assertEqual(lease.account, ONE)
        self.assertEqual(lease.credentials, FRESH)
        self.assertEqual(self.source.asked, [])

    def test_api_key(self) -> None:
        """An API key is never renewed."""
        lease = self.lease(group="keys")
        self.assertEqual(lease.credentials.access_token.reveal(), "ksk_1")

    def test_when_somebody_returns(self) -> None:
        """Nobody waits while somebody can be asked; afterwards it is known for how long."""
        self.world.freshen(ONE, TWO, THREE)
        wanted = Wanted("m")
        self.assertIsNone(self.pool.returns_in("default", wanted))
        lease = self.successResultOf(self.pool.acquire("default", NONE, wanted))
        lease.settle(Outcome(End.FAILED, ModelOverloaded("full"), model="m"))
        self.assertEqual(self.pool.returns_in("default", wanted), 2.0)
        self.assertIsNone(self.pool.returns_in("default", Wanted("other")))

    def test_mended(self) -> None:
        """An account that was refused as such may be worth another try, as it is then."""
        self.world.freshen(ONE)
        lease = self.lease()
        fault = AccessRefused("wrong profile")
        self.assertFalse(self.successResultOf(lease.mend(fault)))
        other = msgspec.structs.replace(FRESH, profile_arn="other")

        async def mending(account: Account, used: Credentials, fault: AccessRefused) -> bool:
            self.assertEqual(account, ONE)
            if used == FRESH:
                self.world.keyring.put(ONE.fingerprint, other)
            return True

        self.pool.renewals.mending = mending
        self.assertTrue(self.successResultOf(lease.mend(fault)))
        self.assertEqual(lease.credentials, other)
        self.pool.expel(ONE.fingerprint)
        self.assertFalse(self.successResultOf(lease.mend(fault)))

    def test_stale_token(self) -> None:
        """A token within the margin is renewed first; all who wait share one refresh."""
        stale = credentials("access-old", "refresh-1", NOW + 59)
        self.world.keyring.put(ONE.fingerprint, stale)
        waiting = [self.pool.acquire("default", NONE) for _ in range(3)]
        self.assertEqual(len(self.source.asked), 1)
        self.assertEqual(self.world.in_flight(), 0)
        self.source.answer(FRESH)
        leases = [self.successResultOf(w) for w in waiting]
        self.assertEqual([x.credentials for x in leases], [FRESH] * 3)
        self.assertEqual(self.world.in_flight(), 3)

    def test_short_lived_token(self) -> None:
        """A renewed token that lives no longer than the margin is lent, not renewed for ever."""
        acquiring = self.pool.acquire("default", NONE)
        self.source.answer(credentials("short", "r", NOW + 30))
        self.assertEqual(self.successResultOf(acquiring).credentials.access_token.reveal(), "short")

    def test_tried(self) -> None:
        """Nobody is lent twice to one request."""
        self.world.freshen(ONE, TWO)
        self.assertEqual(self.lease(ONE).account, TWO)

    def test_unknown_group(self) -> None:
        """A group nobody was configured for is not found."""
        self.failureResultOf(self.pool.acquire("nope", NONE), NotFound)
        self.assertEqual(set(self.pool.groups()), {"default", "keys"})

    def test_failed_refresh(self) -> None:
        """If the first cannot be renewed, it rests and the next one serves."""
        acquiring = self.pool.acquire("default", NONE)
        self.source.refuse(UpstreamUnavailable("x"))
        self.assertNoResult(acquiring)
        self.source.answer(FRESH)
        self.assertEqual(self.successResultOf(acquiring).account, TWO)
        status = self.status(ONE)
        self.assertEqual((status.state, status.reason, status.until), ("cooling", "service", 1005))

    def test_everybody_fails(self) -> None:
        """If nobody can be renewed, the reasons and the first return are told."""
        acquiring = self.pool.acquire("default", NONE)
        self.source.refuse(Throttled("x", retry_after=90))
        self.source.refuse(DEAD)
        error = self.failureResultOf(acquiring, NoAccountAvailable).value
        self.assertEqual(error.retry_after, 90)
        self.assertEqual(error.kind, Kind.RATE_LIMITED)
        self.assertEqual(
            error.message,
            "None of the 2 accounts of this group can serve now: "
            "1 in need of a new login, 1 throttled.",
        )

    def test_parked_while_waiting(self) -> None:
        """An account that was suspended while its token was renewed is not lent."""
        self.world.freshen(ONE, TWO)
        other = self.lease()
        self.world.keyring.put(ONE.fingerprint, credentials("old", "r", NOW))
        acquiring = self.pool.acquire("default", NONE)
        other.settle(failed(AccountSuspended("x")))
        self.source.answer(FRESH)
        self.assertEqual(self.successResultOf(acquiring).account, TWO)

    def test_store_fails(self) -> None:
        """What cannot be stored is not lent; the account rests briefly."""
        self.store.broken = OSError()
        acquiring = self.pool.acquire("default", frozenset({TWO.fingerprint}))
        self.source.answer(FRESH)
        self.failureResultOf(acquiring, NoAccountAvailable)
        status = self.status(ONE)
        self.assertEqual((status.reason, status.until), ("service", NOW + 5))
        self.store.broken = None
        self.clock.advance(5)
        self.assertEqual(self.lease().credentials, FRESH)
        self.assertEqual(len(self.source.asked), 1)

    def test_cancelled_while_refreshing(self) -> None:
        """Whoever leaves takes no loan along and cancels nothing for the others."""
        first = self.pool.acquire("default", NONE)
        second = self.pool.acquire("default", NONE)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.source.answer(FRESH)
        self.assertEqual(self.successResultOf(second).account, ONE)
        self.assertEqual(self.world.in_flight(), 1)
        self.assertEqual(self.source.cancelled, 0)

    def test_alone_and_cancelled(self) -> None:
        """The refresh of somebody who left is there for the next one."""
        first = self.pool.acquire("default", NONE)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.source.answer(FRESH)
        self.assertEqual(self.lease().credentials, FRESH)


class NobodyTests(Case):
    """Why there is nobody."""

    def test_empty_group(self) -> None:
        """Without any account there is nothing to wait for."""
        error = self.failureResultOf(World([]).pool.acquire("default", NONE), NoAccountAvailable)
        self.assertEqual(error.value.message, "This group has no accounts.")
        self.assertIsNone(error.value.retry_after)
        self.assertEqual(error.value.kind, Kind.UNAVAILABLE)

    def test_all_tried(self) -> None:
        """If all are ready but were tried, a new request may come soon."""
        error = self.nobody(ONE, TWO)
        self.assertEqual(error.retry_after, 1)
        self.assertEqual(
            error.message,
            "None of the 2 accounts of this group can serve now: 2 already tried for this request.",
        )

    def test_kinds(self) -> None:
        """The kind is that of the state that may change soonest."""
        for fault, kind, wait in (
            (Throttled("x"), Kind.RATE_LIMITED, 30),
            (UpstreamUnavailable("x"), Kind.UNAVAILABLE, 5),
            (QuotaExhausted("x"), Kind.QUOTA_EXHAUSTED, 3600),
            (AccountSuspended("x"), Kind.UNAVAILABLE, None),
        ):
            world = World([KEY])
            lease = self.successResultOf(world.pool.acquire("keys", NONE))
            lease.settle(failed(fault))
            error = self.failureResultOf(world.pool.acquire("keys", NONE)).value
            assert isinstance(error, NoAccountAvailable)
            self.assertEqual((error.kind, error.retry_after), (kind, wait))
            self.assertTrue(error.message.startswith("None of the 1 account of this group"))

    def test_words_of_the_store(self) -> None:
        """A reason that somebody else stored is not repeated to clients."""
        self.world.ledger.restore(KEY.fingerprint, Parked("canary"), NOW)
        self.assertTrue(self.nobody(group="keys").message.endswith(": 1 parked."))

    def test_no_names(self) -> None:
        """Clients do not learn the accounts' names."""
        self.assertNotIn("account-", self.nobody(ONE, TWO).message)


class SettleTests(Case):
    """The end of a loan."""

    def setUp(self) -> None:
        super().setUp()
        self.world.freshen(ONE, TWO)

    def test_once(self) -> None:
        """Only the first settlement counts."""
        lease = self.lease()
        self.assertEqual(self.world.in_flight(), 1)
        lease.settle(SERVED)
        lease.settle(SERVED)
        lease.settle(failed(AccountSuspended("x")))
        status = self.status(ONE)
        self.assertEqual((status.in_flight, status.served, status.failed), (0, 1, 0))
        self.assertEqual(status.state, "ready")

    def test_abandoned(self) -> None:
        """An abandoned loan says nothing about the account."""
        self.lease().settle(ABANDONED)
        self.assertEqual(self.lease().account, ONE)

    def test_model_overloaded(self) -> None:
        """Nobody is parked for an overloaded model."""
        self.lease().settle(failed(ModelOverloaded("x")))
        self.assertEqual(self.lease().account, ONE)

    def test_parked(self) -> None:
        """A fault of the account makes the next one serve until it returns."""
        self.lease().settle(failed(Throttled("x")))
        self.assertEqual(self.lease().account, TWO)
        self.clock.advance(30)
        self.assertEqual(self.lease().account, ONE)

    def test_told(self) -> None:
        """The operator reads the name, the reason and the length, and of the return."""
        log = LogRecorder(self)
        self.lease().settle(failed(Throttled("canary")))
        self.lease().settle(failed(AccountSuspended("canary")))
        self.successResultOf(self.pool.release(TWO.fingerprint))
        self.assertEqual(
            log.lines(),
            [
                "account account-1 rests for 30 s: throttled",
                "account account-2 is not asked any more until an operator acts: suspended",
                "account account-2 can be asked again",
            ],
        )


class RenewTests(Case):
    """A lease whose token was refused."""

    def setUp(self) -> None:
        super().setUp()
        self.world.freshen(ONE)

    def test_renewed(self) -> None:
        """The lease gets the new credentials."""
        lease = self.lease()
        renewing = lease.renew()
        self.assertNoResult(renewing)
        newer = credentials("access-newer", "r", NOW + 3600)
        self.source.answer(newer)
        self.successResultOf(renewing)
        self.assertEqual(lease.credentials, newer)
        self.assertEqual(lease.account, ONE)

    def test_already_renewed(self) -> None:
        """If another loan did it meanwhile, no second refresh is made."""
        first, second = self.lease(), self.lease()
        first.renew()
        newer = credentials("access-newer", "r", NOW + 3600)
        self.source.answer(newer)
        self.successResultOf(second.renew())
        self.assertEqual(second.credentials, newer)
        self.assertEqual(len(self.source.asked), 1)

    def test_fresh_token_refused(self) -> None:
        """A token that was just renewed and is refused is not renewed again and again."""
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.source.answer(FRESH)
        lease = self.successResultOf(acquiring)
        self.clock.advance(29)
        fault = self.failureResultOf(lease.renew(), CredentialsRejected).value
        self.assertEqual(len(self.source.asked), 1)
        lease.settle(failed(fault))
        status = self.status(TWO)
        self.assertEqual((status.state, status.reason), ("rejected", "credentials"))
        self.assertEqual(status.until, self.clock.seconds() + 60)
        self.clock.advance(60)
        self.assertEqual(self.lease(ONE).account, TWO)

    def test_later_refusal(self) -> None:
        """Some time after a renewal the next one is made."""
        acquiring = self.pool.acquire("default", frozenset({ONE.fingerprint}))
        self.source.answer(FRESH)
        lease = self.successResultOf(acquiring)
        self.clock.advance(30)
        lease.renew()
        self.assertEqual(len(self.source.asked), 2)

    def test_dead_login(self) -> None:
        """If the refresh token is dead, the account needs a new login; settling adds nothing."""
        lease = self.lease()
        renewing = lease.renew()
        self.source.refuse(DEAD)
        fault = self.failureResultOf(renewing, CredentialsRejected).value
        lease.settle(failed(fault))
        status = self.status(ONE)
        self.assertEqual((status.state, status.reason, status.until), ("rejected", "login", 0.0))
        self.assertEqual(self.store.rows[ONE.fingerprint].parked, Parked("login"))

    def test_api_key(self) -> None:
        """A refused API key cannot be renewed; the account rests, and comes back."""
        lease = self.lease(group="keys")
        fault = self.failureResultOf(lease.renew(), CredentialsRejected).value
        lease.settle(failed(fault))
        self.assertEqual(self.nobody(group="keys").retry_after, 60)
        self.assertEqual(self.store.rows, {})
        self.clock.advance(60)
        self.lease(group="keys")

    def test_cancelled(self) -> None:
        """Cancelling the wait leaves the lease and the refresh alone."""
        lease = self.lease()
        renewing = lease.renew()
        renewing.cancel()
        self.failureResultOf(renewing, CancelledError)
        self.source.answer(credentials("access-newer", "r", NOW + 3600))
        self.assertEqual(lease.credentials, FRESH)
        self.assertEqual(self.world.in_flight(), 1)
        self.successResultOf(lease.renew())
        self.assertEqual(lease.credentials.access_token.reveal(), "access-newer")


class RestartTests(Case):
    """What outlives the process."""

    def restarted(self) -> World:
        """The same accounts and store in a new process."""
        world = World(store=self.store)
        self.successResultOf(world.pool.start())
        return world

    def test_rotated_tokens(self) -> None:
        """Stored tokens go before configured ones."""
        acquiring = self.pool.acquire("default", NONE)
        self.source.answer(FRESH)
        self.successResultOf(acquiring)
        world = self.restarted()
        lease = self.successResultOf(world.pool.acquire("default", NONE))
        self.assertEqual(lease.credentials, FRESH)

    def test_parked(self) -> None:
        """Exhausted, suspended and dead logins are remembered; a short rest is not."""
        for fault, state in (
            (QuotaExhausted("x", retry_after=500), "exhausted"),
            (AccountSuspended("x"), "suspended"),
            (Throttled("x"), "ready"),
        ):
            self.store.rows.clear()
            world = World(store=self.store)
            world.freshen(ONE)
            lease = self.successResultOf(world.pool.acquire("default", NONE))
            lease.settle(failed(fault))
            found = self.restarted().pool.snapshot(NOW)[0]
            self.assertEqual((found.name, found.state), ("account-1", state))

    def test_parked_api_key(self) -> None:
        """That holds for accounts that were never saved; their key stays the configured one."""
        self.lease(group="keys").settle(failed(QuotaExhausted("x", retry_after=500)))
        self.assertEqual(self.store.rows[KEY.fingerprint].credentials, UNSAVED)
        world = self.restarted()
        self.failureResultOf(world.pool.acquire("keys", NONE), NoAccountAvailable)
        world.clock.advance(500)
        lease = self.successResultOf(world.pool.acquire("keys", NONE))
        self.assertEqual(lease.credentials.access_token.reveal(), "ksk_1")
        lease.settle(SERVED)
        self.assertIsNone(self.store.rows[KEY.fingerprint].parked)

    def test_released(self) -> None:
        """What an operator releases is forgotten."""
        self.lease(group="keys").settle(failed(AccountSuspended("x")))
        self.successResultOf(self.pool.release(KEY.fingerprint))
        self.assertIsNone(self.store.rows[KEY.fingerprint].parked)
        self.lease(group="keys")

    def test_strangers(self) -> None:
        """Rows of accounts that are not configured any more do no harm."""
        self.store.rows["0" * 32] = StoredAccount(FRESH, Parked("login"))
        self.assertEqual(len(self.restarted().pool.snapshot(NOW)), 3)

    def test_store_fails(self) -> None:
        """Without the store there is no start: the configured tokens may be dead."""

        class Unreadable(MemoryStore):
            def load(self) -> Deferred[Mapping[str, StoredAccount]]:
                raise OSError("x")

        self.failureResultOf(World(store=Unreadable()).pool.start(), OSError)


class StopTests(Case):
    """The end."""

    def test_refuses(self) -> None:
        """Nothing is lent any more, also to those who were waiting for a refresh."""
        acquiring = self.pool.acquire("default", NONE)
        stopping = self.pool.stop()
        self.assertNoResult(stopping)
        self.failureResultOf(self.pool.acquire("default", NONE), ShuttingDown)
        self.source.answer(FRESH)
        self.failureResultOf(acquiring, ShuttingDown)
        self.successResultOf(stopping)
        self.assertEqual(self.world.in_flight(), 0)

    def test_writes(self) -> None:
        """Parked accounts are written down before the end."""
        self.store.late = True
        self.lease(group="keys").settle(failed(AccountSuspended("x")))
        stopping = self.pool.stop()
        self.assertNoResult(stopping)
        self.store.release()
        self.successResultOf(stopping)
        self.assertEqual(self.store.rows[KEY.fingerprint].parked, Parked("suspended"))


class SnapshotTests(Case):
    """What an operator sees."""

    def test_everything(self) -> None:
        """All facts, in the order of choice, and no secret among them."""
        self.world.freshen(ONE)
        self.lease()
        found = self.pool.snapshot(NOW)
        self.assertEqual([s.name for s in found], ["account-1", "account-2", "account-4"])
        self.assertEqual(
            found[0],
            AccountStatus(
                name="account-1",
                group="default",
                method="social",
                state="ready",
                reason="",
                until=0.0,
                expires_at=NOW + 3600,
                in_flight=1,
                served=0,
                failed=0,
                order=1,
                last_used=NOW,
                fingerprint="00000001ffffffff",
            ),
        )
        text = msgspec.json.encode(found).decode()
        for secret in ("access-fresh", "refresh-fresh", "ksk_1", ONE.fingerprint):
            self.assertNotIn(secret, text)


class KeepFreshTests(Case):
    """Renewing ahead of need."""

    def test_renewable(self) -> None:
        """Accounts with something to renew, unless only an operator can help them."""
        self.world.freshen(ONE)
        found = {a.name: t for a, t in self.pool.renewals.renewable(NOW)}
        self.assertEqual(found, {"account-1": NOW + 3600, "account-2": 0.0})
        self.lease().settle(failed(Throttled("x")))
        self.assertEqual(len(self.pool.renewals.renewable(NOW)), 2)
        self.world.freshen(TWO)
        self.lease().settle(failed(AccountSuspended("x")))
        self.assertEqual([a.name for a, _ in self.pool.renewals.renewable(NOW)], ["account-1"])

    def keep(self, fault: Exception | None) -> None:
        keeping = Deferred.fromCoroutine(self.pool.renewals.keep_fresh(ONE))
        if fault is None:
            self.source.answer(FRESH)
            self.successResultOf(keeping)
        else:
            self.source.refuse(fault)
            self.failureResultOf(keeping, type(fault))

    def test_success(self) -> None:
        """The next request finds the token."""
        self.keep(None)
        self.assertEqual(self.lease().credentials, FRESH)

    def test_passing_failure(self) -> None:
        """A token that is still good serves on."""
        self.world.freshen(ONE)
        self.keep(UpstreamUnavailable("x"))
        self.keep(Throttled("x"))
        self.assertEqual(self.lease().account, ONE)

    def test_dead_login(self) -> None:
        """A dead login is told at once."""
        self.world.freshen(ONE)
        self.keep(DEAD)
        self.assertEqual(self.status(ONE).reason, "login")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire", "cancel", "answer", "refuse", "dead", "settle", "renew", "pass", "release"]
        ),
        st.integers(0, 5),
    ),
    max_size=60,
)


class LoanPropertyTests(SynchronousTestCase):
    """Every loan is settled exactly once, whatever happens."""

    @settings(deadline=None)
    @given(STEPS, st.booleans())
    def test_no_loan_leaks(self, steps: list[tuple[str, int]], late: bool) -> None:
        """Loans in the ledger are exactly the leases that were handed out and not settled; at
        most one refresh per account is open; nothing is used that is not stored."""
        world = World([ONE, TWO, THREE])
        world.store.late = late
        waiting: list[Deferred[Lease]] = []
        leases: list[Lease] = []
        counter = 0

        def granted(lease: Lease) -> None:
            stored = world.store.rows[lease.account.fingerprint].credentials
            self.assertEqual(lease.credentials, stored)
            leases.append(lease)

        for what, number in steps:
            if what == "acquire":
                acquiring = world.pool.acquire("default", NONE)
                waiting.append(acquiring)
                acquiring.addCallback(granted).addErrback(
                    lambda f: f.trap(NoAccountAvailable, CancelledError)
                )
            elif what == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif what == "answer" and world.source.open:
                counter += 1
                expires = world.clock.seconds() + 600
                world.source.answer(credentials(f"a-{counter}", f"r-{counter}", expires))
            elif what == "refuse" and world.source.open:
                world.source.refuse(UpstreamUnavailable("x"))
            elif what == "dead" and world.source.open:
                world.source.refuse(DEAD)
            elif what == "settle" and leases:
                outcome = (SERVED, ABANDONED, failed(Throttled("x")))[number % 3]
                lease = leases.pop(number % len(leases))
                lease.settle(outcome)
                lease.settle(outcome)
            elif what == "renew" and leases:
                renewing = leases[number % len(leases)].renew()
                renewing.addErrback(lambda f: f.trap(UpstreamUnavailable, CredentialsRejected))
            elif what == "pass":
                world.clock.advance(number * 100)
            elif what == "release":
                world.store.release(1)
            self.assertEqual(world.in_flight(), len(leases))
            self.assertLessEqual(len(world.source.open), 3)
        self.assertEqual(world.source.cancelled, 0)


class FingerprintTests(SynchronousTestCase):
    """Credentials do not show."""

    def test_repr(self) -> None:
        """A lease in a traceback gives nothing away."""
        world = World()
        world.freshen(ONE)
        lease = self.successResultOf(world.pool.acquire("default", NONE))
        self.assertNotIn("access-fresh", repr(lease))
        self.assertIsInstance(lease.credentials, Credentials)
        self.assertNotIn("access-fresh", repr(lease.credentials))


class CompanyTests(SynchronousTestCase):
    """Several processes lend the same accounts."""

    def setUp(self) -> None:
        self.one, self.two = World(), World()
        self.told: list[Notice] = []
        self.one.freshen(ONE, TWO)
        self.one.pool.announce_to(self.told.append)
        self.one.pool.announce_to(self.pass_on)

    def pass_on(self, notice: Notice) -> None:
        self.told.append(notice)
        self.two.pool.heard(notice)

    def state(self, world: World) -> tuple[str, str, float]:
        found = world.pool.snapshot(world.clock.seconds())[0]
        return found.state, found.reason, found.until

    def fail_with(self, fault: UpstreamFault) -> None:
        lease = self.successResultOf(self.one.pool.acquire("default", NONE))
        lease.settle(failed(fault))

    def test_rest_and_release(self) -> None:
        """Both know, and only the one that found it out has it written down."""
        self.fail_with(AccountSuspended("x"))
        self.assertEqual(self.state(self.two), ("suspended", "suspended", 0.0))
        self.assertEqual(self.two.store.journal, [])
        self.assertEqual(self.one.store.journal, [("park", ONE.fingerprint)])
        self.successResultOf(self.one.pool.release(ONE.fingerprint))
        self.assertEqual(self.state(self.two), ("ready", "", 0.0))
        self.assertEqual([n.fingerprint for n in self.told], [ONE.fingerprint] * 2)

    def test_a_rest_that_is_not_stored(self) -> None:
        """Also what no restart would know of."""
        self.fail_with(Throttled("x"))
        self.assertEqual(self.state(self.two), ("cooling", "throttled", NOW + 30))

    def test_renewed(self) -> None:
        """What one has stored, the other reads."""
        self.one.pool._renewal.renew(ONE)
        self.one.source.answer(FRESH)
        self.assertEqual(self.told, [Renewed(ONE.fingerprint)])
        self.two.store.rows = self.one.store.rows
        self.two.pool.heard(self.told[0])
        self.assertEqual(self.two.keyring.current(ONE.fingerprint), FRESH)

    def test_unknown(self) -> None:
        """Another configuration, or another version: no matter."""
        self.two.pool.heard(Renewed("nobody"))
        self.two.pool.heard(Turned("nobody", "cooling", "x", NOW + 9, False))
        self.two.pool.heard(Turned(ONE.fingerprint, "unheard-of", "x", NOW + 9, False))
        self.assertEqual(self.state(self.two), ("ready", "", 0.0))
