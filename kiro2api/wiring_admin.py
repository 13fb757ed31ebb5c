# -*- test-case-name: tests.test_service -*-
"""The operator's APIs, made and connected, by the segment of the path below ``/api``.

Nothing is started here. Must not know how requests of models are served.
"""

import os
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.web.resource import IResource

from kiro2api.metering import Meter
from kiro2api.metering_writer import RecordPruner, RecordWriter
from kiro2api.settings import Settings
from kiro2api.settings_live import LiveSettings
from kiro2api.store.audit import AuditRows
from kiro2api.store.captures import CaptureRows
from kiro2api.store.database import Database
from kiro2api.store.keys import KeyRows
from kiro2api.store.keys_restored import RestoredKeys
from kiro2api.store.preferences import PreferenceRows
from kiro2api.store.records import RecordRows
from kiro2api.store.records_sums import SumRows
from kiro2api.store.setting_rows import SettingRows
from kiro2api.store.spending import SpendingRows
from kiro2api.wiring_accounts import AccountWiring


class AdminWiring:
    """What an operator sees and changes.

    :param client: asks the upstream about accounts.
    :param worker: this process's number, 0 where it serves alone.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        database: Database,
        accounts: AccountWiring,
        gate: Any,
        sessions: Any,
        live_settings: LiveSettings,
        serving: Any,
        exchanges: Any,
        operator: Any,
        meter: Meter,
        client: Any,
        *,
        default_group: str,
        new_id: Callable[[], str],
        worker: int,
    ) -> None:
        # Klein imports the global reactor, so it may only be imported once one was chosen.
        from kiro2api.web.admin.audit import AuditApi
        from kiro2api.web.admin.backup import BackupApi, Stores
        from kiro2api.web.admin.captures import Captures, CapturesApi
        from kiro2api.web.admin.events import Broadcast, EventsApi
        from kiro2api.web.admin.groups import GroupsApi
        from kiro2api.web.admin.jobs import Jobs, JobsApi
        from kiro2api.web.admin.keys import KeysApi
        from kiro2api.web.admin.live import Live, LiveApi
        from kiro2api.web.admin.logins import LoginsApi
        from kiro2api.web.admin.openapi import OpenApi
        from kiro2api.web.admin.records import RecordsApi
        from kiro2api.web.admin.sessions import SessionApi
        from kiro2api.web.admin.settings import SettingsApi, StoredSettings
        from kiro2api.web.admin.stats import StatsApi
        from kiro2api.web.admin.stats_numbers import Numbers
        from kiro2api.web.admin.tokens import TokensApi
        from kiro2api.web.admin.tokens_checks import Checks
        from kiro2api.web.admin.tokens_recent import Recent
        from kiro2api.web.gate_ledger import KeyLedger
        from kiro2api.web.metrics import Metrics, MetricsApi, Process
        from kiro2api.web.metrics_lag import LagGauge
        from kiro2api.web.peers import Peers

        def aside(blocking: Callable[[], Any]) -> Deferred[Any]:
            return deferToThreadPool(reactor, reactor.getThreadPool(), blocking)

        registry = accounts.registry
        key_rows = KeyRows(database)
        self.keys = KeyLedger(
            gate,
            key_rows,
            SpendingRows(database),
            reactor,
            single=not settings.admin_token,
            idle=bool(settings.client_token),
        )
        accounts.groups.keys_changed = self._reload_keys
        self.settings = StoredSettings(live_settings, SettingRows(database))
        # ── records and what is made of them ─────────────────────────────────
        records, sums = RecordRows(database), SumRows(database)
        self.writer = RecordWriter(records, reactor)
        meter.listeners.append(self.writer.take)
        self.pruner = RecordPruner(
            records,
            reactor,
            days=settings.records_days,
            megabytes=settings.records_max_megabytes,
        )
        numbers = Numbers(sums, operator.overview, reactor)
        self.peers = Peers()
        live = Live(
            lambda: serving.active,
            reactor,
            self.peers,
            default_group=default_group,
            worker=worker,
        )
        self.broadcast = Broadcast(gate, live, numbers, records, reactor, settle=sessions.settle)
        capture_rows = CaptureRows(database)
        captures = Captures(capture_rows, reactor)
        serving.failed = captures.failed
        self.lag = LagGauge(reactor)
        self.metrics = Metrics(
            numbers,
            Process(
                started=reactor.seconds(),
                worker=worker,
                dropped_records=lambda: self.writer.dropped,
                waiting_records=lambda: self.writer.waiting,
                counts=lambda: msgspec.structs.asdict(exchanges.counts),
                refreshes=lambda: accounts.renewal.counts,
            ),
            self.lag,
        )
        # ── accounts ─────────────────────────────────────────────────────────
        recent = Recent(operator.overview, reactor)
        registry.watchers.append(recent.forget)
        self.jobs = Jobs(new_id)
        checks = Checks(registry, accounts.pool.renewals, client, accounts.quotas, reactor)
        tokens = TokensApi(gate, registry, accounts.arrivals, checks, self.jobs, recent, reactor)
        stores = Stores(
            key_rows, RestoredKeys(database), PreferenceRows(database).load, self.settings
        )
        backup = BackupApi(
            gate,
            registry,
            accounts.arrivals,
            accounts.groups,
            stores,
            aside=aside,
            entropy=os.urandom,
            clock=reactor,
        )
        requests, stats = RecordsApi(gate, records), StatsApi(gate, numbers)
        apis: dict[str, Any] = {
            "tokens": tokens,
            "groups": GroupsApi(gate, accounts.groups, registry.roll, recent),
            "jobs": JobsApi(gate, self.jobs, self.peers),
            "logins": LoginsApi(gate, accounts.logins, registry),
            "audit": AuditApi(gate, AuditRows(database)),
            "export": backup,
            "import": backup,
            "keys": KeysApi(
                gate, self.keys, key_rows, groups=lambda: registry.roll.policies.keys()
            ),
            "settings": SettingsApi(gate, self.settings),
            "session": SessionApi(gate, sessions, secure=settings.listen.startswith("ssl:")),
            "openapi.json": OpenApi(gate),
            "requests": requests,
            "requests.csv": requests,
            "stats": stats,
            "usage": stats,
            "live": LiveApi(gate, live),
            "events": EventsApi(gate, self.broadcast),
            "captures": CapturesApi(gate, capture_rows, captures, reactor),
            "metrics": MetricsApi(self.metrics, gate),
        }
        self.areas: dict[str, IResource] = {
            segment: api.app.resource() for segment, api in apis.items()
        }
        self.open_metrics: IResource = MetricsApi(self.metrics, None).app.resource()

    def _reload_keys(self) -> None:
        loading = Deferred.fromCoroutine(self.keys.load())
        loading.addErrback(lambda f: self.log.failure("keys are not read again", f))

    def start(self) -> None:
        """Begin what goes on in the background."""
        self.keys.startService()
        self.pruner.start()
        self.lag.start()

    async def stop(self) -> None:
        """End it; what is not written yet is."""
        await self.jobs.stop()
        self.lag.stop()
        self.pruner.stop()
        await self.writer.stop()
        await self.keys.stopService()
