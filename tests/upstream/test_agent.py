"""Tests for kiro2api.upstream.agent."""

from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import (
    URI,
    BrowserLikePolicyForHTTPS,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kiro2api.upstream.agent import (
    AgentKind,
    Endpoints,
    IdentityAgent,
    UpstreamAgent,
    make_agent,
    make_http,
)
from kiro2api.upstream.bodies import BytesBody, read_bounded
from tests.fakes.upstream import FakeAgent, FakeResponse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KINDS: tuple[AgentKind, ...] = ("own", "twisted")


class Wire(StringTransport):
    """A connection in memory that notices being closed."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    @property
    def closing(self) -> bool:
        return self.disconnecting


class Network:
    """The connections that a memory reactor was asked for, accepted by the test."""

    def __init__(self, reactor: MemoryReactorClock) -> None:
        self._reactor = reactor

    @property
    def count(self) -> int:
        return len(self._reactor.tcpClients)

    @property
    def port(self) -> int:
        """Where the latest leads; the memory reactor takes every host for this machine."""
        return self._reactor.tcpClients[-1][1]

    def accept(self, which: int = -1) -> tuple[Protocol, Wire]:
        """A connection is made, the latest unless told otherwise."""
        factory: Any = self._reactor.tcpClients[which][2]
        protocol = factory.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        return protocol, wire


class AgentTestCase(SynchronousTestCase):
    """Agents over a memory reactor; addresses, so that no name is looked up."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.network = Network(self.reactor)

    def make(self, kind: AgentKind, **more: Any) -> UpstreamAgent:
        return make_agent(self.reactor, kind=kind, connect_timeout=7, **more)

    def ask(self, agent: IAgent, uri: bytes = b"http://127.0.0.1:9/x") -> Deferred[IResponse]:
        return agent.request(b"POST", uri, Headers({"x-a": ["1"]}), BytesBody(b"body"))

    def answered(self, asking: Deferred[IResponse], protocol: Protocol) -> bytes:
        protocol.dataReceived(OK)
        response = self.successResultOf(asking)
        return self.successResultOf(read_bounded(response, 10, self.reactor, 1.0))

    def close(self, agent: UpstreamAgent, *ends: Protocol) -> None:
        closing = agent.close()
        for protocol in ends:
            protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closing)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class BothKindsTests(AgentTestCase):
    """Either kind behaves the same."""

    def test_request(self) -> None:
        """A request goes out whole, its answer comes back, the connection is kept, then closed."""
        for kind in KINDS:
            agent = self.make(kind)
            verifyObject(IAgent, agent)
            asking = self.ask(agent)
            self.assertEqual(self.network.port, 9, kind)
            protocol, wire = self.network.accept()
            sent = wire.value()
            self.assertTrue(sent.startswith(b"POST /x HTTP/1.1\r\n"), sent)
            self.assertTrue(sent.endswith(b"\r\n\r\nbody"), sent)
            self.assertEqual(sent.lower().count(b"\r\nhost: 127.0.0.1:9\r\n"), 1)
            self.assertEqual(self.answered(asking, protocol), b"ok")
            self.assertFalse(wire.closing)
            self.close(agent, protocol)
            self.assertTrue(wire.closing, kind)

    def test_kept(self) -> None:
        """The next request reuses the connection; fresh never does and keeps none."""
        for kind in KINDS:
            agent = self.make(kind)
            asking = self.ask(agent)
            first, _ = self.network.accept()
            self.answered(asking, first)
            count = self.network.count
            asking = self.ask(agent)
            self.assertEqual(self.network.count, count, kind)
            self.answered(asking, first)
            asking = self.ask(agent.fresh)
            self.assertEqual(self.network.count, count + 1, kind)
            second, wire = self.network.accept()
            self.answered(asking, second)
            self.assertTrue(wire.closing, kind)
            second.connectionLost(Failure(ConnectionDone()))
            self.close(agent, first)

    def test_idle(self) -> None:
        """An idle connection is closed after its time; of too many some are closed at once."""
        for kind in KINDS:
            agent = self.make(kind, max_idle=1, idle_timeout=45)
            asking = [self.ask(agent), self.ask(agent)]
            pairs = [self.network.accept(-2), self.network.accept(-1)]
            for answer, (protocol, _) in zip(asking, pairs, strict=True):
                self.answered(answer, protocol)
            self.assertEqual(sum(wire.closing for _, wire in pairs), 1, kind)
            self.reactor.advance(46)
            self.assertTrue(all(wire.closing for _, wire in pairs), kind)
            for protocol, _ in pairs:
                protocol.connectionLost(Failure(ConnectionDone()))
            self.close(agent)

    def test_stale(self) -> None:
        """A reused connection that closes without an answer says so in a way that allows a
        retry; a new one fails for good."""
        for kind in KINDS:
            agent = self.make(kind)
            asking = self.ask(agent)
            protocol, _ = self.network.accept()
            protocol.connectionLost(Failure(ConnectionDone()))
            self.failureResultOf(asking, ConnectionLost)
            asking = self.ask(agent)
            protocol, _ = self.network.accept()
            self.answered(asking, protocol)
            asking = self.ask(agent)
            protocol.connectionLost(Failure(ConnectionDone()))
            self.failureResultOf(asking, ResponseNeverReceived, RequestTransmissionFailed)
            self.close(agent)

    def test_broken_head(self) -> None:
        """Any other failure of a new connection stays as it is."""
        for kind in KINDS:
            agent = self.make(kind)
            asking = self.ask(agent)
            protocol, _ = self.network.accept()
            protocol.dataReceived(b"nonsense\r\n\r\n")
            failure = self.failureResultOf(asking)
            self.assertIsNone(failure.check(ConnectionLost), kind)
            protocol.connectionLost(Failure(ConnectionDone()))
            self.close(agent)

    def test_cancel(self) -> None:
        """Cancelling before the head closes the connection."""
        for kind in KINDS:
            agent = self.make(kind)
            asking = self.ask(agent)
            asking.addErrback(lambda _: None)
            protocol, wire = self.network.accept()
            asking.cancel()
            self.assertTrue(wire.closing or wire.aborted, kind)
            protocol.connectionLost(Failure(ConnectionDone()))
            self.close(agent)

    def test_scheme(self) -> None:
        """Anything but http and https is refused."""
        for kind in KINDS:
            self.failureResultOf(self.ask(self.make(kind), b"ftp://127.0.0.1/"), SchemeNotSupported)


