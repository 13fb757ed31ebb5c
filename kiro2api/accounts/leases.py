# -*- test-case-name: tests.accounts.test_leases -*-
"""Who may renew an account now, where several processes share one store.

Must not know what is done under a lease, nor where leases are kept.
"""

from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from kiro2api.accounts.interfaces import ILeases
from kiro2api.errors import UpstreamUnavailable

UNCONTENDED: Final = 0
"""The fence of a lease that nobody else could want."""

LEASE_SECONDS: Final = 25.0
"""Longer than a refresh may take; whoever dies with a lease holds others up no longer."""

PATIENCE_SECONDS: Final = 30.0
_FIRST_LOOK: Final = 0.05
_LONGEST_LOOK: Final = 0.5


@implementer(ILeases)
class FreeLeases:
    """For a process that shares its store with nobody: every lease is granted, at no cost."""

    def win(self, name: str, seconds: float) -> Deferred[int | None]:
        return succeed(UNCONTENDED)

    def give_up(self, name: str, fence: int) -> Deferred[None]:
        return succeed(None)


class Turns:
    """Wins leases, waiting for those that another process holds."""

    _log = Logger()

    def __init__(
        self,
        leases: ILeases,
        clock: IReactorTime,
        *,
        seconds: float = LEASE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """
        :param seconds: how long a lease lasts.
        :param patience: how long to wait for one.
        """
        self._leases = leases
        self._clock = clock
        self._seconds = seconds
        self._patience = patience
        self._waiting: set[Deferred[None]] = set()
        self._stopped = False

    async def won(self, name: str) -> int:
        """The fence of the lease, once it is ours.

        :raises UpstreamUnavailable: code ``lease_busy`` after too long a wait, ``store_failed``
            if the store fails, ``stopping`` after ``stop``.
        """
        deadline = self._clock.seconds() + self._patience
        look = _FIRST_LOOK
        while True:
            if self._stopped:
                raise UpstreamUnavailable("The service is shutting down.", code="stopping")
            fence = await self._tried(name)
            if fence is not None:
                return fence
            if self._clock.seconds() >= deadline:
                raise UpstreamUnavailable(
                    "Another process is renewing this account and does not finish.",
                    code="lease_busy",
                )
            await self._pause(look)
            look = min(look * 2, _LONGEST_LOOK)

    def give_up(self, name: str, fence: int) -> None:
        """Let others have the lease; if that fails, it ends by itself."""
        giving = self._leases.give_up(name, fence)
        giving.addErrback(lambda _: self._log.warn("a lease is not given back in the store"))

    def stop(self) -> None:
        """Wait no longer."""
        self._stopped = True
        waiting, self._waiting = self._waiting, set()
        for pause in waiting:
            pause.callback(None)

    async def _tried(self, name: str) -> int | None:
        try:
            return await self._leases.win(name, self._seconds)
        except CancelledError as error:
            raise _store_failed() from error
        except Exception as error:
            self._log.error("no lease can be had: {kind}", kind=type(error).__name__)
            raise _store_failed() from error

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = Deferred()
        self._waiting.add(pause)

        def over() -> None:
            self._waiting.discard(pause)
            pause.callback(None)

        timer = self._clock.callLater(seconds, over)
        try:
            await pause
        finally:
            if timer.active():
                timer.cancel()


def _store_failed() -> UpstreamUnavailable:
    return UpstreamUnavailable("The store gives no lease.", code="store_failed")
