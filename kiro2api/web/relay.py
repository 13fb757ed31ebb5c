# -*- test-case-name: tests.web.test_relay -*-
"""Pumps one answer to one streaming client.

Stands between an answer's events and a request: turns each batch of events into one write, stops
the upstream while the client is slow, keeps the connection alive while the upstream is silent and
ends in-band when something fails. Must not know accounts, failover or any dialect's grammar.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from kiro2api.conversation.answer import Ended, StreamEvent, Usage
from kiro2api.dialects.dialect import StreamWriter
from kiro2api.errors import KiroError, StreamStalled
from kiro2api.upstream.interfaces import AnswerStream, IEventSink
from kiro2api.web.sending import BodyWriter


@implementer(IPushProducer, IEventSink)
class StreamRelay:
    """One streamed answer.

    :param ping_seconds: the client hears something at least this often.
    :param silence_seconds: an upstream silent for longer has stalled.
    :param stall_seconds: a client that takes nothing for longer is given up.
    :param committed: called when the first byte goes out: from then on no other attempt.
    """

    def __init__(
        self,
        request: Any,
        writer: StreamWriter,
        clock: IReactorTime,
        *,
        ping_seconds: float,
        silence_seconds: float,
        stall_seconds: float,
        committed: Callable[[], None],
    ) -> None:
        self._request = request
        self._writer = writer
        self._clock = clock
        self._half_ping = ping_seconds / 2
        self._silence = silence_seconds
        self._stall = stall_seconds
        self._committed = committed
        self._stream: AnswerStream | None = None
        self._body: BodyWriter | None = None
        self._tail = b""
        self._done: Deferred[None] | None = None
        self._paused_at: float | None = None
        self._quiet_ticks = 0
        self._over = False
        self.begun = False
        self.gone = False
        self.first_write_at = 0.0
        self.usage: Usage | None = None
        self.fault: KiroError | None = None
        self._timer: IDelayedCall | None = clock.callLater(self._half_ping, self._tick)

    # ── the life of an answer ────────────────────────────────────────────────

    def run(self, stream: AnswerStream) -> Deferred[None]:
        """Relay ``stream`` to its end; fires when all is written, in whatever way it ended.

        Cancelling it, which happens when the client has left, abandons the upstream.
        """
        self._stream = stream
        done: Deferred[None] = Deferred(lambda _: self.abandon())
        self._done = done
        stream.flow(self)
        return done

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """One upstream read: one write."""
        data = self._writer.write(batch)
        last = batch[-1]
        if type(last) is Ended:
            # Kept until the end is told, which is at once: it leaves with the end of the body.
            self._tail = data
            if len(batch) > 1 and type(batch[-2]) is Usage:
                self.usage = batch[-2]
            return
        if type(last) is Usage:
            self.usage = last
        if data:
            self._put(data)

    def ended(self, fault: KiroError | None) -> None:
        """The upstream is through."""
        if fault is not None:
            self.fail(fault)
        tail, self._tail = self._tail, b""
        if not self._over and not self.gone:
            if self._body is None:
                self._open(tail, whole=True)
            else:
                self._body.last(tail)
        self._finish()

    def fail(self, fault: KiroError) -> None:
        """Tell the client in-band; only for a stream that has begun."""
        if self._over or self.gone:
            return
        self.fault = fault
        data = self._writer.fail(fault)
        if data:
            self._put(data)

    def interrupt(self, fault: KiroError) -> None:
        """End the answer here and tell the client why; nothing happens once it is over."""
        if self._over or self.gone:
            return
        if self._stream is not None:
            self._stream.abandon()
        self.ended(fault)

    def abandon(self) -> None:
        """The client has left: drop the upstream, write nothing more. Idempotent."""
        self.gone = True
        self._stop_timer()
        if self._stream is not None:
            self._stream.abandon()

    def close(self) -> None:
        """Release everything; must be called last, in every case. Idempotent."""
        self._stop_timer()
        if self._body is not None and self._request.channel is not None:
            self._request.unregisterProducer()
        self._body = None

    # ── the client's side ────────────────────────────────────────────────────

    def pauseProducing(self) -> None:
        """The client is slow: stop the upstream."""
        if self._paused_at is None:
            self._paused_at = self._clock.seconds()
        if self._stream is not None:
            self._stream.pause()

    def resumeProducing(self) -> None:
        """The client has caught up."""
        self._paused_at = None
        if self._stream is not None:
            self._stream.resume()

    def stopProducing(self) -> None:
        """The client's connection is lost."""
        self.abandon()

    # ── inside ───────────────────────────────────────────────────────────────

    def _put(self, data: bytes) -> None:
        body = self._body
        if body is None:
            self._open(data)
        else:
            self._quiet_ticks = 0
            body.write(data)

    def _open(self, data: bytes, *, whole: bool = False) -> None:
        """Head and first bytes, or all of them; from here on the answer is committed."""
        self.begun = True
        self._committed()
        self.first_write_at = self._clock.seconds()
        request = self._request
        # The producer is registered first: a client may be slow from the first byte on.
        request.registerProducer(self, True)
        request.begin_stream(data, whole=whole)
        self._body = BodyWriter(request)

    def _tick(self) -> None:
        self._timer = self._clock.callLater(self._half_ping, self._tick)
        now = self._clock.seconds()
        if self._paused_at is not None:
            if now - self._paused_at >= self._stall:
                self.fault = StreamStalled("the client took no data for too long")
                self._cut()
            return
        stream = self._stream
        if stream is not None and now - stream.last_read >= self._silence:
            stream.abandon()
            self.ended(StreamStalled(f"the upstream was silent for {self._silence:g} seconds"))
            return
        self._quiet_ticks += 1
        if self._quiet_ticks >= 2:
            self._quiet_ticks = 0
            self._ping()

    def _ping(self) -> None:
        if self._body is None:
            self._open(self._writer.begin() + self._writer.ping())
        else:
            self._body.write(self._writer.ping())

    def _cut(self) -> None:
        """End so that the client cannot mistake it for a whole answer."""
        request = self._request
        self.abandon()
        if request.channel is not None:
            request.channel.forceAbortClient()

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._stop_timer()
        done, self._done = self._done, None
        if done is not None and not done.called:
            done.callback(None)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
