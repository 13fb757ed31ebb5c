# -*- test-case-name: tests.web.test_metrics -*-
"""How late the event loop is: what everybody waits for when one piece of work takes too long.

Must not know what keeps it busy.
"""

from collections import deque
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

EVERY_SECONDS: Final = 1.0
_KEPT: Final = 60


class LagGauge:
    """Asks to be called every second and looks how much later it is."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._late: deque[float] = deque(maxlen=_KEPT)
        self._timer: IDelayedCall | None = None
        self._due = 0.0

    @property
    def worst(self) -> float:
        """Seconds, of the last minute."""
        return max(self._late, default=0.0)

    def start(self) -> None:
        """Begin to look."""
        self._due = self._clock.seconds() + EVERY_SECONDS
        self._timer = self._clock.callLater(EVERY_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more. Idempotent."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _look(self) -> None:
        self._late.append(max(0.0, self._clock.seconds() - self._due))
        self.start()
