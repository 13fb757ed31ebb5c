# -*- test-case-name: tests.test_demo -*-
"""`--demo`: the service with the emulator as its upstream, so that it answers without an account.

Nothing of the operator's set-up is touched: the accounts are invented and the database lives in a
folder that goes away at the end.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

from kiro2api.accounts.sources import parse_accounts
from kiro2api.redaction import Secret
from kiro2api.service import Gateway, rehearse
from kiro2api.settings import Settings

KEY = "demo-key"
PACE = 0.02
"""Seconds between two pieces of an answer, so that streaming can be seen."""


class Demo(Service):
    """The emulator on a free port of this machine, and the service in front of it."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._folder = ""
        self._upstream: IListeningPort | None = None
        self._gateway: Gateway | None = None

    def prepare(self, say: Callable[[str], None], foreground: bool) -> None:
        """Take both ports and say how to try it; raises StartFailed and leaves nothing behind."""
        from kiro2api.emulator.app import Emulator
        from kiro2api.emulator.cast import cast, entries
        from kiro2api.emulator.service import make_site

        everybody = cast(self._reactor.seconds())
        site = make_site(Emulator(self._reactor, everybody, pace=PACE))
        port: Any = self._reactor.listenTCP(0, site, interface="127.0.0.1")
        self._upstream = port
        base = f"http://127.0.0.1:{port.getHost().port}"
        self._folder = tempfile.mkdtemp(prefix="kiro2api-demo-")
        accounts = msgspec.json.encode(entries(everybody)).decode()
        settings = dataclasses.replace(
            self._settings,
            client_token=self._settings.client_token or (Secret(KEY),),
            auth_token=Secret(accounts),
            db_url=None,
            db_path=str(Path(self._folder) / "kiro2api.db"),
            upstream_url=base,
            social_auth_url=base,
            oidc_url=base,
        )
        try:
            self._gateway = Gateway(settings, self._reactor, parse_accounts(accounts))
            rehearse(self._gateway, self._reactor, say)
        except Exception:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._explain(say, self._gateway.address(), foreground)

    def _explain(self, say: Callable[[str], None], base: str, foreground: bool) -> None:
        # A key of the operator's own is not shown.
        key = "YOUR_KEY" if self._settings.client_token else KEY
        for line in (
            "",
            f"kiro2api serves a demonstration on {base}; its answers are invented.",
            "",
            f"Console: open {base} in a browser and log in with the key {key}",
            "",
            "Claude Code:",
            f"    ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} claude",
            "",
            "curl:",
            f"    curl {base}/v1/messages -H 'x-api-key: {key}' \\",
            "      -H 'content-type: application/json' \\",
            '      -d \'{"model":"claude-sonnet-4-5-20250929","max_tokens":200,"stream":true,',
            '           "messages":[{"role":"user","content":"Say hello."}]}\'',
            "",
            *(("Ctrl-C ends it.", "") if foreground else ()),
        ):
            say(line)

    def privilegedStartService(self) -> None:
        """Start the service; the emulator answers already."""
        super().privilegedStartService()
        assert self._gateway is not None
        try:
            self._gateway.privilegedStartService()
        except Exception:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def startService(self) -> None:
        """Begin the service's work."""
        super().startService()
        assert self._gateway is not None
        self._gateway.startService()

    def stopService(self) -> Deferred[None]:
        """The service first, then what it depends on."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        assert self._gateway is not None and self._upstream is not None
        await self._gateway.stopService()
        stopped = self._upstream.stopListening()
        if isinstance(stopped, Deferred):
            await stopped
        shutil.rmtree(self._folder, ignore_errors=True)
