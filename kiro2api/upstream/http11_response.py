# -*- test-case-name: tests.upstream.test_http11_connection -*-
"""One response as its user sees it: ``IResponse``, and the transport of its body's protocol.

Must not know where the bytes come from: the exchange that reads them is told to pause, resume or
stop, and tells the body and its end.
"""

from typing import Protocol as Shape
from typing import cast

from twisted.internet.interfaces import IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IClientRequest, IResponse
from zope.interface import implementer

from kiro2api.upstream.http11_head import Head


class Source(Shape):
    """Where a body comes from."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""

    def stop(self) -> None:
        """Close the connection at once."""


@implementer(IClientRequest)
class AskedFor:
    """The request that led to a response."""

    def __init__(self, method: bytes, uri: bytes, headers: Headers) -> None:
        self.method = method
        self.absoluteURI = uri
        self.headers = headers


@implementer(IPushProducer)
class BodyTransport:
    """What a body's protocol has for a transport.

    It goes dead with the end of the body: the connection may serve somebody else by then.
    ``ending``: the piece that is being delivered is the last one, and the body is whole with it.
    """

    disconnecting = False
    ending = False

    def __init__(self, source: Source) -> None:
        self._source: Source | None = source
        self.paused = False

    def pauseProducing(self) -> None:
        """Read no more for now; one read that is under way may still be delivered."""
        self.paused = True
        if self._source is not None:
            self._source.pause()

    def resumeProducing(self) -> None:
        """Read on."""
        self.paused = False
        if self._source is not None:
            self._source.resume()

    def stopProducing(self) -> None:
        """Close the connection at once, paused or not; nothing more is delivered but the loss."""
        self.disconnecting = True
        if self._source is not None:
            self._source.stop()

    def loseConnection(self) -> None:
        """The same: there is nothing to flush towards the other side."""
        self.stopProducing()

    def detach(self) -> None:
        """The body has ended."""
        self._source = None


@implementer(IResponse)
class PlainResponse:
    """A response whose head has come; see ``IResponse``."""

    def __init__(self, head: Head, request: AskedFor, source: Source) -> None:
        self.version = head.version
        self.code = head.code
        self.phrase = head.phrase
        self.headers = Headers()
        for name, value in head.fields:
            self.headers.addRawHeader(name, value)
        self.length = UNKNOWN_LENGTH if head.length is None else head.length
        self.request = request
        self.previousResponse: object = None
        self._source: Source | None = source
        self._transport = BodyTransport(source)
        self._protocol: IProtocol | None = None
        # What came before there was a protocol: at most one read and what the transport had read
        # when it was paused.
        self._waiting: list[bytes] = []
        self._end: Failure | None = None

    def __repr__(self) -> str:
        return f"<PlainResponse {self.code}>"

    def setPreviousResponse(self, response: object) -> None:
        """See ``IResponse``."""
        self.previousResponse = response

    def deliverBody(self, protocol: IProtocol) -> None:
        """See ``IResponse``.

        :raises RuntimeError: the body has its protocol already.
        """
        if self._protocol is not None:
            raise RuntimeError("the body of this response has been delivered already")
        self._protocol = protocol
        transport = self._transport
        # Wire: an ``IPushProducer`` is all that ``IResponse`` promises a body's protocol.
        protocol.makeConnection(cast(ITransport, transport))
        waiting, self._waiting = self._waiting, []
        if waiting and not transport.disconnecting:
            protocol.dataReceived(b"".join(waiting))
        if self._end is not None:
            protocol.connectionLost(self._end)
        elif self._source is not None and not transport.paused:
            self._source.resume()

    # ── towards the exchange ────────────────────────────────────────────────

    @property
    def wanted(self) -> bool:
        """Whether somebody takes the body."""
        return self._protocol is not None

    def last(self, data: bytes) -> None:
        """The last of the body; ``over`` follows at once."""
        self._transport.ending = True
        self.body(data)

    def body(self, data: bytes) -> None:
        """More of the body."""
        if self._protocol is None:
            self._waiting.append(data)
        else:
            self._protocol.dataReceived(data)

    def over(self, failure: Failure | None) -> None:
        """The body has ended: as it should, or by ``failure``."""
        self._source = None
        self._transport.detach()
        self._end = failure or Failure(ResponseDone("the body has been received whole"))
        if self._protocol is not None:
            self._protocol.connectionLost(self._end)
