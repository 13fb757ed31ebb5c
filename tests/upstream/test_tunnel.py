# -*- test-case-name: tests.upstream.test_tunnel -*-
"""Tests of the way through a proxy."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    NoProtocol,
)
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kiro2api.errors import Kind, UpstreamUnavailable
from kiro2api.redaction import Secret
from kiro2api.upstream.tunnel import (
    MAX_HEAD,
    ProxyAddress,
    ProxyRefused,
    TunnelEndpoint,
    parse_proxy,
    proxy_for,
)

HOST = "q.example.org"
PASSWORD = "Basic dTpjYW5hcnk="
ASKED = b"CONNECT q.example.org:443 HTTP/1.1\r\nHost: q.example.org:443\r\n"
GRANTED = b"HTTP/1.1 200 Connection established\r\nVia: a\r\n\r\n"


class Recorder(Protocol):
    """Writes down what reaches it."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        if not data:
            raise AssertionError("empty data")
        self.data += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.lost is not None:
            raise AssertionError("lost twice")
        self.lost = reason


class RecorderFactory(Factory):
    """Builds one recorder; counts its starts and stops."""

    noisy = False

    def __init__(self) -> None:
        self.built: list[tuple[object, Recorder]] = []
        self.running = 0

    def startFactory(self) -> None:
        self.running += 1

    def stopFactory(self) -> None:
        self.running -= 1

    def buildProtocol(self, addr: object) -> Recorder:
        recorder = Recorder()
        self.built.append((addr, recorder))
        return recorder


class Nobody(Factory):
    """Builds nothing."""

    noisy = False

    def buildProtocol(self, addr: object) -> None:
        return None


@implementer(IStreamClientEndpoint)
class FailingEndpoint:
    """Never connects."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return fail(Refused())


class TunnelCase(SynchronousTestCase):
    """A tunnel towards a proxy in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = RecorderFactory()
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 3128))

    def endpoint(self, *, host: str = HOST, authorization: Secret | None = None) -> TunnelEndpoint:
        proxy = TCP4ClientEndpoint(self.reactor, "192.0.2.1", 3128)
        return TunnelEndpoint(proxy, host, 443, authorization, self.reactor, 10.0)

    def reach(self) -> IProtocol:
        """The proxy accepts the connection: the protocol that speaks with it."""
        connector_factory = self.reactor.tcpClients[0][2]
        protocol = connector_factory.buildProtocol(None)
        assert protocol is not None
        protocol.makeConnection(self.transport)
        return protocol

    def start(self) -> tuple[Deferred[IProtocol], IProtocol]:
        opened = self.endpoint().connect(self.factory)
        return opened, self.reach()

    def idle(self) -> None:
        self.assertEqual([], self.reactor.getDelayedCalls())


