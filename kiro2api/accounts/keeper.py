# -*- test-case-name: tests.accounts.test_keeper -*-
"""Renews tokens before they expire, so that requests rarely wait for it.

Must not know how a token is renewed, nor what a failure costs the account.
"""

from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from kiro2api.accounts.abreast import Abreast
from kiro2api.accounts.account import Account
from kiro2api.accounts.penalties import Penalty, State
from kiro2api.errors import UpstreamFault

_RETRY: Final = Penalty(State.COOLING, "service", 30.0, 600.0, 3600.0)


class Renewing(Protocol):
    """The part of the pool that is used here."""

    def renewable(self, now: float) -> list[tuple[Account, float]]:
        """Accounts worth renewing, each with its token's expiry (0: none yet)."""

    async def keep_fresh(self, account: Account) -> None:
        """Renew one, or fail with an UpstreamFault."""


class KeeperService(Service):
    """Looks every ``every`` seconds for tokens that expire within ``ahead`` seconds.

    Each account is renewed up to ``spread`` seconds earlier, by a share that follows from its
    fingerprint: accounts that were renewed together drift apart, the same way in every run.
    """

    name = "keeper"
    _log = Logger()

    def __init__(
        self,
        pool: Renewing,
        clock: IReactorTime,
        *,
        every: float = 30.0,
        ahead: float = 300.0,
        spread: float = 300.0,
        abreast: int = 5,
    ) -> None:
        """:param abreast: how many accounts are renewed at a time."""
        self._pool = pool
        self._clock = clock
        self._every = every
        self.ahead = ahead
        self.spread = spread
        self._line = Abreast(self._work, abreast)
        self._found: dict[str, Account] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        looping = self._loop.start(self._every, now=True)
        looping.addErrback(lambda f: self._log.failure("the keeper's loop ended", f))

    def stopService(self) -> Deferred[None]:
        """Give up waiting; a refresh under way goes on where it was started."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._line.stop()

    def _look(self) -> None:
        # A LoopingCall whose function raises never runs again.
        try:
            self._enqueue()
        except Exception:  # noqa: BLE001
            self._log.failure("the keeper could not look for expiring tokens")
        self._line.employ()

    def _enqueue(self) -> None:
        now = self._clock.seconds()
        renewable = self._pool.renewable(now)
        self._forget({account.fingerprint for account, _ in renewable})
        for account, expires_at in renewable:
            if account.fingerprint not in self._line and self._due(account, expires_at, now):
                self._found[account.fingerprint] = account
                self._line.put(account.fingerprint)

    def _forget(self, known: AbstractSet[str]) -> None:
        """Accounts come and go: what is noted of those that went would pile up."""
        for notes in (self._failures, self._not_before):
            for fingerprint in notes.keys() - known:
                del notes[fingerprint]

    def _due(self, account: Account, expires_at: float, now: float) -> bool:
        if self._not_before.get(account.fingerprint, 0.0) > now:
            return False
        return expires_at - self.ahead - _share(account) * self.spread <= now

    async def _work(self, fingerprint: str) -> None:
        account = self._found.pop(fingerprint, None)
        if account is not None:
            await self._keep(account)

    async def _keep(self, account: Account) -> None:
        fingerprint = account.fingerprint
        retry_after = None
        try:
            await self._pool.keep_fresh(account)
        except CancelledError:
            raise
        except UpstreamFault as fault:
            retry_after = fault.retry_after
            self._log.warn(
                "account {name} could not be renewed ahead of need: {kind}",
                name=account.name,
                kind=type(fault).__name__,
            )
        except Exception:  # noqa: BLE001  (one account must not end the round of the others)
            self._log.failure("account {name} broke the keeper's round", name=account.name)
        else:
            self._failures.pop(fingerprint, None)
            # A token that lives shorter than we look ahead would be due again at once.
            self._not_before[fingerprint] = self._clock.seconds() + self.ahead / 2
            return
        failures = self._failures.get(fingerprint, 0)
        self._failures[fingerprint] = failures + 1
        rest = _RETRY.rest(failures, retry_after, _share(account))
        self._not_before[fingerprint] = self._clock.seconds() + rest


def _share(account: Account) -> float:
    """A number from 0 to 1 that is always the same for an account."""
    return int(account.fingerprint[:8], 16) / 0xFFFFFFFF
