# -*- test-case-name: tests.accounts.test_refresh -*-
"""One refresh at a time per account, stored before anybody uses it.

Must not know which account serves next or what a failure costs it.

Other processes may use the same store: an account is renewed under a lease, and what another has
renewed is taken instead of being renewed again.

Invariant: renewed credentials reach the keyring and the waiters only after the store has them.
A login service may rotate the refresh token with every answer, so losing one loses the account.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.accounts.account import Account, Credentials, Method, usable
from kiro2api.accounts.interfaces import (
    ICredentialStore,
    ILeases,
    ITokenSource,
    StoredAccount,
    Superseded,
    refresh_lease,
)
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.leases import UNCONTENDED, FreeLeases, Turns
from kiro2api.accounts.passengers import Passengers
from kiro2api.errors import CredentialsRejected, UpstreamFault, UpstreamUnavailable

_FIRST_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 60.0


class _Unsaved:
    """Renewed credentials that the store has not taken yet, and the next try."""

    def __init__(
        self, account: Account, old: Credentials, credentials: Credentials, fence: int
    ) -> None:
        self.account = account
        self.old = old
        self.credentials = credentials
        self.fence = fence
        self.tries = 0
        self.timer: IDelayedCall | None = None

    def hush(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None


class RefreshOnce:
    """Joins all who need the same account's refresh into one call."""

    _log = Logger()

    def __init__(
        self,
        sources: Mapping[Method, ITokenSource],
        store: ICredentialStore,
        keyring: Keyring,
        clock: IReactorTime,
        leases: ILeases | None = None,
    ) -> None:
        """:param leases: needed where other processes use the same store."""
        self._sources = dict(sources)
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._passengers: Passengers[Credentials] = Passengers()
        self._flights: dict[str, Deferred[None]] = {}
        self._unsaved: dict[str, _Unsaved] = {}
        self._renewed_at: dict[str, float] = {}
        self._turns = Turns(FreeLeases() if leases is None else leases, clock)
        self._fences: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        """Calls of sources by how they ended: ``renewed``, ``rejected`` or else ``failed``."""
        self.on_renewed: Callable[[str], None] = _tell_nobody
        """Told the fingerprint after each refresh that this process made."""
        self.completing: Callable[[Account], Awaitable[object]] = _complete
        """Adds to the keyring what a login does not tell; must be quick and not fail."""
        self._stopped = False

    def renewed_at(self, fingerprint: str) -> float:
        """When this process last renewed the account, or learnt that another did (epoch seconds);
        0 if never."""
        return self._renewed_at.get(fingerprint, 0.0)

    def renew(self, account: Account) -> Deferred[Credentials]:
        """Fresh credentials, already in the keyring.

        Cancelling gives up waiting; the refresh goes on for the others, or for the store.

        :raises UpstreamFault: what the token source met; UpstreamUnavailable with code
            ``store_failed`` if the credentials were renewed but cannot be stored at the moment.
        """
        fingerprint = account.fingerprint
        waiter = self._passengers.board(fingerprint)
        if fingerprint not in self._flights:
            self._depart(account)
        return waiter

    def renewed_elsewhere(self, account: Account) -> Deferred[None]:
        """Another process says that it has renewed the account: take what it stored."""
        return Deferred.fromCoroutine(self._follow(account))

    def forget(self, fingerprint: str) -> None:
        """The account is gone: what is still under way for it is not stored."""
        self._renewed_at.pop(fingerprint, None)
        self._fences.pop(fingerprint, None)
        unsaved = self._unsaved.get(fingerprint)
        if unsaved is not None and fingerprint not in self._flights:
            unsaved.hush()
            del self._unsaved[fingerprint]

    def stop(self) -> Deferred[None]:
        """Begin nothing more; fires when the refreshes under way have ended and what is not
        stored yet has had one more try."""
        self._stopped = True
        self._turns.stop()
        for unsaved in tuple(self._unsaved.values()):
            unsaved.hush()
            if unsaved.account.fingerprint not in self._flights:
                self._depart(unsaved.account)
        ended = DeferredList(tuple(self._flights.values()), consumeErrors=True)
        return ended.addCallback(lambda _: None)

    def _depart(self, account: Account) -> None:
        flight: Deferred[None] = Deferred()
        self._flights[account.fingerprint] = flight
        landed = Deferred.fromCoroutine(self._fly(account))
        landed.addBoth(self._land, account.fingerprint, flight)
        landed.addErrback(lambda f: self._log.failure("refresh could not be concluded", f))

    async def _fly(self, account: Account) -> Credentials:
        fingerprint = account.fingerprint
        unsaved = self._unsaved.get(fingerprint)
        if unsaved is None:
            unsaved = await self._renewed(account)
            if unsaved is None:
                return self._known(account)
            self._unsaved[fingerprint] = unsaved
            self._renewed_at[fingerprint] = self._clock.seconds()
        unsaved.hush()
        if self._replaced(unsaved):
            del self._unsaved[fingerprint]
            if unsaved.fence != UNCONTENDED:
                self._turns.give_up(refresh_lease(fingerprint), unsaved.fence)
            return self._known(account)
        saved = await self._save(unsaved)
        del self._unsaved[fingerprint]
        if not saved:
            await self._taken(account)
        elif not self._replaced(unsaved):
            self._keyring.put(fingerprint, unsaved.credentials)
            self.on_renewed(fingerprint)
            await self.completing(account)
        return self._known(account)

    def _replaced(self, unsaved: _Unsaved) -> bool:
        """Whether the account was removed meanwhile, or was given another login."""
        fingerprint = unsaved.account.fingerprint
        if not self._keyring.knows(fingerprint):
            return True
        return self._keyring.current(fingerprint).refresh_token != unsaved.old.refresh_token

    def _known(self, account: Account) -> Credentials:
        """What is in use. An account that was removed meanwhile has nothing, and gets nothing."""
        if not self._keyring.knows(account.fingerprint):
            raise UpstreamUnavailable("The account was removed.", code="removed")
        return self._keyring.current(account.fingerprint)

    async def _renewed(self, account: Account) -> _Unsaved | None:
        """Fresh credentials, or None if those of another process are in the keyring now."""
        source = self._sources.get(account.method)
        if source is None:
            raise CredentialsRejected("This kind of account cannot be renewed.", code="no_renewal")
        fingerprint, name = account.fingerprint, refresh_lease(account.fingerprint)
        fence = await self._turns.won(name)
        # If it was ours the time before, too, nobody can have renewed in between.
        alone = fence == UNCONTENDED or fence == self._fences.get(fingerprint, fence) + 1
        self._fences[fingerprint] = fence
        renewed = None
        try:
            if alone or not await self._taken(account):
                renewed = await self._fetch(account, source, fence)
        finally:
            if renewed is None and fence != UNCONTENDED:
                self._turns.give_up(name, fence)
        return renewed

    async def _fetch(self, account: Account, source: ITokenSource, fence: int) -> _Unsaved | None:
        if self._stopped:
            raise UpstreamUnavailable("The service is shutting down.", code="stopping")
        try:
            old = self._known(account)
            new = await source.refresh(account, old)
            self.counts["renewed"] += 1
            return _Unsaved(account, old, new, fence)
        except CredentialsRejected:
            # A process that lost its lease while it was held up may have stored its answer only
            # now: then the refresh token was not dead but replaced.
            if fence != UNCONTENDED and await self._taken(account):
                return None
            self.counts["rejected"] += 1
            raise
        except UpstreamFault:
            self.counts["failed"] += 1
            raise
        except CancelledError as error:
            # Nobody cancels a flight: this comes from below, and no waiter must take it for his.
            raise UpstreamUnavailable("The refresh was cancelled.", code="cancelled") from error
        except Exception as error:
            self._log.failure("refresh of account {name} failed unexpectedly", name=account.name)
            raise UpstreamUnavailable("The refresh failed.", code="internal") from error

    async def _taken(self, account: Account) -> bool:
        """Whether the store's credentials were others than ours, and can serve; ours they are
        from now on in any case."""
        before = self._known(account)
        row = await self._read(account)
        self._known(account)
        if row is None:
            return False
        self._keyring.lay_over(account, row.credentials)
        current, now = self._keyring.current(account.fingerprint), self._clock.seconds()
        if current.access_token == before.access_token:
            return False
        self._renewed_at[account.fingerprint] = now
        return usable(account.method, current, now, 0.0)

    async def _read(self, account: Account) -> StoredAccount | None:
        try:
            return await self._store.read(account.fingerprint)
        except CancelledError as error:
            raise _store_failed() from error
        except Exception as error:
            self._log.error(
                "the credentials of account {name} cannot be read ({kind})",
                name=account.name,
                kind=type(error).__name__,
            )
            raise _store_failed() from error

    async def _follow(self, account: Account) -> None:
        fingerprint = account.fingerprint
        # Who flies has looked, or will, and what is not stored yet is newer.
        if self._stopped or fingerprint in self._flights or fingerprint in self._unsaved:
            return
        try:
            await self._taken(account)
        except UpstreamFault:
            pass  # it was logged, and the next refresh reads the row again

    async def _save(self, unsaved: _Unsaved) -> bool:
        """False if another process has stored later ones."""
        # The store may fail in any way of its own; the credentials must survive all of them.
        try:
            await self._store.save(unsaved.account, unsaved.credentials, unsaved.fence)
            return True
        except Superseded:
            self._log.warn("account {name} was renewed elsewhere since", name=unsaved.account.name)
            return False
        except CancelledError as error:
            raise self._not_saved(unsaved, error) from error
        except Exception as error:
            raise self._not_saved(unsaved, error) from error

    def _not_saved(self, unsaved: _Unsaved, error: Exception) -> UpstreamFault:
        """Say so loudly and try again, unless that was the last try."""
        name, kind = unsaved.account.name, type(error).__name__
        if self._stopped:
            self._log.critical(
                "the renewed credentials of account {name} are LOST: not stored ({kind})",
                name=name,
                kind=kind,
            )
        else:
            wait = min(_FIRST_RETRY * 2 ** min(unsaved.tries, 10), _LONGEST_RETRY)
            unsaved.tries += 1
            unsaved.timer = self._clock.callLater(wait, self._depart, unsaved.account)
            self._log.critical(
                "the renewed credentials of account {name} are NOT stored ({kind}); they are kept "
                "in memory and stored again in {wait} s: do not kill this process",
                name=name,
                kind=kind,
                wait=wait,
            )
        return UpstreamUnavailable("The renewed credentials cannot be stored.", code="store_failed")

    def _land(
        self, result: Credentials | Failure, fingerprint: str, flight: Deferred[None]
    ) -> None:
        # Whoever asks from now on begins a new flight, also out of a callback below.
        del self._flights[fingerprint]
        self._passengers.land(fingerprint, result)
        flight.callback(None)


def _store_failed() -> UpstreamUnavailable:
    return UpstreamUnavailable("The store cannot be read.", code="store_failed")


async def _complete(account: Account) -> None:
    pass


def _tell_nobody(fingerprint: str) -> None:
    """No other process is interested."""
