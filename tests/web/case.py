"""The whole web room over in-memory connections, with invented accounts behind it."""

from typing import Any

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.interfaces import IAccountPool
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import NotFound
from kiro2api.exchange import Exchanges
from kiro2api.explain import Explainer
from kiro2api.kiro.models import Catalogue
from kiro2api.media.room import Media
from kiro2api.metering import Meter
from kiro2api.redaction import Secret
from kiro2api.web.console.files import ConsoleFiles
from kiro2api.web.gate import Gate
from kiro2api.web.held import ResponsesInMemory
from kiro2api.web.listing import ModelShelf
from kiro2api.web.model_api import ModelApi
from kiro2api.web.operator_api import OperatorApi
from kiro2api.web.reply import rendered
from kiro2api.web.responses_api import ResponsesApi
from kiro2api.web.root import Root
from kiro2api.web.serving import Serving, Timeouts
from kiro2api.web.site import ApiSite, DrainingChannel
from tests.fakes.lending import FakeClient, FakeOffers, FakePool, account

HELLO: dict[str, Any] = {
    "model": "claude-sonnet-4-5-20250929",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}


class Wire(StringTransport):
    """A client's connection."""

    aborted = False

    def abortConnection(self) -> None:
        """Remember."""
        self.aborted = True


class Reply:
    """A response, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.raw = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.reason = lines[0].split(" ", 2)[2]
        self.headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])
        }

    @property
    def body(self) -> bytes:
        """The body without its chunk framing."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.raw
        out, rest = b"", self.raw
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            out, rest = out + rest[:length], rest[length + 2 :]
        return out

    @property
    def json(self) -> Any:
        """The body decoded."""
        return msgspec.json.decode(self.body)


class WebCase(SynchronousTestCase):
    """A site whose upstream answers what the test says."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.client = FakeClient()
        self.accounts = [account("a"), account("b")]
        self.pool = FakePool(self.accounts)
        self.offers = FakeOffers()
        self.alive = True
        self.statuses: list[AccountStatus] = []
        self.meter = Meter()
        self.gate = Gate(lambda key: key.encode())
        self.gate.configure([Secret("key")], Secret("root"))
        self._numbers = iter(range(1, 10000))
        catalogue = Catalogue()
        exchanges = Exchanges(
            IAccountPool(self.pool),
            self.client,
            catalogue,
            self.offers,
            self.clock,
            attempts=3,
            first_event_seconds=60,
            tool_description_limit=10000,
            new_id=lambda: "00000000-0000-4000-8000-000000000000",
        )
        self.serving = Serving(
            self.gate,
            exchanges,
            self.meter,
            self.clock,
            timeouts=Timeouts(ping=10, silence=60, stall=100),
            default_group="default",
            new_id=self.new_id,
            media=self.make_media(),
        )
        shelf = ModelShelf(catalogue, self.members, self.offers, "default")
        models = ModelApi(self.gate, self.serving, shelf)
        self.held = ResponsesInMemory(self.clock.seconds)
        responses = ResponsesApi(self.gate, self.serving, self.held)
        self.operator = OperatorApi(
            self.gate,
            self,
            self.clock,
            started=self.clock.seconds(),
            store_alive=lambda: self.alive,
            requests_active=lambda: len(self.serving.active),
            explainer=Explainer(
                catalogue,
                self.members,
                self.offers,
                default_group="default",
                tool_description_limit=10000,
                new_id=lambda: "00000000-0000-4000-8000-000000000000",
            ),
            model_names=lambda: [name for name, _ in catalogue.listed()],
        )
        self.site = ApiSite(
            Root(
                models.app.resource(),
                responses.app.resource(),
                self.operator.app.resource(),
                files=ConsoleFiles(),
            ),
            clock=self.clock,
            max_body_bytes=100_000,
            refusal=rendered,
            new_id=self.new_id,
        )

    def make_media(self) -> Media | None:
        """Nobody reads what is attached, unless a test says so."""
        return None

    def timers(self) -> list[object]:
        """Timers left over, beside the idle timers of connections that are kept alive."""
        return [call for call in self.clock.getDelayedCalls() if "TimeoutMixin" not in str(call)]

    def new_id(self) -> str:
        """Numbered ids."""
        return f"{next(self._numbers):08x}"

    def snapshot(self, now: float) -> list[AccountStatus]:
        """What the operator sees."""
        return self.statuses

    def recent(self, now: float, most: int) -> list[AccountStatus]:
        """The same."""
        return self.statuses[:most]

    def readiness(self, now: float) -> tuple[int, int]:
        """Counts of them."""
        return len(self.statuses), sum(one.state == "ready" for one in self.statuses)

    def members(self, group: str) -> list[Account]:
        """Everybody is in the default group."""
        if group != "default":
            raise NotFound(f"there is no group {group!r}")
        return self.accounts

    def connect(self) -> tuple[DrainingChannel, Wire]:
        """A client's connection."""
        channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        wire = Wire()
        channel.makeConnection(wire)
        return channel, wire

    def start(
        self,
        path: str,
        body: object = None,
        *,
        key: str = "key",
        method: str = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[DrainingChannel, Wire]:
        """Send a request and leave the answer to come."""
        channel, wire = self.connect()
        data = (
            b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        )
        lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1", "Host: x"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"Content-Length: {len(data)}")
        channel.dataReceived("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return channel, wire

    def ask(self, path: str, body: object = None, **more: Any) -> Reply:
        """Send a request whose answer comes at once."""
        _, wire = self.start(path, body, **more)
        return Reply(wire.value())

    def hang_up(self, channel: DrainingChannel) -> None:
        """The client leaves."""
        from twisted.internet.error import ConnectionDone

        channel.connectionLost(Failure(ConnectionDone()))
