# -*- test-case-name: tests.commands.test_offline -*-
"""Commands without a running service: the same API, in this process, for the time of one command.

The database may be in use by a service all the same: that one follows what is changed here.
"""

import dataclasses
import secrets
from types import TracebackType
from typing import Any, Final

from kiro2api.commands.calling import Api, CommandFailed, over_http
from kiro2api.redaction import Secret
from kiro2api.settings import Settings
from kiro2api.starting import StartFailed

_LISTEN: Final = "tcp:0:interface=127.0.0.1"


class Offline:
    """A service that nobody else knows of; it renews and checks nothing by itself."""

    def __init__(self, reactor: Any, settings: Settings) -> None:
        from kiro2api.service import Gateway, configured_accounts

        self._reactor = reactor
        self._key = Secret(secrets.token_urlsafe(32))
        settings = dataclasses.replace(
            settings, listen=_LISTEN, admin_token=self._key, client_token=(), workers=1
        )
        try:
            self._gateway = Gateway(settings, reactor, configured_accounts(settings))
        except StartFailed as failed:
            raise CommandFailed(str(failed)) from None

    async def __aenter__(self) -> Api:
        """The API of the opened store; raises CommandFailed."""
        try:
            self._gateway.privilegedStartService()
        except StartFailed as failed:
            raise CommandFailed(str(failed)) from None
        return over_http(self._reactor, self._gateway.address(), self._key)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything again."""
        await self._gateway.stopService()
