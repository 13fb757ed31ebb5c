# -*- test-case-name: tests.web.admin.test_tokens_view -*-
"""Accounts as the operator's API shows them: chosen, sorted, and each as an item without secrets.

Pure. Must not know HTTP. Only what is on the page becomes an item, for there may be many accounts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from kiro2api.accounts.account import Credentials, profile_region
from kiro2api.accounts.registry_roll import Card, Roll
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import RequestRejected
from kiro2api.web.operator_api import moment

DISABLED: Final = "disabled"


class Row(msgspec.Struct, frozen=True):
    """What is known of one account."""

    status: AccountStatus
    card: Card

    @property
    def state(self) -> str:
        """How it stands; its switch is believed at once, also while others still have to hear."""
        if not self.card.enabled:
            return DISABLED
        return "ready" if self.status.state == DISABLED else self.status.state


class Wanted(msgspec.Struct, frozen=True):
    """Which accounts, in which order. Empty: all, in the order of choice."""

    group: str = ""
    state: str = ""
    q: str = ""
    sort: str = ""


def left(row: Row) -> float | None:
    """Credits left, less what was spent since they were read; None if nobody knows."""
    if row.status.credits_left is not None:
        return row.status.credits_left
    return None if row.card.quota is None else row.card.quota.left


def _left(row: Row) -> float:
    # Whoever has no bound has most, whoever is unknown least.
    credits = left(row)
    if credits is not None:
        return credits
    return -1.0 if row.card.quota is None else float("inf")


def _used(row: Row) -> float:
    return -1.0 if row.card.quota is None else row.card.quota.used


def _reset(row: Row) -> float:
    return 0.0 if row.card.quota is None else row.card.quota.reset_at


SORTS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "order": lambda row: row.card.account.order,
    "name": lambda row: row.card.account.name.casefold(),
    "group": lambda row: row.card.account.group.casefold(),
    "auth_type": lambda row: row.card.account.method,
    "source": lambda row: row.card.source,
    "enabled": lambda row: row.card.enabled,
    "status": lambda row: row.state,
    "returns_at": lambda row: row.status.until,
    "expires_at": lambda row: row.status.expires_at,
    "last_used": lambda row: row.status.last_used,
    "in_flight": lambda row: row.status.in_flight,
    "request_count": lambda row: row.status.served + row.status.failed,
    "success_count": lambda row: row.status.served,
    "failure_count": lambda row: row.status.failed,
    "user_email": lambda row: row.card.email.casefold(),
    "subscription": lambda row: "" if row.card.quota is None else row.card.quota.subscription,
    "left": _left,
    "used": _used,
    "reset_at": _reset,
}


def chosen(
    statuses: Iterable[AccountStatus],
    roll: Roll,
    wanted: Wanted,
    allowed: Callable[[str], bool],
) -> list[Row]:
    """The accounts that are wanted, of the groups that are ``allowed``.

    :raises RequestRejected: there is no such field to sort by.
    """
    find = roll.of_status
    rows = [Row(status, card) for status in statuses if (card := find(status)) is not None]
    groups = {row.card.account.group for row in rows}
    hidden = {group for group in groups if not allowed(group)}
    if wanted.group:
        hidden = groups - {wanted.group} | hidden
    if hidden:
        rows = [row for row in rows if row.card.account.group not in hidden]
    if wanted.state:
        rows = [row for row in rows if row.state == wanted.state]
    if text := wanted.q.casefold():
        rows = [row for row in rows if text in _searched(row)]
    if wanted.sort:
        field = wanted.sort.removeprefix("-")
        key = SORTS.get(field)
        if key is None:
            raise RequestRejected(f"lists are sorted by {', '.join(SORTS)}", param="sort")
        rows.sort(key=key, reverse=wanted.sort.startswith("-"))
    return rows


def _searched(row: Row) -> str:
    card, status = row.card, row.status
    account = card.account
    words = (account.name, account.group, card.email, card.id, status.reason, row.state)
    subscription = "" if card.quota is None else card.quota.subscription
    return "\n".join((*words, subscription)).casefold()


def unseen(card: Card) -> AccountStatus:
    """The status of an account that nobody has told of yet."""
    account = card.account
    return AccountStatus(
        name=account.name,
        group=account.group,
        method=account.method,
        state="ready" if card.enabled else DISABLED,
        reason="",
        until=0.0,
        expires_at=0.0,
        in_flight=0,
        served=0,
        failed=0,
        order=account.order,
        last_used=0.0,
        fingerprint=card.id,
    )


def item(index: int, row: Row, credentials: Credentials) -> dict[str, object]:
    """One account. The e-mail address is masked, of the credentials only the region is told."""
    card, status = row.card, row.status
    account = card.account
    stale = row.state != status.state
    return {
        "id": card.id,
        "index": index,
        "name": account.name,
        "group": account.group,
        "auth_type": account.method,
        "source": card.source,
        "enabled": card.enabled,
        "status": row.state,
        "error": "" if stale else status.reason,
        "returns_at": "" if stale else moment(status.until),
        "expires_at": moment(credentials.expires_at),
        "last_used": moment(status.last_used),
        "in_flight": status.in_flight,
        "request_count": status.served + status.failed,
        "success_count": status.served,
        "failure_count": status.failed,
        "user_email": masked(card.email),
        "subscription": "" if card.quota is None else card.quota.subscription,
        "quota": quota_of(row),
        "max_in_flight": account.max_in_flight,
        "requests_per_minute": account.requests_per_minute,
        "region": account.region,
        "profile_region": profile_region(credentials.profile_arn),
        "order": account.order,
        "busy": status.busy,
        "probing": status.probing,
        "last_error": status.last_error or card.last_error,
        "last_error_at": moment(status.last_error_at),
    }


def quota_of(row: Row) -> dict[str, object] | None:
    """What is left, less what was spent since it was read; None if nothing is known."""
    quota = row.card.quota
    if quota is None:
        return None
    return {
        "used": quota.used,
        "limit": quota.limit,
        "left": left(row),
        "reset_at": moment(quota.reset_at),
        "checked_at": moment(row.card.quota_checked_at),
        "overage": quota.overage,
    }


def masked(email: str) -> str:
    """An address by which its owner knows it and nobody else does: ``a***e@***.com``.

    The number of stars says nothing; of a short name nothing is left.
    """
    user, _, domain = email.rpartition("@")
    if not user:
        return "***" if email else ""
    shown = f"{user[0]}***{user[-1]}" if len(user) > 2 else "***"
    last = domain.rpartition(".")[2] if "." in domain else ""
    return f"{shown}@***.{last}" if last else f"{shown}@***"
