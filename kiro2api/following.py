# -*- test-case-name: tests.test_following -*-
"""Keeps this process true to what others write into the store: asks what has changed, and tells.

Must not know what the changes mean, nor SQL.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from kiro2api.errors import KiroError
from kiro2api.store.changes import Change

LOOK_SECONDS: Final = 1.0
KEPT_SECONDS: Final = 24 * 3600.0
_PRUNE_SECONDS: Final = 3600.0


class Changes(Protocol):
    """The part of the store that is used here."""

    def since(self, serial: int) -> Deferred[tuple[int, list[Change]]]:
        """What changed after that, and the serial to ask with next time."""

    def latest(self) -> Deferred[int]:
        """The serial for whoever has just read everything."""

    def prune(self, before: float) -> Deferred[int]:
        """Drop what was noted before that time."""


Follower = Callable[[Sequence[Change]], Awaitable[object]]


class Following(Service):
    """Tells its followers of changes, in order, each at least once.

    :param followers: told one after the other; where one fails, all are told again next time.
    :param now: epoch seconds.
    """

    name = "following"
    log = Logger()

    def __init__(
        self,
        changes: Changes,
        followers: Sequence[Follower],
        clock: IReactorTime,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._changes = changes
        self._followers = tuple(followers)
        self._now = now
        self._serial = 0
        self._failing = False
        self._pruned_at = 0.0
        self._round: Deferred[None] | None = None
        self._rounds = LoopingCall(self._look)
        self._rounds.clock = clock

    async def begin(self) -> None:
        """From here on; to be called before everything is read. Raises StoreError."""
        self._serial = await self._changes.latest()

    def startService(self) -> None:
        """Look every second."""
        super().startService()
        rounds = self._rounds.start(LOOK_SECONDS, now=False)
        rounds.addErrback(lambda f: self.log.failure("changes are not followed any more", f))

    def stopService(self) -> Deferred[None]:
        """Look no more; fires when the round under way has ended."""
        super().stopService()
        if self._rounds.running:
            self._rounds.stop()
        if self._round is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._round.addBoth(lambda _: ended.callback(None))
        return ended

    def _look(self) -> Deferred[None]:
        self._round = Deferred.fromCoroutine(self._follow())
        return self._round

    async def _follow(self) -> None:
        try:
            await self._take()
            await self._prune()
        except CancelledError:
            raise
        except KiroError as error:
            if not self._failing:
                self.log.warn("changes cannot be followed: {why}", why=error.message)
            self._failing = True
        except Exception:  # noqa: BLE001  (a LoopingCall whose function fails never runs again)
            self.log.failure("changes could not be followed")
        else:
            self._failing = False

    async def _take(self) -> None:
        while True:
            serial, found = await self._changes.since(self._serial)
            if not found:
                return
            for follower in self._followers:
                await follower(found)
            self._serial = serial

    async def _prune(self) -> None:
        now = self._now()
        if now - self._pruned_at >= _PRUNE_SECONDS:
            self._pruned_at = now
            await self._changes.prune(now - KEPT_SECONDS)
