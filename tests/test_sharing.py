"""Taking a port for others, and joining in there."""

import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.sharing import Joining, Reserved, Taking


class Recorder:
    """A reactor that writes down what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.reading = True

    def listenTCP(self, *args: object) -> "Recorder":
        """Remember."""
        self.calls.append(("tcp", *args))
        return self

    def listenUNIX(self, *args: object) -> "Recorder":
        """Remember."""
        self.calls.append(("unix", *args))
        return self

    def stopReading(self) -> None:
        """As a port: accept nobody."""
        self.reading = False

    def fileno(self) -> int:
        """As a port."""
        return 42


class ReservedTests(SynchronousTestCase):
    """A port that is kept."""

    def reserve(self, port: int = 0, interface: str = "127.0.0.1") -> Reserved:
        """Keep it until the test ends."""
        reserved: Reserved = Taking(None, even=True).listenTCP(port, None, 50, interface)
        self.addCleanup(reserved.stopListening)
        return reserved

    def test_nobody_else(self) -> None:
        """Neither another program nor another supervisor gets it; who shares it on purpose does."""
        host = self.reserve().getHost()
        self.assertEqual(host.host, "127.0.0.1")
        for reuse in (0, 1):
            with socket.socket() as other, self.assertRaises(OSError):
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                other.bind(("127.0.0.1", host.port))
                other.listen()
        self.assertRaises(CannotListenError, self.reserve, host.port)
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", host.port))
            worker.listen()
            self.assertRaises(CannotListenError, self.reserve, host.port)

    def test_nobody_is_kept_waiting(self) -> None:
        """It does not listen: a connection is refused, not queued."""
        address = ("127.0.0.1", self.reserve().getHost().port)
        self.assertRaises(ConnectionRefusedError, socket.create_connection, address, 1)

    def test_free_again(self) -> None:
        """Given away, it can be had."""
        reserved = self.reserve()
        port = reserved.getHost().port
        reserved.stopListening()
        self.assertEqual(self.reserve(port).getHost().port, port)

    def test_after_a_predecessor(self) -> None:
        """Its connections may still linger."""
        with socket.socket() as before:
            before.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            before.bind(("127.0.0.1", 0))
            before.listen()
            address = before.getsockname()
            with socket.create_connection(address):
                before.accept()[0].close()
        self.assertEqual(self.reserve(address[1]).getHost().port, address[1])

    def test_six(self) -> None:
        """The other family."""
        self.assertEqual(self.reserve(interface="::1").getHost().host, "::1")

    def test_bad_interface(self) -> None:
        """An address that is not ours."""
        self.assertRaises(CannotListenError, self.reserve, 0, "192.0.2.1")


class TakingTests(SynchronousTestCase):
    """Where the socket has to be inherited."""

    def test_listens_but_accepts_nobody(self) -> None:
        """The workers do."""
        recorder, factory = Recorder(), Factory()
        taking = Taking(recorder, even=False)
        taking.listenSSL(443, factory, object(), 7, "::1")
        self.assertEqual(recorder.calls, [("tcp", 443, factory, 7, "::1")])
        self.assertFalse(recorder.reading)
        self.assertEqual(taking.inheritable, 42)

    def test_file(self) -> None:
        """A file in the file system is always inherited."""
        recorder, factory = Recorder(), Factory()
        taking = Taking(recorder, even=True)
        taking.listenUNIX("/x", factory, 7, 0o600, 0)
        self.assertEqual(recorder.calls, [("unix", "/x", factory, 7, 0o600, 0)])
        self.assertEqual(taking.inheritable, 42)


class JoiningTests(SynchronousTestCase):
    """The workers' side."""

    def test_beside_the_others(self) -> None:
        """The port that the supervisor got, shared."""
        recorder, factory = Recorder(), Factory()
        Joining(recorder, 8080, False).listenTCP(0, factory, 7, "::1")
        ((_, given_binding, given, backlog, interface),) = recorder.calls
        binding: Any = given_binding
        self.assertEqual((binding._port, binding._address, binding._reusePort), (8080, "::1", True))
        self.assertEqual((given, backlog, interface), (factory, 7, "::1"))

    def test_tls(self) -> None:
        """TLS goes around the factory."""
        from twisted.internet.ssl import CertificateOptions
        from twisted.protocols.tls import TLSMemoryBIOFactory

        recorder = Recorder()
        Joining(recorder, 8080, False).listenSSL(0, Factory(), CertificateOptions())
        self.assertIsInstance(recorder.calls[0][2], TLSMemoryBIOFactory)
