# -*- test-case-name: tests.test_service -*-
"""The service: started in order, stopped in order.

MultiService is not used for the parts, because it starts and stops its children all at once. Must
not know how the parts are made (``wiring``) or what an operator typed (``tap``).
"""

import dataclasses
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from kiro2api import __version__
from kiro2api.accounts.sources import Configured, SourceError, read_accounts
from kiro2api.settings import Settings, loopback_only, redacted
from kiro2api.starting import StartFailed, StartingReactor
from kiro2api.store.database import Database, StoreError
from kiro2api.store.keys import GENERATED, KeyRows, new_key
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


def place_of_store(settings: Settings) -> str:
    """The database's address, or the path of its file; may hold a password."""
    return settings.db_url.reveal() if settings.db_url else settings.db_path


class Startable(Protocol):
    """What can be rehearsed."""

    settings: Settings

    def take_port(self) -> None:
        """Take the port; raises StartFailed."""


class Gateway(Service):
    """The running service.

    :param reactor: never imported here.
    :param configured: the operator's accounts.
    :param worker: this process's number among ``workers``, 0 where it serves alone.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        configured: Configured,
        *,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        self.settings = settings
        self.configured = configured
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._own_metrics = worker in (0, 1)
        self.listening_reactor = reactor
        """What the endpoint is given; another where several processes share the port."""
        self._starting = StartingReactor(reactor)
        self.database = Database(place_of_store(settings), self._starting)
        try:
            self.parts = Wiring(
                settings, reactor, configured, self.database, worker=worker, workers=workers
            )
        except StoreError as error:
            raise StartFailed(str(error)) from None
        self._metrics_port: IListeningPort | None = None

    # ── start ────────────────────────────────────────────────────────────────

    def take_port(self) -> None:
        """Listen; nobody is accepted before the reactor runs. Raises StartFailed.

        Apart from the rest of the start, because twistd leaves the terminal in between: a port
        that cannot be had is told while there is still somebody to read it.
        """
        settings = self.settings
        self._port = opened(self.listening_reactor, settings.listen, self.parts.site)
        if settings.metrics_listen and self._own_metrics:
            site = self.parts.metrics_site
            try:
                self._metrics_port = opened(self._reactor, settings.metrics_listen, site)
            except StartFailed:
                self._port.stopListening()
                raise

    def privilegedStartService(self) -> None:
        """Open the store and load what it keeps; take the port, if that has not been done.

        Raises StartFailed, which ends the start; nothing is left open then.
        """
        super().privilegedStartService()
        starting, database = self._starting, self.database
        try:
            starting.wait_for(database.start(), START_SECONDS)
            starting.wait_for(Deferred.fromCoroutine(self._take_over()), START_SECONDS)
            if self._port is None:
                self.take_port()
        except (StoreError, StartFailed) as error:
            starting.wait_for(database.stop(), START_SECONDS)
            for port in (self._port, self._metrics_port):
                if port is not None:
                    port.stopListening()
            message = str(error)
            self.log.critical("cannot start: {message}", message=message)
            raise StartFailed(message) from None
        starting.hand_over()

    async def _take_over(self) -> None:
        """Read what is stored; what is changed from the first of these reads on is followed."""
        parts = self.parts
        await parts.following.begin()
        await parts.admin.settings.load()
        await parts.accounts.start()
        await parts.admin.keys.load()

    def startService(self) -> None:
        """Begin the work that goes on in the background."""
        super().startService()
        settings, log = self.settings, self.log
        log.info("kiro2api {version} serves {url}", version=__version__, url=self.address())
        log.info("listening on {listen}", listen=settings.listen)
        log.info("database: {place}", place=self.database.place)
        shown = redacted(settings)
        log.debug("settings: {settings}", settings=" ".join(f"{k}={v}" for k, v in shown.items()))
        for note in (*settings.notes, *self.configured.warnings):
            log.warn("{note}", note=note)
        parts = self.parts
        if not parts.pool.accounts():
            log.warn(
                "there are no accounts: set KIRO_AUTH_TOKEN, add one at {url},"
                " or use kiro2api login",
                url=self.address(),
            )
        for group in parts.pool.groups():
            members = parts.accounts.members(group)
            if members:
                log.info("accounts in group {group}: {count}", group=group, count=len(members))
        parts.accounts.keeper.startService()
        parts.accounts.quotas.startService()
        parts.following.startService()
        parts.admin.start()

    def address(self) -> str:
        """The URL at which clients on this machine reach the service; else the endpoint."""
        host: Any = self._port.getHost() if self._port is not None else None
        if not hasattr(host, "port"):
            return self.settings.listen
        scheme = "https" if self.settings.listen.startswith("ssl:") else "http"
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.host, host.host)
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{host.port}"

    def follow_level(self, set_level: Callable[[str], None]) -> None:
        """Log from another level on when an operator wishes so."""
        self.parts.live.subscribe(["log_level"], lambda now: set_level(now.log_level))

    # ── stop ─────────────────────────────────────────────────────────────────

    def stopService(self) -> Deferred[None]:
        """Stop listening, deliver what runs, end the background work, close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        parts = self.parts
        port, self._port = self._port, None
        metrics_port, self._metrics_port = self._metrics_port, None
        steps: list[Callable[[], object]] = [
            *([port.stopListening] if port is not None else ()),
            parts.admin.broadcast.stop,
            lambda: parts.site.drain(parts.live.current.drain_seconds),
        ]
        if metrics_port is not None:
            steps += (metrics_port.stopListening, lambda: parts.metrics_site.drain(0.0))
        await stop_in_order(
            *steps,
            parts.following.stopService,
            parts.media.stop,
            parts.offers.stop,
            parts.accounts.stop,
            parts.admin.stop,
            parts.held.stop,
            *(agent.close for agent in parts.agents),
            self.database.stop,
        )
        self.log.info("kiro2api has stopped")


async def stop_in_order(*steps: Callable[[], object]) -> None:
    """Take one step after the other; one that fails is logged, and the next is taken all the
    same: a later one may store what is nowhere else."""
    for step in steps:
        try:
            result = step()
            if isinstance(result, Awaitable):
                await result
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001  (whatever it is)
            Gateway.log.failure("a part of the service did not stop well")


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
    database = Database(place_of_store(settings), starting)
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
            starting.wait_for(rows.add(GENERATED, key, "client"), START_SECONDS)
            say("No KIRO_CLIENT_TOKEN is set, so a client key was made. It is shown only now:")
            say(f"    {key.reveal()}")
    except StoreError as error:
        raise StartFailed(str(error)) from None
    finally:
        starting.wait_for(database.stop(), START_SECONDS)
