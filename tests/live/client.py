"""A client on a real socket that reads when the test wants it to, and knows no manners."""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

KEY = "live-key"
MODEL = "claude-sonnet-4-5-20250929"


class Answer(msgspec.Struct):
    """One HTTP response. ``whole``: it ended as HTTP says it must."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


def parse(data: bytes, closed: bool = False) -> list[Answer]:
    """The responses in ``data``, the last of which may be cut short."""
    answers = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            break
        first, *lines = head.decode("ascii").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if headers.get("transfer-encoding") == "chunked":
            body, data, whole = _dechunked(rest)
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body, data, whole = rest[:length], rest[length:], len(rest) >= length
        else:
            body, data, whole = rest, b"", closed
        answers.append(Answer(int(first.split()[1]), headers, body, whole))
        if not whole:
            break
    return answers


def _dechunked(data: bytes) -> tuple[bytes, bytes, bool]:
    pieces: list[bytes] = []
    while True:
        size, separator, rest = data.partition(b"\r\n")
        if not separator:
            return b"".join(pieces), b"", False
        length = int(size, 16)
        if len(rest) < length + 2:
            return b"".join([*pieces, rest[:length]]), b"", False
        if not length:
            return b"".join(pieces), rest[2:], True
        pieces.append(rest[:length])
        data = rest[length + 2 :]


@implementer(IHalfCloseableProtocol)
class Caller(Protocol):
    """One connection of a client. What it received is in ``data``."""

    transport: Any

    def __init__(self) -> None:
        self.data = bytearray()
        self.closed: str = ""
        self.key = KEY
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def send(self, data: bytes) -> None:
        """Write to the service."""
        self.transport.write(data)

    def post(self, path: str, body: object, *, version: str = "1.1", **headers: str) -> None:
        """Send one JSON request; ``headers`` are added, with _ for -."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        lines = [
            f"POST {path} HTTP/{version}",
            "host: localhost",
            f"x-api-key: {self.key}",
            "content-type: application/json",
            f"content-length: {len(raw)}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)

    def ask(self, text: str = "Hello.", *, stream: bool = True, version: str = "1.1") -> None:
        """Ask the model, in Anthropic's dialect."""
        self.post(
            "/v1/messages",
            {
                "model": MODEL,
                "max_tokens": 1_000_000_000,
                "stream": stream,
                "messages": [{"role": "user", "content": text}],
            },
            version=version,
        )

    def answers(self) -> list[Answer]:
        """The responses so far."""
        return parse(bytes(self.data), bool(self.closed))

    def answer(self) -> Answer:
        """The first response so far."""
        return self.answers()[0]

    def until(self, there: bytes | Callable[[], bool]) -> Deferred[None]:
        """Fires once these bytes were received, or the condition holds after some were.

        Fails when the connection closes before that.
        """
        condition = there if callable(there) else lambda: there in self.data
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        self._look()
        return waiting

    def whole(self, count: int = 1) -> Deferred[None]:
        """Fires once that many responses are complete."""
        return self.until(lambda: sum(answer.whole for answer in self.answers()) >= count)

    def end(self) -> Deferred[None]:
        """Fires once the connection is closed, in whatever way."""
        return self.until(lambda: bool(self.closed))

    def pause(self) -> None:
        """Read nothing more."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        self.transport.resumeProducing()

    def leave(self) -> None:
        """Close the connection the usual way."""
        self.transport.loseConnection()

    def vanish(self) -> None:
        """Reset the connection."""
        self.transport.abortConnection()

    def half_close(self) -> None:
        """Say that nothing more will be sent, but go on reading."""
        ITCPTransport(self.transport).loseWriteConnection()

    # ── what the reactor calls ───────────────────────────────────────────────

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._look()

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We said so ourselves."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = "closed" if reason.check(ConnectionDone) else "reset"
        self._look()
        waiting, self._waiting = self._waiting, []
        for _, deferred in waiting:
            deferred.errback(AssertionError(f"{self.closed} after {bytes(self.data[-300:])!r}"))

    def _look(self) -> None:
        for entry in list(self._waiting):
            condition, deferred = entry
            if condition():
                self._waiting.remove(entry)
                deferred.callback(None)


def connect(reactor: Any, port: int) -> Deferred[Caller]:
    """A new connection to this port of the machine."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    connected: Deferred[Caller] = connectProtocol(endpoint, Caller())
    return connected
