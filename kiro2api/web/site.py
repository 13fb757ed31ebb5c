# -*- test-case-name: tests.web.test_site -*-
"""The HTTP edge: body limits in memory, canonical paths, connections that can be drained.

Must not know accounts, dialects or the upstream: what an error looks like is decided by the
``refusal`` callable it is given.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from kiro2api.errors import BodyTooLarge, KiroError
from kiro2api.transports import write_now
from kiro2api.web.paths import Location, locate
from kiro2api.web.sending import LAST_CHUNK

LINGER_SECONDS = 5.0
"""How long a refused upload may go on before its connection is cut."""

STREAM_HEADERS = (
    (b"Content-Type", b"text/event-stream; charset=utf-8"),
    (b"Cache-Control", b"no-cache"),
    (b"X-Accel-Buffering", b"no"),
)
_STREAM_HEAD = (
    b"".join(b"%b: %b\r\n" % pair for pair in STREAM_HEADERS)
    + b"Transfer-Encoding: chunked\r\n\r\n"
)

Refusal = Callable[["ApiRequest", KiroError], tuple[int, list[tuple[bytes, bytes]], bytes]]
"""Renders an error for one request: status, headers, JSON body."""


_REASONS = {b"429": b"Too Many Requests", b"529": b"Overloaded"}
"""What Twisted has no words for."""


class DrainingChannel(HTTPChannel):
    """An HTTP connection that its site can find, close when idle, and wait for."""

    site: "ApiSite"
    # TCP or TLS; both have more methods than ITransport names.
    transport: Any
    totalHeadersSize = 64 * 1024
    request_line: bytes = b""
    _cut: Any = None
    _left: int | None = None
    _head: bytes = b""
    _host: IAddress | None = None

    def connectionMade(self) -> None:
        """Make the connection known to the site."""
        self.site.connections.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Forget the connection."""
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        super().connectionLost(reason)
        self.site.connection_closed(self)

    def getHost(self) -> IAddress:
        """Our side of the connection, which the kernel is asked for once."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def lineReceived(self, line: bytes) -> None:
        """Remember the request line: a body may have to be refused before it is complete."""
        known = len(self.requests)
        super().lineReceived(line)
        if len(self.requests) > known:
            self.request_line = line

    def checkPersistence(self, request: "ApiRequest", version: bytes) -> bool:
        """No connection outlives its request while the site drains."""
        if self.site.draining:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            return False
        persistent: bool = super().checkPersistence(request, version)
        return persistent

    # ── sending: the head waits for the first bytes of the body, then both leave at once ──

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Keep the head until there is something to send with it."""
        lines = [b"%b %b %b\r\n" % (version, code, _REASONS.get(code, reason))]
        for name, values in headers.getAllRawHeaders():
            lines += [b"%b: %b\r\n" % (name, value) for value in values]
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def write(self, data: bytes) -> None:
        """A piece of a body."""
        head, self._head = self._head, b""
        write_now(self.transport, head + data if head else data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """A piece of a body, in pieces itself."""
        self.write(b"".join(iovec))

    def requestDone(self, request: "ApiRequest") -> None:
        """A response without a body is only its head."""
        if self._head:
            self.write(b"")
        super().requestDone(request)

    @property
    def idle(self) -> bool:
        """Whether no request is under way or arriving."""
        return not self.requests

    def refuse(self, answer: bytes, left: int | None) -> None:
        """Answer before the body has arrived, then swallow what still comes, for a while.

        :param left: octets of the body that are still to come, None if that was not declared.

        Closing at once would reset the connection while the client is still sending, and the
        client would report a broken pipe instead of the answer.
        """
        self.transport.write(answer)
        self.setTimeout(None)
        self._left = left
        self.dataReceived = self.swallow  # type: ignore[method-assign]
        self._cut = self.callLater(LINGER_SECONDS, self.transport.abortConnection)

    def swallow(self, data: bytes) -> None:
        """Discard more of a refused upload; with its end the connection is closed."""
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self.transport.loseConnection()


class ApiRequest(Request):
    """One request: body in memory and bounded, path canonical, errors in JSON."""

    defaultContentType = None
    channel: DrainingChannel
    site: "ApiSite"
    content: Any
    location = Location("/")
    group: str = ""
    unique: str = ""
    body_length: int = 0
    refused: bool = False

    def gotLength(self, length: int | None) -> None:
        """Always buffer in memory: Twisted would spool prompts to a file on disk."""
        self.content = BytesIO()
        self.site = self.channel.site
        if length is not None and length > self.site.max_body_bytes:
            self._refuse(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Count what arrives, also where no length was declared."""
        if self.refused:
            self.channel.swallow(data)
            return
        self.body_length += len(data)
        if self.body_length > self.site.max_body_bytes:
            self._refuse(None)
            return
        self.content.write(data)

    @property
    def body(self) -> bytes:
        """The whole request body, without another copy."""
        content: bytes = self.content.getvalue()
        return content

    def _refuse(self, left: int | None) -> None:
        self.refused = True
        self.unique = self.site.new_id()
        self.content = BytesIO()
        words = self.channel.request_line.split(b" ")
        self._take_path(words[1].split(b"?", 1)[0] if len(words) > 1 else b"/")
        error = BodyTooLarge(
            f"the request body exceeds the limit of {self.site.max_body_bytes} bytes"
        )
        status, headers, body = self.site.refusal(self, error)
        head = b"".join(
            b"%s: %s\r\n" % pair
            for pair in [
                *headers,
                (b"Content-Length", b"%d" % len(body)),
                (b"Connection", b"close"),
            ]
        )
        self.channel.refuse(b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (status, head, body), left)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body is complete: serve, unless the answer has already been given."""
        if self.refused:
            self.channel.transport.loseConnection()
            return
        super().requestReceived(command, path, version)

    def process(self) -> None:
        """Find the resource by the canonical path."""
        self.site = self.channel.site
        self.setHeader(b"Date", datetimeToString(self.site.clock.seconds()))
        self._take_path(self.path)
        self.prepath = []
        self.postpath = self.path[1:].split(b"/")
        self.unique = self.site.new_id()
        try:
            self.render(self.site.resource)
        except Exception:  # noqa: BLE001 - the last line of defence, nothing is awaited here
            self.processingFailed(Failure())

    def _take_path(self, path: bytes) -> None:
        try:
            text = unquote_to_bytes(path).decode("utf-8")
        except UnicodeDecodeError:
            # Klein would answer this with plain text; an unroutable path gets the usual 404.
            text = "/not-utf-8"
        self.location = locate(text)
        self.group = self.location.group
        self.path = self.location.path.encode("utf-8")

    def begin_stream(self, data: bytes, *, whole: bool = False) -> None:
        """The head of a streamed answer and the first bytes of its body, or the whole of it.

        The usual way would encode the same names and values for each answer anew.
        """
        if self.clientproto != b"HTTP/1.1" or self.startedWriting:
            for name, value in STREAM_HEADERS:
                self.responseHeaders.setRawHeaders(name, [value])
            self.write(data)
            return
        self.startedWriting = 1
        # Request.finish writes the last chunk only while it takes the body for chunked.
        self.chunked = 0 if whole else 1
        lines = [b"HTTP/1.1 200 OK\r\n"]
        for name, values in self.responseHeaders.getAllRawHeaders():
            lines += [b"%b: %b\r\n" % (name, value) for value in values]
        lines.append(_STREAM_HEAD)
        if data:
            lines.append(b"%x\r\n%b\r\n" % (len(data), data))
        if whole:
            lines.append(LAST_CHUNK)
        self.channel.writeSequence(lines)

    def isSecure(self) -> bool:
        """Only URLs that nobody builds would depend on it."""
        return False

    def getRequestHostname(self) -> bytes:
        """A constant: Klein only builds URLs from it, and a hostile Host header breaks that."""
        return b"kiro2api"

    def processingFailed(self, reason: Failure) -> Failure:
        """A bug: log it, and answer JSON where Twisted would answer HTML."""
        self._log.failure("unexpected failure while serving a request", failure=reason)
        if self.channel is not None and not self.startedWriting:
            status, headers, body = self.site.refusal(self, KiroError("internal error"))
            self.setResponseCode(status)
            for name, value in headers:
                self.setHeader(name, value)
            self.setHeader(b"Content-Length", b"%d" % len(body))
            self.write(body)
            self.finish()
        elif self.channel is not None:
            self.channel.forceAbortClient()
        return reason


class ApiSite(Site):
    """The server factory.

    :param max_body_bytes: larger request bodies are answered 413 before they have arrived.
    :param refusal: renders an error in the language of the path.
    :param new_id: gives each request a fresh unique text of hex digits.
    """

    protocol = DrainingChannel  # type: ignore[assignment]
    displayTracebacks = False

    def __init__(
        self,
        resource: IResource,
        *,
        clock: IReactorTime,
        max_body_bytes: int,
        refusal: Refusal,
        new_id: Callable[[], str],
        idle_seconds: float = 120.0,
    ) -> None:
        super().__init__(
            resource,
            requestFactory=ApiRequest,
            reactor=clock,
            timeout=idle_seconds,
            parsePOSTFormSubmission=False,
        )
        self.clock = clock
        self.max_body_bytes = max_body_bytes
        self.refusal = refusal
        self.connections: set[DrainingChannel] = set()
        self.draining = False
        self.new_id = new_id
        self._drained: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> DrainingChannel:  # type: ignore[override]
        """A channel that knows its site."""
        channel = cast(DrainingChannel, super().buildProtocol(addr))
        channel.site = self
        return channel

    def log(self, request: Any) -> None:
        """No access log: every request is logged once, by the room that knows what it did."""

    def connection_closed(self, channel: DrainingChannel) -> None:
        """One connection fewer; the last one ends the draining."""
        self.connections.discard(channel)
        if self.draining and not self.connections and self._drained is not None:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def drain(self, seconds: float) -> Deferred[None]:
        """Close idle connections, let the others finish, cut what is left after ``seconds``.

        Waits for connections, not for requests: a request is "finished" before its last bytes
        have left.
        """
        self.draining = True
        done: Deferred[None] = Deferred()
        self._drained = done
        for channel in list(self.connections):
            if channel.idle:
                channel.transport.loseConnection()
            else:
                self._last_request(channel)
        if not self.connections:
            self._drained = None
            done.callback(None)
            return done
        cut = self.clock.callLater(seconds, self._cut_all)

        def disarm(result: None) -> None:
            if cut.active():
                cut.cancel()

        return done.addCallback(disarm)

    def _last_request(self, channel: DrainingChannel) -> None:
        channel.persistent = False
        for request in channel.requests:
            if not request.startedWriting:
                request.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def _cut_all(self) -> None:
        for channel in list(self.connections):
            channel.transport.abortConnection()