class OpenTests(TunnelCase):
    """A tunnel that is granted."""

    def test_interface(self) -> None:
        """It is an endpoint."""
        verifyObject(IStreamClientEndpoint, self.endpoint())

    def test_request(self) -> None:
        """The proxy is asked for the real host, and nobody is told that there is a tunnel yet."""
        opened, _ = self.start()
        self.assertEqual(("192.0.2.1", 3128), self.reactor.tcpClients[0][:2])
        self.assertEqual(ASKED + b"\r\n", self.transport.value())
        self.assertNoResult(opened)
        self.assertEqual([], self.factory.built)
        opened.addErrback(lambda _: None).cancel()

    def test_authorization(self) -> None:
        """Credentials travel in their own field."""
        opened = self.endpoint(authorization=Secret(PASSWORD)).connect(self.factory)
        self.reach()
        expected = ASKED + b"Proxy-Authorization: %b\r\n\r\n" % PASSWORD.encode()
        self.assertEqual(expected, self.transport.value())
        opened.addErrback(lambda _: None).cancel()

    def test_ipv6(self) -> None:
        """An IPv6 address stands in brackets."""
        opened = self.endpoint(host="2001:db8::1").connect(self.factory)
        self.reach()
        self.assertTrue(
            self.transport.value().startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
        )
        opened.addErrback(lambda _: None).cancel()

    def test_every_split(self) -> None:
        """However the answer is cut, the tunnel opens once and what follows arrives whole."""
        stream = GRANTED + b"first bytes\r\n\r\n"
        for cut in range(len(stream) + 1):
            self.setUp()
            opened, protocol = self.start()
            for piece in (stream[:cut], stream[cut:]):
                if piece:
                    protocol.dataReceived(piece)
            inner = self.successResultOf(opened)
            ((address, recorder),) = self.factory.built
            self.assertIs(recorder, inner)
            self.assertEqual(self.transport.getPeer(), address)
            self.assertIs(self.transport, recorder.transport)
            self.assertEqual(b"first bytes\r\n\r\n", recorder.data)
            self.idle()

    def test_byte_by_byte(self) -> None:
        """One byte at a time is fine, too."""
        opened, protocol = self.start()
        for octet in GRANTED + b"xyz":
            protocol.dataReceived(bytes([octet]))
        self.successResultOf(opened)
        self.assertEqual(b"xyz", self.factory.built[0][1].data)

    def test_both_directions(self) -> None:
        """After the answer nothing of the tunnel shows."""
        opened, protocol = self.start()
        protocol.dataReceived(GRANTED)
        self.transport.clear()
        inner = self.successResultOf(opened)
        assert isinstance(inner, Recorder)
        inner.transport.write(b"out")  # type: ignore[union-attr]
        protocol.dataReceived(b"in")
        self.assertEqual((b"out", b"in"), (self.transport.value(), inner.data))

    def test_other_success(self) -> None:
        """Any status of success opens the tunnel, with either version and without a reason."""
        for head in (b"HTTP/1.0 200 OK", b"HTTP/1.1 204", b"HTTP/1.1 200 "):
            self.setUp()
            opened, protocol = self.start()
            protocol.dataReceived(head + b"\r\n\r\n")
            self.successResultOf(opened)

    def test_waiter_before_data(self) -> None:
        """Who waits for the connection hears of it before its first bytes."""
        seen: list[bytes] = []
        opened, protocol = self.start()
        opened.addCallback(lambda _: seen.append(self.factory.built[0][1].data))
        protocol.dataReceived(GRANTED + b"rest")
        self.assertEqual([b""], seen)

    def test_lost_meanwhile(self) -> None:
        """A connection lost as soon as it was made gets no bytes any more."""
        opened, protocol = self.start()
        opened.addCallback(lambda _: protocol.connectionLost(Failure(ConnectionLost())))
        protocol.dataReceived(GRANTED + b"rest")
        self.assertEqual(b"", self.factory.built[0][1].data)

    def test_lost_later(self) -> None:
        """The end of the connection reaches the inner protocol, once."""
        _, protocol = self.start()
        protocol.dataReceived(GRANTED)
        reason = Failure(ConnectionDone())
        protocol.connectionLost(reason)
        protocol.connectionLost(reason)
        self.assertIs(reason, self.factory.built[0][1].lost)

    def test_factory_runs(self) -> None:
        """The real factory is started and stopped with the connection."""
        opened = self.endpoint().connect(self.factory)
        connector_factory = self.reactor.tcpClients[0][2]
        connector_factory.doStart()
        self.assertEqual(1, self.factory.running)
        connector_factory.doStop()
        self.assertEqual(0, self.factory.running)
        opened.addErrback(lambda _: None).cancel()

    def test_tls_inside(self) -> None:
        """TLS on top of the tunnel starts only after the proxy's answer."""
        endpoint = wrapClientTLS(optionsForClientTLS(HOST), self.endpoint())
        opened = endpoint.connect(self.factory)
        protocol = self.reach()
        self.transport.clear()
        protocol.dataReceived(GRANTED)
        handshake, version = self.transport.value()[:2]
        self.assertEqual((22, 3), (handshake, version))
        self.assertIn(HOST.encode(), self.transport.value())
        self.assertIs(self.factory.built[0][1], self.successResultOf(opened))


