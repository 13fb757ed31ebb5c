# -*- test-case-name: tests.test_service -*-
"""The service: everything wired together, started in order, stopped in order.

The only place, beside the plugin's, that knows every room. MultiService is not used for the parts,
because it starts and stops its children all at once.
"""

import dataclasses
import os
import random
import uuid
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.web.resource import Resource

from kiro2api import __version__
from kiro2api.accounts.account import DEFAULT_GROUP, Account
from kiro2api.accounts.keeper import KeeperService
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.accounts.sources import Configured, SourceError, read_accounts
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource
from kiro2api.errors import NotFound
from kiro2api.kiro.models import BUILT_IN, Catalogue, Model
from kiro2api.metering import Meter
from kiro2api.settings import Settings, loopback_only, redacted
from kiro2api.starting import StartFailed, StartingReactor
from kiro2api.store.accounts import AccountRows
from kiro2api.store.database import Database, StoreError
from kiro2api.store.keys import KeyRows, StoredKey, digest_of, new_key
from kiro2api.upstream.agent import AgentKind, make_agent, make_http
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.client import Timeouts as UpstreamTimeouts
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.offers import OfferedModels

START_SECONDS = 60.0
USER_AGENT = f"kiro2api/{__version__}"
NO_ACCOUNTS = Configured(accounts=(), credentials={})


def configured_accounts(settings: Settings) -> Configured:
    """The accounts of KIRO_AUTH_TOKEN; raises StartFailed in one line."""
    if not settings.auth_token:
        return NO_ACCOUNTS
    try:
        return read_accounts(settings.auth_token.reveal())
    except SourceError as error:
        raise StartFailed(str(error)) from None


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


