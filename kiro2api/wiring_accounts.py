# -*- test-case-name: tests.test_service -*-
"""Everything about accounts, made and connected: where they are kept, who lends them, what is
known of them, and how new ones come in.

Nothing is started here. Must not know HTTP towards clients or operators.
"""

import os
import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.bearers import Bearers
from kiro2api.accounts.foreignsource import ForeignTokenSource
from kiro2api.accounts.keeper import KeeperService
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Change, Ledger
from kiro2api.accounts.logins import Logins
from kiro2api.accounts.penalties import State
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.profiles import Profiles
from kiro2api.accounts.quota import Quota
from kiro2api.accounts.quotawatch import QuotaWatch
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.registry_roll import id_of
from kiro2api.accounts.sources import Configured
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from kiro2api.settings import Settings
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from kiro2api.store.groups import GroupRows
from kiro2api.store.leases import LeaseRows, this_process
from kiro2api.store.operator import OperatorRows
from kiro2api.store.sealing import make_seal, secret_keys
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.hosts import PROFILE_REGIONS, Hosts


class AccountWiring:
    """The account side of one service.

    :param http: treq's client for the login services.
    """

    # treq's client has more parameters than are used here, and names none of them.
    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        configured: Configured,
        database: Database,
        http: Any,
        hosts: Hosts,
        client: KiroClient,
        user_agent: str,
        new_id: Callable[[], str],
    ) -> None:
        # Klein imports the global reactor, so it may only be imported once one was chosen.
        from kiro2api.web.admin.logins import Taker

        self._configured = configured
        seal = make_seal(secret_keys(settings.secret_key, os.environ))
        self.rows = AccountRows(database, seal=seal)
        self.group_rows = GroupRows(database)
        self.keyring = Keyring({})
        # Even a process that serves alone may meet another: its predecessor, still draining.
        leases = LeaseRows(database, this_process())
        self.renewal = RefreshOnce(
            self._sources(reactor, http, hosts, user_agent),
            self.rows,
            self.keyring,
            reactor,
            leases,
        )
        self.ledger = Ledger(cooldown=settings.cooldown_seconds)
        self.pool = AccountPool(
            self.ledger,
            self.keyring,
            self.rows,
            self.renewal,
            reactor,
            jitter=random.random,
            queue_limit=settings.queue_limit,
            queue_seconds=settings.queue_seconds,
        )
        self.registry = Registry(
            OperatorRows(database, self.rows, self.group_rows),
            self.pool,
            self.keyring,
            reactor.seconds,
        )
        self.arrivals = Arrivals(self.registry)
        self.groups = GroupRegistry(self.registry)
        ahead = settings.refresh_ahead_seconds
        self.keeper = KeeperService(self.pool.renewals, reactor, ahead=ahead, spread=ahead / 2)
        self.bearers = Bearers(self.keyring, self.renewal, reactor)
        self._client = client
        self.quotas = QuotaWatch(
            self.pool,
            lambda account: self.bearers.asked(account, self._usage),
            self.rows,
            reactor,
            jitter=random.random,
            leases=leases,
            worth=self._enabled,
            every=settings.quota_check_seconds,
        )
        self.profiles = Profiles(client.profiles, PROFILE_REGIONS, self.rows, self.keyring, reactor)
        self.logins = Logins(
            http,
            reactor,
            oidc=hosts.oidc_of,
            social=hosts.social_auth(),
            found=lambda account, credentials: self.taker.found(account, credentials),
            new_id=new_id,
            completed=self.profiles.completed,
            user_agent=user_agent,
        )
        self.taker = Taker(self.arrivals, self._email)
        self.registry.read = self.quotas.heard
        self.quotas.on_known = self.registry.learnt
        self.pool.bulletin.turned = self._turned
        self.pool.renewals.mending = self.profiles.refused
        self.keyring.gone = self.profiles.forget
        self.renewal.completing = self.profiles.renewed

    def _sources(self, reactor: Any, http: Any, hosts: Hosts, user_agent: str) -> Any:
        social = SocialTokenSource(
            http, reactor, url=f"{hosts.social_auth()}/refreshToken", user_agent=user_agent
        )
        idc = IdcTokenSource(
            http,
            reactor,
            url=lambda region: f"{hosts.oidc_of(region)}/token",
            user_agent=user_agent,
        )
        sources: Any = {"social": social, "idc": idc}
        places = self._configured.places
        if not places:
            return sources

        def in_thread(blocking: Callable[[], Any]) -> Deferred[Any]:
            return deferToThreadPool(reactor, reactor.getThreadPool(), blocking)

        foreign = ForeignTokenSource(sources, places, reactor, in_thread)
        return dict.fromkeys(sources, foreign)

    async def start(self) -> None:
        """Take over what is stored; raises StoreError. Nothing may be lent before."""
        await self.rows.reseal()
        rows = await self.rows.adopt(self._configured)
        self.profiles.remember({name: row.profile_checked_at for name, row in rows.items()})
        await self.registry.start(rows)

    def members(self, group: str) -> list[Account]:
        """The accounts of a group; raises NotFound for an unknown one."""
        self.groups.policy(group)
        return [account for account in self.pool.accounts() if account.group == group]

    def _enabled(self, account: Account) -> bool:
        card = self.registry.roll.cards.get(account.fingerprint)
        return card is not None and card.enabled and (card.parked is None or card.parked.until > 0)

    async def _usage(self, account: Account, credentials: Credentials) -> Quota:
        await self.profiles.renewed(account)
        # Which may have a profile now, unless the account was removed meanwhile.
        current = self.keyring.find(account.fingerprint) or credentials
        return await self._client.usage(account, current)

    async def _email(self, account: Account, credentials: Credentials) -> str:
        quota = await self._client.usage(account, credentials)
        return quota.email

    def _turned(self, change: Change) -> None:
        if change.state is State.EXHAUSTED:
            self.quotas.soon(change.account.fingerprint)
        self.registry.changed(id_of(change.account.fingerprint))

    async def stop(self) -> None:
        """Nothing goes on afterwards; the store may be closed then."""
        await self.logins.stop()
        await self.keeper.stopService()
        await self.quotas.stopService()
        await self.profiles.stop()
        await self.pool.stop()
        await self.registry.order.ended()
