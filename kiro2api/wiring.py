# -*- test-case-name: tests.test_service -*-
"""Every object of one service, made from the settings and connected; nothing is started here.

The only place that knows every room. Must not know ports, signals or how a service is run.
"""

import secrets
from typing import Any, cast

from twisted.web.resource import IResource

from kiro2api import __version__
from kiro2api.accounts.account import DEFAULT_GROUP
from kiro2api.accounts.sources import Configured
from kiro2api.following import Following
from kiro2api.ids import Ids
from kiro2api.kiro.models import BUILT_IN, Catalogue, Model
from kiro2api.media.fetch import Fetcher, PinnedAgents, resolver
from kiro2api.media.limits import Limits
from kiro2api.media.room import Media
from kiro2api.metering import Meter
from kiro2api.settings import Settings
from kiro2api.settings_live import LiveSettings
from kiro2api.store.changes import ChangeRows
from kiro2api.store.database import Database
from kiro2api.store.keys import digest_of
from kiro2api.store.responses import ResponseRows
from kiro2api.store.sessions import SessionRows
from kiro2api.upstream.agent import AgentKind, UpstreamAgent, make_agent, make_http
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.client import Timeouts as UpstreamTimeouts
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.offers import OfferedModels
from kiro2api.wiring_accounts import AccountWiring
from kiro2api.wiring_live import subscribe

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
    :param worker: this process's number among ``workers``, 0 where it serves alone.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        configured: Configured,
        database: Database,
        *,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._database = database
        self.ids = Ids()
        hosts = Hosts(
            upstream=settings.upstream_url or "",
            social=settings.social_auth_url or "",
            oidc=settings.oidc_url or "",
        )
        data_agent = self._agent(cast(AgentKind, settings.upstream_client), _DATA_IDLE)
        control_agent = self._agent("twisted", _CONTROL_IDLE)
        self.agents = (data_agent, control_agent)
        http = make_http(control_agent)
        self._client = KiroClient(
            data_agent,
            http,
            hosts,
            reactor,
            version=__version__,
            entropy=self.ids.uuid,
            timeouts=UpstreamTimeouts(answer=settings.headers_timeout_seconds),
            fresh=data_agent.fresh,
        )
        self.accounts = AccountWiring(
            settings,
            reactor,
            configured,
            database,
            http,
            hosts,
            self._client,
            USER_AGENT,
            self.ids.hex,
        )
        self.pool = self.accounts.pool
        self.offers = OfferedModels(self._client, reactor)
        self.media = self._media()
        self.meter = Meter()
        self.live = LiveSettings(settings)
        self._build_web(worker, workers)
        self.following = Following(
            ChangeRows(database),
            (self.accounts.registry.follow, self.admin.keys.follow, self.admin.settings.follow),
            reactor,
        )

    def _agent(self, kind: AgentKind, max_idle: int) -> UpstreamAgent:
        settings = self._settings
        return make_agent(
            self._reactor,
            kind=kind,
            connect_timeout=settings.connect_timeout_seconds,
            max_idle=max_idle,
            proxy=settings.proxy.reveal() if settings.proxy else "",
        )

    def _media(self) -> Media:
        settings, reactor = self._settings, self._reactor
        fetcher = None
        if settings.fetch_urls:
            agents = PinnedAgents(reactor)
            fetcher = Fetcher(resolver(reactor), agents.towards, reactor, USER_AGENT)
        limits = Limits(side=settings.image_max_side, image_bytes=settings.image_max_bytes)
        return Media(reactor, limits=limits, fetcher=fetcher)

    def _build_web(self, worker: int, workers: int) -> None:
        # Klein imports the global reactor, so it may only be imported once one was chosen.
        from kiro2api.exchange import Exchanges
        from kiro2api.explain import Explainer
        from kiro2api.web.console.files import ConsoleFiles
        from kiro2api.web.gate import Gate
        from kiro2api.web.gate_models import CatalogueNaming
        from kiro2api.web.listing import ModelShelf
        from kiro2api.web.model_api import ModelApi
        from kiro2api.web.operator_api import OperatorApi
        from kiro2api.web.reply import rendered
        from kiro2api.web.responses_api import ResponsesApi
        from kiro2api.web.root import Root
        from kiro2api.web.serving import Serving, Timeouts
        from kiro2api.web.sessions import Sessions
        from kiro2api.web.sessions_door import SessionDoor
        from kiro2api.web.site import ApiSite
        from kiro2api.wiring_admin import AdminWiring

        settings, reactor, accounts = self._settings, self._reactor, self.accounts
        catalogue = catalogue_of(settings)
        self.gate = Gate(
            digest_of,
            settings.max_concurrent,
            now=reactor.seconds,
            workers=workers,
            naming=CatalogueNaming(catalogue),
        )
        self.gate.configure(settings.client_token, settings.admin_token)
        sessions = Sessions(
            SessionRows(self._database),
            reactor.seconds,
            hours=lambda: self.live.current.session_hours,
            new_token=lambda: secrets.token_urlsafe(32),
        )
        self.gate.accept(sessions)
        self.exchanges = exchanges = Exchanges(
            self.pool,
            self._client,
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
        self.serving = serving = Serving(
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
        shelf = ModelShelf(catalogue, accounts.members, self.offers, DEFAULT_GROUP)
        models = ModelApi(self.gate, serving, shelf)
        self.held = ResponseRows(self._database, reactor)
        responses = ResponsesApi(self.gate, serving, self.held)
        self.operator = OperatorApi(
            self.gate,
            self.pool,
            reactor,
            started=reactor.seconds(),
            store_alive=lambda: self._database.alive,
            requests_active=lambda: len(serving.active),
            explainer=Explainer(
                catalogue,
                accounts.members,
                self.offers,
                default_group=DEFAULT_GROUP,
                tool_description_limit=settings.max_tool_description_length,
                new_id=self.ids.uuid,
                replay_thinking=settings.replay_thinking,
                enforce_max_tokens=settings.enforce_max_tokens,
            ),
            model_names=lambda: [entry.id for entry in shelf.entries(DEFAULT_GROUP)],
        )
        self.admin = AdminWiring(
            settings,
            reactor,
            self._database,
            accounts,
            self.gate,
            sessions,
            self.live,
            serving,
            exchanges,
            self.operator,
            self.meter,
            self._client,
            default_group=DEFAULT_GROUP,
            new_id=self.ids.hex,
            worker=worker,
        )
        subscribe(self.live, accounts, self.gate, exchanges, serving, self.admin.pruner)
        root = Root(
            models.app.resource(),
            responses.app.resource(),
            self.operator.app.resource(),
            self.admin.areas,
            ConsoleFiles(),
        )

        def site(resource: IResource) -> ApiSite:
            return ApiSite(
                resource,
                clock=reactor,
                max_body_bytes=settings.max_body_bytes,
                refusal=rendered,
                new_id=self.ids.hex,
            )

        self.site = site(SessionDoor(root, sessions.settle))
        self.metrics_site = site(self.admin.open_metrics)
