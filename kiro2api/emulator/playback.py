# -*- test-case-name: tests.emulator.test_playback -*-
"""Delivers the steps of one answer over one HTTP response.

Stops for a slow reader, owns its one timer and drops it when the caller leaves. Must not know
what the bytes mean.
"""

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from kiro2api.emulator.performance import Step, Turn, Wait


@implementer(IPushProducer)
class Playback:
    """One answer under way.

    :param request: the twisted.web request; its response headers are set, not yet written.
    """

    def __init__(self, request: Any, steps: Iterator[Step], clock: IReactorTime) -> None:
        self._request = request
        self._steps = steps
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._paused = False
        self._hung = False
        self._playing = False
        self._done: Deferred[None] = Deferred(lambda _: self.stopProducing())

    def run(self) -> Deferred[None]:
        """Fires when everything is written; the caller then finishes the response. Never fires
        after a cut or while hanging: cancel it when the caller has left."""
        self._request.registerProducer(self, True)
        self._request.write(b"")  # the headers, before the first byte of the body
        self._play()
        return self._done

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._play()

    def stopProducing(self) -> None:
        """The caller left, or was cut off."""
        self._hung = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _play(self) -> None:
        # Writing may pause and resume us in the same call stack: only the outermost call plays.
        if self._playing or self._timer is not None:
            return
        self._playing = True
        try:
            while not (self._paused or self._hung or self._timer is not None):
                self._perform(next(self._steps, None))
        finally:
            self._playing = False

    def _perform(self, step: Step | None) -> None:
        if step is None:
            self._hung = True
            self._request.unregisterProducer()
            self._done.callback(None)
        elif isinstance(step, bytes):
            self._request.write(step)
        elif isinstance(step, Wait):
            self._timer = self._clock.callLater(step.seconds, self._waited)
        else:
            self._hung = True
            if step is Turn.ABORT:
                self._request.channel.forceAbortClient()

    def _waited(self) -> None:
        self._timer = None
        self._play()
