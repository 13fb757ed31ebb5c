"""The HTTP edge, byte by byte."""

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from kiro2api.errors import KiroError
from kiro2api.web.site import LINGER_SECONDS, ApiRequest, ApiSite, DrainingChannel


class Wire(StringTransport):
    """A transport that remembers being cut."""

    aborted = False

    def abortConnection(self) -> None:
        """Remember."""
        self.aborted = True


class Recorder(Resource):
    """Keeps every request and answers when told."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[ApiRequest] = []
        self.fails = False

    def render(self, request: ApiRequest) -> int:
        """Keep."""
        if self.fails:
            raise ValueError("a bug")
        self.requests.append(request)
        return NOT_DONE_YET


def refusal(request: ApiRequest, error: KiroError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Errors as plain as can be."""
    return (
        413,
        [(b"Content-Type", b"application/json")],
        b'{"error":"%s"}' % error.kind.value.encode(),
    )


class SiteCase(SynchronousTestCase):
    """A site with a tiny body limit."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.resource = Recorder()
        self.ids = iter(range(1, 100))
        self.site = ApiSite(
            self.resource,
            clock=self.clock,
            max_body_bytes=20,
            refusal=refusal,
            new_id=lambda: f"{next(self.ids):04x}",
        )

    def connect(self) -> tuple[DrainingChannel, Wire]:
        """A client's connection."""
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        wire = Wire()
        channel.makeConnection(wire)
        return channel, wire

    def send(self, data: bytes) -> tuple[DrainingChannel, Wire]:
        """A connection with these bytes."""
        channel, wire = self.connect()
        channel.dataReceived(data)
        return channel, wire


def post(body: bytes, path: bytes = b"/v1/messages", extra: bytes = b"") -> bytes:
    """A request with a declared length."""
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path,
        extra,
        len(body),
        body,
    )


