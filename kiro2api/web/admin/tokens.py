# -*- test-case-name: tests.web.admin.test_tokens -*-
"""The routes of accounts: listed, added, changed, moved, removed, refreshed and tried out.

Must not know the pool or the store: changes go through the registry. A key that is for some groups
only sees and changes no others.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from klein import Klein
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals
from kiro2api.accounts.registry_changes import AccountPatch
from kiro2api.accounts.registry_entries import entries_of
from kiro2api.accounts.registry_roll import Card
from kiro2api.errors import Forbidden, RequestRejected
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.admin.jobs import Jobs, Target
from kiro2api.web.admin.lists import LARGEST_PAGE, PAGE_SIZE, argument, whole
from kiro2api.web.admin.tokens_checks import Checks
from kiro2api.web.admin.tokens_recent import Recent
from kiro2api.web.admin.tokens_view import Row, Wanted, chosen, item, quota_of, unseen
from kiro2api.web.gate import Caller, Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.overview import Overview
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest


class Move(msgspec.Struct, frozen=True):
    """The body of ``/move``."""

    group: str


class Refreshing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``/api/tokens/refresh``; empty for all that are switched on."""

    group: str = ""
    ids: list[str] = []


_ENTRY: Final = msgspec.json.Decoder(dict[str, Any])
_ANYTHING: Final = msgspec.json.Decoder(Any)
_PATCH: Final = msgspec.json.Decoder(AccountPatch)
_MOVE: Final = msgspec.json.Decoder(Move)
_REFRESHING: Final = msgspec.json.Decoder(Refreshing)


def may_see(gate: Gate, caller: Caller) -> Callable[[str], bool]:
    """Whether the caller's key is for a group."""

    def allowed(group: str) -> bool:
        try:
            gate.allow_group(caller, group)
        except Forbidden:
            return False
        return True

    return allowed


