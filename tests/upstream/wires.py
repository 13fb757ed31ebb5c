"""Connections without a network, for the tests of our HTTP client."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from kiro2api.upstream.http11_connection import Connection, Order
from kiro2api.upstream.http11_head import request_head
from kiro2api.upstream.http11_response import AskedFor


class Wire(StringTransport):
    """A transport that remembers how it was closed, and closes when told to."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    @property
    def state(self) -> str:
        return str(self.producerState)


class Owned:
    """An owner that only remembers."""

    def __init__(self) -> None:
        self.freed: list[Connection] = []
        self.losses = 0

    def free(self, connection: Connection) -> None:
        assert connection.usable
        self.freed.append(connection)

    def lost(self, connection: Connection) -> None:
        assert not connection.usable
        self.losses += 1


class Taker(Protocol):
    """Takes a body; may do something at the start and with each piece."""

    def __init__(self, on_start: Any = None, on_data: Any = None) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[Failure] = []
        self._on_start = on_start
        self._on_data = on_data

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def producer(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        if self._on_start is not None:
            self._on_start(self)

    def dataReceived(self, data: bytes) -> None:
        assert not self.ends
        self.pieces.append(data)
        if self._on_data is not None:
            self._on_data(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ends.append(reason)

    def ended_by(self) -> type[BaseException]:
        (end,) = self.ends
        return kind_of(end)


@implementer(IBodyProducer)
class SlowBody:
    """A request body that the test writes itself."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.done: Deferred[None] = Deferred()
        self.stopped = 0
        self.consumer: IConsumer

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self.consumer = consumer
        return self.done

    def stopProducing(self) -> None:
        self.stopped += 1

    def pauseProducing(self) -> None:
        """Not needed."""

    def resumeProducing(self) -> None:
        """Not needed."""


def order(method: bytes = b"POST", body: IBodyProducer | None = None, close: bool = False) -> Order:
    """A request for nothing in particular."""
    length = None if body is None else body.length
    head = request_head(method, b"/p", b"h", (), length, close=close)
    return Order(AskedFor(method, b"http://h/p", Headers()), head, body, close)


class Bench:
    """One connection with a request under way, its wire and what came of it."""

    def __init__(self, order_: Order | None = None, *, taker: Taker | None = None) -> None:
        self.owner = Owned()
        self.wire = Wire()
        self.connection = Connection(self.owner, "key")
        self.connection.makeConnection(self.wire)
        self.taker = taker
        self.asked(order_ or order())

    def asked(self, order_: Order) -> None:
        """Send another request."""
        self.response: Any = None
        self.failure: Failure | None = None
        self.answered = self.connection.send(order_)
        self.answered.addCallbacks(self._came, self._failed)

    def _came(self, response: IResponse) -> None:
        self.response = response
        if self.taker is not None:
            response.deliverBody(self.taker)

    def _failed(self, failure: Failure) -> None:
        self.failure = failure

    def receive(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.dataReceived(piece)

    def lose(self, reason: BaseException | None = None) -> None:
        if reason is None:
            reason = ConnectionAborted() if self.wire.aborted else ConnectionDone()
        self.connection.connectionLost(Failure(reason))

    def reasons(self) -> list[type[BaseException]]:
        """Why the request failed, within what it failed with."""
        assert self.failure is not None
        return reasons_of(self.failure)


def kind_of(failure: Failure) -> type[BaseException]:
    """The exception's class itself: subclasses do not count."""
    assert failure.value is not None
    return type(failure.value)


def reasons_of(failure: Failure) -> list[type[BaseException]]:
    """What the library's wrapping exceptions wrap."""
    wrapper: Any = failure.value
    return [kind_of(reason) for reason in wrapper.reasons]
