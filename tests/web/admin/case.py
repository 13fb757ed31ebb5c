"""The operator's routes of accounts, groups, logins, backups and jobs, over a store in memory."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.quota import Quota
from kiro2api.errors import KiroError
from kiro2api.redaction import Secret
from kiro2api.store.audit import AuditRows
from kiro2api.store.keys import KeyRows, StoredKey
from kiro2api.store.keys_restored import RestoredKeys
from kiro2api.store.preferences import PreferenceRows
from kiro2api.web.admin.audit import AuditApi
from kiro2api.web.admin.backup import BackupApi, Stores
from kiro2api.web.admin.groups import GroupsApi
from kiro2api.web.admin.jobs import Jobs, JobsApi
from kiro2api.web.admin.tokens import TokensApi
from kiro2api.web.admin.tokens_checks import Checks
from kiro2api.web.admin.tokens_recent import Recent
from kiro2api.web.gate import Gate
from kiro2api.web.overview import Overview
from kiro2api.web.peers import Peers
from kiro2api.web.reply import rendered
from kiro2api.web.site import ApiRequest, ApiSite
from tests.accounts.registered import Process
from tests.fakes.inline import InlineDatabase
from tests.web.case import Reply, WebCase

T = TypeVar("T")


@implementer(IResource)
class Segments(Resource):
    """Klein resources by the second segment of the path."""

    isLeaf = True

    def __init__(self, apis: Mapping[str, IResource]) -> None:
        super().__init__()
        self._apis = apis

    def render(self, request: ApiRequest) -> Any:
        """Whoever has the path."""
        return self._apis[request.location.path.split("/")[2]].render(request)


class Outside:
    """The upstream, as far as accounts are tried out with it."""

    def __init__(self) -> None:
        self.renewed: list[str] = []
        self.asked: list[str] = []
        self.fault: KiroError | None = None
        self.waiting: Deferred[Any] | None = None
        self.seconds: Callable[[], object] = lambda: None
        self.keyring: Any = None
        self.quota = Quota(used=2.0, limit=10.0, left=8.0, reset_at=2_000_000.0, subscription="PRO")
        self.known: Callable[[str, Quota], object] = lambda fingerprint, quota: None

    def keep_fresh(self, account: Account) -> Deferred[Any]:
        """Renew."""
        self.renewed.append(account.name)
        if self.fault is None and self.waiting is None:
            self.keyring.put(
                account.fingerprint, Credentials(Secret("new"), Secret("r"), expires_at=1e10)
            )
        return self._answer(None)

    def models(self, account: Account, credentials: Credentials) -> Deferred[Any]:
        """Two models."""
        self.asked.append(f"{account.name}:{credentials.access_token.reveal()}")
        return self._answer(("a", "b"))

    def check(self, fingerprint: str) -> Deferred[Any]:
        """Read the credits."""
        self.asked.append(fingerprint)
        if self.fault is None:
            self.known(fingerprint, self.quota)
        return self._answer(self.quota)

    def _answer(self, value: object) -> Deferred[Any]:
        self.seconds()
        if self.waiting is not None:
            return self.waiting
        return succeed(value) if self.fault is None else fail(self.fault)


class SettingsStub:
    """Takes what it knows."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    async def change(self, actor: str, values: Mapping[str, object]) -> None:
        """Refuse what begins with x."""
        for name in values:
            if name.startswith("x"):
                raise KiroError(f"there is no setting {name}")
        self.values.update(values)


