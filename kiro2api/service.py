# -*- test-case-name: tests.test_service -*-
"""The service: started in order, stopped in order.

MultiService is not used for the parts, because it starts and stops its children all at once. Must
not know how the parts are made (``wiring``) or what an operator typed (``tap``).
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from kiro2api import __version__
from kiro2api.accounts.sources import Configured, SourceError, read_accounts
from kiro2api.settings import Settings, loopback_only, redacted
from kiro2api.starting import StartFailed, StartingReactor
from kiro2api.store.database import Database, StoreError
from kiro2api.store.keys import KeyRows, StoredKey, new_key
from kiro2api.wiring import Wiring

START_SECONDS = 60.0
NO_ACCOUNTS = Configured(accounts=(), credentials={})


def configured_accounts(settings: Settings) -> Configured:
    """The accounts of KIRO_AUTH_TOKEN; raises StartFailed in one line."""
    if not settings.auth_token:
        return NO_ACCOUNTS
    try:
        return read_accounts(settings.auth_token.reveal())
    except SourceError as error:
        raise StartFailed(str(error)) from None


def opened(reactor: Any, listen: str, factory: IProtocolFactory) -> IListeningPort:
    """The port of an endpoint string; raises StartFailed in one line."""
    try:
        listening = serverFromString(reactor, listen).listen(factory)
    except (ValueError, TypeError, LookupError, OSError) as error:
        raise StartFailed(f"KIRO_LISTEN: {listen!r} cannot be used: {error}") from None
    ports: list[IListeningPort] = []
    failures: list[BaseException] = []
    listening.addCallbacks(ports.append, lambda failure: failures.append(failure.value))
    if failures:
        failed = failures[0]
        cause = failed.socketError if isinstance(failed, CannotListenError) else failed
        why = getattr(cause, "strerror", None) or str(cause)
        raise StartFailed(f"cannot listen on {listen}: {why}")
    return ports[0]


class Startable(Protocol):
    """What can be rehearsed."""

    settings: Settings

    def take_port(self) -> None:
        """Take the port; raises StartFailed."""


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
        self.listening_reactor = reactor
        """What the endpoint is given; another where several processes share the port."""
        self._starting = StartingReactor(reactor)
        self.database = Database(settings.db_path, self._starting)
        self.parts = Wiring(settings, reactor, configured, self.database)

    # ── start ────────────────────────────────────────────────────────────────

    def take_port(self) -> None:
        """Listen; nobody is accepted before the reactor runs. Raises StartFailed.

        Apart from the rest of the start, because twistd leaves the terminal in between: a port
        that cannot be had is told while there is still somebody to read it.
        """
        self._port = opened(self.listening_reactor, self.settings.listen, self.parts.site)

    def privilegedStartService(self) -> None:
        """Open the store and load what it keeps; take the port, if that has not been done.

        Raises StartFailed, which ends the start; nothing is left open then.
        """
        super().privilegedStartService()
        starting, database = self._starting, self.database
        try:
            starting.wait_for(database.start(), START_SECONDS)
            starting.wait_for(self.parts.pool.start(), START_SECONDS)
            self._admit(starting.wait_for(KeyRows(database).digests(), START_SECONDS))
            if self._port is None:
                self.take_port()
        except (StoreError, StartFailed) as error:
            starting.wait_for(database.stop(), START_SECONDS)
            if self._port is not None:
                self._port.stopListening()
            message = str(error)
            self.log.critical("cannot start: {message}", message=message)
            raise StartFailed(message) from None
        starting.hand_over()

    def startService(self) -> None:
        """Begin the work that goes on in the background."""
        super().startService()
        settings, log = self.settings, self.log
        log.info("kiro2api {version} serves {url}", version=__version__, url=self.address())
        log.info("listening on {listen}", listen=settings.listen)
        log.info("database: {path}", path=settings.db_path)
        shown = redacted(settings)
        log.debug("settings: {settings}", settings=" ".join(f"{k}={v}" for k, v in shown.items()))
        for note in (*settings.notes, *self.configured.warnings):
            log.warn("{note}", note=note)
        if not self.configured.accounts:
            log.warn("no accounts are configured: set KIRO_AUTH_TOKEN")
        for group in self.parts.pool.groups():
            members = self.parts.members(group)
            if members:
                log.info("accounts in group {group}: {count}", group=group, count=len(members))
        self.parts.keeper.startService()

    def address(self) -> str:
        """The URL at which clients on this machine reach the service; else the endpoint."""
        host: Any = self._port.getHost() if self._port is not None else None
        if not hasattr(host, "port"):
            return self.settings.listen
        scheme = "https" if self.settings.listen.startswith("ssl:") else "http"
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.host, host.host)
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{host.port}"

    def _admit(self, keys: tuple[StoredKey, ...]) -> None:
        """Keys that were made here serve as long as none is configured."""
        from kiro2api.web.gate import Caller, Role

        if self.settings.client_token:
            return
        role: Role = "client" if self.settings.admin_token else "admin"
        for key in keys:
            self.parts.gate.add(key.digest, Caller(key.name, role))

    # ── stop ─────────────────────────────────────────────────────────────────

    def stopService(self) -> Deferred[None]:
        """Stop listening, deliver what runs, end the background work, close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        parts = self.parts
        if self._port is not None:
            port, self._port = self._port, None
            await _settled(port.stopListening())
        await parts.site.drain(self.settings.drain_seconds)
        await parts.keeper.stopService()
        await parts.media.stop()
        parts.offers.stop()
        await parts.pool.stop()
        for agent in parts.agents:
            await agent.close()
        await self.database.stop()
        self.log.info("kiro2api has stopped")