class RefusalTests(TunnelCase):
    """A tunnel that is not granted."""

    def refused(self, answer: bytes) -> ProxyRefused:
        self.setUp()
        opened, protocol = self.start()
        protocol.dataReceived(answer)
        error = self.failureResultOf(opened, ProxyRefused).value
        assert isinstance(error, ProxyRefused)
        self.assertTrue(self.transport.disconnected or self.transport.disconnecting)
        self.assertEqual([], self.factory.built)
        self.idle()
        # Whatever comes now belongs to nobody.
        protocol.dataReceived(GRANTED)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], self.factory.built)
        return error

    def test_status(self) -> None:
        """The status is told, the proxy's own words are not."""
        error = self.refused(b"HTTP/1.1 503 {secret}\r\n\r\n<html>secret</html>")
        self.assertEqual("the proxy refused a tunnel with status 503", error.message)
        self.assertEqual({"proxy_status": 503}, error.details)
        self.assertIs(Kind.UNAVAILABLE, error.kind)

    def test_credentials(self) -> None:
        """A proxy that wants to know who asks."""
        error = self.refused(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        self.assertEqual("the proxy demands other credentials", error.message)
        self.assertEqual({"proxy_status": 407}, error.details)

    def test_redirect(self) -> None:
        """No other status than one of success opens a tunnel."""
        for status in (b"100", b"199", b"300", b"302", b"999"):
            self.refused(b"HTTP/1.1 %b x\r\n\r\n" % status)

    def test_not_http(self) -> None:
        """An answer in another protocol."""
        for answer in (b"SSH-2.0-x\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 2000 x\r\n\r\n"):
            error = self.refused(answer)
            self.assertEqual("the proxy's answer to CONNECT is not HTTP", error.message)

    def test_endless_head(self) -> None:
        """A head without end is cut off, with or without an end in sight."""
        start = b"HTTP/1.1 200 OK\r\nX: "
        for answer in (start + b"x" * MAX_HEAD, start + b"x" * MAX_HEAD + b"\r\n\r\n"):
            error = self.refused(answer)
            self.assertEqual("the proxy's answer to CONNECT has no end", error.message)

    def test_longest_head(self) -> None:
        """The limit is for the head: what follows it does not count."""
        start = b"HTTP/1.1 200 OK\r\nX: "
        opened, protocol = self.start()
        protocol.dataReceived(
            start + b"x" * (MAX_HEAD - len(start)) + b"\r\n\r\n" + b"y" * MAX_HEAD
        )
        self.successResultOf(opened)
        self.assertEqual(MAX_HEAD, len(self.factory.built[0][1].data))

    def test_closed(self) -> None:
        """A proxy that hangs up instead of answering."""
        for start in (b"", b"HTTP/1.1 200 OK\r\n"):
            self.setUp()
            opened, protocol = self.start()
            if start:
                protocol.dataReceived(start)
            protocol.connectionLost(Failure(ConnectionDone()))
            self.failureResultOf(opened, ProxyRefused)
            self.idle()

    def test_no_protocol(self) -> None:
        """A factory that builds nothing gets no connection."""
        opened = self.endpoint().connect(Nobody())
        self.reach().dataReceived(GRANTED)
        self.failureResultOf(opened, NoProtocol)
        self.assertTrue(self.transport.disconnecting)

    def test_unreachable(self) -> None:
        """A proxy that cannot be reached is told as the endpoint tells it."""
        endpoint = TunnelEndpoint(FailingEndpoint(), HOST, 443, None, self.reactor, 10.0)
        self.failureResultOf(endpoint.connect(self.factory), Refused)
        self.idle()

    def test_secret(self) -> None:
        """The credentials show in no error and no representation."""
        endpoint = self.endpoint(authorization=Secret(PASSWORD))
        opened = endpoint.connect(self.factory)
        protocol = self.reach()
        shown = repr(endpoint) + repr(protocol)
        protocol.dataReceived(b"HTTP/1.1 407 %b\r\n\r\n" % PASSWORD.encode())
        failure = self.failureResultOf(opened, ProxyRefused)
        shown += repr(failure.value) + str(failure.value) + failure.getTraceback()
        self.assertNotIn(PASSWORD, shown)
        self.assertNotIn("canary", shown)

    def test_bad_arguments(self) -> None:
        """Nothing that could break out of the request's head is taken."""
        for host in ("", "a b", "a\r\nX: y", "é", "a/b", "u@h"):
            self.assertRaises(ValueError, self.endpoint, host=host)
        for value in ("", "a\r\nX: y", "é"):
            error = self.assertRaises(ValueError, self.endpoint, authorization=Secret(value))
            self.assertNotIn(value or "\n", str(error))


class PatienceTests(TunnelCase):
    """Time-outs and cancellation, at every stage."""

    def test_too_late_to_reach(self) -> None:
        """The time counts from the start, so that a proxy that cannot be reached is given up."""
        opened = self.endpoint().connect(self.factory)
        self.reactor.advance(9.9)
        self.assertNoResult(opened)
        self.reactor.advance(0.2)
        self.check_timeout(opened)

    def test_too_late_to_answer(self) -> None:
        """A proxy that accepts and stays mute is given up."""
        opened, protocol = self.start()
        protocol.dataReceived(GRANTED[:10])
        self.reactor.advance(10)
        self.check_timeout(opened)
        self.assertTrue(self.transport.disconnecting)
        protocol.dataReceived(GRANTED[10:])
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([], self.factory.built)

    def check_timeout(self, opened: Deferred[IProtocol]) -> None:
        error = self.failureResultOf(opened, UpstreamUnavailable).value
        assert isinstance(error, UpstreamUnavailable)
        self.assertEqual("the proxy gave no tunnel within 10 seconds", error.message)
        self.assertIs(Kind.TIMEOUT, error.kind)
        self.idle()

    def test_time_does_not_count_once_open(self) -> None:
        """An open tunnel has no time limit."""
        opened, protocol = self.start()
        protocol.dataReceived(GRANTED)
        self.successResultOf(opened)
        self.reactor.advance(1000)
        self.assertFalse(self.transport.disconnecting)

    def test_cancel_while_connecting(self) -> None:
        """Who no longer wants the tunnel stops the attempt."""
        opened = self.endpoint().connect(self.factory)
        opened.cancel()
        # The endpoint's own word for it.
        self.failureResultOf(opened, ConnectingCancelledError)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.idle()

    def test_cancel_while_asking(self) -> None:
        """The connection to the proxy is closed at once."""
        opened, protocol = self.start()
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        self.assertTrue(self.transport.disconnecting)
        protocol.dataReceived(GRANTED)
        self.assertEqual([], self.factory.built)
        self.idle()


class ProxyForTests(SynchronousTestCase):
    """``proxy_for`` reads the usual variables."""

    def test_by_scheme(self) -> None:
        """Each scheme has its variable; one serves both."""
        environment = {"HTTPS_PROXY": "http://s:1", "HTTP_PROXY": "http://h:2"}
        self.assertEqual("http://s:1", proxy_for("https", HOST, environment))
        self.assertEqual("http://h:2", proxy_for("http", HOST, environment))
        self.assertEqual("http://a:3", proxy_for("https", HOST, {"ALL_PROXY": "http://a:3"}))
        self.assertIsNone(proxy_for("https", HOST, {"HTTP_PROXY": "http://h:2"}))
        self.assertIsNone(proxy_for("https", HOST, {}))

    def test_lower_case_first(self) -> None:
        """Lower case wins; blank means unset."""
        both = {"https_proxy": "http://l:1", "HTTPS_PROXY": "http://u:2"}
        self.assertEqual("http://l:1", proxy_for("https", HOST, both))
        self.assertEqual("http://u:2", proxy_for("https", HOST, {**both, "https_proxy": ""}))
        self.assertIsNone(proxy_for("https", HOST, {"https_proxy": " "}))

    def direct(self, host: str, exceptions: str) -> bool:
        for name in ("no_proxy", "NO_PROXY"):
            result = proxy_for("https", host, {"HTTPS_PROXY": "http://p", name: exceptions}) is None
        return result

    def test_exceptions(self) -> None:
        """Hosts, domains, addresses and networks that are reached directly."""
        for host, exceptions in [
            ("a.example.org", "*"),
            ("a.example.org", "a.example.org"),
            ("a.example.org", "x, Example.Org"),
            ("A.EXAMPLE.ORG.", ".example.org"),
            ("a.example.org", "*.example.org"),
            ("a.example.org", "example.org:443"),
            ("example.org", ".example.org"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "x,10.1.2.3"),
            ("2001:db8::1", "2001:db8::/32"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ]:
            self.assertTrue(self.direct(host, exceptions), (host, exceptions))

    def test_no_exceptions(self) -> None:
        """Those that are not."""
        for host, exceptions in [
            ("a.example.org", ""),
            ("a.example.org", ",, "),
            ("a.example.org", "ample.org"),
            ("a.example.org", "b.a.example.org"),
            ("a.example.org", "10.0.0.0/8"),
            ("10.1.2.3", "example.org, 11.0.0.0/8"),
            ("10.1.2.3", "2.3"),
            ("2001:db8::1", "10.0.0.0/8"),
        ]:
            self.assertFalse(self.direct(host, exceptions), (host, exceptions))

    def test_this_machine(self) -> None:
        """This machine is never asked for at a proxy."""
        for host in ("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"):
            self.assertTrue(self.direct(host, ""), host)

    @settings(max_examples=100)
    @given(st.text(), st.text())
    def test_total(self, host: str, exceptions: str) -> None:
        """No configuration breaks it."""
        self.direct(host, exceptions)


class ParseProxyTests(SynchronousTestCase):
    """``parse_proxy`` reads a proxy's URL and never shows it."""

    def test_addresses(self) -> None:
        """With and without scheme and port."""
        for url, expected in [
            ("http://proxy:3128", ProxyAddress("proxy", 3128)),
            ("http://proxy/", ProxyAddress("proxy", 80)),
            ("HTTPS://Proxy", ProxyAddress("proxy", 443, tls=True)),
            ("proxy:3128", ProxyAddress("proxy", 3128)),
            ("http://[2001:db8::1]:3128", ProxyAddress("2001:db8::1", 3128)),
        ]:
            self.assertEqual(expected, parse_proxy(url))

    def test_credentials(self) -> None:
        """User and password become the value of the header, and stay hidden."""
        for url, value in [
            ("http://u:p@proxy", "Basic dTpw"),
            ("http://u@proxy", "Basic dTo="),
            ("http://u:p%40%C3%A9@proxy", "Basic dTpwQMOp"),
        ]:
            address = parse_proxy(url)
            self.assertEqual(Secret(value), address.authorization)
            self.assertNotIn(value, repr(address))

    def test_rejected(self) -> None:
        """What is no proxy's URL; its text may hold a password, so it is not shown."""
        for url in (
            "socks5://u:canary@proxy",
            "http://u:canary@",
            "http://u:canary@proxy:port",
            "http://u:canary@proxy:99999",
            "http://u:canary@[proxy",
            "http://u:canary@a b",
            "",
        ):
            error = self.assertRaises(ValueError, parse_proxy, url)
            self.assertNotIn("canary", str(error))
            self.assertTrue(error.__suppress_context__ or error.__context__ is None)
