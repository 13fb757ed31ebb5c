"""An emulator that keeps a book of its refreshes and can be made to hesitate over one.

It rotates strictly: a refresh token is good once. While it hesitates it has not rotated anything;
if the caller has gone when it goes on, it never will, as a service that was not heard out.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.app import Emulator
from kiro2api.emulator.calls import Call
from kiro2api.emulator.replies import Refused, Reply, refusal
from kiro2api.emulator.script import GENERATE
from kiro2api.emulator.visits import Visit

KEPT = 20_000


class Refresh(msgspec.Struct, frozen=True):
    """One refresh that was answered: when, and what was wrong with it (empty: nothing)."""

    account: str
    at: float
    wrong: str = ""


class BookedEmulator(Emulator):
    """Notes every refresh that it answers, refused ones as well."""

    def __init__(self, clock: Any, accounts: tuple[EmulatedAccount, ...]) -> None:
        super().__init__(clock, accounts, keep_calls=KEPT)
        self.book: list[Refresh] = []
        self.hesitating: list[str] = []
        self._held: dict[str, Deferred[None]] = {}

    def hesitate(self, *accounts: str) -> None:
        """Answer no refresh of these accounts until ``go_on``."""
        for account in accounts:
            self._held.setdefault(account, Deferred())

    def go_on(self) -> None:
        """Answer those who still wait."""
        held, self._held = self._held, {}
        for waiting in held.values():
            waiting.callback(None)

    def counts(self) -> Counter[str]:
        """Refreshes that were granted, by account."""
        return Counter(refresh.account for refresh in self.book if not refresh.wrong)

    def offences(self) -> list[Refresh]:
        """Refreshes that were refused."""
        return [refresh for refresh in self.book if refresh.wrong]

    def generations(self) -> list[Call]:
        """The calls for an answer."""
        return [call for call in self.calls if call.path == GENERATE]

    async def _refresh(self, visit: Visit) -> Reply:
        return await self._booked(visit, super()._refresh)

    async def _token(self, visit: Visit) -> Reply:
        return await self._booked(visit, super()._token)

    async def _booked(self, visit: Visit, refresh: Callable[[Visit], Awaitable[Reply]]) -> Reply:
        account = visit.call.account
        held = self._held.get(account)
        if held is not None:
            self.hesitating.append(account)
            again: Deferred[None] = Deferred()
            held.addCallback(lambda _: again.callback(None))
            await again
            self.hesitating.remove(account)
            if visit.call.outcome == "aborted":
                raise Refused(refusal("Nobody", "nobody listens any more"))
        now = self.clock.seconds()
        try:
            reply = await refresh(visit)
        except Refused:
            self.book.append(Refresh(account or "?", now, "refused"))
            raise
        self.book.append(Refresh(account, now))
        return reply
