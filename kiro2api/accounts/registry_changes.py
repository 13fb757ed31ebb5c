# -*- test-case-name: tests.accounts.test_registry_changes -*-
"""What an operator wants changed, checked field by field.

Pure. Must not know the accounts, the groups or where they are kept.
"""

import re
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from kiro2api.accounts.account import DEFAULT_GROUP, Account, is_group_name
from kiro2api.accounts.groups import GroupPolicy, Policy
from kiro2api.errors import RequestRejected

NAME_LIMIT: Final = 64
_MOST_IN_FLIGHT: Final = 10_000
_MOST_PER_MINUTE: Final = 1_000_000
_LAST_ORDER: Final = 1_000_000_000
_LONGEST_COOLDOWN: Final = 86_400.0


class AccountPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of an account; what is not given stays. ``disabled`` is ``enabled`` reversed."""

    name: str | UnsetType = UNSET
    group: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    max_in_flight: int | UnsetType = UNSET
    requests_per_minute: int | UnsetType = UNSET
    order: int | UnsetType = UNSET


class GroupPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of a group; what is not given stays."""

    display_name: str | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    affinity: bool | UnsetType = UNSET
    max_in_flight: int | UnsetType = UNSET
    requests_per_minute: int | UnsetType = UNSET
    cooldown_seconds: float | UnsetType = UNSET


class Wish(msgspec.Struct, frozen=True):
    """An account as it shall be."""

    account: Account
    enabled: bool


def patched(account: Account, enabled: bool, patch: AccountPatch) -> Wish:
    """The account with the changes.

    :raises RequestRejected: ``param`` names the field.
    """
    changes: dict[str, str | int] = {}
    if patch.name is not UNSET:
        changes["name"] = _name(patch.name, "name", empty=False)
    if patch.group is not UNSET:
        changes["group"] = patch.group
    limits: tuple[tuple[Literal["max_in_flight", "requests_per_minute", "order"], int], ...] = (
        ("max_in_flight", _MOST_IN_FLIGHT),
        ("requests_per_minute", _MOST_PER_MINUTE),
        ("order", _LAST_ORDER),
    )
    for field, most in limits:
        value = getattr(patch, field)
        if value is not UNSET:
            changes[field] = _within(value, field, most)
    if patch.enabled is not UNSET:
        if patch.disabled is patch.enabled:
            raise RequestRejected("enabled and disabled contradict each other", param="enabled")
        enabled = patch.enabled
    elif patch.disabled is not UNSET:
        enabled = not patch.disabled
    return Wish(msgspec.structs.replace(account, **changes), enabled)


def changes_of(before: Account, enabled: bool, wish: Wish) -> dict[str, object]:
    """What differs, by field."""
    after = wish.account
    pairs: tuple[tuple[str, object, object], ...] = (
        ("name", before.name, after.name),
        ("group", before.group, after.group),
        ("order", before.order, after.order),
        ("max_in_flight", before.max_in_flight, after.max_in_flight),
        ("requests_per_minute", before.requests_per_minute, after.requests_per_minute),
        ("enabled", enabled, wish.enabled),
    )
    return {field: new for field, old, new in pairs if old != new}


def changed_policy(policy: GroupPolicy, patch: GroupPatch) -> GroupPolicy:
    """The policy with the changes.

    :raises RequestRejected: ``param`` names the field.
    """
    changes = {
        field: value
        for field in patch.__struct_fields__
        if (value := getattr(patch, field)) is not UNSET
    }
    if "display_name" in changes:
        changes["display_name"] = _name(changes["display_name"], "display_name", empty=True)
    for field, most in (
        ("max_in_flight", _MOST_IN_FLIGHT),
        ("requests_per_minute", _MOST_PER_MINUTE),
        ("cooldown_seconds", _LONGEST_COOLDOWN),
    ):
        if field in changes:
            _within(changes[field], field, most)
    return msgspec.structs.replace(policy, **changes)


def new_group_name(name: str, param: str) -> str:
    """A name that a group may be given.

    :raises RequestRejected: it is not legal.
    """
    if not is_group_name(name):
        raise RequestRejected(
            "must be 1 to 64 letters, digits, _ or -, and no name that URLs already use",
            param=param,
        )
    return name


def keep_default(name: str, verb: str) -> None:
    """The default group is where everything goes that has no other place.

    :raises RequestRejected: it is that group.
    """
    if name == DEFAULT_GROUP:
        raise RequestRejected(f"the group {DEFAULT_GROUP!r} cannot be {verb}", param="name")


def _within(value: int | float, field: str, most: int | float) -> int:
    # Also for what is no number at all, which would compare as false.
    if not 0 <= value <= most:
        raise RequestRejected(f"must be from 0 to {most:g}", param=field)
    return int(value)


def _name(value: str, field: str, *, empty: bool) -> str:
    name = re.sub(r"\s+", " ", value).strip()
    if not (name or empty) or len(name) > NAME_LIMIT or not name.isprintable():
        least = 0 if empty else 1
        raise RequestRejected(f"must be {least} to {NAME_LIMIT} printable characters", param=field)
    return name
