# -*- test-case-name: tests.accounts.test_registry -*-
"""The accounts and groups as the operator knows them: what is stored and does not change by use.

Pure. Must not know the pool, nor how an account stands at the moment.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from kiro2api.accounts.account import DEFAULT_GROUP, Account
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import Source, StoredAccount
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.quota import Quota, decode_quota
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import NotFound

_ID: Final = 16
_SHORT: Final = 8


class Card(msgspec.Struct, frozen=True):
    """One account without its credentials. ``parked`` is as stored; times in epoch seconds."""

    account: Account
    source: Source = "stored"
    enabled: bool = True
    parked: Parked | None = None
    email: str = ""
    quota: Quota | None = None
    quota_checked_at: float = 0.0
    last_error: str = ""

    def __repr__(self) -> str:
        # Without the e-mail address.
        return f"<card of {self.account.name}>"

    @property
    def id(self) -> str:
        """What the account is called in URLs."""
        return id_of(self.account.fingerprint)


def id_of(fingerprint: str) -> str:
    """The part of a fingerprint that is shown."""
    return fingerprint[:_ID]


def card_of(account: Account, row: StoredAccount) -> Card:
    """What a row says beside credentials."""
    quota = decode_quota(row.quota)
    return Card(
        account,
        source=row.source,
        enabled=row.enabled,
        parked=row.parked,
        email=row.email or ("" if quota is None else quota.email),
        quota=quota,
        quota_checked_at=row.quota_checked_at,
        last_error=row.last_error,
    )


class Roll:
    """All cards and policies, found by whatever they are asked for by."""

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self.policies: dict[str, GroupPolicy] = {DEFAULT_GROUP: GroupPolicy(DEFAULT_GROUP)}
        self._ids: dict[str, str] = {}
        self._short: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        self._numbered: dict[str, int] = {}

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards.values())

    def put(self, card: Card) -> None:
        """A new card, or another state of a known one; its group exists from now on."""
        fingerprint = card.account.fingerprint
        self.drop(fingerprint)
        self.cards[fingerprint] = card
        self._ids[id_of(fingerprint)] = fingerprint
        self._short[fingerprint[:_SHORT], card.account.name] = fingerprint
        self._names[card.account.name] = fingerprint
        self.policies.setdefault(card.account.group, GroupPolicy(card.account.group))

    def drop(self, fingerprint: str) -> Card | None:
        """Forget an account."""
        card = self.cards.get(fingerprint)
        if card is None:
            return None
        del self.cards[fingerprint]
        self._ids.pop(id_of(fingerprint), None)
        self._short.pop((fingerprint[:_SHORT], card.account.name), None)
        if self._names.get(card.account.name) == fingerprint:
            del self._names[card.account.name]
        return card

    def find(self, account_id: str) -> Card:
        """The account of that id.

        :raises NotFound: there is none.
        """
        fingerprint = self._ids.get(account_id)
        if fingerprint is None:
            raise NotFound(f"there is no account {account_id!r}")
        return self.cards[fingerprint]

    def of_status(self, status: AccountStatus) -> Card | None:
        """Whose status that is; None for an account that another process still has."""
        shown = status.fingerprint
        fingerprint = self._ids.get(shown) or self._short.get((shown[:_SHORT], status.name))
        return None if fingerprint is None else self.cards[fingerprint]

    def named(self, name: str) -> Card | None:
        """The account of that name."""
        fingerprint = self._names.get(name)
        return None if fingerprint is None else self.cards[fingerprint]

    def free_name(self, wanted: str, *, given: bool, taken: AbstractSet[str]) -> str:
        """``wanted``, with a number where it is taken, also by ``taken``, or was only made up."""
        if given and wanted not in self._names and wanted not in taken:
            return wanted
        head, _, tail = wanted.rpartition("-")
        base = wanted if given or not tail.isdecimal() else head
        number = self._numbered.get(base, 1 if given else 0)
        while True:
            number += 1
            name = f"{base}-{number}"
            if name not in self._names and name not in taken:
                self._numbered[base] = number
                return name

    def next_order(self) -> int:
        """Behind everybody."""
        return max((card.account.order for card in self), default=-1) + 1

    def members(self, group: str) -> list[Card]:
        """The accounts of a group."""
        return [card for card in self if card.account.group == group]

    def policy(self, name: str) -> GroupPolicy:
        """How a group is used.

        :raises NotFound: there is no such group.
        """
        policy = self.policies.get(name)
        if policy is None:
            raise NotFound(f"there is no group {name!r}")
        return policy

    def set_policies(self, stored: Mapping[str, GroupPolicy]) -> None:
        """The stored policies; groups that only have accounts get the usual one."""
        self.policies = {DEFAULT_GROUP: GroupPolicy(DEFAULT_GROUP), **stored}
        for card in self:
            self.policies.setdefault(card.account.group, GroupPolicy(card.account.group))
