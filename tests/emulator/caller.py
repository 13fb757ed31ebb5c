"""Calls the emulator in memory, as a client of the upstream would."""

from typing import Any

import msgspec
from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.app import Emulator
from kiro2api.emulator.script import Script
from kiro2api.upstream.bodies import BytesBody
from kiro2api.wire.eventstream import Frame, FrameDecoder

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/AAAABBBBCCCC"
SOCIAL = EmulatedAccount("first", refresh_token="aor-first", profile_arn=ARN)
IDC = EmulatedAccount(
    "second",
    "idc",
    refresh_token="aor-second",
    client_id="client-2",
    client_secret="secret-2",
    profile_arn=ARN,
)
KEY = EmulatedAccount("third", "api_key", api_key="ksk_third")


class Received(Protocol):
    """The body of one response, as it comes in."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = reason

    @property
    def complete(self) -> bool:
        """Whether the body came to a proper end."""
        return self.ended is not None and self.ended.check(ResponseDone) is not None

    def frames(self) -> list[Frame]:
        """The frames received so far."""
        return FrameDecoder().receive(self.data)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and payload of each event received so far."""
        return [
            (frame.headers.event_type, msgspec.json.decode(frame.payload))
            for frame in self.frames()
        ]

    def text(self) -> str:
        """The text of the answer so far."""
        return "".join(payload["content"] for kind, payload in self.events() if "Response" in kind)


class Reply:
    """One response."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.code
        self.headers = response.headers
        self.body = Received()
        self.response = response
        response.deliverBody(self.body)

    def header(self, name: str) -> str | None:
        """The value of a response header."""
        values = self.headers.getRawHeaders(name)
        return None if values is None else values[0]

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body.data)


def question(content: str = "hello there", **more: Any) -> dict[str, Any]:
    """A small sound request; ``tools`` and ``results`` go where they belong."""
    context: dict[str, Any] = {}
    for key in ("tools", "toolResults"):
        if key in more:
            context[key] = more.pop(key)
    history = more.pop("history", [])
    message: dict[str, Any] = {"content": content, "modelId": "claude-sonnet-4.5"} | more
    if context:
        message["userInputMessageContext"] = context
    return {
        "conversationState": {
            "conversationId": "conversation-1",
            "chatTriggerType": "MANUAL",
            "history": history,
            "currentMessage": {"userInputMessage": message},
        }
    }


def tool(name: str, **properties: str) -> dict[str, Any]:
    """A tool; properties are name and JSON type."""
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
    }
    return {
        "toolSpecification": {
            "name": name,
            "description": f"Does {name}.",
            "inputSchema": {"json": schema},
        }
    }


class EmulatorTestCase(SynchronousTestCase):
    """An emulator with one account of each kind, and a client that calls it in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.emulator = Emulator(self.clock, [SOCIAL, IDC, KEY])
        self.connect()

    def connect(self) -> None:
        """Call the emulator of this moment."""
        self.agent = RequestTraversalAgent(self.emulator.resource())
        self.client = HTTPClient(self.agent, data_to_body_producer=BytesBody)

    def tearDown(self) -> None:
        """No timer outlives its answer."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> "Deferred[Any]":
        """Send a request; the response may take its time."""
        sent = Headers({name: [value] for name, value in (headers or {}).items()})
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            if not sent.hasHeader("content-type"):
                sent.setRawHeaders("content-type", ["application/json"])
        asked: Deferred[Any] = self.client.request(
            method,
            "http://emulator.invalid" + path,
            headers=sent,
            data=data,
            unbuffered=True,
        )
        self.agent.flush()
        return asked

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request that is answered at once."""
        reply = Reply(self.successResultOf(self.ask(method, path, body, headers)))
        self.agent.flush()
        return reply

    def bearer(self, token: str | None = None) -> dict[str, str]:
        """Headers of the social account, with a fresh access token unless given one."""
        if token is None:
            given = self.emulator.accounts.refresh_social(
                self.emulator.accounts.member("first").refresh_token,
                self.clock.seconds(),
                rotate=None,
                lifetime=0,
            )
            token = given["accessToken"]
        return {"authorization": f"Bearer {token}"}

    def generate(self, body: object = None, *scripts: Script) -> Reply:
        """Ask a question by the social account."""
        self.emulator.script(*scripts)
        sent = question() if body is None else body
        return self.call("POST", "/generateAssistantResponse", sent, self.bearer())

    def advance(self, seconds: float) -> None:
        """Let time pass and bytes travel."""
        self.clock.advance(seconds)
        self.agent.flush()
