# -*- test-case-name: tests.accounts.test_quotawatch -*-
"""Knows what each account may still spend: reads it now and then, and when there is a reason.

Must not know how it is read, nor what follows from it. A read that fails changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.accounts.abreast import Abreast
from kiro2api.accounts.account import Account
from kiro2api.accounts.interfaces import ILeases, StoredAccount
from kiro2api.accounts.leases import UNCONTENDED, FreeLeases
from kiro2api.accounts.passengers import Passengers
from kiro2api.accounts.quota import Quota, decode_quota, encode_quota
from kiro2api.errors import AccessRefused, NotFound, ShuttingDown, UpstreamFault

LEASE_SECONDS: Final = 60.0
"""Longer than a read may take, with a renewal before it."""

_LOOK: Final = 5.0
_JITTER: Final = 0.1
_FIRST_RETRY: Final = 300.0
_SOON: Final = 3.0
_PER_ACCOUNT: Final = 2.0
"""Seconds from one account to the next at the start, when none has been read for long."""


class QuotaRows(Protocol):
    """The part of the store that is used here."""

    def read(self, fingerprint: str, /) -> Deferred[StoredAccount | None]:
        """What is stored of one account."""

    def write_quota(
        self, fingerprint: str, quota: str, checked_at: float, email: str, /
    ) -> Deferred[None]:
        """Remember; other processes learn of it."""


class Watched(Protocol):
    """The part of the pool that is used here."""

    def accounts(self) -> tuple[Account, ...]:
        """Every account."""

    def account(self, fingerprint: str) -> Account | None:
        """One of them."""

    def credits_known(self, fingerprint: str, left: float | None, reset_at: float | None) -> None:
        """What it may still spend, None if unknown."""


def _everybody(account: Account) -> bool:
    return True


class QuotaWatch(Service):
    """Reads each account's quota every ``every`` seconds, a tenth more or less, so that accounts
    which were read together drift apart.

    Where several processes share the store, one of them reads each account: the one that wins its
    lease. The others take what it has written.
    """

    name = "quota"
    _log = Logger()

    def __init__(
        self,
        pool: Watched,
        read: Callable[[Account], Awaitable[Quota]],
        rows: QuotaRows,
        clock: IReactorTime,
        *,
        jitter: Callable[[], float],
        leases: ILeases | None = None,
        worth: Callable[[Account], bool] = _everybody,
        every: float = 3600.0,
        abreast: int = 2,
        floor: float = 5.0,
    ) -> None:
        """
        :param read: asks the upstream; fails with an UpstreamFault.
        :param clock: its seconds are epoch seconds.
        :param jitter: gives entropy from 0 to 1.
        :param leases: needed where other processes use the same store.
        :param worth: whether an account is to be read on schedule: an enabled one is.
        :param every: 0 for no schedule; then only ``soon`` and ``check`` read.
        :param abreast: how many accounts are read at a time.
        :param floor: seconds for which ``check`` repeats the last answer.
        """
        self._pool = pool
        self._read = read
        self._rows = rows
        self._clock = clock
        self._jitter = jitter
        self._leases = FreeLeases() if leases is None else leases
        self._worth = worth
        self._every = every
        self._line = Abreast(self._turn, abreast)
        self._floor = floor
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._checked_at: dict[str, float] = {}
        self._latest: dict[str, Quota] = {}
        self._flights: dict[str, Deferred[None]] = {}
        self._passengers: Passengers[Quota] = Passengers()
        self._stopped = False
        self.on_known: Callable[[str, Quota, float], None] = _tell_nobody
        """Told the fingerprint, the quota and when it was read (epoch seconds)."""
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    # ── the service ──────────────────────────────────────────────────────────

    @property
    def every(self) -> float:
        """Seconds between two reads of an account; may be set at any time."""
        return self._every

    @every.setter
    def every(self, seconds: float) -> None:
        self._every = seconds
        # Without a moment an account is taken for one of which nothing is known. What there is a
        # reason for stays.
        latest = self._clock.seconds() + max(seconds * (1 + _JITTER), 2 * _SOON)
        self._due = {who: due for who, due in self._due.items() if due <= latest}

    def heard(self, fingerprint: str, row: StoredAccount) -> None:
        """What an account's row says, perhaps by another process."""
        if row.quota_checked_at <= self._checked_at.get(fingerprint, 0.0):
            return
        quota = decode_quota(row.quota)
        if quota is not None and self._pool.account(fingerprint) is not None:
            self._take(fingerprint, quota, row.quota_checked_at)

    def startService(self) -> None:
        super().startService()
        looping = self._loop.start(_LOOK, now=False)
        looping.addErrback(lambda f: self._log.failure("the quota watch ended", f))

    def stopService(self) -> Deferred[None]:
        """Read nothing more; what is being read is given up."""
        super().stopService()
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        flights = tuple(self._flights.values())
        ended = DeferredList((self._line.stop(), *flights), consumeErrors=True)
        for flight in flights:
            flight.cancel()
        return ended.addCallback(lambda _: None)

    # ── asking ───────────────────────────────────────────────────────────────

    def latest(self, fingerprint: str) -> Quota | None:
        """The last known quota."""
        return self._latest.get(fingerprint)

    def soon(self, fingerprint: str) -> None:
        """There is a reason to read this account: it was just refused for lack of credits."""
        moment = self._clock.seconds() + _SOON * (1 + self._jitter())
        if self._checked_at.get(fingerprint, 0.0) + self._floor < self._clock.seconds():
            self._due[fingerprint] = min(self._due.get(fingerprint, moment), moment)

    def check(self, fingerprint: str) -> Deferred[Quota]:
        """Read now, in one flight with whoever else wants that.

        :raises NotFound: there is no such account.
        :raises UpstreamFault: it could not be read.
        """
        account = self._pool.account(fingerprint)
        if account is None:
            return fail(NotFound("there is no such account"))
        if self._stopped:
            return fail(ShuttingDown("The service is shutting down."))
        latest = self._latest.get(fingerprint)
        if latest is not None:
            age = self._clock.seconds() - self._checked_at[fingerprint]
            if 0 <= age < self._floor:
                return succeed(latest)
        waiter = self._passengers.board(fingerprint)
        if fingerprint not in self._flights:
            self._depart(account)
        return waiter

    # ── the schedule ─────────────────────────────────────────────────────────

    def _look(self) -> None:
        # A LoopingCall whose function raises never runs again.
        try:
            self._enqueue(self._clock.seconds())
        except Exception:  # noqa: BLE001
            self._log.failure("the quota watch could not look for accounts")
        self._line.employ()

    def _enqueue(self, now: float) -> None:
        accounts = self._pool.accounts()
        for account in accounts:
            fingerprint = account.fingerprint
            due = self._due.get(fingerprint)
            if due is None:
                due = self._due[fingerprint] = self._first(len(accounts), now)
            if due <= now and fingerprint not in self._line and self._worth(account):
                self._line.put(fingerprint)
        if len(self._due) > len(accounts):
            known = {account.fingerprint for account in accounts}
            for fingerprint in self._due.keys() - known:
                self._forget(fingerprint)

    def _first(self, count: int, now: float) -> float:
        """When an account of which nothing is known is read: not all at once."""
        if not self.every:
            return float("inf")
        return now + self._jitter() * min(self.every, count * _PER_ACCOUNT)

    def _next(self, checked: float) -> float:
        if not self.every:
            return float("inf")
        return checked + self.every * (1 + _JITTER * (2 * self._jitter() - 1))

    def _forget(self, fingerprint: str) -> None:
        for known in (self._due, self._failures, self._checked_at, self._latest):
            known.pop(fingerprint, None)

    async def _turn(self, fingerprint: str) -> None:
        """One account's turn, if no other process has taken it."""
        name = f"quota:{fingerprint}"
        try:
            fence = await self._leases.win(name, LEASE_SECONDS)
            if fence is None:
                self._due[fingerprint] = self._clock.seconds() + LEASE_SECONDS
                return
            try:
                if fence == UNCONTENDED or not await self._told(fingerprint):
                    await self.check(fingerprint)
            finally:
                if fence != UNCONTENDED:
                    giving = self._leases.give_up(name, fence)
                    giving.addErrback(lambda _: self._log.warn("a lease is not given back"))
        except CancelledError:
            raise
        except (UpstreamFault, NotFound, ShuttingDown):
            pass  # told by the flight, and due again
        except Exception:  # noqa: BLE001  (one account must not end the turn of the others)
            self._due[fingerprint] = self._clock.seconds() + _FIRST_RETRY
            self._log.failure("an account's quota could not be read")

    async def _told(self, fingerprint: str) -> bool:
        """Whether another process has read this account since we did."""
        row = await self._rows.read(fingerprint)
        before = self._checked_at.get(fingerprint, 0.0)
        if row is not None:
            self.heard(fingerprint, row)
        return self._checked_at.get(fingerprint, 0.0) > before

    # ── one read ─────────────────────────────────────────────────────────────

    def _depart(self, account: Account) -> None:
        flight = Deferred.fromCoroutine(self._fly(account))
        fingerprint = account.fingerprint
        self._flights[fingerprint] = landing = flight.addBoth(self._land, fingerprint)
        if landing.called:
            del self._flights[fingerprint]

    async def _fly(self, account: Account) -> Quota:
        fingerprint = account.fingerprint
        try:
            quota = await self._read(account)
        except UpstreamFault as fault:
            self._failed(account, fault)
            raise
        now = self._clock.seconds()
        self._failures.pop(fingerprint, None)
        self._take(fingerprint, quota, now)
        await self._write(account, quota, now)
        return quota

    def _failed(self, account: Account, fault: UpstreamFault) -> None:
        fingerprint = account.fingerprint
        failures = self._failures.get(fingerprint, 0)
        self._failures[fingerprint] = failures + 1
        wait = min(_FIRST_RETRY * 2 ** min(failures, 10), max(self.every, _FIRST_RETRY))
        if isinstance(fault, AccessRefused):
            # Wire: identities without limits are refused, and will be.
            wait = max(self.every, wait)
        wait = max(wait, fault.retry_after or 0.0) * (1 + self._jitter() / 4)
        self._due[fingerprint] = self._clock.seconds() + wait if self.every else float("inf")
        self._log.info(
            "the quota of account {name} could not be read: {kind}",
            name=account.name,
            kind=type(fault).__name__,
        )

    def _take(self, fingerprint: str, quota: Quota, checked_at: float) -> None:
        self._latest[fingerprint] = quota
        self._checked_at[fingerprint] = checked_at
        self._due[fingerprint] = self._next(checked_at)
        self._pool.credits_known(fingerprint, quota.left, quota.reset_at or None)
        self.on_known(fingerprint, quota, checked_at)

    async def _write(self, account: Account, quota: Quota, now: float) -> None:
        try:
            await self._rows.write_quota(account.fingerprint, encode_quota(quota), now, quota.email)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (it is known here, and read again)
            self._log.error(
                "the quota of account {name} is not stored ({kind})",
                name=account.name,
                kind=type(error).__name__,
            )

    def _land(self, result: Quota | Failure, fingerprint: str) -> None:
        self._flights.pop(fingerprint, None)
        self._passengers.land(fingerprint, result)


def _tell_nobody(fingerprint: str, quota: Quota, checked_at: float) -> None:
    """Nobody else is interested."""
