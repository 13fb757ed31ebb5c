# -*- test-case-name: tests.web.admin.test_settings -*-
"""The routes of the settings, and the stored ones between the store and the running service.

Must not know which settings there are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec
from klein import Klein
from twisted.internet.defer import Deferred

from kiro2api.settings_live import Described, LiveSettings
from kiro2api.store.changes import Change
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.gate import Gate
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

_PATCH: Final = msgspec.json.Decoder(dict[str, Any])


class SettingsShown(msgspec.Struct):
    """All settings."""

    settings: list[Described]


class Rows(Protocol):
    """Where settings are stored."""

    def load(self) -> Deferred[dict[str, str]]:
        """All texts by name."""

    def change(self, actor: str, texts: Mapping[str, str | None]) -> Deferred[dict[str, str]]:
        """Store some, forget others; all afterwards."""


class StoredSettings:
    """Keeps the running settings true to the store."""

    def __init__(self, live: LiveSettings, rows: Rows) -> None:
        self.live = live
        self._rows = rows

    async def load(self) -> None:
        """Apply what is stored; raises StoreError."""
        self.live.apply(await self._rows.load())

    async def follow(self, changes: Iterable[Change]) -> None:
        """Do as other processes did; raises StoreError."""
        if any(change.topic == "setting" for change in changes):
            await self.load()

    async def change(self, actor: str, values: Mapping[str, object]) -> None:
        """Check all, store all, apply all; raises RequestRejected or Conflict before any."""
        texts = {name: self.live.checked(name, value) for name, value in values.items()}
        if texts:
            self.live.apply(await self._rows.change(actor, texts))


class SettingsApi:
    """Routes below ``/api/settings``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, settings: StoredSettings) -> None:
        self._gate = gate
        self._settings = settings

    @app.route("/api/settings", methods=["GET"])
    def show(self, request: ApiRequest) -> bytes:
        """Every setting: what it is, where that comes from, whether it may be changed now."""
        self._gate.identify_admin(request)
        return self._send(request)

    @app.route("/api/settings", methods=["PATCH"])
    async def change(self, request: ApiRequest) -> bytes:
        """Change some, all or none of them; null goes back to the default."""
        actor = self._gate.identify_owner(request).name
        values = body_of(request, _PATCH)
        await self._settings.change(actor, values)
        return self._send(request)

    def _send(self, request: ApiRequest) -> bytes:
        return send_value(request, SettingsShown(self._settings.live.described()))
