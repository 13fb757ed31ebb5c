# -*- test-case-name: tests.upstream.test_stream -*-
"""One answer under way: the bytes of a response body to the events of a sink.

The only pauser of the upstream. Must not know what a frame's JSON means, who receives the events,
or whether a fault may be tried again elsewhere.

States: ``OPENING`` (nothing understood yet) → ``HOLDING`` (the first events are kept and the
upstream is paused, so that another attempt stays possible) → ``FLOWING`` ⇄ ``PAUSED`` → ``ENDED``;
``abandon`` leads to ``ABANDONED`` from everywhere. What is held is bounded by one network read,
which may still arrive after a pause.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol as Shape

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from kiro2api.conversation.answer import Ended, StreamEvent
from kiro2api.errors import StreamTruncated, UpstreamFault
from kiro2api.upstream.bodies import stop_body
from kiro2api.upstream.interfaces import IEventSink
from kiro2api.wire.eventstream import Frame, FrameDecoder

LINGER_SECONDS = 5.0


class FrameReader(Shape):
    """What turns frames into events: ``kiro.interpret.Interpreter``."""

    @property
    def done(self) -> bool:
        """Everything that an answer needs has come."""

    @property
    def fault(self) -> UpstreamFault | None:
        """What ended the answer, known before the next call raises it."""

    def feed(self, frames: Sequence[Frame]) -> list[StreamEvent]:
        """The events of these frames; raises UpstreamFault if none came before it."""

    def finish(self) -> list[StreamEvent]:
        """The last events; raises StreamTruncated for an answer that is visibly incomplete."""

    def flush(self) -> list[StreamEvent]:
        """What it still holds when the answer has failed; nothing if asked again."""


class State(Enum):
    """Where an answer stands."""

    OPENING = "opening"
    HOLDING = "holding"
    FLOWING = "flowing"
    PAUSED = "paused"
    ENDED = "ended"
    ABANDONED = "abandoned"


class EventStream(Protocol):
    """The body protocol of a streaming answer; see ``AnswerStream`` for its users' side.

    Invariant: per read from the network one call of the sink and nothing else: no Deferred, no
    timer, no log line.

    :param linger: seconds of silence after which an answer that has everything counts as
        complete; the upstream often leaves such a connection open.
    """

    def __init__(
        self,
        decoder: FrameDecoder,
        reader: FrameReader,
        clock: IReactorTime,
        *,
        linger: float = LINGER_SECONDS,
        request_id: str = "",
    ) -> None:
        self.state = State.OPENING
        self.request_id = request_id
        self._decoder = decoder
        self._receive = decoder.receive
        self._reader = reader
        self._feed = reader.feed
        self._clock = clock
        self._seconds = clock.seconds
        self._linger = linger
        self._sink: IEventSink | None = None
        self._stopped_reading = False
        self._held: list[StreamEvent] = []
        self._fault: UpstreamFault | None = None
        self._first: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        # Nothing more will be taken from the network; held events may still wait for a sink.
        self._over = False
        self.last_read = self._seconds()

    def __repr__(self) -> str:
        return f"<EventStream {self.state.value} {self.request_id}>"

    # ── towards the exchange and the relay ──────────────────────────────────

    def first(self) -> Deferred[None]:
        """Fires when the first event is held, fails with the fault that came instead.
        Cancelling it abandons the stream. To be called once, before ``flow``."""
        if self.state is State.OPENING:
            if self._first is not None:
                raise RuntimeError("somebody waits for the first event already")
            self._first = Deferred(self._first_cancelled)
            return self._first
        if self.state is State.ABANDONED:
            return fail(CancelledError())
        if self._fault is not None and not self._held and self.state is State.HOLDING:
            return fail(self._fault)
        return succeed(None)

    def flow(self, sink: IEventSink) -> None:
        """Deliver what is held, then everything as it arrives."""
        if self.state is State.ABANDONED:
            return
        if self.state is not State.HOLDING and self.state is not State.OPENING:
            raise RuntimeError("this answer has its sink already")
        self.state = State.FLOWING
        self._sink = sink
        held, self._held = self._held, []
        if held:
            sink.events(held)
        if self._sink is None:  # it ended or was abandoned meanwhile
            return
        if self._over:
            self._end(self._fault)
        elif self.state is State.FLOWING:
            self._set_reading(True)

    def pause(self) -> None:
        """Stop reading; up to one network read may still be delivered."""
        if self.state is State.FLOWING:
            self.state = State.PAUSED
            self._set_reading(False)

    def resume(self) -> None:
        """Read on."""
        if self.state is State.PAUSED:
            self.state = State.FLOWING
            self._set_reading(True)

    def abandon(self) -> None:
        """Close the connection at once; the sink hears nothing more. Idempotent."""
        if self.state is State.ENDED or self.state is State.ABANDONED:
            return
        self.state = State.ABANDONED
        self._over = True
        self._sink = None
        self._held = []
        self._cancel_timer()
        stop_body(self)
        first, self._first = self._first, None
        if first is not None:
            first.errback(CancelledError())

    # ── towards the network ─────────────────────────────────────────────────

    def connectionMade(self) -> None:
        """The body begins; if it was abandoned before that, it ends as well."""
        if self._over:
            stop_body(self)

    def dataReceived(self, data: bytes) -> None:
        """One read: decode, interpret, and hand on what came of it in one piece."""
        if self._over:
            return
        self.last_read = self._seconds()
        events: Sequence[StreamEvent] = ()
        fault: UpstreamFault | None
        try:
            events = self._feed(self._receive(data))
            fault = self._reader.fault or self._decoder.error
            if fault is None and getattr(self.transport, "ending", False):
                # The body is whole with this read, so that its end leaves together with it.
                self.transport = None
                events, fault = self._concluded(events)
        except UpstreamFault as error:
            fault = error
        if events:
            sink = self._sink
            if sink is not None:
                sink.events(events)
            else:
                self._hold(events)
            if self._over:  # the sink abandoned us
                return
            if type(events[-1]) is Ended:
                self._end(None)
                return
        if fault is not None:
            self._end(fault)
        elif self._timer is None and self._reader.done:
            self._timer = self._clock.callLater(self._linger, self._lingered)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body has ended, one way or the other.

        An answer that has everything is complete however its connection ends; any other only
        when HTTP says that the body is whole. The library's own reason may hold data: it is
        not passed on.
        """
        self.transport = None
        if self._over:
            return
        fault: UpstreamFault | None = None
        if not self._reader.done:
            if reason.check(ResponseDone) is None:
                fault = StreamTruncated("the upstream's answer broke off")
            else:
                try:
                    self._decoder.finish()
                except UpstreamFault as cut:
                    fault = cut
        self._finish(fault)

    # ── inside ──────────────────────────────────────────────────────────────

    def _concluded(
        self, events: Sequence[StreamEvent]
    ) -> tuple[Sequence[StreamEvent], UpstreamFault | None]:
        """The last events with those that the end adds, or with why it is no proper end."""
        try:
            if not self._reader.done:
                self._decoder.finish()
            return [*events, *self._reader.finish()], None
        except UpstreamFault as incomplete:
            return events, incomplete

    def _hold(self, events: Sequence[StreamEvent]) -> None:
        self._held.extend(events)
        if self.state is State.OPENING:
            # A sink is usually attached within this turn of the reactor, so that pausing here
            # would only cost two system calls; one more read can be held as well.
            self.state = State.HOLDING
            first, self._first = self._first, None
            if first is not None:
                first.callback(None)
        else:
            # At each read: Twisted's response resumes after handing over what came with the head.
            self._set_reading(False)

    def _lingered(self) -> None:
        self._timer = None
        remaining = self._linger - (self._seconds() - self.last_read)
        if remaining > 0:
            self._timer = self._clock.callLater(remaining, self._lingered)
        else:
            self._finish(None)

    def _finish(self, fault: UpstreamFault | None) -> None:
        """The bytes have ended: with ``fault``, or as they should."""
        events: Sequence[StreamEvent] = ()
        if fault is None:
            try:
                events = self._reader.finish()
            except UpstreamFault as incomplete:
                fault = incomplete
        if events:
            if self._sink is not None:
                self._sink.events(events)
            else:
                self._hold(events)
            if self._over:
                return
        self._end(fault)

    def _end(self, fault: UpstreamFault | None) -> None:
        """Nothing more is read; tell the sink, or whoever waits, or keep it for them."""
        self._over = True
        self._cancel_timer()
        stop_body(self)
        if fault is not None and (rest := self._reader.flush()):
            # Something came before it, so whoever waited for that was told already.
            if self._sink is None:
                self._held.extend(rest)
            else:
                self._sink.events(rest)
                if self._sink is None:  # it abandoned us
                    return
        sink = self._sink
        if sink is not None:
            self.state = State.ENDED
            self._sink = None
            sink.ended(fault)
            return
        self.state = State.HOLDING
        self._fault = fault
        first, self._first = self._first, None
        if first is None:
            return
        if fault is None:
            first.callback(None)
        else:
            first.errback(fault)

    def _first_cancelled(self, first: Deferred[None]) -> None:
        # The Deferred itself then fails with CancelledError.
        self._first = None
        self.abandon()

    def _set_reading(self, reading: bool) -> None:
        transport = self.transport
        if transport is None:
            return
        if not reading:
            self._stopped_reading = True
            transport.pauseProducing()  # type: ignore[attr-defined]
        elif self._stopped_reading:
            self._stopped_reading = False
            transport.resumeProducing()  # type: ignore[attr-defined]

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