async def _settled(result: object) -> None:
    if isinstance(result, Deferred):
        await result


def make_service(
    settings: Settings,
    reactor: Any,
    *,
    demo: bool,
    foreground: bool,
    say: Callable[[str], None],
) -> Service:
    """The service for these settings; its port is taken and its store is known to be good.

    All that happens before twistd leaves the terminal: afterwards there is nobody left to be told
    what is wrong, or to be shown a key.

    :param demo: with the emulator in the place of the upstream.
    :param foreground: whether the terminal stays.
    :param say: prints a line for the person at the terminal.
    :raises StartFailed: one line on what is wrong.
    """
    if demo:
        from kiro2api.demo import Demo

        demonstration = Demo(settings, reactor)
        demonstration.prepare(say, foreground)
        return demonstration
    path = os.path.abspath(os.path.expanduser(settings.db_path))
    settings = dataclasses.replace(settings, db_path=path)
    gateway = Gateway(settings, reactor, configured_accounts(settings))
    rehearse(gateway, reactor, say)
    return gateway


def rehearse(gateway: Startable, reactor: Any, say: Callable[[str], None]) -> None:
    """Open the store and close it again, take the port, and make the first client key.

    The store's own thread would not survive twistd's fork, so that it is opened anew later. The
    key comes last: one that is shown by a start that then fails would never be shown again.
    """
    settings = gateway.settings
    starting = StartingReactor(reactor)
    database = Database(settings.db_path, starting)
    try:
        starting.wait_for(database.start(), START_SECONDS)
        rows = KeyRows(database)
        stored = starting.wait_for(rows.digests(), START_SECONDS)
        keyless = not (settings.client_token or stored)
        if keyless and not loopback_only(settings.listen):
            raise StartFailed(
                f"KIRO_CLIENT_TOKEN is not set, and {settings.listen} may be reached from beyond "
                "this machine; set a key first"
            )
        gateway.take_port()
        if keyless:
            key = new_key()
            starting.wait_for(rows.add("generated", key, "client"), START_SECONDS)
            say("No KIRO_CLIENT_TOKEN is set, so a client key was made. It is shown only now:")
            say(f"    {key.reveal()}")
    except StoreError as error:
        raise StartFailed(str(error)) from None
    finally:
        starting.wait_for(database.stop(), START_SECONDS)
