# -*- test-case-name: tests.accounts.test_pool -*-
"""Other credentials for an account: ahead of need, in need, and after a refusal.

What a failed renewal costs the account is noted here. Must not know who lends it, nor how a token
is renewed.
"""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.bulletin import Bulletin
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.penalties import State, renewal_penalty
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import AccessRefused, CredentialsRejected, UpstreamFault

Mending = Callable[[Account, Credentials, AccessRefused], Awaitable[bool]]


async def _nothing_to_mend(account: Account, used: Credentials, fault: AccessRefused) -> bool:
    return False


class Renewals:
    """For the keeper, and for whoever has an account in his hands.

    :param jitter: gives entropy from 0 to 1.
    :param floor: seconds for which a renewed token that is refused is not renewed again.
    """

    def __init__(
        self,
        ledger: Ledger,
        keyring: Keyring,
        refresh: RefreshOnce,
        bulletin: Bulletin,
        clock: IReactorTime,
        *,
        jitter: Callable[[], float],
        floor: float,
    ) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._refresh = refresh
        self._bulletin = bulletin
        self._clock = clock
        self._jitter = jitter
        self._floor = floor
        self.mending: Mending = _nothing_to_mend
        """Asked whether a refused account is worth another try."""

    def renewable(self, now: float) -> list[tuple[Account, float]]:
        """The accounts whose tokens are worth renewing, with the expiry of each."""
        found = []
        for account in self._ledger.accounts():
            if account.method == "api_key":
                continue
            standing = self._ledger.standing(account.fingerprint, now)
            if standing.state is State.READY or standing.until:
                found.append((account, self._keyring.current(account.fingerprint).expires_at))
        return found

    async def keep_fresh(self, account: Account) -> None:
        """Renew ahead of need.

        Only a dead login parks the account: after anything else its token may still serve. One
        that was removed meanwhile is nobody's concern.
        """
        current = self._ledger.account(account.fingerprint)
        if current is None:
            return
        account = current
        try:
            await self._refresh.renew(account)
        except UpstreamFault as fault:
            penalty = renewal_penalty(fault)
            if penalty is not None and not penalty.base:
                self._failed(account, fault)
            raise

    async def renew(self, account: Account) -> Credentials:
        """In need; fails with an UpstreamFault, which costs the account."""
        try:
            return await self._refresh.renew(account)
        except CancelledError:
            raise
        except UpstreamFault as fault:
            self._failed(account, fault)
            raise

    async def replace(self, account: Account, refused: Credentials) -> Credentials:
        """Other credentials than those that were refused."""
        known = self._ledger.account(account.fingerprint)
        if known is None:
            raise CredentialsRejected("The account was removed.", code="removed")
        current = self._keyring.current(account.fingerprint)
        now = self._clock.seconds()
        if current.access_token != refused.access_token:
            return current
        if now < self._refresh.renewed_at(account.fingerprint) + self._floor:
            raise CredentialsRejected(
                "The upstream refuses an access token that was just renewed.", code="fresh_refused"
            )
        return await self.renew(known)

    async def mend(
        self, account: Account, used: Credentials, fault: AccessRefused
    ) -> Credentials | None:
        """Credentials for another try of an account that was refused with ``used``; None if there
        is no point in one."""
        if not await self.mending(account, used, fault):
            return None
        known = self._ledger.account(account.fingerprint) is not None
        return self._keyring.current(account.fingerprint) if known else None

    def _failed(self, account: Account, fault: UpstreamFault) -> None:
        now = self._clock.seconds()
        self._bulletin.note(
            self._ledger.renewal_failed(account.fingerprint, fault, now, jitter=self._jitter())
        )