class Gateway(Service):
    """The running service.

    :param reactor: never imported here.
    :param configured: the operator's accounts.
    """

    log = Logger()

    def __init__(self, settings: Settings, reactor: Any, configured: Configured) -> None:
        self.settings = settings
        self.configured = configured
        self._reactor = reactor
        self._port: IListeningPort | None = None

    # ── start ────────────────────────────────────────────────────────────────

    def privilegedStartService(self) -> None:
        """Everything that can fail: the store, the accounts in it, the port.

        Raises StartFailed, which ends the start; nothing is left open then.
        """
        super().privilegedStartService()
        starting = StartingReactor(self._reactor)
        database = self.database = Database(self.settings.db_path, starting)
        try:
            starting.wait_for(database.start(), START_SECONDS)
            self._build(database)
            starting.wait_for(self.pool.start(), START_SECONDS)
            keys = starting.wait_for(KeyRows(database).digests(), START_SECONDS)
            self._admit(keys)
            self._listen()
        except (StoreError, StartFailed) as error:
            starting.wait_for(database.stop(), START_SECONDS)
            message = str(error)
            self.log.critical("cannot start: {message}", message=message)
            raise StartFailed(message) from None
        starting.hand_over()

    def startService(self) -> None:
        """Begin the work that goes on in the background."""
        super().startService()
        settings = self.settings
        self.log.info(
            "kiro2api {version} listens on {listen}", version=__version__, listen=settings.listen
        )
        self.log.info("database: {path}", path=settings.db_path)
        shown = redacted(settings)
        self.log.debug(
            "settings: {settings}", settings=" ".join(f"{k}={v}" for k, v in shown.items())
        )
        for note in (*settings.notes, *self.configured.warnings):
            self.log.warn("{note}", note=note)
        if not self.configured.accounts:
            self.log.warn("no accounts are configured: set KIRO_AUTH_TOKEN")
        for group in self.pool.groups():
            members = self.members(group)
            if members:
                self.log.info("group {group}: {count} accounts", group=group, count=len(members))
        self.keeper.startService()

    def members(self, group: str) -> list[Account]:
        """The accounts of a group; raises NotFound for an unknown one."""
        if group not in self.pool.groups():
            raise NotFound(f"there is no group {group!r}")
        return [account for account in self.configured.accounts if account.group == group]

    def _build(self, database: Database) -> None:
        settings, reactor = self.settings, self._reactor
        hosts = Hosts(
            upstream=settings.upstream_url or "",
            social=settings.social_auth_url or "",
            oidc=settings.oidc_url or "",
        )
        proxy = settings.proxy.reveal() if settings.proxy else ""
        agents = [
            make_agent(
                reactor,
                kind=kind,
                connect_timeout=settings.connect_timeout_seconds,
                max_idle=idle,
                proxy=proxy,
            )
            for kind, idle in ((_agent_kind(settings), 1024), ("twisted", 8))
        ]
        self._agents = agents
        data_agent, control_agent = agents
        http = make_http(control_agent)
        keyring = Keyring(self.configured.credentials)
        ledger = Ledger(self.configured.accounts, self.configured.disabled)
        rows = AccountRows(database)
        # treq's client has more parameters than are used here, and names none of them.
        poster: Any = http
        social = SocialTokenSource(
            poster, reactor, url=f"{hosts.social_auth()}/refreshToken", user_agent=USER_AGENT
        )
        idc = IdcTokenSource(
            poster,
            reactor,
            url=lambda region: f"{hosts.oidc_of(region)}/token",
            user_agent=USER_AGENT,
        )
        renewal = RefreshOnce({"social": social, "idc": idc}, rows, keyring, reactor)
        self.pool = AccountPool(ledger, keyring, rows, renewal, reactor, jitter=random.random)
        self.keeper = KeeperService(self.pool, reactor, ahead=settings.refresh_ahead_seconds)
        client = KiroClient(
            data_agent,
            http,
            hosts,
            reactor,
            version=__version__,
            entropy=_uuid,
            timeouts=UpstreamTimeouts(answer=settings.headers_timeout_seconds),
            fresh=data_agent.fresh,
        )
        self.offers = OfferedModels(client, reactor)
        self.meter = Meter()
        self._build_web(client)

    def _build_web(self, client: KiroClient) -> None:
        # Klein imports the global reactor, so it may only be imported once one was chosen.
        from kiro2api.exchange import Exchanges
        from kiro2api.web.gate import Gate
        from kiro2api.web.listing import ModelShelf
        from kiro2api.web.model_api import ModelApi
        from kiro2api.web.operator_api import OperatorApi
        from kiro2api.web.reply import rendered
        from kiro2api.web.root import Root
        from kiro2api.web.serving import Serving, Timeouts
        from kiro2api.web.site import ApiSite

        settings, reactor = self.settings, self._reactor
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
            new_id=_uuid,
            replay_thinking=settings.replay_thinking,
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
            new_id=_hex,
        )
        shelf = ModelShelf(catalogue, self.members, self.offers, DEFAULT_GROUP)
        models = ModelApi(self.gate, serving, shelf)
        operator = OperatorApi(
            self.gate,
            self.pool,
            reactor,
            started=reactor.seconds(),
            store_alive=lambda: self.database.alive,
            requests_active=lambda: len(serving.active),
        )
        root: Resource = Root(models.app.resource(), operator.app.resource())
        self.site = ApiSite(
            root,
            clock=reactor,
            max_body_bytes=settings.max_body_bytes,
            refusal=rendered,
            new_id=_hex,
        )

    def _admit(self, keys: tuple[StoredKey, ...]) -> None:
        from kiro2api.web.gate import Caller, Role

        settings = self.settings
        if not settings.client_token:
            for key in keys:
                role: Role = "client" if settings.admin_token else "admin"
                self.gate.add(key.digest, Caller(key.name, role))
        if not (settings.client_token or keys) and not loopback_only(settings.listen):
            raise StartFailed(
                "KIRO_CLIENT_TOKEN is not set, and KIRO_LISTEN reaches beyond this machine; "
                "set a key first"
            )

    def _listen(self) -> None:
        try:
            listening = serverFromString(self._reactor, self.settings.listen).listen(self.site)
        except (ValueError, TypeError, LookupError) as error:
            raise StartFailed(
                f"KIRO_LISTEN: {self.settings.listen!r} is no endpoint: {error}"
            ) from None
        failures: list[BaseException] = []
        listening.addCallbacks(self._listening, lambda failure: failures.append(failure.value))
        if failures:
            failed = failures[0]
            cause = failed.socketError if isinstance(failed, CannotListenError) else failed
            why = getattr(cause, "strerror", None) or str(cause)
            raise StartFailed(f"cannot listen on {self.settings.listen}: {why}")

    def address(self) -> str:
        """The URL at which clients on this machine reach the service."""
        assert self._port is not None
        host: Any = self._port.getHost()
        name = "localhost" if host.host in ("127.0.0.1", "0.0.0.0") else host.host
        return f"http://{name}:{host.port}"

    def _listening(self, port: IListeningPort) -> None:
        self._port = port

    # ── stop ─────────────────────────────────────────────────────────────────

    def stopService(self) -> Deferred[None]:
        """Stop listening, deliver what runs, end the background work, close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            await _settled(port.stopListening())
        await self.site.drain(self.settings.drain_seconds)
        await self.keeper.stopService()
        self.offers.stop()
        await self.pool.stop()
        for agent in self._agents:
            await agent.close()
        await self.database.stop()
        self.log.info("kiro2api has stopped")


async def _settled(result: object) -> None:
    if isinstance(result, Deferred):
        await result


def _agent_kind(settings: Settings) -> AgentKind:
    return "twisted" if settings.upstream_client == "twisted" else "own"


def _uuid() -> str:
    return str(uuid.uuid4())


def _hex() -> str:
    return os.urandom(12).hex()


def make_service(
    settings: Settings, reactor: Any, *, demo: bool, say: Callable[[str], None]
) -> Service:
    """The service for these settings.

    :param demo: with the emulator in the place of the upstream.
    :param say: prints a line for the person at the terminal.
    :raises StartFailed: one line on what is wrong.
    """
    if demo:
        from kiro2api.demo import Demo

        return Demo(settings, reactor, say)
    settings = dataclasses.replace(settings, db_path=os.path.abspath(settings.db_path))
    configured = configured_accounts(settings)
    if not settings.client_token:
        _first_key(settings, reactor, say)
    return Gateway(settings, reactor, configured)


def _first_key(settings: Settings, reactor: Any, say: Callable[[str], None]) -> None:
    """Make a client key if there is none yet, and show it this once.

    This happens before twistd leaves the terminal: afterwards there is nobody to show it to, and a
    log is no place for it.
    """
    starting = StartingReactor(reactor)
    database = Database(settings.db_path, starting)
    try:
        starting.wait_for(database.start(), START_SECONDS)
        rows = KeyRows(database)
        if not starting.wait_for(rows.digests(), START_SECONDS) and loopback_only(settings.listen):
            key = new_key()
            starting.wait_for(rows.add("generated", key, "client"), START_SECONDS)
            say("No KIRO_CLIENT_TOKEN is set, so a client key was made. It is shown only now:")
            say(f"    {key.reveal()}")
    except StoreError as error:
        raise StartFailed(str(error)) from None
    finally:
        starting.wait_for(database.stop(), START_SECONDS)
