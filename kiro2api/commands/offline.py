# -*- test-case-name: tests.commands.test_offline -*-
"""Commands without a running service: the same API, in this process, for the time of one command.

The database may be in use by a service all the same: that one follows what is changed here.
"""

import dataclasses
import os
import secrets
from types import TracebackType
from typing import Any, Final

from kiro2api.commands.calling import Api, CommandFailed, Key, over_http
from kiro2api.redaction import Secret
from kiro2api.settings import Settings
from kiro2api.starting import StartFailed

_LISTEN: Final = "tcp:0:interface=127.0.0.1"


def alone(settings: Settings) -> tuple[Settings, Key]:
    """The settings of such a service, and the key that administrates it.

    Roles of keys are as they are in the service proper, so that they are shown as what they are;
    only where no configured key may administrate, one is made for the time of the command.
    """
    path = settings.db_path
    if path != ":memory:" and "://" not in path:
        path = os.path.abspath(os.path.expanduser(path))
    alike = dataclasses.replace(
        settings, listen=_LISTEN, db_path=path, workers=1, drain_seconds=1.0
    )
    if settings.admin_token:
        return alike, Key(settings.admin_token, "KIRO_ADMIN_TOKEN")
    if settings.client_token:
        return alike, Key(settings.client_token[0], "KIRO_CLIENT_TOKEN")
    made = Secret(secrets.token_urlsafe(32))
    return dataclasses.replace(alike, admin_token=made), Key(made, "this command", made=True)


class Offline:
    """A service that nobody else knows of; it renews and checks nothing by itself."""

    def __init__(self, reactor: Any, settings: Settings) -> None:
        from kiro2api.service import Gateway, configured_accounts

        self._reactor = reactor
        settings, self._key = alone(settings)
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
