# -*- test-case-name: tests.accounts.test_foreignsource -*-
"""Renews accounts whose credentials another program owns, without getting in its way.

Must not know how the other program keeps them. It may renew them at any time: they are read again
before a renewal, and once more when ours is refused.

Invariant: credentials are never exchanged for older ones. The other program's may be those that we
have renewed since, and their refresh token dead.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, Method, usable
from kiro2api.accounts.entries import SourceError
from kiro2api.accounts.foreign import Found, Place
from kiro2api.accounts.foreign_places import PlaceError, read_place, write_place
from kiro2api.accounts.interfaces import ITokenSource
from kiro2api.errors import CredentialsRejected

MARGIN: Final = 60.0
"""Seconds before its expiry from which on a token found elsewhere is not worth taking."""

_T = TypeVar("_T")


class InThread(Protocol):
    """Runs something that blocks where it blocks nobody."""

    def __call__(self, blocking: Callable[[], _T], /) -> Deferred[_T]:
        """Fires with what it returns."""


@implementer(ITokenSource)
class ForeignTokenSource:
    """Stands before the real token sources, for every method.

    :param inner: who renews, by method.
    :param places: by fingerprint; accounts without one are passed on as they are.
    """

    _log = Logger()

    def __init__(
        self,
        inner: Mapping[Method, ITokenSource],
        places: Mapping[str, Place],
        clock: IReactorTime,
        in_thread: InThread,
    ) -> None:
        self._inner = dict(inner)
        self._places = dict(places)
        self._clock = clock
        self._in_thread = in_thread

    def refresh(self, account: Account, credentials: Credentials) -> Deferred[Credentials]:
        place = self._places.get(account.fingerprint)
        if place is None:
            return self._inner[account.method].refresh(account, credentials)
        return Deferred.fromCoroutine(self._refreshed(account, credentials, place))

    async def _refreshed(
        self, account: Account, credentials: Credentials, place: Place
    ) -> Credentials:
        found = await self._read(account, place)
        ours = Found(account.method, account.region, credentials)
        if found is not None and _is_newer(found.credentials, credentials):
            if self._serves(found):
                return found.credentials
            ours = found
        try:
            return await self._renewed(account, ours, place)
        except CredentialsRejected:
            found = await self._read(account, place)
            used = ours.credentials.refresh_token
            if found is None or found.credentials.refresh_token == used:
                raise
        # The other program was faster, or somebody has logged in anew.
        if self._serves(found) and found.credentials.access_token != credentials.access_token:
            return found.credentials
        return await self._renewed(account, found, place)

    def _serves(self, found: Found) -> bool:
        return usable(found.method, found.credentials, self._clock.seconds(), MARGIN)

    async def _renewed(self, account: Account, found: Found, place: Place) -> Credentials:
        inner = self._inner.get(found.method)
        if inner is None:
            raise CredentialsRejected("This kind of login cannot be renewed.", code="no_renewal")
        asking = msgspec.structs.replace(account, method=found.method, region=found.region)
        renewed = await inner.refresh(asking, found.credentials)
        if place.write_back:
            await self._write(account, place, found.credentials, renewed)
        return renewed

    async def _read(self, account: Account, place: Place) -> Found | None:
        try:
            return await self._in_thread(lambda: read_place(place))
        except CancelledError:
            raise
        except (PlaceError, SourceError) as error:
            # SourceError speaks of a configured entry, which this is not.
            why = str(error) if isinstance(error, PlaceError) else "what is there is not usable"
            self._log.warn(
                "account {name} cannot be read from where it comes from: {why}",
                name=account.name,
                why=why,
            )
            return None

    async def _write(
        self, account: Account, place: Place, used: Credentials, renewed: Credentials
    ) -> None:
        refresh = used.refresh_token.reveal()
        try:
            written = await self._in_thread(lambda: write_place(place, refresh, renewed))
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (the renewed tokens must not be lost by it)
            self._log.error(
                "the renewed tokens of account {name} are not written back, the other program may "
                "be logged out: {why}",
                name=account.name,
                why=str(error) if isinstance(error, PlaceError) else type(error).__name__,
            )
            return
        if not written:
            self._log.warn(
                "account {name} was renewed by its other program at the same time",
                name=account.name,
            )


def _is_newer(theirs: Credentials, ours: Credentials) -> bool:
    """Whether the other program has renewed, or logged in, since ``ours`` were obtained."""
    if theirs.access_token == ours.access_token:
        return False
    return theirs.expires_at > ours.expires_at or not ours.refresh_token
