# -*- test-case-name: tests.emulator.test_service -*-
"""The emulator as a service: behind its own endpoint, alone or inside the demo of kiro2api.

Importing this module installs a reactor (Klein does), so it is imported late.
"""

from collections.abc import Iterable
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.web.server import Site

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.app import Emulator

DEFAULT_LISTEN = "tcp:8765:interface=127.0.0.1"


class EmulatorService(StreamServerEndpointService):
    """Serves one emulator; stopping it cuts off whoever is still being answered."""

    # As strports does: a port that cannot be had must not go unnoticed.
    _raiseSynchronously = True

    def __init__(self, endpoint: IStreamServerEndpoint, emulator: Emulator) -> None:
        super().__init__(endpoint, make_site(emulator))
        self.emulator = emulator

    def stopService(self) -> Deferred[None]:
        """Close the port, then the connections."""
        stopped: Deferred[None] = super().stopService()
        self.emulator.abort_all()
        return stopped


def make_site(emulator: Emulator) -> Site:
    """The emulator as a protocol factory, without an access log."""
    site = Site(emulator.resource(), parsePOSTFormSubmission=False)
    site.noisy = False
    site.log = _no_log  # type: ignore[method-assign]
    return site


def emulator_service(
    reactor: Any,
    listen: str = DEFAULT_LISTEN,
    *,
    accounts: Iterable[EmulatedAccount] = (),
    seed: int = 0,
    pace: float = 0.0,
) -> EmulatorService:
    """A service that listens on an endpoint description once it is started."""
    emulator = Emulator(reactor, accounts, seed=seed, pace=pace)
    return EmulatorService(serverFromString(reactor, listen), emulator)


def _no_log(request: object) -> None:
    """Answers are noted by the emulator itself."""
