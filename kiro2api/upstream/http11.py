# -*- test-case-name: tests.upstream.test_http11 -*-
"""Our own HTTP/1.1 client, an ``IAgent`` for answers that are streams of many small chunks.

Strategy: Twisted's Agent hands on every HTTP chunk by itself; this one hands on what one read
from the network holds as one piece, which makes a stream several times cheaper. It fails with the
same errors as Agent. Must not know operations, accounts, or anything of a body.

Not done on purpose: redirects, cookies, content codings, proxies (an endpoint's business), request
bodies of unknown length, pipelining.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    UNKNOWN_LENGTH,
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from kiro2api.upstream.http11_connection import Connection, Order
from kiro2api.upstream.http11_head import MAX_HEAD, request_head
from kiro2api.upstream.http11_pool import IdleConnections
from kiro2api.upstream.http11_response import AskedFor

_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}
_REMEMBERED_PLACES: Final = 256
_NAME: Final = re.compile(rb"[A-Za-z0-9._-]+")
_ADDRESS: Final = re.compile(rb"[0-9A-Fa-f:.]+")


class Place(NamedTuple):
    """Where a URI leads, and what of it is sent."""

    uri: URI
    text: bytes
    key: tuple[bytes, bytes, int]
    host: bytes
    target: bytes


@implementer(IAgentEndpointFactory)
class DirectEndpoints:
    """TCP endpoints by host name, with TLS for https, verified as the policy says."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, timeout: float) -> None:
        self._reactor = reactor
        self._policy = policy
        self._timeout = timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``."""
        host = uri.host.decode("ascii")
        plain = HostnameEndpoint(self._reactor, host, uri.port, timeout=self._timeout)
        if uri.scheme == b"http":
            return plain
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), plain)


@implementer(IAgent)
class PlainAgent:
    """Asks HTTP/1.1 servers, over connections that are kept for a while.

    :param reactor: for time, and for connections unless there is an ``endpoint_factory``.
    :param connect_timeout: seconds for a new connection, the agreement on TLS included.
    :param max_idle_per_host: connections kept between requests per scheme, host and port; with 0
        every request has a fresh one.
    :param idle_timeout: seconds they are kept; less than the servers' own.
    :param tls_options: how certificates are verified.
    :param endpoint_factory: makes the endpoints instead, e.g. through a proxy; ``tls_options`` are
        then its business.
    :param max_head: octets of a response's head.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        connect_timeout: float = 10.0,
        max_idle_per_host: int = 64,
        idle_timeout: float = 45.0,
        tls_options: IPolicyForHTTPS | None = None,
        endpoint_factory: IAgentEndpointFactory | None = None,
        max_head: int = MAX_HEAD,
    ) -> None:
        if endpoint_factory is None:
            if tls_options is None:
                raise ValueError("either tls_options or an endpoint_factory is needed")
            endpoint_factory = DirectEndpoints(reactor, tls_options, connect_timeout)
        self._clock: IReactorTime = reactor
        self._connect_timeout = connect_timeout
        self._keep = max_idle_per_host > 0
        self._idle = IdleConnections(reactor, max_idle_per_host, idle_timeout)
        self._endpoints = endpoint_factory
        self._max_head = max_head
        self._places: dict[bytes, Place] = {}

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Send a request; fires with the response once its head has come. See ``IAgent``.

        Cancelling closes the connection.

        :raises ValueError: what cannot be sent as asked for.
        :raises SchemeNotSupported: neither http nor https.
        :raises twisted.internet.error.TimeoutError: no connection in time.
        :raises Exception: as ``Connection.send``, or as the endpoint fails to connect.
        """
        try:
            place = self._place(uri)
            order = self._order(method, place, headers or Headers(), bodyProducer)
            connection = self._idle.take(place.key)
            if connection is not None:
                return connection.send(order)
            endpoint = self._endpoints.endpointForURI(place.uri)
        except (ValueError, SchemeNotSupported):
            return fail(Failure())
        opening = _Opening(
            lambda: Connection(self._idle, place.key, max_head=self._max_head),
            order,
            tls=place.uri.scheme == b"https",
        )
        return opening.start(endpoint, self._clock, self._connect_timeout)

    def close_idle(self) -> Deferred[None]:
        """Close the connections that are kept, and keep no more; those in use end with their
        response. Fires when the idle ones are gone."""
        return self._idle.close()

    def _place(self, uri: bytes) -> Place:
        place = self._places.get(uri)
        if place is None:
            parsed = URI.fromBytes(uri)
            port = _DEFAULT_PORTS.get(parsed.scheme)
            if port is None:
                raise SchemeNotSupported("only http and https are supported")
            # The library takes whatever is no port for a part of the host's name.
            bracketed = parsed.netloc.startswith(b"[")
            if not (_ADDRESS if bracketed else _NAME).fullmatch(parsed.host):
                raise ValueError("the URI has no host, or a wrong port")
            host = b"[%b]" % parsed.host if bracketed else parsed.host
            if parsed.port != port:
                host += b":%d" % parsed.port
            key = (parsed.scheme, parsed.host, parsed.port)
            place = Place(parsed, parsed.toBytes(), key, host, parsed.originForm)
            if len(self._places) >= _REMEMBERED_PLACES:
                self._places.clear()
            self._places[uri] = place
        return place

    def _order(
        self, method: bytes, place: Place, headers: Headers, body: IBodyProducer | None
    ) -> Order:
        if body is not None and body.length is UNKNOWN_LENGTH:
            raise ValueError("the length of a request's body must be known")
        asked_to_close = any(
            b"close" in value.lower() for value in headers.getRawHeaders(b"connection", ())
        )
        close = asked_to_close or not self._keep
        head = request_head(
            method,
            place.target,
            place.host,
            headers.getAllRawHeaders(),
            None if body is None else body.length,
            close=close,
        )
        return Order(AskedFor(method, place.text, headers), head, body, close)


class _Opening(Factory):
    """A request that waits for its connection; owns the timer of the connecting."""

    noisy = False

    def __init__(self, make: Callable[[], Connection], order: Order, *, tls: bool) -> None:
        self._result: Deferred[IResponse] = Deferred(self._cancelled)
        self._make = make
        # Given up once it is sent: the transport keeps its factory as long as it lives.
        self._order: Order | None = order
        self._tls = tls
        self._timer: IDelayedCall | None = None
        self._connecting: Deferred[Any] | None = None
        self._connection: Connection | None = None
        self._sending: Deferred[IResponse] | None = None
        self._expired = False
        self._over = False

    def start(
        self, endpoint: IStreamClientEndpoint, clock: IReactorTime, seconds: float
    ) -> Deferred[IResponse]:
        """Connect, send, and give the response."""
        self._timer = clock.callLater(seconds, self._expire)
        self._connecting = maybeDeferred(endpoint.connect, self)
        self._connecting.addCallbacks(self._connected, self._failed)
        return self._result

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """See ``IProtocolFactory``; a connection that nobody waits for any more is refused."""
        if self._over:
            return None
        self._connection = self._make()
        return self._connection

    def _connected(self, connected: Connection | None) -> None:
        self._connecting = None
        # A TLS endpoint gives None for a connection that it has lost already.
        connection = self._connection = connected or self._connection
        assert connection is not None, "connected without a connection"
        if not self._tls or connection.established:
            self._stop_timer()
        else:
            # Connected means so far only that TCP is; the server may still be mute.
            connection.on_established = self._stop_timer
        order, self._order = self._order, None
        assert order is not None, "connected twice"
        self._sending = connection.send(order)
        self._sending.addCallbacks(self._answered, self._failed)

    def _answered(self, response: IResponse) -> None:
        self._over = True
        self._stop_timer()
        self._result.callback(response)

    def _failed(self, failure: Failure) -> None:
        if self._over:
            return
        self._over = True
        self._stop_timer()
        self._result.errback(Failure(ConnectTimeout()) if self._expired else failure)

    def _expire(self) -> None:
        self._timer = None
        self._expired = True
        if self._connecting is not None:
            self._connecting.cancel()
            return
        assert self._connection is not None
        self._connection.give_up(Failure(ConnectTimeout()))

    def _cancelled(self, result: Deferred[IResponse]) -> None:
        # The Deferred itself then fails with CancelledError.
        self._over = True
        self._stop_timer()
        for under_way in (self._connecting, self._sending):
            if under_way is not None:
                under_way.cancel()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
