# -*- test-case-name: tests.bench.test_smoke -*-
"""The pass-through that kiro2api is compared with: bytes from here to there, unread.

A program of its own: the least that a Twisted proxy can do.
"""

import sys
from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure


class End(Protocol):
    """One end of a connection; what it reads is written to its ``other`` end."""

    # ITCPTransport, and what a producer and a consumer need; no interface is all of them.
    transport: Any
    other: "End | None" = None

    def joined(self, other: "End") -> None:
        """From now on; each is slowed down by the other."""
        self.other = other
        self.transport.setTcpNoDelay(True)
        other.transport.registerProducer(self.transport, True)
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        other, self.other = self.other, None
        if other is not None:
            other.transport.unregisterProducer()
            other.transport.loseConnection()


class Near(End):
    """The client's end: says nothing until the far end is there."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        splice = self.factory
        assert isinstance(splice, Splice)
        splice.reactor.connectTCP("127.0.0.1", splice.target, Farther(self))


class Far(End):
    """The upstream's end."""

    def connectionMade(self) -> None:
        farther = self.factory
        assert isinstance(farther, Farther)
        near = farther.near
        if not near.connected:
            self.transport.loseConnection()
            return
        self.joined(near)
        near.joined(self)


class Farther(ClientFactory):
    """Makes the far end of one near end."""

    protocol = Far
    noisy = False

    def __init__(self, near: Near) -> None:
        self.near = near

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.near.transport.loseConnection()


class Splice(Factory):
    """Makes near ends."""

    protocol = Near
    noisy = False

    def __init__(self, reactor: Any, target: int) -> None:
        self.reactor = reactor
        self.target = target


def main() -> None:
    """Print the port and serve until told to stop; the argument is the upstream's port."""
    from twisted.internet import reactor as chosen

    reactor: Any = chosen
    splice = Splice(reactor, int(sys.argv[1]))
    port = reactor.listenTCP(0, splice, interface="127.0.0.1", backlog=1024)
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