class TokensApi:
    """Routes below ``/api/tokens``.

    :param recent: the accounts as they stand, in all processes.
    :param clock: its seconds are epoch seconds.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        arrivals: Arrivals,
        checks: Checks,
        jobs: Jobs,
        recent: Recent,
        clock: IReactorTime,
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._arrivals = arrivals
        self._checks = checks
        self._jobs = jobs
        self._recent = recent
        self._clock = clock

    # ── all of them ──────────────────────────────────────────────────────────

    @app.route("/api/tokens", methods=["GET"])
    async def tokens(self, request: ApiRequest) -> bytes:
        """A page of accounts; ``group``, ``state``, ``q``, ``sort``, ``page``, ``page_size``."""
        caller = self._gate.identify_admin(request)
        size = whole(request, "page_size", PAGE_SIZE, LARGEST_PAGE)
        page = whole(request, "page", 1, 1_000_000)
        wanted = Wanted(*(argument(request, name) for name in Wanted.__struct_fields__))
        overview = await self._recent.overview()
        allowed = may_see(self._gate, caller)
        rows = chosen(overview.statuses, self._registry.roll, wanted, allowed)
        start = (page - 1) * size
        items = [self._item(start + index, row) for index, row in enumerate(rows[start:][:size], 1)]
        return send_value(request, self._page(overview, rows, items, page, size))

    @app.route("/api/tokens", methods=["POST"])
    async def add(self, request: ApiRequest) -> bytes:
        """One more account, in any of the forms of the configuration."""
        caller = self._gate.identify_admin(request)
        entry = body_of(request, _ENTRY)
        self._gate.allow_group(caller, str(entry.get("group") or "default"))
        card = await self._arrivals.add(caller.name, entry)
        return send_value(request, await self._shown(card), 201)

    @app.route("/api/tokens/bulk", methods=["POST"])
    async def bulk(self, request: ApiRequest) -> bytes:
        """Many accounts at once; ``group`` in the query is where all go."""
        caller = self._gate.identify_admin(request)
        entries = entries_of(body_of(request, _ANYTHING))
        allowed = may_see(self._gate, caller)
        done = await self._arrivals.add_all(
            caller.name, entries, group=argument(request, "group"), allowed=allowed
        )
        return send_value(
            request,
            {
                "added": len(done.added),
                "duplicates": len(done.duplicates),
                "skipped": done.skipped,
                "warnings": done.warnings,
                "ids": [card.id for card in done.added],
            },
            201 if done.added or done.duplicates else 400,
        )

    @app.route("/api/tokens/refresh", methods=["POST"])
    def refresh_many(self, request: ApiRequest) -> bytes:
        """Renew the tokens of a group, of some accounts or of all; the job tells how it goes."""
        caller = self._gate.identify_admin(request)
        asked = body_of(request, _REFRESHING)
        if asked.ids:
            cards = [self._found(caller, account_id) for account_id in asked.ids]
        else:
            cards = self._switched_on(caller, asked.group)
        targets = [Target(card.id, card.account.name) for card in cards]
        job = self._jobs.start(
            "refresh", targets, lambda one: self._checks.refresh(caller.name, one)
        )
        return send_value(request, {"job": job.id, "total": job.total}, 202)

    # ── one of them ──────────────────────────────────────────────────────────

    @app.route("/api/tokens/<account_id>", methods=["GET"])
    async def token(self, request: ApiRequest, account_id: str) -> bytes:
        """One account."""
        card = self._found(self._gate.identify_admin(request), account_id)
        return send_value(request, await self._shown(card))

    @app.route("/api/tokens/<account_id>", methods=["PATCH"])
    async def patch(self, request: ApiRequest, account_id: str) -> bytes:
        """Change an account; it is lent accordingly from the next request on."""
        caller = self._gate.identify_admin(request)
        return await self._patched(request, caller, account_id, body_of(request, _PATCH))

    @app.route("/api/tokens/<account_id>", methods=["DELETE"])
    async def remove(self, request: ApiRequest, account_id: str) -> bytes:
        """Forget an account; 409 for one of the configuration."""
        caller = self._gate.identify_admin(request)
        self._found(caller, account_id)
        await self._registry.remove(caller.name, account_id)
        request.setResponseCode(204)
        return b""

    @app.route("/api/tokens/<account_id>/move", methods=["PUT"])
    async def move(self, request: ApiRequest, account_id: str) -> bytes:
        """To another group."""
        caller = self._gate.identify_admin(request)
        patch = AccountPatch(group=body_of(request, _MOVE).group)
        return await self._patched(request, caller, account_id, patch)

    @app.route("/api/tokens/<account_id>/enable", methods=["POST"])
    async def enable(self, request: ApiRequest, account_id: str) -> bytes:
        """Lend it."""
        caller = self._gate.identify_admin(request)
        return await self._patched(request, caller, account_id, AccountPatch(enabled=True))

    @app.route("/api/tokens/<account_id>/disable", methods=["POST"])
    async def disable(self, request: ApiRequest, account_id: str) -> bytes:
        """Lend it no more; running requests end."""
        caller = self._gate.identify_admin(request)
        return await self._patched(request, caller, account_id, AccountPatch(enabled=False))

    @app.route("/api/tokens/<account_id>/unpark", methods=["POST"])
    async def unpark(self, request: ApiRequest, account_id: str) -> bytes:
        """Ask it again, whatever kept it from that."""
        caller = self._gate.identify_admin(request)
        self._found(caller, account_id)
        card = await self._registry.unpark(caller.name, account_id)
        return send_value(request, await self._shown(card))

    @app.route("/api/tokens/<account_id>/refresh", methods=["POST"])
    async def refresh(self, request: ApiRequest, account_id: str) -> bytes:
        """Renew its token now."""
        caller = self._gate.identify_admin(request)
        self._found(caller, account_id)
        await self._checks.refresh(caller.name, account_id)
        return send_value(request, await self._shown(self._registry.find(account_id)))

    @app.route("/api/tokens/<account_id>/test", methods=["POST"])
    async def test(self, request: ApiRequest, account_id: str) -> bytes:
        """One cheap call to the upstream."""
        self._found(self._gate.identify_admin(request), account_id)
        return send_value(request, await self._checks.test(account_id))

    @app.route("/api/tokens/<account_id>/quota", methods=["POST"])
    async def quota(self, request: ApiRequest, account_id: str) -> bytes:
        """Read its credits now."""
        self._found(self._gate.identify_admin(request), account_id)
        await self._checks.quota(account_id)
        row = await self._row(self._registry.find(account_id))
        return send_value(request, quota_of(row))

    # ── what they share ──────────────────────────────────────────────────────

    async def _patched(
        self, request: ApiRequest, caller: Caller, account_id: str, patch: AccountPatch
    ) -> bytes:
        self._found(caller, account_id)
        if isinstance(patch.group, str):
            self._gate.allow_group(caller, patch.group)
        card = await self._registry.patch(caller.name, account_id, patch)
        return send_value(request, await self._shown(card))

    def _found(self, caller: Caller, account_id: str) -> Card:
        card = self._registry.find(account_id)
        self._gate.allow_group(caller, card.account.group)
        return card

    def _switched_on(self, caller: Caller, group: str) -> list[Card]:
        """Who is worth refreshing."""
        roll = self._registry.roll
        if group and group not in roll.policies:
            raise RequestRejected(f"there is no group {group!r}", param="group")
        if group:
            self._gate.allow_group(caller, group)
        allowed = may_see(self._gate, caller)
        cards = roll.members(group) if group else roll
        return [card for card in cards if card.enabled and allowed(card.account.group)]

    async def _row(self, card: Card) -> Row:
        """An account as it stands; it may be too new for other processes to know it."""
        overview = await self._recent.fresh()
        for status in overview.statuses:
            if status.fingerprint == card.id:
                return Row(status, card)
        return Row(unseen(card), card)

    async def _shown(self, card: Card) -> dict[str, object]:
        return self._item(card.account.order + 1, await self._row(card))

    def _item(self, index: int, row: Row) -> dict[str, object]:
        return item(index, row, self._registry.credentials(row.card.account.fingerprint))

    def _page(
        self,
        overview: Overview,
        rows: list[Row],
        items: list[dict[str, object]],
        page: int,
        size: int,
    ) -> dict[str, object]:
        in_flight = [row.status.in_flight for row in rows]
        active = sum(row.state == "ready" for row in rows)
        several = overview.workers > 1 or overview.partial
        shown: dict[str, object] = {
            "timestamp": moment(self._clock.seconds()),
            "total_tokens": len(rows),
            "active_tokens": active,
            "tokens": items,
            "total": len(rows),
            "page": page,
            "page_size": size,
            "pool_stats": {
                "total_tokens": len(rows),
                "active_tokens": active,
                "global_in_flight": sum(in_flight),
                "tokens_with_in_flight": sum(1 for count in in_flight if count),
            },
        }
        if several:
            shown |= {"workers": overview.workers, "partial": overview.partial}
        return shown