class ProxyTests(AgentTestCase):
    """Through a proxy."""

    def test_tunnel(self) -> None:
        """Connections lead to the proxy, which is asked for the host."""
        for kind in KINDS:
            agent = self.make(kind, proxy="http://user:pass@10.0.0.9:3128")
            asking = self.ask(agent, b"http://10.1.1.1:9/x")
            asking.addErrback(lambda _: None)
            self.assertEqual(self.network.port, 3128)
            protocol, wire = self.network.accept()
            self.assertTrue(wire.value().startswith(b"CONNECT 10.1.1.1:9 HTTP/1.1\r\n"))
            self.assertIn(b"Proxy-Authorization: Basic ", wire.value())
            wire.clear()
            protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
            self.assertTrue(wire.value().startswith(b"POST /x HTTP/1.1\r\n"))
            asking.cancel()
            protocol.connectionLost(Failure(ConnectionDone()))
            self.close(agent)

    def test_exempt(self) -> None:
        """Some hosts are reached directly."""
        agent = self.make("own", proxy="10.0.0.9:3128", no_proxy="10.1.0.0/16")
        for uri, port in (
            (b"http://10.1.1.1/", 80),
            (b"http://127.0.0.1/", 80),
            (b"http://10.2.1.1/", 3128),
        ):
            asking = self.ask(agent, uri)
            asking.addErrback(lambda _: None)
            self.assertEqual(self.network.port, port)
            asking.cancel()

    def test_tls_proxy(self) -> None:
        """A proxy behind TLS is verified itself: nothing is said in clear."""
        agent = self.make("own", proxy="https://10.0.0.9")
        asking = self.ask(agent, b"http://10.1.1.1/")
        asking.addErrback(lambda _: None)
        self.assertEqual(self.network.port, 443)
        _, wire = self.network.accept()
        self.assertNotIn(b"CONNECT", wire.value())
        self.assertEqual(wire.value()[:1], b"\x16")
        asking.cancel()

    def test_bad_url(self) -> None:
        """A proxy that cannot be understood is refused at once, without showing it."""
        error = self.assertRaises(ValueError, self.make, "own", proxy="socks://u:secret@h")
        self.assertNotIn("secret", str(error))


