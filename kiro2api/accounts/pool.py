# -*- test-case-name: tests.accounts.test_pool -*-
"""Lends accounts: performs what the ledger decides.

Must not know HTTP, models or what an account is used for.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, usable
from kiro2api.accounts.interfaces import IAccountPool, ICredentialStore, Lease, Wanted
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Change, Ledger, Nobody
from kiro2api.accounts.notices import Notice, Renewed, Turned
from kiro2api.accounts.outcome import Outcome, Parked
from kiro2api.accounts.parkbook import ParkBook
from kiro2api.accounts.penalties import State, renewal_penalty
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.status import AccountStatus, describe, kind_of, status_of
from kiro2api.errors import (
    CredentialsRejected,
    KiroError,
    NoAccountAvailable,
    ShuttingDown,
    UpstreamFault,
)

_SOONEST_RETRY = 1.0
_ANYTHING = Wanted()


class _Lease:
    """A loan. Invariant: the ledger hears of its end exactly once."""

    def __init__(self, pool: "AccountPool", account: Account, credentials: Credentials) -> None:
        self.account = account
        self.credentials = credentials
        self._pool = pool
        self._settled = False

    def renew(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._renew())

    async def _renew(self) -> None:
        self.credentials = await self._pool.replace(self.account, self.credentials)

    def settle(self, outcome: Outcome) -> None:
        if not self._settled:
            self._settled = True
            self._pool.settled(self.account, outcome)


@implementer(IAccountPool)
class AccountPool:
    """Chooses by the ledger, renews what has expired, keeps what must outlive a restart.

    The clock's seconds are epoch seconds, as the reactor's are.
    """

    _log = Logger()

    def __init__(
        self,
        ledger: Ledger,
        keyring: Keyring,
        store: ICredentialStore,
        renewal: RefreshOnce,
        clock: IReactorTime,
        *,
        jitter: Callable[[], float],
        margin: float = 60.0,
        floor: float = 30.0,
    ) -> None:
        """
        :param jitter: gives entropy from 0 to 1.
        :param margin: seconds before its expiry from which on a token is not sent any more.
        :param floor: seconds for which a renewed token that is refused is not renewed again.
        """
        self._ledger = ledger
        self._keyring = keyring
        self._store = store
        self._renewal = renewal
        self._clock = clock
        self._jitter = jitter
        self._margin = margin
        self._floor = floor
        self._parkbook = ParkBook(store)
        self._accounts = {account.fingerprint: account for account in ledger.accounts()}
        self._tell: Callable[[Notice], None] | None = None
        self._stopped = False

    def start(self) -> Deferred[None]:
        """Take over stored tokens and parked accounts; nothing may be lent before it fires."""
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Lend nothing more; fires when refreshes and writes under way have ended."""
        self._stopped = True
        return self._renewal.stop().addCallback(lambda _: self._parkbook.written())

    def acquire(
        self, group: str, tried: frozenset[str], wanted: Wanted = _ANYTHING
    ) -> Deferred[Lease]:
        # Nearly always there is nothing to wait for, and a coroutine would only cost.
        try:
            chosen = self._choose(group, tried, frozenset())
        except KiroError as error:
            return fail(error)
        if isinstance(chosen, _Lease):
            return succeed(chosen)
        return Deferred.fromCoroutine(self._renewing(group, tried, chosen))

    def lacks(self, fingerprint: str, model: str, seconds: float) -> None:
        """This account is not offered this model."""

    def groups(self) -> tuple[str, ...]:
        """The names of all groups."""
        return self._ledger.groups()

    def snapshot(self, now: float) -> list[AccountStatus]:
        """Every account in the order of choice."""
        return [
            status_of(
                self._ledger.standing(account.fingerprint, now),
                self._keyring.current(account.fingerprint),
            )
            for account in self._ledger.accounts()
        ]

    def release(self, fingerprint: str) -> Deferred[None]:
        """An operator lets an account be asked again; fires when that is stored."""
        self._note(self._ledger.release(fingerprint))
        return self._parkbook.written()

    def announce_to(self, tell: Callable[[Notice], None]) -> None:
        """From now on, tell other processes what happens to the accounts."""
        self._tell = tell
        self._renewal.on_renewed = lambda fingerprint: tell(Renewed(fingerprint))

    def heard(self, notice: Notice) -> None:
        """Another process tells; it has logged and stored what there was to log and store."""
        account = self._accounts.get(notice.fingerprint)
        if account is None:
            return  # its accounts are configured otherwise, as they may be during a reload
        if isinstance(notice, Renewed):
            following = self._renewal.renewed_elsewhere(account)
            following.addErrback(lambda f: self._log.failure("no renewed credentials", f))
            return
        try:
            state = State(notice.state)
        except ValueError:
            return
        change = Change(account, state, notice.reason, notice.until, notice.lasting)
        self._ledger.heard(change, self._clock.seconds())

    def renewable(self, now: float) -> list[tuple[Account, float]]:
        """The accounts whose tokens are worth renewing, with the expiry of each."""
        found = []
        for account in self._ledger.accounts():
            standing = self._ledger.standing(account.fingerprint, now)
            if account.method != "api_key" and (standing.state is State.READY or standing.until):
                found.append((account, self._keyring.current(account.fingerprint).expires_at))
        return found

    async def keep_fresh(self, account: Account) -> None:
        """Renew ahead of need.

        Only a dead login parks the account: after anything else its token may still serve.
        """
        try:
            await self._renewal.renew(account)
        except UpstreamFault as fault:
            penalty = renewal_penalty(fault)
            if penalty is not None and not penalty.base:
                self._renewal_failed(account, fault)
            raise

    async def replace(self, account: Account, refused: Credentials) -> Credentials:
        """Other credentials than those that were refused."""
        current = self._keyring.current(account.fingerprint)
        now = self._clock.seconds()
        if current.access_token != refused.access_token:
            return current
        if now < self._renewal.renewed_at(account.fingerprint) + self._floor:
            raise CredentialsRejected(
                "The upstream refuses an access token that was just renewed.", code="fresh_refused"
            )
        return await self._renew(account)

    def settled(self, account: Account, outcome: Outcome) -> None:
        """A loan has ended."""
        now = self._clock.seconds()
        self._note(self._ledger.returned(account.fingerprint, outcome, now, jitter=self._jitter()))

    async def _start(self) -> None:
        rows = await self._store.load()
        now = self._clock.seconds()
        for account in self._ledger.accounts():
            row = rows.get(account.fingerprint)
            if row is None:
                continue
            self._keyring.lay_over(account, row.credentials)
            if row.parked is not None:
                self._ledger.restore(account.fingerprint, row.parked, now)

    def _choose(
        self, group: str, passed: AbstractSet[str], renewed: AbstractSet[str]
    ) -> _Lease | Account:
        """A lease, or the account whose token must be renewed first; raises what a waiter hears."""
        if self._stopped:
            raise ShuttingDown("The service is shutting down.")
        now = self._clock.seconds()
        choice = self._ledger.choose(group, passed, now)
        if isinstance(choice, Nobody):
            raise _unavailable(choice, now)
        account = choice.account
        credentials = self._keyring.current(account.fingerprint)
        # What was renewed a moment ago is lent even if it lives no longer than the margin.
        if account.fingerprint not in renewed and not usable(
            account.method, credentials, now, self._margin
        ):
            return account
        # Invariant: nothing is awaited between the loan and its lease.
        self._ledger.lent(account.fingerprint, now)
        return _Lease(self, account, credentials)

    async def _renewing(self, group: str, tried: frozenset[str], account: Account) -> Lease:
        """Renew ``account``, then choose again, until there is a lease."""
        passed = set(tried)
        renewed: set[str] = set()
        while True:
            try:
                await self._renew(account)
                renewed.add(account.fingerprint)
            except UpstreamFault:
                passed.add(account.fingerprint)
            chosen = self._choose(group, passed, renewed)
            if isinstance(chosen, _Lease):
                return chosen
            account = chosen

    async def _renew(self, account: Account) -> Credentials:
        try:
            return await self._renewal.renew(account)
        except CancelledError:
            raise
        except UpstreamFault as fault:
            self._renewal_failed(account, fault)
            raise

    def _renewal_failed(self, account: Account, fault: UpstreamFault) -> None:
        now = self._clock.seconds()
        self._note(
            self._ledger.renewal_failed(account.fingerprint, fault, now, jitter=self._jitter())
        )

    def _note(self, change: Change | None) -> None:
        """Tell the operator of a new standing, and the store where it must last."""
        if change is None:
            return
        account, until = change.account, change.until
        if self._tell is not None:
            self._tell(
                Turned(
                    account.fingerprint, change.state.value, change.reason, until, change.lasting
                )
            )
        if change.state is State.READY:
            self._log.info("account {name} can be asked again", name=account.name)
        elif until:
            self._log.warn(
                "account {name} rests for {rest} s: {reason}",
                name=account.name,
                rest=round(until - self._clock.seconds()),
                reason=change.reason,
            )
        else:
            self._log.error(
                "account {name} is not asked any more until an operator acts: {reason}",
                name=account.name,
                reason=change.reason,
            )
        if change.lasting:
            parked = None if change.state is State.READY else Parked(change.reason, until)
            self._parkbook.note(account.fingerprint, parked)


def _unavailable(nobody: Nobody, now: float) -> NoAccountAvailable:
    wait = None if nobody.earliest is None else max(nobody.earliest - now, _SOONEST_RETRY)
    return NoAccountAvailable(
        describe(nobody.census), kind=kind_of(nobody.census), retry_after=wait
    )
