"""Sending at once."""

from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.sending import body_writer, can_send_at_once


class FakeSocket:
    """Takes as many bytes as the test allows."""

    def __init__(self) -> None:
        self.taken = b""
        self.room = 10**6
        self.error: OSError | None = None

    def fileno(self) -> int:
        """Invented."""
        return 99

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks."""

    def send(self, data: memoryview) -> int:
        """Take what there is room for."""
        if self.error is not None:
            raise self.error
        if not self.room:
            raise BlockingIOError(11, "would block")
        part = bytes(data[: self.room])
        self.room -= len(part)
        self.taken += part
        return len(part)


class Channel:
    """As much of a channel as is looked at."""

    def __init__(self, transport: object) -> None:
        self.transport = transport


class Request:
    """As much of a request as is looked at."""

    def __init__(self, transport: object, chunked: int = 1) -> None:
        self.channel: Channel | None = Channel(transport)
        self.chunked = chunked
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Record."""
        self.written.append(data)


class BodyWriterTests(SynchronousTestCase):
    """Every byte in order, whatever the socket takes."""

    def setUp(self) -> None:
        self.socket = FakeSocket()
        self.transport = Connection(self.socket, None, MemoryReactorClock())  # type: ignore[arg-type]
        self.transport.connected = 1
        self.request = Request(self.transport)

    def pending(self) -> bytes:
        """What waits in the transport."""
        return self.transport.dataBuffer + b"".join(self.transport._tempDataBuffer)

    def test_features(self) -> None:
        """The features are there in the Twisted that is installed, and missing elsewhere."""
        self.assertTrue(can_send_at_once(self.transport))
        self.assertFalse(can_send_at_once(StringTransport()))
        self.transport.TLS = True
        self.assertFalse(can_send_at_once(self.transport))

    def test_sent_at_once_as_a_chunk(self) -> None:
        """An idle transport: one send, framed as HTTP wants it, nothing left waiting."""
        write = body_writer(self.request)
        write(b"hello")
        self.assertEqual(self.socket.taken, b"5\r\nhello\r\n")
        self.assertEqual(self.pending(), b"")

    def test_not_chunked(self) -> None:
        """HTTP/1.0 clients get the bare bytes."""
        self.request.chunked = 0
        body_writer(self.request)(b"hello")
        self.assertEqual(self.socket.taken, b"hello")

    def test_partial_sends(self) -> None:
        """Whatever part the socket takes, the rest waits in order behind it."""
        for room in range(11):
            self.setUp()
            self.socket.room = room
            write = body_writer(self.request)
            write(b"hello")
            write(b"!")
            self.assertEqual(self.socket.taken + self.pending(), b"5\r\nhello\r\n1\r\n!\r\n", room)

    def test_behind_waiting_bytes(self) -> None:
        """Nothing overtakes what waits."""
        self.transport.write(b"head")
        body_writer(self.request)(b"x")
        self.assertEqual(self.socket.taken, b"")
        self.assertEqual(self.pending(), b"head1\r\nx\r\n")

    def test_lost_connection(self) -> None:
        """The loss is left for the transport to find."""
        self.socket.error = BrokenPipeError(32, "gone")
        body_writer(self.request)(b"x")
        self.assertEqual(self.pending(), b"1\r\nx\r\n")

    def test_after_the_client_has_left(self) -> None:
        """Nothing is written any more."""
        write = body_writer(self.request)
        self.request.channel = None
        write(b"x")
        self.assertEqual(self.socket.taken + self.pending(), b"")

    def test_fallback(self) -> None:
        """Another kind of transport is written to in the usual way."""
        request = Request(StringTransport())
        body_writer(request)(b"x")
        self.assertEqual(request.written, [b"x"])