@implementer(IPolicyForHTTPS)
class Policy:
    """Counts the contexts that are made."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, int]] = []
        self.made: Any = None

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        self.asked.append((hostname, port))
        return self.made or BrowserLikePolicyForHTTPS().creatorForNetloc(hostname, port)


class EndpointsTests(SynchronousTestCase):
    """URIs to endpoints."""

    def setUp(self) -> None:
        self.plain: list[tuple[str, int]] = []
        self.policy = Policy()
        self.endpoints = Endpoints(self.make, self.policy)
        verifyObject(IAgentEndpointFactory, self.endpoints)

    def make(self, host: str, port: int) -> IStreamClientEndpoint:
        self.plain.append((host, port))

        @implementer(IStreamClientEndpoint)
        class Nowhere:
            def connect(self, protocolFactory: object) -> Deferred[Any]:
                return succeed(None)

        return Nowhere()

    def test_tls(self) -> None:
        """TLS contexts are made once per host and port, and not at all for plain http."""
        for uri in (b"http://a/", b"https://a/", b"https://a/x", b"https://a:8443/", b"https://b/"):
            self.endpoints.endpointForURI(URI.fromBytes(uri))
        self.assertEqual(self.policy.asked, [(b"a", 443), (b"a", 8443), (b"b", 443)])
        self.assertEqual(self.plain[:2], [("a", 80), ("a", 443)])

    def test_bounded(self) -> None:
        """However many hosts there are, what is kept has a bound."""
        one: Any = BrowserLikePolicyForHTTPS().creatorForNetloc(b"a", 443)
        self.policy.made = one
        for number in range(70):
            self.endpoints.endpointForURI(URI.fromBytes(b"https://host-%d/" % number))
        self.assertEqual(len(self.policy.asked), 70)
        self.assertEqual(len(self.endpoints._creators), 70 - 64)

    def test_default_policy_verifies(self) -> None:
        """By default certificates are checked against the name that was asked for."""
        agent = make_agent(MemoryReactorClock(), kind="own")
        endpoints = agent._agent._endpoints  # type: ignore[attr-defined]
        self.assertIsInstance(endpoints._policy, BrowserLikePolicyForHTTPS)


class HttpTests(SynchronousTestCase):
    """treq over an agent."""

    def test_identity(self) -> None:
        """Exactly ``identity`` is asked for, and the caller's headers stay as they are."""
        agent = FakeAgent()
        wrapped = IdentityAgent(agent)
        verifyObject(IAgent, wrapped)
        headers = Headers({"accept-encoding": ["gzip", "br"], "x-a": ["1"]})
        wrapped.request(b"GET", b"http://a/", headers)
        self.assertEqual(agent.last.header("accept-encoding"), "identity")
        self.assertEqual(agent.last.header("x-a"), "1")
        self.assertEqual(headers.getRawHeaders("accept-encoding"), ["gzip", "br"])
        wrapped.request(b"GET", b"http://a/")
        self.assertEqual(agent.last.header("accept-encoding"), "identity")

    def test_make_http(self) -> None:
        """Bodies are sent at once and cookies never kept."""
        agent = FakeAgent()
        http = make_http(agent)
        self.assertIsInstance(http, HTTPClient)
        reactor: Any = MemoryReactorClock()
        http.post("http://a/", data=b"body", unbuffered=True, reactor=reactor)
        self.assertEqual(agent.last.body, b"body")
        self.assertEqual(agent.last.header("accept-encoding"), "identity")
        agent.last.respond(FakeResponse.whole(200, b"", set_cookie="a=b"))
        http.get("http://a/", unbuffered=True, reactor=reactor)
        self.assertIsNone(agent.last.header("cookie"))
