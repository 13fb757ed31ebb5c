# -*- test-case-name: tests.upstream.test_bodies -*-
"""Small adapters for HTTP bodies: send bytes, drop a response, read one with a bound.

Must not know what a body means, whose credentials opened it, or any operation of the upstream.
Every response must go through one of three doors: ``EventStream``, ``read_bounded`` or
``discard``. One that is simply ignored holds its connection for ever.
"""

from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from kiro2api.errors import ProtocolViolation, UpstreamFault, UpstreamUnavailable

_COMPLETE: Final = (ResponseDone, PotentialDataLoss)


class BodyTooLong(ProtocolViolation):
    """A body exceeded its bound; ``partial`` is its beginning, cut at the bound.

    ``partial`` never becomes part of a message: it is the other side's text.
    """

    def __init__(self, partial: bytes) -> None:
        super().__init__("the upstream's answer is longer than allowed", code="body_too_long")
        self.partial = partial


@implementer(IBodyProducer)
class BytesBody:
    """A request body that is already complete: written at once.

    Strategy: treq's and Twisted's own producers go through the global cooperator, which sends
    nothing under a test's reactor and costs a reactor turn in production.
    """

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._data = data

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write everything; the transport buffers what the network does not take yet."""
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing is left to hold back."""

    def resumeProducing(self) -> None:
        """Nothing is left to send."""

    def stopProducing(self) -> None:
        """Nothing is left to stop."""


def stop_body(protocol: Protocol) -> None:
    """Close the connection below a body protocol at once, paused or not; idempotent.

    Strategy: a body's transport offers no ``abortConnection``, and over TLS ``loseConnection``
    does nothing while paused; ``stopProducing`` closes in every case. The transport is dropped,
    so a connection that meanwhile serves somebody else is never touched.
    """
    transport = protocol.transport
    protocol.transport = None
    if transport is not None:
        transport.stopProducing()  # type: ignore[attr-defined]


class _Discard(Protocol):
    """Closes the connection as soon as it is connected to a body."""

    def connectionMade(self) -> None:
        stop_body(self)


def discard(response: IResponse) -> None:
    """Close the connection of a response whose body nobody wants."""
    response.deliverBody(_Discard())


def read_bounded(
    response: IResponse, limit: int, clock: IReactorTime, silence: float
) -> Deferred[bytes]:
    """Read a whole body of at most ``limit`` bytes.

    Cancelling closes the connection, which treq's own readers do not.

    :param silence: seconds without any byte after which the body counts as broken.
    :raises BodyTooLong: with what was read, cut at ``limit``.
    :raises UpstreamUnavailable: with code ``timeout`` or ``connection_lost``.
    """
    collecting = _Collecting(limit, clock, silence)
    response.deliverBody(collecting)
    return collecting.whole


class _Collecting(Protocol):
    """Joins a body's chunks; owns one silence timer."""

    def __init__(self, limit: int, clock: IReactorTime, silence: float) -> None:
        self.whole: Deferred[bytes] = Deferred(self._cancelled)
        self._limit = limit
        self._silence = silence
        self._chunks: list[bytes] = []
        self._size = 0
        self._over = False
        self._timer: IDelayedCall = clock.callLater(silence, self._silent)

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._timer.reset(self._silence)
        self._chunks.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self._fail(BodyTooLong(b"".join(self._chunks)[: self._limit]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None
        if self._over:
            return
        if reason.check(*_COMPLETE):
            self._close()
            self.whole.callback(b"".join(self._chunks))
        else:
            self._fail(
                UpstreamUnavailable(
                    "the connection to the upstream broke off", code="connection_lost"
                )
            )

    def _silent(self) -> None:
        self._fail(UpstreamUnavailable("the upstream fell silent", code="timeout"))

    def _fail(self, fault: UpstreamFault) -> None:
        self._close()
        self.whole.errback(fault)

    def _cancelled(self, whole: Deferred[bytes]) -> None:
        # The Deferred itself then fails with CancelledError.
        self._close()

    def _close(self) -> None:
        self._over = True
        if self._timer.active():
            self._timer.cancel()
        stop_body(self)
