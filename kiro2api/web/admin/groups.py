# -*- test-case-name: tests.web.admin.test_groups -*-
"""The routes of groups: how their accounts are used, and how many can serve.

Must not know the pool or the store: changes go through the registry.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from klein import Klein

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.registry_changes import GroupPatch
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.registry_roll import Roll
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.admin.lists import page_of
from kiro2api.web.admin.tokens import may_see
from kiro2api.web.admin.tokens_recent import Recent
from kiro2api.web.admin.tokens_view import Row, Wanted, chosen, left
from kiro2api.web.gate import Gate
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

SORTS: Final = ("name", "display_name", "policy", "token_count", "active_count", "credits_left")


class NewName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``/rename``."""

    new_name: str


class NewGroup(GroupPatch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a new group."""

    name: str


_NEW: Final = msgspec.json.Decoder(NewGroup)
_PATCH: Final = msgspec.json.Decoder(GroupPatch)
_RENAME: Final = msgspec.json.Decoder(NewName)


class GroupsApi:
    """Routes below ``/api/groups``.

    :param recent: the accounts as they stand, in all processes.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self,
        gate: Gate,
        groups: GroupRegistry,
        roll: Roll,
        recent: Recent,
    ) -> None:
        self._gate = gate
        self._groups = groups
        self._roll = roll
        self._recent = recent

    @app.route("/api/groups", methods=["GET"])
    async def groups(self, request: ApiRequest) -> bytes:
        """All groups; the default one first."""
        allowed = may_see(self._gate, self._gate.identify_admin(request))
        shown = await self._shown(each for each in self._groups.all() if allowed(each.name))
        page = page_of(
            request,
            shown,
            sorts=SORTS,
            search=lambda item: f"{item['name']} {item['display_name']}",
        )
        return send_value(request, {**page, "groups": page["items"]})

    @app.route("/api/groups", methods=["POST"])
    async def create(self, request: ApiRequest) -> bytes:
        """A new group."""
        caller = self._gate.identify_admin(request)
        asked = body_of(request, _NEW)
        self._gate.allow_group(caller, asked.name)
        policy = await self._groups.create(caller.name, asked.name, asked)
        return send_value(request, (await self._shown([policy]))[0], 201)

    @app.route("/api/groups/<name>", methods=["GET"])
    async def group(self, request: ApiRequest, name: str) -> bytes:
        """One group."""
        self._gate.allow_group(self._gate.identify_admin(request), name)
        return send_value(request, (await self._shown([self._groups.policy(name)]))[0])

    @app.route("/api/groups/<name>", methods=["PUT", "PATCH"])
    async def change(self, request: ApiRequest, name: str) -> bytes:
        """Change what is given; takes effect with the next request."""
        caller = self._gate.identify_admin(request)
        self._gate.allow_group(caller, name)
        policy = await self._groups.change(caller.name, name, body_of(request, _PATCH))
        return send_value(request, (await self._shown([policy]))[0])

    @app.route("/api/groups/<name>/rename", methods=["POST"])
    async def rename(self, request: ApiRequest, name: str) -> bytes:
        """Call it differently; its accounts, and keys that are for it, follow."""
        caller = self._gate.identify_admin(request)
        self._gate.allow_group(caller, name)
        new = body_of(request, _RENAME).new_name
        policy = await self._groups.rename(caller.name, name, new)
        return send_value(request, (await self._shown([policy]))[0])

    @app.route("/api/groups/<name>", methods=["DELETE"])
    async def remove(self, request: ApiRequest, name: str) -> bytes:
        """Forget it; its accounts go to the default group."""
        caller = self._gate.identify_admin(request)
        self._gate.allow_group(caller, name)
        self._gate.allow_group(caller, "default")
        await self._groups.remove(caller.name, name)
        request.setResponseCode(204)
        return b""

    async def _shown(self, policies: Iterable[GroupPolicy]) -> list[dict[str, object]]:
        overview = await self._recent.overview()
        rows = chosen(overview.statuses, self._roll, Wanted(), lambda group: True)
        members: dict[str, list[Row]] = {}
        for row in rows:
            members.setdefault(row.card.account.group, []).append(row)
        return [_item(policy, members.get(policy.name, [])) for policy in policies]


def _item(policy: GroupPolicy, rows: list[Row]) -> dict[str, object]:
    known = [credits for row in rows if (credits := left(row)) is not None]
    return {
        **msgspec.structs.asdict(policy),
        "token_count": len(rows),
        "active_count": sum(row.state == "ready" for row in rows),
        # Of those that are known; None if nobody's are.
        "credits_left": sum(known) if known else None,
    }
