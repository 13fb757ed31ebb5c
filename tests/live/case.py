"""The gateway in front of the emulator, in this process, over real sockets.

What a test leaves behind fails it: see ``ReactorCase``.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.web.http import HTTPChannel
from twisted.web.server import Site

from kiro2api.accounts.sources import parse_accounts
from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.app import Emulator
from kiro2api.emulator.calls import Call
from kiro2api.emulator.script import GENERATE
from kiro2api.redaction import Secret
from kiro2api.service import Gateway
from kiro2api.settings import load
from kiro2api.upstream.agent import AgentKind
from tests.live.client import KEY, Caller, connect
from tests.live.reactor import ReactorCase, reactor

KEYED = (
    EmulatedAccount(name="first", method="api_key", api_key="ksk_first_account"),
    EmulatedAccount(name="second", method="api_key", api_key="ksk_second_account"),
)
"""Accounts that need no refresh, so that nothing but the question goes upstream."""


def entries(accounts: tuple[EmulatedAccount, ...]) -> str:
    """KIRO_AUTH_TOKEN for these accounts."""
    return msgspec.json.encode(
        [
            {
                "auth": account.method,
                "name": account.name,
                "apiKey": account.api_key,
                "refreshToken": account.refresh_token,
                "clientId": account.client_id,
                "clientSecret": account.client_secret,
            }
            for account in accounts
        ]
    ).decode()


class CountingEmulator(Emulator):
    """Counts the frames that were handed to the network."""

    frames = 0

    def _noted(self, call: Call, steps: Any) -> Iterator[Any]:
        for step in super()._noted(call, steps):
            self.frames += isinstance(step, bytes)
            yield step


class UpstreamChannel(HTTPChannel):
    """A connection to the emulator that its site knows, and may be told to break."""

    site: "UpstreamSite"
    transport: Any

    def connectionMade(self) -> None:
        self.asked: list[bytes] = []
        self.open = True
        self.site.channels.append(self)
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:  # type: ignore[override]
        self.open = False
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """A kept connection may be closed at the very moment when it is used again."""
        if data.startswith((b"POST ", b"GET ")):
            self.asked.append(data.split(b" ", 2)[1].split(b"?")[0])
            if self.site.grows_stale and len(self.asked) > 1:
                self.transport.loseConnection()
                return
        super().dataReceived(data)


class UpstreamSite(Site):
    """The emulator's site; knows its connections."""

    noisy = False

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(emulator.resource(), reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: list[UpstreamChannel] = []
        self.grows_stale = False

    def buildProtocol(self, addr: Any) -> UpstreamChannel:  # type: ignore[override]
        channel: Any = UpstreamChannel()
        channel.site = self
        channel.factory = self
        channel.requestFactory = self.requestFactory
        channel.timeOut = self.timeOut
        channel.callLater = reactor.callLater
        return channel  # type: ignore[no-any-return]

    def log(self, request: Any) -> None:
        """Not needed."""

    def carrying(self, path: str = GENERATE) -> list[UpstreamChannel]:
        """The connections on which this was asked."""
        return [channel for channel in self.channels if path.encode() in channel.asked]


class LiveCase(ReactorCase):
    """Starts both on demand and stops both at the end.

    Subclasses that are about the connections to the upstream run once per HTTP client.
    """

    client_kind: AgentKind = "own"

    emulator: CountingEmulator
    upstream: UpstreamSite
    upstream_port: int
    gateway: Gateway

    def setUp(self) -> None:
        """A folder, and nobody there yet."""
        super().setUp()
        self.callers: list[Caller] = []
        self.folder = tempfile.mkdtemp(prefix="kiro2api-live-")
        self.addCleanup(shutil.rmtree, self.folder)

    # ── starting ─────────────────────────────────────────────────────────────

    async def start(
        self, accounts: tuple[EmulatedAccount, ...] = KEYED[:1], **changes: Any
    ) -> None:
        """The emulator and the gateway with these accounts, and ``changes`` of its settings."""
        self.start_upstream(accounts)
        await self.start_gateway(accounts, **changes)

    def start_upstream(
        self, accounts: tuple[EmulatedAccount, ...], tls: IOpenSSLContextFactory | None = None
    ) -> None:
        """The emulator alone."""
        self.emulator = CountingEmulator(reactor, accounts)
        self.upstream = UpstreamSite(self.emulator)
        if tls is None:
            port = reactor.listenTCP(0, self.upstream, interface="127.0.0.1")
        else:
            port = reactor.listenSSL(0, self.upstream, tls, interface="127.0.0.1")
        self.upstream_port = port.getHost().port
        self._scheme = "http" if tls is None else "https"
        self.addCleanup(self._stop_upstream, port)

    async def start_gateway(self, accounts: tuple[EmulatedAccount, ...], **changes: Any) -> None:
        """The gateway alone."""
        base = f"{self._scheme}://127.0.0.1:{self.upstream_port}"
        text = entries(accounts)
        settings = load(
            {"listen": "tcp:0:interface=127.0.0.1", "db_path": ":memory:"},
            {
                "KIRO_CLIENT_TOKEN": KEY,
                "KIRO_UPSTREAM_URL": base,
                "KIRO_SOCIAL_AUTH_URL": base,
                "KIRO_OIDC_URL": base,
                "KIRO_UPSTREAM_CLIENT": self.client_kind,
            },
        )
        # Not through the settings' own bounds: tests cannot wait that long.
        settings = dataclasses.replace(
            settings, **{"drain_seconds": 1.0, "auth_token": Secret(text), **changes}
        )
        self.gateway = Gateway(settings, reactor, parse_accounts(text))
        self.gateway.privilegedStartService()
        self.gateway.startService()
        self.port = int(self.gateway.address().rpartition(":")[2])
        self.addCleanup(self._stop_gateway, self.gateway)

    async def call(self) -> Caller:
        """A new client."""
        caller = await connect(reactor, self.port)
        self.callers.append(caller)
        return caller

    # ── waiting ──────────────────────────────────────────────────────────────

    def now(self) -> float:
        """Seconds, for measuring how long something took."""
        now: float = reactor.seconds()
        return now

    async def sleep(self, seconds: float) -> None:
        """Let things happen."""
        await deferLater(reactor, seconds)

    async def within(self, seconds: float, condition: Callable[[], object], what: str) -> None:
        """Wait for the condition; fail if it does not hold in time."""
        deadline = reactor.seconds() + seconds
        while not condition():
            if reactor.seconds() > deadline:
                self.fail(f"not within {seconds:g} s: {what}")
            await self.sleep(0.005)

    def generations(self) -> list[Call]:
        """The calls for an answer that reached the emulator."""
        return [call for call in self.emulator.calls if call.path == GENERATE]

    async def upstream_left(self) -> None:
        """The one answer under way must be given up within a second."""
        await self.within(
            1.0,
            lambda: self.generations() and self.generations()[-1].outcome == "aborted",
            "the upstream connection is closed",
        )
        self.assertFalse(any(channel.open for channel in self.upstream.carrying()))

    # ── stopping ─────────────────────────────────────────────────────────────

    def _stop_gateway(self, gateway: Gateway) -> Deferred[None]:
        for caller in self.callers:
            if not caller.closed:
                caller.vanish()
        if not gateway.running:
            return Deferred.fromCoroutine(self.sleep(0))
        return gateway.stopService()

    def _stop_upstream(self, port: Any) -> Deferred[None]:
        for channel in self.upstream.channels:
            if channel.open:
                channel.transport.abortConnection()
        stopped: Deferred[None] = maybeDeferred(port.stopListening)
        return stopped