class RequestTests(SiteCase):
    """What a request carries."""

    def test_body_and_path(self) -> None:
        """The body is there whole, the path canonical, the group apart."""
        self.send(post(b'{"a":1}', b"/pro/v1/v1/messages/?beta=true"))
        (request,) = self.resource.requests
        self.assertEqual(request.body, b'{"a":1}')
        self.assertEqual((request.path, request.group), (b"/v1/messages", "pro"))
        self.assertEqual(request.args, {b"beta": [b"true"]})
        self.assertEqual(request.unique, "0001")

    def test_every_split(self) -> None:
        """However the network cuts the request, it is the same."""
        data = post(b"0123456789")
        for cut in range(1, len(data)):
            channel, _ = self.connect()
            channel.dataReceived(data[:cut])
            channel.dataReceived(data[cut:])
            self.assertEqual(self.resource.requests.pop().body, b"0123456789", cut)
            self.ids = iter(range(1, 100))

    def test_form_posts_are_not_parsed(self) -> None:
        """A form is a body like any other."""
        self.send(post(b"a=1", extra=b"Content-Type: application/x-www-form-urlencoded\r\n"))
        self.assertEqual(self.resource.requests[0].args, {})
        self.assertEqual(self.resource.requests[0].body, b"a=1")

    def test_path_that_is_not_utf8(self) -> None:
        """It becomes one that no route knows."""
        self.send(post(b"", b"/v1/%ff%fe"))
        self.assertEqual(self.resource.requests[0].path, b"/not-utf-8")

    def test_hostile_host(self) -> None:
        """The Host header never reaches the routing."""
        self.send(b"GET / HTTP/1.1\r\nHost: " + b"a" * 70 + b"\r\n\r\n")
        self.assertEqual(self.resource.requests[0].getRequestHostname(), b"kiro2api")

    def test_headers(self) -> None:
        """No server name is told; the date is that of the clock."""
        _, wire = self.send(post(b""))
        self.resource.requests[0].finish()
        self.assertIn(b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", wire.value())
        self.assertNotIn(b"Server:", wire.value())


class StreamTests(SiteCase):
    """The head of a streamed answer."""

    def test_head_and_first_bytes(self) -> None:
        """Together, chunked, with whatever headers were set before."""
        _, wire = self.send(post(b""))
        (request,) = self.resource.requests
        request.setHeader(b"request-id", b"r")
        request.begin_stream(b"hello")
        head, _, body = wire.value().partition(b"\r\n\r\n")
        self.assertEqual(head.split(b"\r\n")[0], b"HTTP/1.1 200 OK")
        for line in (b"Request-Id: r", b"Cache-Control: no-cache", b"Transfer-Encoding: chunked"):
            self.assertIn(line, head.split(b"\r\n"))
        self.assertEqual(body, b"5\r\nhello\r\n")
        request.finish()
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))

    def test_the_whole_answer_at_once(self) -> None:
        """Head, body and end in one piece; finish adds nothing."""
        _, wire = self.send(post(b""))
        (request,) = self.resource.requests
        request.begin_stream(b"hello", whole=True)
        self.assertTrue(wire.value().endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        before = wire.value()
        request.finish()
        self.assertEqual(wire.value(), before)
        self.assertFalse(wire.disconnecting)

    def test_nothing_yet(self) -> None:
        """A head alone."""
        _, wire = self.send(post(b""))
        self.resource.requests[0].begin_stream(b"")
        self.assertTrue(wire.value().endswith(b"\r\n\r\n"))

    def test_http_1_0(self) -> None:
        """No chunks; the end is the end of the connection."""
        _, wire = self.send(b"POST /v1/messages HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        (request,) = self.resource.requests
        request.begin_stream(b"hello")
        request.finish()
        self.assertTrue(wire.value().endswith(b"\r\n\r\nhello"))
        self.assertIn(b"Content-Type: text/event-stream; charset=utf-8\r\n", wire.value())
        self.assertTrue(wire.disconnecting)


class BodyLimitTests(SiteCase):
    """Too much is refused before it has arrived."""

    def test_declared(self) -> None:
        """The length alone is enough; what is still sent is swallowed, then cut."""
        channel, wire = self.send(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 21\r\n\r\n")
        self.assertIn(b"HTTP/1.1 413", wire.value())
        self.assertTrue(wire.value().endswith(b'{"error":"too_large"}'))
        self.assertIn(b"Connection: close", wire.value())
        channel.dataReceived(b"x" * 5)
        self.assertFalse(wire.aborted)
        self.clock.advance(LINGER_SECONDS)
        self.assertTrue(wire.aborted)
        self.assertEqual(self.resource.requests, [])

    def test_declared_and_sent_to_its_end(self) -> None:
        """A client that sends all of it finds the connection closed, not reset."""
        for cut in (0, 5, 21):
            head = b"POST /v1/messages HTTP/1.1\r\nContent-Length: 21\r\n\r\n"
            channel, wire = self.send(head + b"x" * cut)
            channel.dataReceived(b"x" * (20 - cut) if cut < 20 else b"")
            self.assertEqual(wire.disconnecting, cut == 21)
            channel.dataReceived(b"x")
            self.assertTrue(wire.disconnecting)
            self.assertFalse(wire.aborted)

    def test_chunked(self) -> None:
        """Without a declared length it is counted."""
        head = b"POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        channel, wire = self.send(head + b"a\r\n0123456789\r\n")
        self.assertEqual(wire.value(), b"")
        channel.dataReceived(b"b\r\n0123456789x\r\n")
        self.assertEqual(wire.value().count(b"HTTP/1.1 413"), 1)
        channel.connectionLost(None)  # type: ignore[arg-type]
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused_once(self) -> None:
        """A body that is refused while more of it lies in the same read is answered once."""
        chunks = b"15\r\n" + b"x" * 21 + b"\r\n1\r\ny\r\n0\r\n\r\n"
        head = b"POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        _, wire = self.send(head + chunks)
        self.assertEqual(wire.value().count(b"413"), 1)
        self.assertTrue(wire.disconnecting)
        self.assertEqual(self.resource.requests, [])

    def test_exactly_the_limit(self) -> None:
        """The limit itself is allowed."""
        self.send(post(b"x" * 20))
        self.assertEqual(len(self.resource.requests), 1)


class BugTests(SiteCase):
    """A bug is answered in JSON and logged."""

    def test_before_the_head(self) -> None:
        """A whole JSON answer."""
        self.resource.fails = True
        _, wire = self.send(post(b""))
        self.assertTrue(wire.value().endswith(b'{"error":"internal"}'))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_after_the_head(self) -> None:
        """A visible cut: nothing may follow the bytes of a stream."""
        _, wire = self.send(post(b""))
        (request,) = self.resource.requests
        request.write(b"data")
        before = wire.value()
        try:
            raise ValueError("late")
        except ValueError as error:
            from twisted.python.failure import Failure

            request.processingFailed(Failure(error))
        self.assertEqual(wire.value(), before)
        self.assertTrue(wire.aborted)
        self.flushLoggedErrors(ValueError)


class DrainTests(SiteCase):
    """Stopping without losing an answer."""

    def test_no_connections(self) -> None:
        """Nothing to wait for."""
        self.successResultOf(self.site.drain(10))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idle_connections_are_closed(self) -> None:
        """A connection without a request is closed at once."""
        channel, wire = self.connect()
        drained = self.site.drain(10)
        self.assertTrue(wire.disconnecting)
        self.assertNoResult(drained)
        channel.connectionLost(None)  # type: ignore[arg-type]
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_running_answers_finish(self) -> None:
        """A running answer is delivered whole, then its connection is closed (I13)."""
        channel, wire = self.send(post(b""))
        (request,) = self.resource.requests
        drained = self.site.drain(10)
        self.assertFalse(wire.disconnecting)
        request.write(b"tail")
        request.finish()
        self.assertIn(b"Connection: close", wire.value())
        self.assertIn(b"tail", wire.value())
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertTrue(wire.disconnecting)
        self.assertNoResult(drained)
        channel.connectionLost(None)  # type: ignore[arg-type]
        self.successResultOf(drained)

    def test_begun_answers_keep_their_head(self) -> None:
        """Headers that were sent cannot be changed any more."""
        _, wire = self.send(post(b""))
        self.resource.requests[0].write(b"x")
        self.site.drain(10)
        self.resource.requests[0].finish()
        self.assertTrue(wire.disconnecting)

    def test_deadline(self) -> None:
        """What takes too long is cut, visibly."""
        _, wire = self.send(post(b""))
        self.site.drain(10)
        self.clock.advance(10)
        self.assertTrue(wire.aborted)

    def test_new_requests_close_their_connection(self) -> None:
        """A request whose head arrives while draining is the connection's last."""
        channel, wire = self.connect()
        channel.dataReceived(b"POST /v1/mess")
        # Its request is under way as far as the channel can know, so it was not idle.
        self.site.draining = True
        channel.dataReceived(post(b"")[len(b"POST /v1/mess") :])
        self.resource.requests[0].finish()
        self.assertIn(b"Connection: close", wire.value())
        self.assertTrue(wire.disconnecting)
