# -*- test-case-name: tests.test_service -*-
"""Every object of one service, made from the settings and connected; nothing is started here.

The only place that knows every room. Must not know ports, signals or how a service is run.
"""

import random
from typing import Any, cast

from twisted.web.resource import Resource

from kiro2api import __version__
from kiro2api.accounts.account import DEFAULT_GROUP, Account
from kiro2api.accounts.keeper import KeeperService
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.sources import Configured
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from kiro2api.errors import NotFound
from kiro2api.ids import Ids
from kiro2api.kiro.models import BUILT_IN, Catalogue, Model
from kiro2api.media.fetch import Fetcher, PinnedAgents, resolver
from kiro2api.media.limits import Limits
from kiro2api.media.room import Media
from kiro2api.metering import Meter
from kiro2api.settings import Settings
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database
from kiro2api.store.keys import digest_of
from kiro2api.store.leases import LeaseRows, this_process
from kiro2api.upstream.agent import AgentKind, UpstreamAgent, make_agent, make_http
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.client import Timeouts as UpstreamTimeouts
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.offers import OfferedModels

USER_AGENT = f"kiro2api/{__version__}"

_DATA_IDLE = 1024
_CONTROL_IDLE = 8


def catalogue_of(settings: Settings) -> Catalogue:
    """The built-in models and those that the operator added."""
    added = tuple(
        Model(
            name=name,
            public=extra.public or (name,),
            candidates=extra.candidates or (name,),
            window=extra.window,
            max_output=extra.max_output,
            images=extra.images,
            display=extra.display or name,
        )
        for name, extra in settings.models.items()
    )
    return Catalogue(
        (*added, *BUILT_IN), aliases=settings.aliases, fallback=settings.fallback_model or ""
    )


class Wiring:
    """The service's objects; the attributes are what has to be started, stopped or shown.

    :param database: opened by whoever starts the service.
    """

    def __init__(
        self, settings: Settings, reactor: Any, configured: Configured, database: Database
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._configured = configured
        self._database = database
        self.ids = Ids()
        self._hosts = Hosts(
            upstream=settings.upstream_url or "",
            social=settings.social_auth_url or "",
            oidc=settings.oidc_url or "",
        )
        data_agent = self._agent(cast(AgentKind, settings.upstream_client), _DATA_IDLE)
        control_agent = self._agent("twisted", _CONTROL_IDLE)
        self.agents = (data_agent, control_agent)
        http = make_http(control_agent)
        self.pool = self._pool(http)
        ahead = settings.refresh_ahead_seconds
        self.keeper = KeeperService(self.pool, reactor, ahead=ahead, spread=ahead / 2)
        client = KiroClient(
            data_agent,
            http,
            self._hosts,
            reactor,
            version=__version__,
            entropy=self.ids.uuid,
            timeouts=UpstreamTimeouts(answer=settings.headers_timeout_seconds),
            fresh=data_agent.fresh,
        )
        self.offers = OfferedModels(client, reactor)
        self.media = self._media()
        self.meter = Meter()
        self._build_web(client)

    def members(self, group: str) -> list[Account]:
        """The accounts of a group; raises NotFound for an unknown one."""
        if group not in self.pool.groups():
            raise NotFound(f"there is no group {group!r}")
        return [account for account in self._configured.accounts if account.group == group]

    def _agent(self, kind: AgentKind, max_idle: int) -> UpstreamAgent:
        settings = self._settings
        return make_agent(
            self._reactor,
            kind=kind,
            connect_timeout=settings.connect_timeout_seconds,
            max_idle=max_idle,
            proxy=settings.proxy.reveal() if settings.proxy else "",
        )

    # treq's client has more parameters than are used here, and names none of them.
    def _pool(self, http: Any) -> AccountPool:
        reactor, hosts = self._reactor, self._hosts
        keyring = Keyring(self._configured.credentials)
        ledger = Ledger(
            self._configured.accounts,
            self._configured.disabled,
            self._settings.cooldown_seconds,
        )
        rows = AccountRows(self._database)
        social = SocialTokenSource(
            http, reactor, url=f"{hosts.social_auth()}/refreshToken", user_agent=USER_AGENT
        )
        idc = IdcTokenSource(
            http,
            reactor,
            url=lambda region: f"{hosts.oidc_of(region)}/token",
            user_agent=USER_AGENT,
        )
        # Even a process that serves alone may meet another: its predecessor, still draining.
        leases = LeaseRows(self._database, this_process())
        renewal = RefreshOnce({"social": social, "idc": idc}, rows, keyring, reactor, leases)
        return AccountPool(ledger, keyring, rows, renewal, reactor, jitter=random.random)

    def _media(self) -> Media:
        settings, reactor = self._settings, self._reactor
        fetcher = None
        if settings.fetch_urls:
            agents = PinnedAgents(reactor)
            fetcher = Fetcher(resolver(reactor), agents.towards, reactor, USER_AGENT)
        limits = Limits(side=settings.image_max_side, image_bytes=settings.image_max_bytes)
        return Media(reactor, limits=limits, fetcher=fetcher)

    def _build_web(self, client: KiroClient) -> None:
        # Klein imports the global reactor, so it may only be imported once one was chosen.
        from kiro2api.exchange import Exchanges
        from kiro2api.explain import Explainer
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
        from kiro2api.web.site import ApiSite

        settings, reactor = self._settings, self._reactor
        catalogue = catalogue_of(settings)
        self.gate = Gate(digest_of, settings.max_concurrent)
        self.gate.configure(settings.client_token, settings.admin_token)
        exchanges = Exchanges(
            self.pool,
            client,
            catalogue,
            self.offers,
            reactor,
            attempts=settings.attempts,
            first_event_seconds=settings.first_event_timeout_seconds,
            tool_description_limit=settings.max_tool_description_length,
            new_id=self.ids.uuid,
            replay_thinking=settings.replay_thinking,
            enforce_max_tokens=settings.enforce_max_tokens,
        )
        serving = Serving(
            self.gate,
            exchanges,
            self.meter,
            reactor,
            timeouts=Timeouts(
                ping=settings.ping_seconds,
                silence=settings.upstream_silence_seconds,
                stall=settings.client_stall_seconds,
            ),
            default_group=DEFAULT_GROUP,
            new_id=self.ids.hex,
            media=self.media,
        )
        shelf = ModelShelf(catalogue, self.members, self.offers, DEFAULT_GROUP)
        models = ModelApi(self.gate, serving, shelf)
        responses = ResponsesApi(self.gate, serving, ResponsesInMemory(reactor.seconds))
        self.operator = OperatorApi(
            self.gate,
            self.pool,
            reactor,
            started=reactor.seconds(),
            store_alive=lambda: self._database.alive,
            requests_active=lambda: len(serving.active),
            explainer=Explainer(
                catalogue,
                self.members,
                self.offers,
                default_group=DEFAULT_GROUP,
                tool_description_limit=settings.max_tool_description_length,
                new_id=self.ids.uuid,
                replay_thinking=settings.replay_thinking,
            ),
        )
        root: Resource = Root(
            models.app.resource(),
            responses.app.resource(),
            self.operator.app.resource(),
            files=ConsoleFiles(),
        )
        self.site = ApiSite(
            root,
            clock=reactor,
            max_body_bytes=settings.max_body_bytes,
            refusal=rendered,
            new_id=self.ids.hex,
        )
