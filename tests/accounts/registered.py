"""A registry over a store in memory and a pool that obeys."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.sources import Configured, parse_accounts
from kiro2api.store.accounts import AccountRows
from kiro2api.store.audit import Audited, AuditRows
from kiro2api.store.changes import Change, ChangeRows
from kiro2api.store.groups import GroupRows
from kiro2api.store.operator import OperatorRows
from tests.fakes.inline import InlineDatabase, OperatedPool

NOBODY = Configured(accounts=(), credentials={})


class Process:
    """What one process has: rows, pool, registry."""

    def __init__(self, database: InlineDatabase, configured: Configured = NOBODY) -> None:
        self.rows = AccountRows(database.real, lambda: 100.0)
        groups = GroupRows(database.real, lambda: 100.0)
        self.keyring = Keyring({})
        self.pool = OperatedPool(self.keyring)
        store = OperatorRows(database.real, self.rows, groups, lambda: 100.0)
        self.registry = Registry(store, self.pool, self.keyring, lambda: 100.0)
        self.arrivals = Arrivals(self.registry)
        self.groups = GroupRegistry(self.registry)
        self.changes = ChangeRows(database.real)
        self.serial = 0
        self.configured = configured

    async def start(self) -> None:
        """Adopt and take over."""
        await self.registry.start(await self.rows.adopt(self.configured))
        self.serial = await self.changes.latest()

    async def follow(self) -> list[Change]:
        """Apply what has changed since."""
        self.serial, found = await self.changes.since(self.serial)
        await self.registry.follow(found)
        return found


class RegistryCase(SynchronousTestCase):
    """One process; others may join on the same store."""

    def setUp(self) -> None:
        self.database = InlineDatabase()
        self.addCleanup(self.database.close)
        self.process = self.join()
        self.registry, self.pool = self.process.registry, self.process.pool
        self.arrivals, self.groups = self.process.arrivals, self.process.groups

    def join(self, *entries: Mapping[str, Any]) -> Process:
        """Another process, with these configured entries."""
        import json

        configured = parse_accounts(json.dumps(entries)) if entries else NOBODY
        process = Process(self.database, configured)
        self.successResultOf(Deferred.fromCoroutine(process.start()))
        return process

    def follow(self, process: Process) -> list[Change]:
        """That process catches up."""
        return self.successResultOf(Deferred.fromCoroutine(process.follow()))

    def audit(self) -> list[Audited]:
        """Everything that was written down, the newest first."""
        return self.successResultOf(AuditRows(self.database.real).page(0, 1000))

    def social(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """An invented entry."""
        return {"auth": "Social", "refreshToken": f"aor-invented-{number}", **more}
