# -*- test-case-name: tests.web.test_gather -*-
"""Gathers one whole answer for a client that did not ask for a stream.

Must not know accounts, HTTP or any dialect's shapes.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from kiro2api.conversation.answer import StreamEvent, Usage
from kiro2api.dialects.dialect import Collector
from kiro2api.errors import StreamStalled, UpstreamFault
from kiro2api.upstream.interfaces import AnswerStream, IEventSink


@implementer(IEventSink)
class Gathering:
    """An answer's events, fed to a collector until its end.

    :param silence_seconds: an upstream silent for longer has stalled.
    """

    def __init__(self, collector: Collector, clock: IReactorTime, silence_seconds: float) -> None:
        self._collector = collector
        self._clock = clock
        self._silence = silence_seconds
        self._stream: AnswerStream | None = None
        self._timer: IDelayedCall | None = None
        self._done: Deferred[None] | None = None
        self.usage: Usage | None = None

    def run(self, stream: AnswerStream) -> Deferred[None]:
        """Fires when the answer is complete, fails with the fault that ended it.

        Cancelling abandons the upstream.
        """
        self._stream = stream
        done: Deferred[None] = Deferred(lambda _: self._abandon())
        self._done = done
        self._timer = self._clock.callLater(self._silence, self._look)
        stream.flow(self)
        return done

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """More of the answer."""
        self._collector.add(batch)
        for event in batch[-2:]:
            if type(event) is Usage:
                self.usage = event

    def ended(self, fault: UpstreamFault | None) -> None:
        """The answer is over."""
        self._stop_timer()
        done, self._done = self._done, None
        if done is None:
            return
        if fault is None:
            done.callback(None)
        else:
            done.errback(fault)

    def _look(self) -> None:
        stream = self._stream
        assert stream is not None
        quiet = self._clock.seconds() - stream.last_read
        if quiet >= self._silence:
            stream.abandon()
            self.ended(StreamStalled(f"the upstream was silent for {self._silence:g} seconds"))
        else:
            self._timer = self._clock.callLater(self._silence - quiet, self._look)

    def _abandon(self) -> None:
        self._stop_timer()
        self._done = None
        if self._stream is not None:
            self._stream.abandon()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
