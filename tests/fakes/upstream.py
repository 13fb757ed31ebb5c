# -*- test-case-name: tests.upstream -*-
"""An upstream in memory: an agent whose answers the test gives, byte by byte.

For tests of everything that sits on an ``IAgent``. Speaks real frames; opens no socket and knows
no time.
"""

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials, Method
from kiro2api.redaction import Secret
from kiro2api.wire.eventstream import encode_frame

ARN = "arn:aws:codewhisperer:eu-central-1:123456789012:profile/ABCDEFGHIJKL"


def an_account(method: Method = "idc", name: str = "one", **fields: str) -> Account:
    """An account of this kind."""
    return Account(fingerprint=f"fp-{name}", name=name, method=method, **fields)  # type: ignore[arg-type]


def its_credentials(token: str = "token-one", profile_arn: str = ARN) -> Credentials:
    """Credentials that can be told apart."""
    return Credentials(Secret(token), Secret("refresh"), profile_arn=profile_arn)


def event(kind: str, **payload: object) -> bytes:
    """One frame with an event."""
    headers = {
        ":message-type": "event",
        ":event-type": kind,
        ":content-type": "application/json",
    }
    return encode_frame(headers, msgspec.json.encode(payload))


def said(text: str) -> bytes:
    """One frame with a piece of the answer."""
    return event("assistantResponseEvent", content=text)


def metered() -> bytes:
    """The frame that the upstream sends last."""
    return event("meteringEvent", unit="credit", unitPlural="credits", usage=0.25)


def exception(name: str, **payload: object) -> bytes:
    """One frame that reports a failure inside a stream."""
    headers = {":message-type": "exception", ":exception-type": name}
    return encode_frame(headers, msgspec.json.encode(payload))


@implementer(IPushProducer)
class BodyTransport:
    """What a body protocol may do to its connection, and a record of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.paused = False
        self.stopped = False
        self.ending = False

    def pauseProducing(self) -> None:
        """Stop reading."""
        self.calls.append("pause")
        self.paused = True

    def resumeProducing(self) -> None:
        """Read on."""
        self.calls.append("resume")
        self.paused = False

    def stopProducing(self) -> None:
        """Close."""
        self.calls.append("stop")
        self.stopped = True


@implementer(IResponse)
class FakeResponse:
    """A response whose body arrives when the test says so."""

    version = (b"HTTP", 1, 1)
    length = UNKNOWN_LENGTH
    phrase = b""
    request = None
    previousResponse = None

    def __init__(self, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.code = code
        self.headers = Headers({name: [value] for name, value in (headers or {}).items()})
        self.transport = BodyTransport()
        self.protocol: IProtocol | None = None
        self._early: list[bytes] = []
        self._ended: Failure | None = None

    @classmethod
    def stream(cls, request_id: str = "0f-1") -> "FakeResponse":
        """The head of an answer."""
        return cls(
            200,
            {
                "content-type": "application/vnd.amazon.eventstream",
                "x-amzn-requestid": request_id,
            },
        )

    @classmethod
    def whole(cls, code: int, body: bytes, **headers: str) -> "FakeResponse":
        """A response that has arrived completely."""
        response = cls(code, {name.replace("_", "-"): value for name, value in headers.items()})
        response.give(body)
        response.end()
        return response

    def deliverBody(self, protocol: IProtocol) -> None:
        """See ``IResponse``."""
        assert self.protocol is None, "the body was delivered twice"
        self.protocol = protocol
        protocol.makeConnection(self.transport)  # type: ignore[arg-type]
        for data in self._early:
            protocol.dataReceived(data)
        if self._ended is not None:
            protocol.connectionLost(self._ended)

    def setPreviousResponse(self, response: IResponse) -> None:
        """See ``IResponse``."""

    def give(self, data: bytes) -> None:
        """One read from the network."""
        if self.protocol is None:
            self._early.append(data)
        else:
            self.protocol.dataReceived(data)

    def end(self, reason: BaseException | None = None) -> None:
        """The body ends, cleanly unless a reason is given."""
        ended = Failure(ResponseDone() if reason is None else reason)
        if self.protocol is None:
            self._ended = ended
        else:
            self.protocol.connectionLost(ended)

    def cut(self) -> None:
        """The connection breaks inside the body."""
        self.end(ResponseFailed([Failure(ConnectionLost())]))


class Asked:
    """One request that was made; the test answers it."""

    def __init__(self, method: bytes, uri: bytes, headers: Headers, body: bytes) -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
        self.cancelled = False
        self.answer: Deferred[IResponse] = Deferred(self._cancel)

    def _cancel(self, answer: Deferred[IResponse]) -> None:
        self.cancelled = True

    def header(self, name: str) -> str | None:
        """The one value of a header, None where it is absent."""
        values = self.headers.getRawHeaders(name)
        if values is None:
            return None
        (value,) = values
        return value

    def respond(self, response: FakeResponse) -> FakeResponse:
        """The head arrives."""
        self.answer.callback(response)
        return response

    def fail(self, *reasons: BaseException) -> None:
        """No head arrives, because of these."""
        self.answer.errback(ResponseNeverReceived([Failure(reason) for reason in reasons]))

    def go_stale(self) -> None:
        """The kept connection turns out to be closed."""
        self.fail(ConnectionDone())


class _Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@implementer(IAgent)
class FakeAgent:
    """Records requests; nothing happens by itself."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        sink = _Sink()
        if bodyProducer is not None:
            bodyProducer.startProducing(sink)
            assert len(sink.data) == bodyProducer.length
        asked = Asked(method, uri, headers or Headers(), sink.data)
        self.asked.append(asked)
        return asked.answer

    @property
    def last(self) -> Asked:
        """The latest request."""
        return self.asked[-1]