class AdminCase(WebCase):
    """``self.process`` has the registry; ``self.call`` asks as the administrator."""

    def setUp(self) -> None:
        super().setUp()
        self.database = InlineDatabase()
        self.addCleanup(self.database.close)
        self.process = Process(self.database)
        self.successResultOf(Deferred.fromCoroutine(self.process.start()))
        self.registry = self.process.registry
        self.lending = self.process.pool
        self.outside = Outside()
        self.outside.keyring = self.process.keyring
        self.outside.known = lambda one, quota: self.registry.learnt(one, quota, 90.0)
        self.settings = SettingsStub()
        self.view: Overview | None = None
        self.gate = Gate(lambda key: key.encode(), now=self.clock.seconds)
        self.gate.configure([Secret("key")], Secret("root"))
        self.jobs = Jobs(self.new_id, abreast=2, most=3)
        self.peers = Peers()
        self.apis = self.make_apis()
        self.site = ApiSite(
            Segments(self.apis),
            clock=self.clock,
            max_body_bytes=10_000_000,
            refusal=rendered,
            new_id=self.new_id,
        )

    def make_apis(self) -> dict[str, IResource]:
        """What answers, by segment."""
        gate, process = self.gate, self.process
        outside: Any = self.outside
        checks = Checks(self.registry, outside, outside, outside, self.clock)
        recent = Recent(self.overview, self.clock, 0.0)
        self.registry.watchers.append(recent.forget)
        tokens = TokensApi(
            gate,
            self.registry,
            process.arrivals,
            checks,
            self.jobs,
            recent,
            self.clock,
        )
        groups = GroupsApi(gate, process.groups, self.registry.roll, recent)
        real = self.database.real
        backup = BackupApi(
            gate,
            self.registry,
            process.arrivals,
            process.groups,
            Stores(
                KeyRows(real, self.clock.seconds),
                RestoredKeys(real, self.clock.seconds),
                PreferenceRows(real, self.clock.seconds).load,
                self.settings,
            ),
            aside=at_once,
            entropy=os.urandom,
            clock=self.clock,
        )
        jobs, audit = (
            JobsApi(gate, self.jobs, self.peers),
            AuditApi(gate, AuditRows(real)),
        )
        return {
            "tokens": tokens.app.resource(),
            "groups": groups.app.resource(),
            "jobs": jobs.app.resource(),
            "audit": audit.app.resource(),
            "export": backup.app.resource(),
            "import": backup.app.resource(),
        }

    async def overview(self) -> Overview:
        """What all processes know; that of this one, unless a test says otherwise."""
        if self.view is not None:
            return self.view
        return Overview(self.lending.snapshot(self.clock.seconds()), 0, 0.0)

    def call(self, method: str, path: str, body: object = None, *, key: str = "root") -> Reply:
        """Ask as the administrator."""
        return self.ask(path, body, key=key, method=method)

    def good(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """What a request that must succeed answers."""
        reply = self.call(method, path, body)
        self.assertEqual(reply.status, status, reply.raw)
        return reply.json if reply.raw else None

    def bad(self, method: str, path: str, body: object = None, status: int = 400) -> Any:
        """The error of a request that must fail."""
        reply = self.call(method, path, body)
        self.assertEqual(reply.status, status, reply.raw)
        return reply.json["error"]

    def add(self, number: int = 1, **more: Any) -> Any:
        """One more account; its item."""
        entry = {"auth": "Social", "refreshToken": f"aor-invented-{number}", **more}
        return self.good("POST", "/api/tokens", entry, 201)

    def fingerprint(self, account_id: str) -> str:
        """The whole of it."""
        return self.registry.find(account_id).account.fingerprint

    def limited(self, *groups: str) -> str:
        """An administrator's key for some groups only."""
        text = "invented-limited-key"
        key = StoredKey(7, "limited", text.encode(), "admin", 0.0, groups=groups)
        self.gate.admit(key, "admin")
        return text

    def actions(self) -> list[tuple[str, str]]:
        """Actor and action of every line in the audit, the newest first."""
        lines = self.successResultOf(AuditRows(self.database.real).page(0, 100))
        return [(line.actor, line.action) for line in lines]


def at_once(work: Callable[[], T]) -> Deferred[T]:
    """In this thread."""
    try:
        return succeed(work())
    except Exception as error:  # noqa: BLE001
        return fail(error)
