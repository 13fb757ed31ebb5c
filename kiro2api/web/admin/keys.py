# -*- test-case-name: tests.web.admin.test_keys -*-
"""The routes of API keys: made, shown without being given away, changed and deleted.

A change reaches this process's gate before the answer, and others' through the store. Must not
know SQL.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

import msgspec
from klein import Klein

from kiro2api.errors import Conflict, NotFound
from kiro2api.redaction import Secret
from kiro2api.store.keys import GENERATED, KeyRows, KeyTaken, Role, StoredKey, new_key
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.admin.keys_shapes import (
    NEW,
    PATCH,
    KeyItem,
    own_key,
    shown,
    shown_configured,
    terms_of,
)
from kiro2api.web.admin.lists import page_of
from kiro2api.web.gate import Gate
from kiro2api.web.gate_ledger import KeyLedger
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

SORTS: Final = (
    "name",
    "role",
    "enabled",
    "created_at",
    "last_used",
    "expires_at",
    "spent_today",
    "spent_month",
    "credits_per_day",
    "credits_per_month",
    "requests_per_minute",
    "max_in_flight",
    "source",
)


class KeysApi:
    """Routes below ``/api/keys``.

    :param groups: the names of the groups that there are.
    :param now: epoch seconds.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self,
        gate: Gate,
        ledger: KeyLedger,
        rows: KeyRows,
        *,
        groups: Callable[[], Collection[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._ledger = ledger
        self._rows = rows
        self._groups = groups
        self._now = now

    @app.route("/api/keys", methods=["GET"])
    async def keys(self, request: ApiRequest) -> bytes:
        """All keys; configured ones first."""
        self._gate.identify_admin(request)
        items = [shown_configured(key) for key in self._gate.configured]
        items += [self._shown(key) for key in await self._rows.digests()]
        page = page_of(
            request,
            [msgspec.structs.asdict(item) for item in items],
            sorts=SORTS,
            search=lambda item: f"{item['name']} {item['hint']}",
        )
        return send_value(request, page)

    @app.route("/api/keys", methods=["POST"])
    async def create(self, request: ApiRequest) -> bytes:
        """Make a key; the answer is the only one that ever shows it."""
        actor = self._gate.identify_owner(request).name
        said = body_of(request, NEW)
        terms = terms_of(said, self._groups(), None, self._now())
        key = Secret(own_key(said.key)) if said.key is not None else new_key()
        name: str = terms.pop("name")
        role: Role = terms.pop("role", "client")
        try:
            key_id = await self._rows.add(name, key, role, actor=actor, **terms)
        except KeyTaken as error:
            raise Conflict(error.message, param=error.field) from None
        made = (await self._rows.find([key_id])).get(key_id)
        if made is None:
            raise _unknown(str(key_id))
        self._ledger.put(made)
        answer = msgspec.structs.asdict(self._shown(made))
        request.setHeader(b"Cache-Control", b"no-store")
        return send_value(request, {**answer, "key": key.reveal()}, 201)

    @app.route("/api/keys/<key_id>", methods=["GET"])
    async def key(self, request: ApiRequest, key_id: str) -> bytes:
        """One key."""
        self._gate.identify_admin(request)
        for configured in self._gate.configured:
            if configured.name == key_id:
                return send_value(request, shown_configured(configured))
        return send_value(request, self._shown(await self._stored(key_id)))

    @app.route("/api/keys/<key_id>", methods=["PATCH"])
    async def change(self, request: ApiRequest, key_id: str) -> bytes:
        """Change some of a key's terms; they hold from its next request on."""
        actor = self._gate.identify_owner(request).name
        self._refuse_configured(key_id)
        before = await self._stored(key_id)
        terms = terms_of(body_of(request, PATCH), self._groups(), before, self._now())
        if before.name == GENERATED and terms.get("name", GENERATED) != GENERATED:
            # It may have had its power from its name.
            terms.setdefault("role", self._ledger.role_of(before))
        ends = terms.get("enabled") is False or terms.get("expires_at")
        if ends or terms.get("role") == "client":
            self._refuse_last(before)
        try:
            after = await self._rows.patch(before.id, actor=actor, **terms)
        except KeyTaken as error:
            raise Conflict(error.message, param=error.field) from None
        if after is None:
            raise _unknown(key_id)
        self._ledger.put(after)
        return send_value(request, self._shown(after))

    @app.route("/api/keys/<key_id>", methods=["DELETE"])
    async def delete(self, request: ApiRequest, key_id: str) -> bytes:
        """Delete a key; its running requests go on, its sessions end."""
        actor = self._gate.identify_owner(request).name
        self._refuse_configured(key_id)
        before = await self._stored(key_id)
        self._refuse_last(before)
        if not await self._rows.remove(before.id, actor=actor):
            raise _unknown(key_id)
        self._ledger.drop(before.id)
        request.setResponseCode(204)
        return b""

    # ── helpers of the routes ────────────────────────────────────────────────

    async def _stored(self, key_id: str) -> StoredKey:
        number = int(key_id) if key_id.isascii() and key_id.isdecimal() else 0
        # The largest number that a column of the store can hold.
        found = await self._rows.find([number]) if 0 < number < 2**31 else {}
        if number not in found:
            raise _unknown(key_id)
        return found[number]

    def _shown(self, key: StoredKey) -> KeyItem:
        use = self._gate.use(key.id)
        return shown(key, self._ledger.role_of(key), use, self._now())

    def _refuse_configured(self, key_id: str) -> None:
        for configured in self._gate.configured:
            if configured.name == key_id:
                variable = "KIRO_ADMIN_TOKEN" if key_id == "admin" else "KIRO_CLIENT_TOKEN"
                raise Conflict(f"this key is configured: change {variable} instead")

    def _refuse_last(self, key: StoredKey) -> None:
        """An operator must not lock himself out."""
        if self._ledger.role_of(key) == "admin" and not self._gate.administrated(without=key.id):
            raise Conflict(
                "this is the last key of an administrator that does not expire: make another first"
            )


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"there is no key {key_id[:40]!r}")
