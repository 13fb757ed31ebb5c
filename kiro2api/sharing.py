# -*- test-case-name: tests.test_sharing -*-
"""One port for several processes.

The supervisor takes the port, so that nobody else gets it and a busy one is noticed at the start;
the workers accept on it. Both read the same endpoint string: what differs is the reactor that the
endpoint is given. Must not know what is served, nor how processes are started.

Two ways: with SO_REUSEPORT every process listens by itself, and the kernel deals connections out
evenly; the supervisor's own socket is bound but does not listen. Elsewhere the supervisor listens
without accepting, and the workers inherit its socket: then one of them may get most connections.
"""

import os
import socket
import sys
from typing import Any, Final

from twisted.internet import unix
from twisted.internet.error import CannotListenError
from twisted.internet.tcp import makeBinding

from kiro2api.starting import StartFailed

KINDS: Final = ("tcp", "tcp6", "ssl", "unix")
INHERITED: Final = 3
"""The number under which a worker finds the socket it inherits."""

# Elsewhere the option exists as well, but does not deal connections out.
EVEN: Final = sys.platform.startswith("linux") and hasattr(socket, "SO_REUSEPORT")


def check_shareable(listen: str) -> None:
    """Raises StartFailed for an endpoint that only one process can open."""
    if listen.partition(":")[0] not in KINDS:
        raise StartFailed(
            f"KIRO_LISTEN: {listen!r} serves one process only; with KIRO_WORKERS above 1 it must"
            f" begin with one of {', '.join(kind + ':' for kind in KINDS)}"
        )


class Reserved:
    """A bound socket that does not listen; has what is asked of a listening port."""

    def __init__(self, held: socket.socket) -> None:
        self._held = held

    def getHost(self) -> Any:
        """The address, as a Twisted port gives it."""
        from twisted.internet.address import IPv4Address, IPv6Address

        host, port = self._held.getsockname()[:2]
        six = self._held.family == socket.AF_INET6
        return IPv6Address("TCP", host, port) if six else IPv4Address("TCP", host, port)

    def stopListening(self) -> None:
        """Give the port away."""
        self._held.close()


class Taking:
    """The reactor as the supervisor's endpoint sees it: takes ports and accepts nobody."""

    def __init__(self, reactor: Any, *, even: bool = EVEN) -> None:
        """:param even: with SO_REUSEPORT."""
        self._reactor = reactor
        self._even = even
        self.inheritable: int | None = None
        """The descriptor that workers must inherit, None if they need none."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Reserve a TCP port."""
        if self._even:
            return _reserved(interface, port)
        return self._deaf(self._reactor.listenTCP(port, factory, backlog, interface))

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """The same; TLS is the workers' business."""
        return self.listenTCP(port, factory, backlog, interface)

    def listenUNIX(
        self, address: str, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0
    ) -> Any:
        """Make the file, which is ours until the end."""
        return self._deaf(self._reactor.listenUNIX(address, factory, backlog, mode, wantPID))

    def _deaf(self, port: Any) -> Any:
        port.stopReading()
        self.inheritable = port.fileno()
        return port


class Joining:
    """The reactor as a worker's endpoint sees it: listens where the supervisor took the port.

    :param port: the number that the supervisor got.
    :param inherited: whether the listening socket was inherited.
    """

    def __init__(self, reactor: Any, port: int, inherited: bool) -> None:
        self._reactor = reactor
        self._port = port
        self._inherited = inherited

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen beside the others."""
        if not self._inherited:
            binding = makeBinding(interface, self._port, reuseAddress=True, reusePort=True)
            return self._reactor.listenTCP(binding, factory, backlog, interface)
        os.set_blocking(INHERITED, False)
        adopted = self._reactor.adoptStreamPort(INHERITED, _family(interface), factory)
        os.close(INHERITED)
        return adopted

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """The same with TLS, as the reactor itself does it."""
        from twisted.protocols.tls import TLSMemoryBIOFactory

        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, wrapped, backlog, interface)

    def listenUNIX(
        self, address: str, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0
    ) -> Any:
        """Listen on the inherited socket."""
        os.set_blocking(INHERITED, False)
        port: Any = unix.Port._fromListeningDescriptor(self._reactor, INHERITED, factory)
        os.close(INHERITED)
        # Twisted would set the file's mode, and at the end shut the socket down for everybody
        # and remove the file.
        port._bindPath = b"\0"
        port._shouldShutdown = False
        port.backlog = backlog
        port.startListening()
        return port


def _family(interface: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in interface else socket.AF_INET


def _reserved(interface: str, port: int) -> Reserved:
    try:
        # Without SO_REUSEPORT first: whoever listens with it would not be noticed otherwise.
        _bind(interface, port, shared=False).close()
        return Reserved(_bind(interface, port, shared=True))
    except OSError as error:
        raise CannotListenError(interface, port, error) from None


def _bind(interface: str, port: int, *, shared: bool) -> socket.socket:
    family = _family(interface)
    found = socket.getaddrinfo(
        interface or None, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
    )
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(found[0][4])
        if shared:
            # Needed to get the port while connections of a predecessor linger; left on, it would
            # let others that have it take the port as long as no worker listens.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        bound.close()
        raise
    return bound
