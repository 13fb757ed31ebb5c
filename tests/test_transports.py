"""Sending at once."""

from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.transports import can_send_at_once, send_at_once, write_now


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


class SendAtOnceTests(SynchronousTestCase):
    """Every byte in order, whatever the socket takes."""

    def setUp(self) -> None:
        self.socket = FakeSocket()
        self.transport = Connection(self.socket, None, MemoryReactorClock())  # type: ignore[arg-type]
        self.transport.connected = 1

    def pending(self) -> bytes:
        """What waits in the transport."""
        return self.transport.dataBuffer + b"".join(self.transport._tempDataBuffer)

    def test_features(self) -> None:
        """The features are there in the Twisted that is installed, and missing elsewhere."""
        self.assertTrue(can_send_at_once(self.transport))
        self.assertFalse(can_send_at_once(StringTransport()))
        self.transport.TLS = True
        self.assertFalse(can_send_at_once(self.transport))

    def test_at_once(self) -> None:
        """An idle transport: sent, nothing left waiting."""
        write_now(self.transport, b"hello")
        self.assertEqual(self.socket.taken, b"hello")
        self.assertEqual(self.pending(), b"")

    def test_partial_sends(self) -> None:
        """Whatever part the socket takes, the rest waits in order behind it."""
        for room in range(7):
            self.setUp()
            self.socket.room = room
            send_at_once(self.transport, b"hello")
            send_at_once(self.transport, b"!")
            self.assertEqual(self.socket.taken + self.pending(), b"hello!", room)

    def test_behind_waiting_bytes(self) -> None:
        """Nothing overtakes what waits."""
        self.transport.write(b"head")
        send_at_once(self.transport, b"x")
        self.assertEqual((self.socket.taken, self.pending()), (b"", b"headx"))

    def test_lost_connection(self) -> None:
        """The loss is left for the transport to find."""
        self.socket.error = BrokenPipeError(32, "gone")
        send_at_once(self.transport, b"x")
        self.assertEqual(self.pending(), b"x")

    def test_closing_connection(self) -> None:
        """What is being closed takes nothing more; an empty write is none."""
        send_at_once(self.transport, b"")
        self.transport.disconnecting = True
        send_at_once(self.transport, b"x")
        self.assertEqual(self.socket.taken + self.pending(), b"")

    def test_not_connected_any_more(self) -> None:
        """The transport decides what a write means then."""
        self.transport.connected = 0
        send_at_once(self.transport, b"x")
        self.assertEqual(self.socket.taken, b"")

    def test_fallback(self) -> None:
        """Another kind of transport is written to in the usual way."""
        transport = StringTransport()
        write_now(transport, b"x")
        self.assertEqual(transport.value(), b"x")
