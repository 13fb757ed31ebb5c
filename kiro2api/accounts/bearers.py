# -*- test-case-name: tests.accounts.test_bearers -*-
"""Credentials that may be sent now, for questions about an account that lend nothing.

Must not know what is asked. A renewal that fails here parks nobody: whoever lends the account meets
the same trouble and judges it.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials, usable
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import CredentialsRejected, UpstreamUnavailable

_T = TypeVar("_T")


class Bearers:
    """Takes credentials from the keyring and has them renewed where that is needed."""

    def __init__(
        self,
        keyring: Keyring,
        renewal: RefreshOnce,
        clock: IReactorTime,
        *,
        margin: float = 60.0,
        floor: float = 30.0,
    ) -> None:
        """
        :param margin: seconds before its expiry from which on a token is not sent any more.
        :param floor: seconds for which a renewed token that is refused is not renewed again.
        """
        self._keyring = keyring
        self._renewal = renewal
        self._clock = clock
        self._margin = margin
        self._floor = floor

    async def current(self, account: Account) -> Credentials:
        """Usable credentials; fails with an UpstreamFault."""
        credentials = self._known(account)
        now = self._clock.seconds()
        if usable(account.method, credentials, now, self._margin):
            return credentials
        return await self._renewal.renew(account)

    async def asked(
        self, account: Account, ask: Callable[[Account, Credentials], Awaitable[_T]]
    ) -> _T:
        """The answer to ``ask``, which is asked again once with renewed credentials if the first
        are refused; fails with an UpstreamFault."""
        credentials = await self.current(account)
        try:
            return await ask(account, credentials)
        except CredentialsRejected:
            fingerprint = account.fingerprint
            renewed = self._known(account)
            if renewed.access_token == credentials.access_token:
                fresh = self._renewal.renewed_at(fingerprint) + self._floor
                if account.method == "api_key" or self._clock.seconds() < fresh:
                    raise
                renewed = await self._renewal.renew(account)
        return await ask(account, renewed)

    def _known(self, account: Account) -> Credentials:
        credentials = self._keyring.find(account.fingerprint)
        if credentials is None:
            raise UpstreamUnavailable("The account was removed.", code="removed")
        return credentials
