"""Tests of our HTTP client as a whole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from treq.client import HTTPClient
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, KeyPair, PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import (
    URI,
    BrowserLikePolicyForHTTPS,
    ResponseDone,
    ResponseNeverReceived,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kiro2api.upstream.bodies import BytesBody
from kiro2api.upstream.http11 import DirectEndpoints, PlainAgent
from tests.upstream.wires import SlowBody, Taker, Wire, reasons_of

ADDRESS = IPv4Address("TCP", "192.0.2.1", 80)
KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@implementer(IStreamClientEndpoint)
class Prepared:
    """An endpoint that does as the test says."""

    def __init__(self, connect: Callable[[IProtocolFactory], "Deferred[Any]"]) -> None:
        self._connect = connect

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":
        return self._connect(protocolFactory)


@implementer(IAgentEndpointFactory)
class Network:
    """Endpoints that lead nowhere: each connection gets a wire of its own, when told to."""

    def __init__(self) -> None:
        self.uris: list[URI] = []
        self.factories: list[IProtocolFactory] = []
        self.wires: list[Wire] = []
        self.protocols: list[Any] = []
        self.waiting: list[Deferred[Any]] = []
        self.cancelled = 0
        self.at_once = True

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        self.uris.append(uri)
        return Prepared(self._connect)

    def _connect(self, factory: IProtocolFactory) -> "Deferred[Any]":
        self.factories.append(factory)
        waiting: Deferred[Any] = Deferred(self._cancelled)
        self.waiting.append(waiting)
        if self.at_once:
            self.connect()
        return waiting

    def _cancelled(self, _: "Deferred[Any]") -> None:
        self.cancelled += 1

    def connect(self) -> None:
        """Complete the oldest connection that waits."""
        protocol: Any = self.factories.pop(0).buildProtocol(ADDRESS)
        wire = Wire()
        self.wires.append(wire)
        self.protocols.append(protocol)
        protocol.makeConnection(wire)
        self.waiting.pop(0).callback(protocol)


class AgentTests(SynchronousTestCase):
    """Requests, connections and their timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.agent = PlainAgent(
            self.clock, connect_timeout=10.0, idle_timeout=40.0, endpoint_factory=self.network
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def get(self, uri: bytes = b"http://host/p?q", **fields: str) -> "Deferred[Any]":
        given = {name.encode(): [value.encode()] for name, value in fields.items()}
        headers: Headers = Headers(given)
        return self.agent.request(b"GET", uri, headers, None)

    def serve(self, number: int = -1, data: bytes = KNOWN) -> None:
        self.network.protocols[number].dataReceived(data)

    def close(self) -> None:
        """End what is kept."""
        self.agent.close_idle()

    def test_interface(self) -> None:
        """It is an agent."""
        verifyObject(IAgent, self.agent)

    def test_request(self) -> None:
        """Method, target, host, fields and body arrive."""
        headers = Headers({b"x-field": [b"a", b"b"]})
        uri = b"http://host:8080/p?q=1#fragment"
        answered = self.agent.request(b"POST", uri, headers, BytesBody(b"body"))
        self.assertEqual(
            self.network.wires[0].value(),
            b"POST /p?q=1 HTTP/1.1\r\nHost: host:8080\r\nX-Field: a\r\nX-Field: b\r\n"
            b"Content-Length: 4\r\n\r\nbody",
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.serve()
        response: Any = self.successResultOf(answered)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.request.method, b"POST")
        self.close()

    def test_hosts(self) -> None:
        """The port is told unless it is the usual one; an address of version 6 has brackets."""
        for uri, host in (
            (b"http://host/", b"host"),
            (b"http://host:80/", b"host"),
            (b"https://host:443", b"host"),
            (b"https://host:80/", b"host:80"),
            (b"http://[::1]:8080/", b"[::1]:8080"),
            (b"http://[::1]/", b"[::1]"),
        ):
            answered = self.get(uri)
            self.assertIn(b" HTTP/1.1\r\nHost: " + host + b"\r\n", self.network.wires[-1].value())
            self.serve()
            self.successResultOf(answered)
        self.assertEqual(self.network.uris[-1].host, b"::1")
        self.close()

    def test_what_cannot_be_asked(self) -> None:
        """Refused before any connection."""
        for uri, error in (
            (b"ftp://host/", SchemeNotSupported),
            (b"http:///path", ValueError),
            (b"http://host/a b", ValueError),
            (b"http://host:port/", ValueError),
            (b"http://user@host/", ValueError),
            (b"http://[x]/", ValueError),
        ):
            self.failureResultOf(self.get(uri), error)
        self.failureResultOf(self.agent.request(b"GE T", b"http://host/"), ValueError)
        body: Any = SlowBody(0)
        body.length = UNKNOWN_LENGTH
        self.failureResultOf(self.agent.request(b"PUT", b"http://h/", None, body), ValueError)
        self.assertEqual(self.network.uris, [])

    def test_kept_connection(self) -> None:
        """Requests to one place use one connection, one after the other."""
        for path in (b"a", b"b", b"c"):
            answered = self.get(b"http://host/" + path)
            self.assertIn(b"GET /" + path, self.network.wires[0].value())
            self.serve()
            taker = Taker()
            response: Any = self.successResultOf(answered)
            response.deliverBody(taker)
            self.assertEqual((taker.body, taker.ended_by()), (b"hello", ResponseDone))
        self.assertEqual(len(self.network.wires), 1)
        for other in (b"http://other/", b"http://host:81/", b"https://host:80/"):
            self.get(other)
            self.serve()
        self.assertEqual(len(self.network.wires), 4)
        self.close()

    def test_simultaneous(self) -> None:
        """Two requests at a time need two connections; both are kept."""
        answered = [self.get(), self.get()]
        self.serve(0)
        self.serve(1)
        for one in answered:
            self.successResultOf(one)
        self.get()
        self.get()
        self.assertEqual(len(self.network.wires), 2)
        self.serve(0)
        self.serve(1)
        self.close()

    def test_stale_connection(self) -> None:
        """A kept connection that turns out to be closed fails the request as Agent's would."""
        self.get()
        self.serve()
        answered = self.get()
        self.network.protocols[0].connectionLost(Failure(ConnectionDone()))
        failure = self.failureResultOf(answered, ResponseNeverReceived)
        self.assertEqual(reasons_of(failure), [ConnectionDone])
        again = self.get()
        self.assertEqual(len(self.network.wires), 2)
        self.serve()
        self.successResultOf(again)
        self.close()

    def test_idle_timeout(self) -> None:
        """A kept connection does not stay for ever."""
        self.get()
        self.serve()
        self.clock.advance(39.0)
        self.assertFalse(self.network.wires[0].disconnecting)
        self.clock.advance(1.0)
        self.assertTrue(self.network.wires[0].disconnecting)

    def test_fresh_connections(self) -> None:
        """An agent that keeps none says so to the server, and takes none that is kept."""
        agent = PlainAgent(self.clock, max_idle_per_host=0, endpoint_factory=self.network)
        for number in range(2):
            answered = agent.request(b"GET", b"http://host/")
            self.assertIn(b"\r\nConnection: close\r\n", self.network.wires[number].value())
            self.serve()
            self.successResultOf(answered)
            self.assertTrue(self.network.wires[number].disconnecting)

    def test_asked_to_close(self) -> None:
        """The caller may want a connection of its own."""
        self.get(connection="close")
        self.assertIn(b"\r\nConnection: close\r\n", self.network.wires[0].value())
        self.serve()
        self.assertTrue(self.network.wires[0].disconnecting)

    def test_many_places(self) -> None:
        """What is remembered of URIs is bounded."""
        for number in range(300):
            self.get(b"http://host/%d" % number)
            self.serve()
        self.assertLessEqual(len(self.agent._places), 256)
        self.assertEqual(len(self.network.wires), 1)
        self.close()

    def test_head_limit(self) -> None:
        """The limit reaches the connection."""
        agent = PlainAgent(self.clock, endpoint_factory=self.network, max_head=100)
        answered = agent.request(b"GET", b"http://host/")
        self.serve(data=b"x" * 101)
        self.failureResultOf(answered)

    def test_close_idle(self) -> None:
        """Fires when the kept ones are gone; one in use ends with its response."""
        self.get()
        in_use = self.get()
        self.serve(0)
        closed = self.agent.close_idle()
        self.assertTrue(self.network.wires[0].aborted)
        self.assertNoResult(closed)
        self.network.protocols[0].connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.serve(1)
        self.successResultOf(in_use)
        self.assertTrue(self.network.wires[1].disconnecting)

    # The way to a connection.

    def test_refused(self) -> None:
        """The endpoint's failure is the request's."""
        self.network.endpointForURI = (  # type: ignore[method-assign]
            lambda uri: Prepared(lambda factory: fail(ConnectionRefusedError()))
        )
        self.failureResultOf(self.get(), ConnectionRefusedError)

        def broken(factory: IProtocolFactory) -> "Deferred[Any]":
            raise ZeroDivisionError

        self.network.endpointForURI = lambda uri: Prepared(broken)  # type: ignore[method-assign]
        self.failureResultOf(self.get(), ZeroDivisionError)

    def test_connect_timeout(self) -> None:
        """Nobody answers: given up after the time set."""
        self.network.at_once = False
        answered = self.get()
        self.clock.advance(9.9)
        self.assertNoResult(answered)
        self.clock.advance(0.1)
        self.failureResultOf(answered, ConnectTimeout)
        self.assertEqual(self.network.cancelled, 1)
        self.assertIsNone(self.network.factories[0].buildProtocol(ADDRESS))

    def test_connected_in_time(self) -> None:
        """From then on the request may take as long as it takes."""
        self.network.at_once = False
        answered = self.get()
        self.clock.advance(9.0)
        self.network.connect()
        self.clock.advance(1000.0)
        self.assertNoResult(answered)
        self.serve()
        self.successResultOf(answered)
        self.close()

    def test_mute_tls_server(self) -> None:
        """TCP connects, but TLS is never agreed upon."""
        answered = self.get(b"https://host/")
        self.clock.advance(9.9)
        self.assertNoResult(answered)
        self.clock.advance(0.1)
        self.failureResultOf(answered, ConnectTimeout)
        self.assertTrue(self.network.wires[0].aborted)
        self.network.protocols[0].connectionLost(Failure(ConnectionDone()))

    def test_tls_in_time(self) -> None:
        """The handshake, also one before the endpoint is done, or any answer ends the timer."""
        answered = self.get(b"https://host/")
        self.network.protocols[0].handshakeCompleted()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNoResult(answered)
        self.network.protocols[0].connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(answered, ResponseNeverReceived)
        self.get(b"https://host/")
        self.serve(1, KNOWN[:5])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.serve(1, KNOWN[5:])
        self.close()

    def test_cancel_while_connecting(self) -> None:
        """The connecting is cancelled too."""
        self.network.at_once = False
        answered = self.get()
        answered.cancel()
        self.failureResultOf(answered, CancelledError)
        self.assertEqual(self.network.cancelled, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel_while_waiting(self) -> None:
        """The connection is closed, whether new or kept."""
        for number in range(2):
            answered = self.get()
            answered.cancel()
            self.failureResultOf(answered, CancelledError)
            self.assertTrue(self.network.wires[number].aborted)
        self.get()
        self.serve()
        kept = self.get()
        kept.cancel()
        self.failureResultOf(kept, CancelledError)
        self.assertTrue(self.network.wires[2].aborted)

    def test_lost_while_waiting(self) -> None:
        """Nothing came."""
        answered = self.get()
        self.network.protocols[0].connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(answered, ResponseNeverReceived)


class EndpointTests(SynchronousTestCase):
    """The endpoints that an agent makes by itself."""

    def test_plain_and_tls(self) -> None:
        """TCP for http, TLS that knows the host's name for https."""
        asked: list[tuple[bytes, int]] = []

        class Policy(BrowserLikePolicyForHTTPS):
            def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
                asked.append((hostname, port))
                return super().creatorForNetloc(hostname, port)

        endpoints = DirectEndpoints(MemoryReactorClock(), Policy(), 10.0)
        verifyObject(IAgentEndpointFactory, endpoints)
        plain = endpoints.endpointForURI(URI.fromBytes(b"http://host/"))
        self.assertIsInstance(plain, HostnameEndpoint)
        self.assertEqual(asked, [])
        secure = endpoints.endpointForURI(URI.fromBytes(b"https://host:8443/"))
        verifyObject(IStreamClientEndpoint, secure)
        self.assertEqual(asked, [(b"host", 8443)])

    def test_one_of_two_is_needed(self) -> None:
        """An agent never connects without knowing how to verify."""
        self.assertRaises(ValueError, PlainAgent, Clock())
        agent = PlainAgent(MemoryReactorClock(), tls_options=BrowserLikePolicyForHTTPS())
        self.failureResultOf(agent.request(b"GET", b"ftp://host/"), SchemeNotSupported)


class Pages(Resource):
    """A small real server."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.streaming: list[Request] = []

    def render(self, request: Request) -> Any:
        if request.path == b"/stream":
            request.write(b"one,")
            request.write(b"two,")
            self.streaming.append(request)
            return NOT_DONE_YET
        if request.path == b"/redirect":
            request.redirect(b"/echo")
            return b""
        assert request.content is not None
        return request.method + b" " + request.content.read()


class Servers:
    """Twisted's own web server at the other end of wires in memory."""

    def __init__(self, wrap: Callable[[Any], Any] = lambda factory: factory) -> None:
        self.clock = Clock()
        self.pages = Pages()
        self.site = Site(self.pages, reactor=self.clock)
        self._wrap = wrap
        self.pumps: list[IOPump] = []

    def endpoint(self) -> IStreamClientEndpoint:
        return Prepared(self._connect)

    def _connect(self, factory: IProtocolFactory) -> "Deferred[Any]":
        client: Any = factory.buildProtocol(ADDRESS)
        server: Any = self._wrap(self.site).buildProtocol(None)
        self.pumps.append(
            connect(
                server,
                FakeTransport(server, isServer=True),
                client,
                FakeTransport(client, isServer=False),
            )
        )
        return succeed(client)

    def flush(self) -> None:
        for pump in self.pumps:
            pump.flush()


@implementer(IAgentEndpointFactory)
class EndpointsTo:
    """Endpoints that all lead to one server."""

    def __init__(self, endpoint: Callable[[URI], IStreamClientEndpoint]) -> None:
        self.endpointForURI = endpoint


class ServerTests(SynchronousTestCase):
    """Against Twisted's own server, under treq."""

    def setUp(self) -> None:
        self.servers = Servers()
        factory = EndpointsTo(lambda uri: self.servers.endpoint())
        self.agent = PlainAgent(Clock(), endpoint_factory=factory)
        self.http = HTTPClient(self.agent, data_to_body_producer=BytesBody)

    def tearDown(self) -> None:
        closed = self.agent.close_idle()
        self.servers.flush()
        self.successResultOf(closed)

    def test_treq(self) -> None:
        """treq's client works over it: bodies both ways, connections are kept."""
        for data in (b"x" * 100_000, b"small"):
            answered = self.http.post("http://host/echo", data=data)
            self.servers.flush()
            response = self.successResultOf(answered)
            content = response.content()
            self.servers.flush()
            self.assertEqual(self.successResultOf(content), b"POST " + data)
        self.assertEqual(len(self.servers.pumps), 1)

    def test_treq_redirect(self) -> None:
        """A redirect uses the connection of the response before it."""
        answered = self.http.get("http://host/redirect")
        self.servers.flush()
        response = self.successResultOf(answered)
        self.assertEqual([old.code for old in response.history()], [302])
        text = response.text()
        self.servers.flush()
        self.assertEqual(self.successResultOf(text), "GET ")

    def test_treq_cancel(self) -> None:
        """Cancelled before the response, the server loses the request."""
        answered = self.http.get("http://host/stream")
        answered.cancel()
        self.failureResultOf(answered)
        self.servers.flush()
        self.assertTrue(all(request.channel is None for request in self.servers.pages.streaming))

    def test_stream(self) -> None:
        """Chunks arrive while the response goes on; what comes together is one piece."""
        answered = self.agent.request(b"GET", b"http://host/stream")
        self.servers.flush()
        taker = Taker()
        response: Any = self.successResultOf(answered)
        response.deliverBody(taker)
        self.servers.flush()
        self.assertEqual(taker.body, b"one,two,")
        (request,) = self.servers.pages.streaming
        del taker.pieces[:]
        request.write(b"three,")
        request.write(b"four")
        self.servers.flush()
        self.assertEqual(taker.pieces, [b"three,four"])
        request.finish()
        self.servers.flush()
        self.assertIs(taker.ended_by(), ResponseDone)

    def test_abandoned_stream(self) -> None:
        """The server is told at once."""
        answered = self.agent.request(b"GET", b"http://host/stream")
        self.servers.flush()
        taker = Taker()
        response: Any = self.successResultOf(answered)
        response.deliverBody(taker)
        self.servers.flush()
        (request,) = self.servers.pages.streaming
        lost = request.notifyFinish()
        taker.producer.stopProducing()
        self.servers.flush()
        self.failureResultOf(lost)


def certificate(name: str) -> PrivateCertificate:
    """A self-signed certificate for one host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = KeyPair.load(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    made: PrivateCertificate = PrivateCertificate.load(
        signed.public_bytes(serialization.Encoding.DER), pair
    )
    return made


class TLSTests(SynchronousTestCase):
    """With real TLS in memory."""

    def setUp(self) -> None:
        own = certificate("good.example")
        self.clock = Clock()
        self.servers = Servers(
            lambda factory: TLSMemoryBIOFactory(own.options(), False, factory, self.clock)
        )
        policy = BrowserLikePolicyForHTTPS(Certificate(own.original))

        def endpoint(uri: URI) -> IStreamClientEndpoint:
            creator = policy.creatorForNetloc(uri.host, uri.port)
            return wrapClientTLS(creator, self.servers.endpoint(), self.clock)

        self.agent = PlainAgent(self.clock, endpoint_factory=EndpointsTo(endpoint))

    def test_good(self) -> None:
        """The handshake ends the timer; an abandoned stream closes the connection, even paused."""
        answered = self.agent.request(b"GET", b"https://good.example/stream")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pump()
        taker = Taker()
        response: Any = self.successResultOf(answered)
        response.deliverBody(taker)
        self.pump()
        self.assertEqual(taker.body, b"one,two,")
        (request,) = self.servers.pages.streaming
        lost = request.notifyFinish()
        taker.producer.pauseProducing()
        taker.producer.stopProducing()
        self.pump()
        self.failureResultOf(lost)
        self.assertEqual(len(taker.ends), 1)

    def test_kept(self) -> None:
        """Two requests, one handshake."""
        for _ in range(2):
            answered = self.agent.request(
                b"POST", b"https://good.example/echo", None, BytesBody(b"x" * 50_000)
            )
            self.pump()
            taker = Taker()
            response: Any = self.successResultOf(answered)
            response.deliverBody(taker)
            self.pump()
            self.assertEqual((len(taker.body), taker.ended_by()), (50_005, ResponseDone))
        self.assertEqual(len(self.servers.pumps), 1)
        closed = self.agent.close_idle()
        self.pump()
        self.successResultOf(closed)

    def test_wrong_name(self) -> None:
        """Nothing of the request is sent to somebody else."""
        answered = self.agent.request(
            b"POST", b"https://bad.example/stream", None, BytesBody(b"secret")
        )
        self.pump()
        failure = self.failureResultOf(answered, ResponseNeverReceived)
        (kind,) = reasons_of(failure)
        self.assertEqual(kind.__name__, "VerificationError")
        self.assertEqual(self.servers.pages.streaming, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def pump(self) -> None:
        for _ in range(5):
            self.servers.flush()
            self.clock.advance(0)


class MuteTests(SynchronousTestCase):
    """A TLS server that accepts and then says nothing."""

    def test_timeout(self) -> None:
        """The timer closes it, with a real TLS client in between."""
        clock = Clock()
        policy = BrowserLikePolicyForHTTPS()
        wires: list[Wire] = []

        def connecting(factory: IProtocolFactory) -> "Deferred[Any]":
            protocol: Any = factory.buildProtocol(ADDRESS)
            wires.append(Wire())
            protocol.makeConnection(wires[0])
            return succeed(protocol)

        def endpoint(uri: URI) -> IStreamClientEndpoint:
            creator = policy.creatorForNetloc(uri.host, uri.port)
            return wrapClientTLS(creator, Prepared(connecting), clock)

        agent = PlainAgent(clock, connect_timeout=3.0, endpoint_factory=EndpointsTo(endpoint))
        answered = agent.request(b"GET", b"https://host.example/")
        self.assertNotIn(b"GET", wires[0].value())
        clock.advance(3.0)
        self.failureResultOf(answered, ConnectTimeout)
        self.assertTrue(wires[0].aborted)
        self.assertEqual(clock.getDelayedCalls(), [])
