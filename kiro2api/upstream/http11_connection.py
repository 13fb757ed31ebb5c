# -*- test-case-name: tests.upstream.test_http11_connection -*-
"""One connection that carries one request at a time: ``Connection`` and its ``Exchange``.

No Deferred and no timer per read. Must not know pools, hosts, TLS or timeouts: who owns a
connection is told when it is free again or lost.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple
from typing import Protocol as Shape

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, ResponseFailed, ResponseNeverReceived
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from kiro2api.upstream.http11_body import BodyReader, EndlessBody, reader_for
from kiro2api.upstream.http11_head import MAX_HEAD, Head, HeadReader, MalformedResponse
from kiro2api.upstream.http11_response import AskedFor, PlainResponse
from kiro2api.upstream.http11_sending import RequestBody

MAX_INTERIM: Final = 16
"""Responses of the kind 1xx that may precede the real one."""


class Order(NamedTuple):
    """One request, ready to be sent.

    ``head``: its bytes; ``body``: with the length that the head tells; ``close``: the connection
    ends with this request.
    """

    asked: AskedFor
    head: bytes
    body: IBodyProducer | None = None
    close: bool = False

    def __repr__(self) -> str:
        # Its bytes hold credentials.
        return f"<Order {self.asked.method.decode('ascii')}>"


class Owner(Shape):
    """Who keeps connections between requests."""

    def free(self, connection: "Connection") -> None:
        """The connection can carry another request."""

    def lost(self, connection: "Connection") -> None:
        """The connection can carry no more requests. May be told more than once."""


@implementer(IHandshakeListener)
class Connection(Protocol):
    """A connection to one server.

    ``established``: TLS is agreed upon, or some answer has come; ``on_established`` is then
    called, once. ``closing``: we are done with it.

    :param key: what connections have in common that may stand for each other.
    """

    def __init__(self, owner: Owner, key: object, *, max_head: int = MAX_HEAD) -> None:
        self.key = key
        self.established = False
        self.on_established: Callable[[], None] | None = None
        self._owner = owner
        self._max_head = max_head
        self._exchange: Exchange | None = None
        self._paused = False
        self.closing = False
        self._loss: Failure | None = None

    @property
    def usable(self) -> bool:
        """Whether it can carry a request now."""
        return self._exchange is None and not self._unusable

    @property
    def _unusable(self) -> bool:
        return self.closing or self._loss is not None

    @property
    def gone(self) -> bool:
        """Whether it was lost altogether."""
        return self._loss is not None

    def send(self, order: Order) -> Deferred[IResponse]:
        """Carry one request; fires with the response's head.

        Cancelling closes the connection.

        :raises ResponseNeverReceived: not one byte of an answer came; ``reasons`` say why. That
            is also how a kept connection fails that the server has closed meanwhile.
        :raises ResponseFailed: the answer's head was cut or malformed.
        :raises RequestGenerationFailed: the request's body failed, or has not the length it told.
        """
        if self._loss is not None:
            return fail(ResponseNeverReceived([self._loss]))
        exchange = self._exchange = Exchange(self, order, self._max_head)
        exchange.start(order)
        return exchange.answered

    def give_up(self, failure: Failure) -> None:
        """Close the connection at once; the request under way fails with ``failure``."""
        if self._exchange is not None:
            self._exchange.fail(failure)

    # ── towards the network ─────────────────────────────────────────────────

    def connectionMade(self) -> None:
        """Small writes must not wait for more."""
        # TLS claims to have this whatever it runs over, so the interface is not asked.
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def handshakeCompleted(self) -> None:
        """TLS is agreed upon and the certificate was accepted."""
        self._establish()

    def dataReceived(self, data: bytes) -> None:
        """More of a response; without a request it is nothing that we could trust."""
        if self.closing:
            return
        exchange = self._exchange
        if exchange is None:
            self.abort()
            return
        if not self.established:
            self._establish()
        exchange.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._loss = reason
        self.on_established = None
        exchange, self._exchange = self._exchange, None
        self._owner.lost(self)
        if exchange is not None:
            exchange.lost(reason)

    # ── towards the exchange and the owner ──────────────────────────────────

    def pause(self) -> None:
        """Stop reading."""
        if not self._paused and not self._unusable:
            self._paused = True
            self.wire.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._unusable:
            self._paused = False
            self.wire.resumeProducing()

    def ended(self, *, reusable: bool) -> None:
        """The exchange is over, as it should be."""
        self._exchange = None
        self.resume()
        if reusable:
            self._owner.free(self)
        else:
            self.close()

    def dropped(self) -> None:
        """The exchange is over, and the connection with it."""
        self._exchange = None
        self.abort()

    def close(self) -> None:
        """Close it once what was written is sent."""
        self._close(self.wire.loseConnection)

    def abort(self) -> None:
        """Close it at once, paused or not.

        Strategy: over TLS ``loseConnection`` waits for the other side, and for ever if paused.
        """
        self._close(self.wire.abortConnection)

    def _close(self, how: Callable[[], None]) -> None:
        if self._loss is None:
            self.closing = True
            self._owner.lost(self)
            how()

    def _establish(self) -> None:
        self.established = True
        tell, self.on_established = self.on_established, None
        if tell is not None:
            tell()

    @property
    def wire(self) -> Any:
        """The transport; every one that we are given is a producer too."""
        return self.transport


class Exchange:
    """One request and its response on a connection.

    States: the head is read (``_reading`` is None) → the body is read → over.
    """

    def __init__(self, connection: Connection, order: Order, max_head: int) -> None:
        self.answered: Deferred[IResponse] = Deferred(self._cancelled)
        self._connection = connection
        # Not the order itself: a stream outlives its request's body by minutes.
        self._asked = order.asked
        self._keep_alive = not order.close
        self._head_reader = HeadReader(max_head)
        self._interim = 0
        self._reading: tuple[PlainResponse, BodyReader] | None = None
        self._sending: RequestBody | None = None
        self._over = False

    # ── the request ─────────────────────────────────────────────────────────

    def start(self, order: Order) -> None:
        """Send the request, or as much of it as there is already."""
        wire = self._connection.wire
        if order.body is None:
            wire.write(order.head)
            return
        self._sending = RequestBody(wire, order.head, order.body, self._sent)
        self._sending.start()

    def _sent(self, failure: Failure | None) -> None:
        self._sending = None
        if failure is not None:
            self.fail(Failure(RequestGenerationFailed([failure])))

    # ── the response ────────────────────────────────────────────────────────

    def received(self, data: bytes) -> None:
        """One read from the network."""
        reading = self._reading
        if reading is None:
            begun = self._read_head(data)
            if begun is None:
                return
            reading, data = begun
        response, body = reading
        piece = body.receive(data)
        if piece:
            if body.done and body.error is None:
                response.last(piece)
            else:
                response.body(piece)
            if self._over or self._connection.closing:
                return
        if body.error is not None:
            self.fail(Failure(ResponseFailed([Failure(body.error)], response)))
        elif body.done:
            self._over = True
            unsent = self._stop_sending()
            self._connection.ended(reusable=self._keep_alive and not body.excess and not unsent)
            response.over(None)

    def _read_head(self, data: bytes) -> tuple[tuple[PlainResponse, BodyReader], bytes] | None:
        """The response that begins, and what follows its head; None until there is one, and when
        there is nothing more to do for it."""
        try:
            head, data = self._next_head(data)
            while head is not None and head.code < 200:
                # Wire: a server may announce its response; one that switches protocols was not
                # asked to.
                self._interim += 1
                if head.code == 101 or self._interim > MAX_INTERIM:
                    raise MalformedResponse("an unexpected interim response")
                head, data = self._next_head(data)
        except MalformedResponse as error:
            self.fail(Failure(ResponseFailed([Failure(error)])))
            return None
        if head is None:
            return None
        self._keep_alive = self._keep_alive and head.keep_alive
        response = PlainResponse(head, self._asked, self)
        body = reader_for(head)
        self._reading = (response, body)
        self.answered.callback(response)
        if self._connection.closing:
            return None
        if not response.wanted and not body.done:
            # Nobody takes the body yet: what follows waits in the network.
            self._connection.pause()
        return self._reading, data

    def _next_head(self, data: bytes) -> tuple[Head | None, bytes]:
        return self._head_reader.receive(data, self._asked.method) or (None, b"")

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        self._over = True
        self._stop_sending()
        if self._reading is None:
            begun = self._head_reader.begun or self._interim
            kind = ResponseFailed if begun else ResponseNeverReceived
            self.answered.errback(Failure(kind([reason])))
            return
        response, body = self._reading
        if isinstance(body, EndlessBody) and reason.check(ConnectionDone):
            response.over(Failure(PotentialDataLoss()))
        else:
            response.over(Failure(ResponseFailed([reason], response)))

    def fail(self, failure: Failure) -> None:
        """Over, because of ``failure``; the connection is closed."""
        self._quit()
        if self._reading is None:
            self.answered.errback(failure)
        else:
            self._reading[0].over(failure)

    def _cancelled(self, answered: Deferred[IResponse]) -> None:
        # The Deferred itself then fails with CancelledError.
        self._quit()

    def _quit(self) -> None:
        self._over = True
        self._stop_sending()
        self._connection.dropped()

    def _stop_sending(self) -> bool:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.stop()
        return sending is not None

    # ── what the body's transport asks for ──────────────────────────────────

    def pause(self) -> None:
        """See ``Source``."""
        self._connection.pause()

    def resume(self) -> None:
        """See ``Source``."""
        self._connection.resume()

    def stop(self) -> None:
        """See ``Source``."""
        self._connection.abort()
