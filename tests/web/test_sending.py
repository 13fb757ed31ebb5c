"""The framing of a streamed body."""

from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.sending import BodyWriter
from tests.test_transports import FakeSocket


class Channel:
    """As much of a channel as is looked at."""

    def __init__(self, transport: object) -> None:
        self.transport = transport


class Request:
    """As much of a request as is looked at."""

    def __init__(self, transport: object, chunked: int = 1) -> None:
        self.channel: Channel | None = Channel(transport)
        self.chunked = chunked


class BodyWriterTests(SynchronousTestCase):
    """Pieces and the end, chunked or not, at once or not."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.request = Request(self.transport)

    def test_chunks(self) -> None:
        """Each piece is a chunk; an empty one would end the body, so it is none."""
        writer = BodyWriter(self.request)
        writer.write(b"hello")
        writer.write(b"")
        self.assertEqual(self.transport.value(), b"5\r\nhello\r\n")

    def test_the_last_takes_the_end_along(self) -> None:
        """Request.finish has nothing to add then."""
        writer = BodyWriter(self.request)
        writer.last(b"bye")
        self.assertEqual(self.transport.value(), b"3\r\nbye\r\n0\r\n\r\n")
        self.assertEqual(self.request.chunked, 0)

    def test_an_end_alone(self) -> None:
        """Nothing is left to say but the end."""
        BodyWriter(self.request).last(b"")
        self.assertEqual(self.transport.value(), b"0\r\n\r\n")

    def test_not_chunked(self) -> None:
        """HTTP/1.0 clients get the bare bytes, and the end with the connection."""
        writer = BodyWriter(Request(self.transport, chunked=0))
        writer.write(b"a")
        writer.last(b"b")
        self.assertEqual(self.transport.value(), b"ab")

    def test_after_the_client_has_left(self) -> None:
        """Nothing is written any more."""
        writer = BodyWriter(self.request)
        self.request.channel = None
        writer.write(b"x")
        writer.last(b"x")
        self.assertEqual(self.transport.value(), b"")

    def test_sent_at_once(self) -> None:
        """A TCP connection is not made to wait for the reactor."""
        socket = FakeSocket()
        transport = Connection(socket, None, MemoryReactorClock())  # type: ignore[arg-type]
        transport.connected = 1
        BodyWriter(Request(transport)).write(b"x")
        self.assertEqual(socket.taken, b"1\r\nx\r\n")
