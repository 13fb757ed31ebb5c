# -*- test-case-name: tests.accounts.test_pool -*-
"""Lends accounts: performs what the ledger decides.

Must not know HTTP, models or what an account is used for.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, usable
from kiro2api.accounts.bulletin import Bulletin
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import IAccountPool, ICredentialStore, Lease, Wanted
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.loan import Loan
from kiro2api.accounts.member import READY
from kiro2api.accounts.notices import Notice, Renewed
from kiro2api.accounts.outcome import Outcome, Parked
from kiro2api.accounts.penalties import NEEDS_LOGIN, State
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.renewals import Renewals
from kiro2api.accounts.standing import Change, Nobody, state_of
from kiro2api.accounts.status import AccountStatus, refusal, status_of
from kiro2api.accounts.turnstile import Turnstile, Waiter
from kiro2api.errors import (
    AccessRefused,
    KiroError,
    ShuttingDown,
    UpstreamFault,
)

_ANYTHING = Wanted()
_QUEUE_LIMIT = 100
_QUEUE_SECONDS = 30.0
_NOBODY: frozenset[str] = frozenset()


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
        queue_limit: int = _QUEUE_LIMIT,
        queue_seconds: float = _QUEUE_SECONDS,
    ) -> None:
        """
        :param jitter: gives entropy from 0 to 1.
        :param queue_limit: requests per group that may wait for a busy account, 0 for none.
        :param queue_seconds: how long each of them waits at most.
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
        self.bulletin = Bulletin(store, clock)
        self.turnstile: Turnstile[Loan | Account] = Turnstile(
            clock,
            self._serve,
            lambda group: ledger.crowded(group, clock.seconds()),
            ledger.soonest,
            self._crowd,
            limit=queue_limit,
            seconds=queue_seconds,
        )
        self.renewals = Renewals(
            ledger, keyring, renewal, self.bulletin, clock, jitter=jitter, floor=floor
        )
        self._stopped = False
        # Whose status is another now, and who is to be looked at in turn.
        self._touched: set[str] = set()
        self._round: list[str] = []

    def start(self) -> Deferred[None]:
        """Take over stored tokens and parked accounts; nothing may be lent before it fires."""
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Lend nothing more; fires when refreshes and writes under way have ended."""
        self._stopped = True
        self.turnstile.stop(_stopping)
        return self._renewal.stop().addCallback(lambda _: self.bulletin.written())

    # ── lending ──────────────────────────────────────────────────────────────

    def acquire(
        self, group: str, tried: frozenset[str], wanted: Wanted = _ANYTHING
    ) -> Deferred[Lease]:
        if self.turnstile:
            self.turnstile.look()  # Nobody goes before those who wait.
        # Nearly always there is nothing to wait for, and a coroutine would only cost.
        try:
            chosen = self._choose(group, tried, _NOBODY, wanted)
        except KiroError as error:
            return fail(error)
        if isinstance(chosen, Loan):
            return succeed(chosen)
        return Deferred.fromCoroutine(self._slowly(group, tried, wanted, chosen))

    def returns_in(self, group: str, wanted: Wanted) -> float | None:
        """Seconds until somebody may be asked again, None if that is now or unknown."""
        now = self._clock.seconds()
        choice = self._ledger.choose(group, _NOBODY, now, wanted.model)
        return refusal(choice, now).retry_after if isinstance(choice, Nobody) else None

    def lacks(self, fingerprint: str, model: str, seconds: float) -> None:
        """This account is not offered this model."""
        self._ledger.lacks(fingerprint, model, self._clock.seconds() + seconds)
        self._look()

    def waiting(self) -> dict[str, int]:
        """How many requests wait for a busy account, by group."""
        return self.turnstile.counts()

    # ── what an operator sees and changes ────────────────────────────────────

    def admit(
        self,
        account: Account,
        credentials: Credentials,
        enabled: bool = True,
        parked: Parked | None = None,
        credits_left: float | None = None,
    ) -> None:
        """Add an account, or change it in place: its counts, loans and standing stay.

        Of an account that is known already, the credentials in use stay if they are newer, and
        ``parked`` counts only where it needs an operator: what else is stored may be out of date.
        New credentials for an account that needs a login make it ready.
        """
        fingerprint, now = account.fingerprint, self._clock.seconds()
        known = self._ledger.account(fingerprint) is not None
        standing = self._ledger.standing(fingerprint, now) if known else None
        rejected = standing is not None and standing.state is State.REJECTED
        dead = standing is not None and standing.reason == NEEDS_LOGIN.reason
        renewed = self._keyring.admit(account, credentials, dead=dead)
        self._ledger.admit(account, now, enabled=enabled)
        self._touched.add(fingerprint)
        if rejected and renewed:
            self.bulletin.note(self._ledger.release(fingerprint, now))
        elif parked is not None and not known:
            self._ledger.restore(fingerprint, parked, now)
        elif parked is not None and not parked.until and not renewed:
            change = Change(account, state_of(parked), parked.reason, 0.0, True)
            self._ledger.heard(change, now)
        if credits_left is not None:
            self.bulletin.note(self._ledger.credits_known(fingerprint, credits_left, None, now))
        self._look()

    def expel(self, fingerprint: str) -> None:
        """Forget an account; loans of it may end whenever they do."""
        if self._ledger.expel(fingerprint) is not None:
            self._keyring.forget(fingerprint)
            self._renewal.forget(fingerprint)
            self._look()

    def set_group(self, policy: GroupPolicy) -> None:
        """How a group is used from now on."""
        self._ledger.set_group(policy, self._clock.seconds())
        self._look()

    def drop_group(self, name: str) -> None:
        """Forget a group; ValueError while it has accounts, and for the default group."""
        self._ledger.drop_group(name)
        self._look()

    def credits_known(self, fingerprint: str, left: float | None, reset_at: float | None) -> None:
        """What is left of an account's credits, and when they are renewed (epoch seconds)."""
        now = self._clock.seconds()
        self.bulletin.note(self._ledger.credits_known(fingerprint, left, reset_at, now))
        self._touched.add(fingerprint)
        self._look()

    def account(self, fingerprint: str) -> Account | None:
        """One account, None if it is unknown."""
        return self._ledger.account(fingerprint)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts in configured order."""
        return self._ledger.accounts()

    def groups(self) -> tuple[str, ...]:
        """The names of all groups."""
        return self._ledger.groups()

    def snapshot(self, now: float) -> list[AccountStatus]:
        """Every account in the order of choice."""
        return [self._status(account.fingerprint, now) for account in self._ledger.accounts()]

    def recent(self, now: float, most: int) -> list[AccountStatus]:
        """Accounts that were used or changed since the last call, and ``most`` others in turn,
        so that what only time or another process has changed is seen in the end."""
        if not self._round:
            self._round = [account.fingerprint for account in reversed(self._ledger.accounts())]
        left = max(0, len(self._round) - most)
        found = dict.fromkeys(reversed(self._round[left:]))
        del self._round[left:]
        found |= dict.fromkeys(self._touched)
        self._touched.clear()
        known = (one for one in found if self._ledger.account(one) is not None)
        return [self._status(fingerprint, now) for fingerprint in known]

    def readiness(self, now: float) -> tuple[int, int]:
        """How many accounts there are, and how many of them do not rest."""
        return self._ledger.readiness(now)

    def release(self, fingerprint: str) -> Deferred[None]:
        """An operator lets an account be asked again; fires when that is stored."""
        if self._ledger.account(fingerprint) is not None:
            self.bulletin.note(self._ledger.release(fingerprint, self._clock.seconds()))
            self._touched.add(fingerprint)
            self._look()
        return self.bulletin.written()

    # ── other processes ──────────────────────────────────────────────────────

    def announce_to(self, tell: Callable[[Notice], None]) -> None:
        """From now on, tell other processes what happens to the accounts."""
        self.bulletin.tell = tell
        self._renewal.on_renewed = lambda fingerprint: tell(Renewed(fingerprint))

    def heard(self, notice: Notice) -> None:
        """Another process tells; it has logged and stored what there was to log and store."""
        account = self._ledger.account(notice.fingerprint)
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
        change = Change(account, state, notice.reason, notice.until, notice.lasting, notice.plain)
        self._ledger.heard(change, self._clock.seconds())
        self._look()

    # ── for the loans ────────────────────────────────────────────────────────

    async def replace(self, account: Account, refused: Credentials) -> Credentials:
        """Other credentials than those that were refused."""
        return await self.renewals.replace(account, refused)

    async def mend(
        self, account: Account, used: Credentials, fault: AccessRefused
    ) -> Credentials | None:
        """Credentials for another try of an account that was refused with ``used``."""
        return await self.renewals.mend(account, used, fault)

    def answered(self, account: Account, loan: int) -> None:
        """The upstream answers a loan."""
        self._ledger.answered(account.fingerprint, loan, self._clock.seconds())
        self._look()

    def settled(self, account: Account, loan: int, outcome: Outcome) -> None:
        """A loan has ended."""
        now = self._clock.seconds()
        self._touched.add(account.fingerprint)
        self.bulletin.note(
            self._ledger.returned(
                account.fingerprint, outcome, now, jitter=self._jitter(), loan=loan
            )
        )
        if self.turnstile:
            self.turnstile.look()

    # ── inside ───────────────────────────────────────────────────────────────

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
        self, group: str, passed: AbstractSet[str], renewed: AbstractSet[str], wanted: Wanted
    ) -> Loan | Account | Nobody:
        """A lease, or the account whose token must be renewed first, or nobody while somebody is
        busy; raises what a client hears."""
        if self._stopped:
            raise _stopping()
        now = self._clock.seconds()
        choice = self._ledger.choose(group, passed, now, wanted.model, wanted.conversation)
        if isinstance(choice, Nobody):
            if choice.busy:
                return choice
            raise refusal(choice, now)
        account = choice.account
        fingerprint = account.fingerprint
        credentials = self._keyring.current(fingerprint)
        # What was renewed a moment ago is lent even if it lives no longer than the margin.
        if fingerprint not in renewed and not usable(
            account.method, credentials, now, self._margin
        ):
            return account
        self._touched.add(fingerprint)
        # Invariant: nothing is awaited between the loan and its lease.
        return Loan(
            self, account, credentials, self._ledger.lent(fingerprint, now, wanted.conversation)
        )

    async def _slowly(
        self, group: str, tried: frozenset[str], wanted: Wanted, chosen: Account | Nobody
    ) -> Lease:
        """Renew or wait, then choose again, until there is a lease."""
        passed, renewed = set(tried), set[str]()
        waiter: Waiter[Loan | Account] = Waiter(
            group, passed, renewed, wanted, self._clock.seconds()
        )
        while True:
            if isinstance(chosen, Nobody):
                # Who could not be renewed rests, and may be back before somebody else is free.
                passed.intersection_update(tried)
                got = await self.turnstile.wait(waiter)
                if isinstance(got, Loan):
                    return got
                chosen = got
            try:
                await self.renewals.renew(chosen)
                renewed.add(chosen.fingerprint)
            except UpstreamFault:
                passed.add(chosen.fingerprint)
            again = self._choose(group, passed, renewed, wanted)
            if isinstance(again, Loan):
                return again
            chosen = again

    def _serve(self, waiter: Waiter[Loan | Account]) -> Loan | Account | None:
        chosen = self._choose(waiter.group, waiter.passed, waiter.renewed, waiter.wanted)
        return None if isinstance(chosen, Nobody) else chosen

    def _crowd(self, waiter: Waiter[Loan | Account]) -> KiroError:
        """What a waiter hears who has waited long enough, or for whom there is no room."""
        now, wanted = self._clock.seconds(), waiter.wanted
        choice = self._ledger.choose(waiter.group, waiter.passed, now, wanted.model)
        nobody = choice if isinstance(choice, Nobody) else Nobody(now, {READY: 1})
        return refusal(nobody, now, waited=True)

    def _status(self, fingerprint: str, now: float) -> AccountStatus:
        standing = self._ledger.standing(fingerprint, now)
        return status_of(standing, self._keyring.current(fingerprint))

    def _look(self) -> None:
        if self.turnstile:
            self.turnstile.look()


def _stopping() -> ShuttingDown:
    return ShuttingDown("The service is shutting down.")
