# -*- test-case-name: tests.accounts.test_pool -*-
"""An account in somebody's hands.

Must not know who chooses accounts, nor what becomes of one afterwards.
"""

from typing import Protocol

from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.outcome import Outcome
from kiro2api.errors import AccessRefused


class Lender(Protocol):
    """Who lent it."""

    async def replace(self, account: Account, refused: Credentials) -> Credentials:
        """Other credentials than those that were refused."""

    async def mend(
        self, account: Account, used: Credentials, fault: AccessRefused
    ) -> Credentials | None:
        """Credentials for another try after a refusal; None if there is no point in one."""

    def answered(self, account: Account, loan: int) -> None:
        """The upstream answers."""

    def settled(self, account: Account, loan: int, outcome: Outcome) -> None:
        """The loan has ended."""


class Loan:
    """The pool's ``Lease``. Invariant: the lender hears of its end exactly once."""

    def __init__(
        self, lender: Lender, account: Account, credentials: Credentials, number: int
    ) -> None:
        self.account = account
        self.credentials = credentials
        self._lender = lender
        self._number = number
        self._settled = False

    def renew(self) -> Deferred[None]:
        """See ``Lease``."""
        return Deferred.fromCoroutine(self._renew())

    def mend(self, fault: AccessRefused) -> Deferred[bool]:
        """See ``Lease``."""
        return Deferred.fromCoroutine(self._mend(fault))

    def answered(self) -> None:
        """See ``Lease``."""
        if not self._settled:
            self._lender.answered(self.account, self._number)

    def settle(self, outcome: Outcome) -> None:
        """See ``Lease``."""
        if not self._settled:
            self._settled = True
            self._lender.settled(self.account, self._number, outcome)

    async def _mend(self, fault: AccessRefused) -> bool:
        credentials = await self._lender.mend(self.account, self.credentials, fault)
        if credentials is None:
            return False
        self.credentials = credentials
        return True

    async def _renew(self) -> None:
        self.credentials = await self._lender.replace(self.account, self.credentials)
