"""Keys, sessions and settings of the web room over a real store in memory."""

from typing import Any

import msgspec
from klein import Klein
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from kiro2api.redaction import Secret
from kiro2api.settings import load
from kiro2api.settings_live import LiveSettings
from kiro2api.store.audit import AuditRows
from kiro2api.store.database import Database
from kiro2api.store.keys import KeyRows, digest_of
from kiro2api.store.sessions import SessionRows
from kiro2api.store.setting_rows import SettingRows
from kiro2api.store.spending import SpendingRows
from kiro2api.web.admin.keys import KeysApi
from kiro2api.web.admin.sessions import SessionApi
from kiro2api.web.admin.settings import SettingsApi, StoredSettings
from kiro2api.web.gate import Gate
from kiro2api.web.gate_ledger import KeyLedger
from kiro2api.web.reply import install_error_pages, rendered, send_value
from kiro2api.web.sessions import Sessions
from kiro2api.web.sessions_door import SessionDoor
from kiro2api.web.site import ApiRequest, ApiSite
from tests.store.pumped import PumpedReactor
from tests.web.case import Reply, Wire

ROOT = "root-key-of-an-operator"
CLIENT = "a-client-key"
NOON = 20_000 * 86_400.0 + 43_200.0
"""2024-10-04T12:00:00Z."""


class WhoApi:
    """A route of the model APIs and one of the operator's that say who called."""

    app = Klein()
    install_error_pages(app)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @app.route("/v1/models", methods=["GET"])
    @app.route("/api/who", methods=["GET", "POST", "HEAD"])
    def who(self, request: ApiRequest) -> bytes:
        """The caller's name and role."""
        caller = self._gate.identify(request)
        return send_value(request, {"name": caller.name, "role": caller.role})


@implementer(IResource)
class ByPath(Resource):
    """Resources by the beginning of a path."""

    isLeaf = True

    def __init__(self, resources: dict[str, IResource]) -> None:
        super().__init__()
        self._resources = resources

    def render(self, request: Any) -> Any:
        """The first that fits."""
        path = request.location.path
        found = next(each for start, each in self._resources.items() if path.startswith(start))
        return found.render(request)


class KeyedCase(SynchronousTestCase):
    """A site with keys, sessions and settings, and a store of their own."""

    clients: tuple[str, ...] = (CLIENT,)
    admin = ROOT
    environment: dict[str, str] = {}
    tls = False

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.database = Database(":memory:", self.reactor)
        self.result_of(self.database.start())
        self.addCleanup(lambda: self.result_of(self.database.stop()))
        self.clock = Clock()
        self.clock.advance(NOON)
        now = self.clock.seconds
        self.rows = self.make_rows()
        self.gate = Gate(digest_of, now=now)
        self.gate.configure(
            [Secret(key) for key in self.clients], Secret(self.admin) if self.admin else None
        )
        self.ledger = KeyLedger(
            self.gate,
            self.rows,
            SpendingRows(self.database),
            self.clock,
            single=not self.admin,
            idle=bool(self.clients),
            now=now,
        )
        self.numbers = iter(range(1, 100_000))
        self.sessions = Sessions(
            SessionRows(self.database),
            now,
            hours=lambda: 12.0,
            new_token=lambda: f"token-{next(self.numbers):020}",
        )
        self.gate.accept(self.sessions)
        self.live = LiveSettings(load({}, self.environment))
        self.settings = StoredSettings(self.live, SettingRows(self.database, now))
        keys = KeysApi(
            self.gate, self.ledger, self.rows, groups=lambda: ("default", "pro"), now=now
        )
        root = ByPath(
            {
                "/api/keys": keys.app.resource(),
                "/api/settings": SettingsApi(self.gate, self.settings).app.resource(),
                "/api/session": SessionApi(
                    self.gate, self.sessions, secure=self.tls
                ).app.resource(),
                "/": WhoApi(self.gate).app.resource(),
            }
        )
        self.door = SessionDoor(root, self.sessions.settle)
        self.site = ApiSite(
            self.door,
            clock=self.clock,
            max_body_bytes=100_000,
            refusal=rendered,
            new_id=lambda: f"{next(self.numbers):08x}",
        )

    def make_rows(self) -> KeyRows:
        """The keys."""
        return KeyRows(self.database, self.clock.seconds)

    def result_of(self, deferred: Any) -> Any:
        """What comes of it, once the store has worked."""
        return self.reactor.result_of(deferred)

    def start(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = ROOT,
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> Wire:
        """Send a request and leave the answer to come."""
        channel = self.site.buildProtocol(IPv4Address("TCP", address, 1))
        wire = Wire(peerAddress=IPv4Address("TCP", address, 1))
        channel.makeConnection(wire)
        data = (
            b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        )
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway:8080"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"Content-Length: {len(data)}")
        channel.dataReceived("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return wire

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Reply:
        """Send a request and wait for its answer."""
        wire = self.start(method, path, body, **more)
        while not wire.value():
            self.reactor.pump()
        return Reply(wire.value())

    def make_key(self, **terms: Any) -> dict[str, Any]:
        """A key made through the API; with ``key``."""
        reply = self.ask("POST", "/api/keys", {"name": "laptop", **terms})
        self.assertEqual(reply.status, 201, reply.raw)
        made: dict[str, Any] = reply.json
        return made

    def audited(self) -> list[tuple[str, str, str]]:
        """Who did what to what, newest first."""
        rows = self.result_of(AuditRows(self.database).page(0, 100))
        return [(row.actor, row.action, row.subject) for row in rows]
