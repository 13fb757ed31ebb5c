# -*- test-case-name: tests.web.admin.test_tokens_checks -*-
"""What an operator has tried out with one account: its login, its credits, a call.

Must not know HTTP or who asks.
"""

from collections.abc import Awaitable
from typing import Protocol

import msgspec
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials, usable
from kiro2api.accounts.quota import Quota
from kiro2api.accounts.registry import Registry
from kiro2api.errors import KiroError

MARGIN = 60.0
"""Seconds that a token must still live to be tried with."""

_MENDED = frozenset({"login", "credentials"})
"""Why an account rests that a renewed token proves wrong."""


class Renewing(Protocol):
    """The part of the pool that is used here."""

    def keep_fresh(self, account: Account) -> Awaitable[object]:
        """Renew an account's token; fails with an UpstreamFault."""


class Asked(Protocol):
    """The part of the upstream's client that is used here."""

    def models(self, account: Account, credentials: Credentials) -> Awaitable[tuple[object, ...]]:
        """The models offered to this account."""


class Quotas(Protocol):
    """The part of the quota watch that is used here."""

    def check(self, fingerprint: str) -> Awaitable[Quota]:
        """Read it now."""


class Tried(msgspec.Struct, frozen=True):
    """How a call went."""

    ok: bool
    error: str
    milliseconds: int
    models: int = 0


class Checks:
    """Tries accounts out.

    :param clock: its seconds are epoch seconds.
    """

    def __init__(
        self,
        registry: Registry,
        pool: Renewing,
        client: Asked,
        quotas: Quotas,
        clock: IReactorTime,
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._client = client
        self._quotas = quotas
        self._clock = clock

    async def refresh(self, actor: str, account_id: str) -> None:
        """Renew the token, or see whether an API key is still good; fails with an UpstreamFault.

        An account that rested for want of a good login is asked again after that.
        """
        card = self._registry.find(account_id)
        fingerprint = card.account.fingerprint
        if card.account.method == "api_key":
            await self._quotas.check(fingerprint)
        else:
            await self._pool.keep_fresh(card.account)
        parked = self._registry.find(account_id).parked
        if parked is not None and parked.reason in _MENDED:
            await self._registry.unpark(actor, account_id)

    async def quota(self, account_id: str) -> Quota:
        """Read the credits now; fails with an UpstreamFault."""
        return await self._quotas.check(self._registry.find(account_id).account.fingerprint)

    async def test(self, account_id: str) -> Tried:
        """One cheap call as this account, with a renewed token if need be."""
        account = self._registry.find(account_id).account
        began = self._clock.seconds()
        count, error = 0, ""
        try:
            credentials = self._registry.credentials(account.fingerprint)
            if not usable(account.method, credentials, began, MARGIN):
                await self._pool.keep_fresh(account)
                credentials = self._registry.credentials(account.fingerprint)
            count = len(await self._client.models(account, credentials))
        except CancelledError:
            raise
        except KiroError as fault:
            error = fault.message
        took = round((self._clock.seconds() - began) * 1000)
        return Tried(not error, error, took, count)
