# -*- test-case-name: tests.test_metering_writer -*-
"""Writes records behind the requests' backs: in batches, and never for ever.

Must not know SQL. A request pays for one append. What cannot be written is kept for a while, then
the oldest is dropped and counted; nobody waits for it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import txaio.tx
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from kiro2api.metering import Record

BATCH: Final = 500
FLUSH_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0
DAY: Final = 86400.0
SUMS_DAYS: Final = 32
"""Sums are kept at least this long: the longest period shown and a month's budget need them."""


class RecordSink(Protocol):
    """Where records go."""

    def write(self, records: Sequence[Record]) -> Deferred[None]:
        """Fires when they are stored."""

    def prune(self, before: float, sums_before: float, most_octets: int) -> Deferred[bool]:
        """One small step of forgetting; fires with whether there is more to forget."""


class RecordWriter:
    """Takes records from the meter.

    :param room: records kept while they cannot be written; the oldest are dropped first.
    :param stored: called after each batch.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        sink: RecordSink,
        clock: IReactorTime,
        *,
        room: int = 20_000,
        batch: int = BATCH,
        stored: Callable[[], None] | None = None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._room = room
        self._batch = batch
        self._stored = stored
        self._queue: deque[Record] = deque()
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._failing = False
        self._stopped = False
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Records that are not yet handed to the store."""
        return len(self._queue)

    def take(self, record: Record) -> None:
        """One more; for the listeners of a ``Meter``."""
        queue = self._queue
        queue.append(record)
        if self._timer is None and self._writing is None and not self._stopped:
            self._timer = self._clock.callLater(FLUSH_SECONDS, self._due)
        elif len(queue) >= self._batch:
            self._crowded()

    async def stop(self) -> None:
        """Write what there is; afterwards nothing is taken any more."""
        self._stopped = True
        self._disarm()
        while self._writing is not None:
            waiting: Deferred[None] = Deferred()
            self._writing.chainDeferred(waiting)
            await waiting
        while self._queue:
            if not await self._write():
                self._drop(len(self._queue))
                break

    def _crowded(self) -> None:
        excess = len(self._queue) - self._room
        if excess > 0:
            self._drop(excess)
        if not self._failing and self._writing is None and not self._stopped:
            self._due()

    def _drop(self, count: int) -> None:
        if not self.dropped:
            self.log.error("records cannot be written and are dropped; more are not told of")
        self.dropped += count
        for _ in range(count):
            self._queue.popleft()

    def _due(self) -> None:
        self._disarm()
        self._writing = Deferred()
        Deferred.fromCoroutine(self._flush()).addErrback(
            lambda failure: self.log.failure("writing records failed", failure)
        )

    async def _flush(self) -> None:
        well = False
        try:
            well = await self._write()
            # What came meanwhile gathers: a small batch costs nearly as much as a large one.
            while well and len(self._queue) >= self._batch and not self._stopped:
                well = await self._write()
        finally:
            done, self._writing = self._writing, None
            if self._queue and not self._stopped:
                pause = FLUSH_SECONDS if well else RETRY_SECONDS
                self._timer = self._clock.callLater(pause, self._due)
            assert done is not None
            done.callback(None)

    async def _write(self) -> bool:
        """One batch; whether that went well. What could not be written is kept."""
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), self._batch))]
        try:
            await self._sink.write(batch)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, requests go on
            if not self._failing:
                self._failing = True
                self.log.error("records cannot be written: {error}", error=str(error))
            queue.extendleft(reversed(batch))
            return False
        if self._failing:
            self._failing = False
            self.log.info("records are written again")
        if self._stored is not None:
            self._stored()
        return True

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


class RecordPruner:
    """Forgets records that are too old or too many, a little at a time.

    :param days: how long records are kept.
    :param megabytes: what they may take, about; 0 for no limit.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        sink: RecordSink,
        clock: IReactorTime,
        *,
        days: float,
        megabytes: float,
        every: float = 600.0,
        pause: float = 0.5,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self.days = days
        self.megabytes = megabytes
        self._every = every
        self._pause = pause
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin soon, go on for ever."""
        self._timer = self._clock.callLater(self._pause, self._step)

    def stop(self) -> None:
        """No more steps; one that is under way is completed by the store."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _step(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._prune()).addErrback(
            lambda failure: self.log.failure("forgetting records failed", failure)
        )

    async def _prune(self) -> None:
        now = self._clock.seconds()
        more = False
        try:
            more = await self._sink.prune(
                now - self.days * DAY,
                now - max(self.days, SUMS_DAYS) * DAY,
                int(self.megabytes * 1_000_000),
            )
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - it is tried again later
            self.log.error("old records cannot be forgotten: {error}", error=str(error))
        if not self._stopped:
            self._timer = self._clock.callLater(self._pause if more else self._every, self._step)
