# -*- test-case-name: tests.accounts.test_registry -*-
"""Everything an operator does to accounts: checked, stored with its line in the audit, applied.

The only writer of what operators change; whatever they use goes through it. Must not know how it
is asked for, nor SQL. Adding is in ``registry_arrivals``, groups are in ``registry_groups``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import StoredAccount
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.quota import Quota
from kiro2api.accounts.registry_changes import AccountPatch, changes_of, patched
from kiro2api.accounts.registry_order import InOrder
from kiro2api.accounts.registry_roll import Card, Roll, card_of, id_of
from kiro2api.accounts.registry_store import OperatorStore, Said
from kiro2api.errors import Conflict, NotFound, RequestRejected


class Change(Protocol):
    """What the store says has changed."""

    @property
    def topic(self) -> str:
        """``account``, ``group`` or something else."""

    @property
    def subject(self) -> str:
        """A fingerprint or a name."""


class OperatedPool(Protocol):
    """The part of the pool that an operator changes; all of it cheap and at once."""

    def admit(
        self,
        account: Account,
        credentials: Credentials,
        enabled: bool,
        parked: Parked | None,
        credits_left: float | None,
    ) -> None:
        """Add an account, or update it in place: counters, loans and rests stay."""

    def expel(self, fingerprint: str) -> None:
        """Lend it no more."""

    def release(self, fingerprint: str) -> Deferred[None]:
        """Let it be asked again; fires when that is stored."""

    def set_group(self, policy: GroupPolicy) -> None:
        """A group as it shall be."""

    def drop_group(self, name: str) -> None:
        """Forget a group without accounts."""


class Registry:
    """The accounts as the operator knows and changes them.

    :param keyring: the credentials in use, which the pool keeps current.
    :param now: epoch seconds.
    """

    def __init__(
        self,
        store: OperatorStore,
        pool: OperatedPool,
        keyring: Keyring,
        now: Callable[[], float],
    ) -> None:
        self.store = store
        self.pool = pool
        self.roll = Roll()
        self.order = InOrder()
        self.watchers: list[Callable[[str], object]] = []
        """Called with the id of each account that has changed."""
        self.read: Callable[[str, StoredAccount], object] = lambda fingerprint, row: None
        """Called with each row that was read, once the pool knows its account."""
        self._keyring = keyring
        self._now = now

    # ── what is known ────────────────────────────────────────────────────────

    def start(self, rows: Mapping[str, StoredAccount]) -> Deferred[None]:
        """Take over the rows that count now, and the policies; the pool is told everything."""
        return self.order.run(self._start(rows))

    def find(self, account_id: str) -> Card:
        """The account of that id; raises NotFound."""
        return self.roll.find(account_id)

    def credentials(self, fingerprint: str) -> Credentials:
        """The credentials in use; raises NotFound."""
        try:
            return self._keyring.current(fingerprint)
        except KeyError:
            raise NotFound(f"there is no account {id_of(fingerprint)!r}") from None

    # ── changing ─────────────────────────────────────────────────────────────

    def patch(self, actor: str, account_id: str, patch: AccountPatch) -> Deferred[Card]:
        """Change what is given; takes effect with the next choice."""
        return self.order.run(self._patch(actor, account_id, patch))

    def unpark(self, actor: str, account_id: str) -> Deferred[Card]:
        """Let the account be asked again, whatever keeps it from that."""
        return self.order.run(self._unpark(actor, account_id))

    def replace(
        self, actor: str, account_id: str, login: Account, credentials: Credentials
    ) -> Deferred[Card]:
        """New credentials for an account, which is asked again.

        :param login: says how and where it was logged in.
        """
        return self.order.run(self._replace(actor, account_id, login, credentials))

    def remove(self, actor: str, account_id: str) -> Deferred[None]:
        """Forget an account; fails with Conflict for one of the configuration."""
        return self.order.run(self._remove(actor, account_id))

    def follow(self, changes: Iterable[Change]) -> Deferred[None]:
        """Apply what has changed in the store, by whichever process, this one included."""
        told = dict.fromkeys((change.topic, change.subject) for change in changes)
        return self.order.run(self._follow(told))

    def learnt(self, fingerprint: str, quota: Quota, checked_at: float) -> None:
        """Show credits that were read a moment ago; whoever read them stores them."""
        card = self.roll.cards.get(fingerprint)
        if card is not None:
            email = quota.email or card.email
            self.roll.put(
                msgspec.structs.replace(card, quota=quota, quota_checked_at=checked_at, email=email)
            )
            self.changed(card.id)

    # ── for the other modules of the registry ────────────────────────────────

    def changed(self, account_id: str) -> None:
        """Tell whoever wants to know."""
        for tell in self.watchers:
            tell(account_id)

    def apply(self, card: Card, credentials: Credentials, parked: Parked | None = None) -> None:
        """Show and lend an account as it is now.

        :param parked: what has newly been stored of that; how a known account stands is the
            pool's to say.
        """
        fingerprint = card.account.fingerprint
        new = fingerprint not in self.roll.cards
        self.roll.put(card)
        if new:
            parked = card.parked
        self.pool.admit(card.account, credentials, card.enabled, parked, None)
        self.changed(card.id)

    # ── how ──────────────────────────────────────────────────────────────────

    async def _start(self, rows: Mapping[str, StoredAccount]) -> None:
        policies = await self.store.groups()
        cards = [(card_of(row.account, row), row) for row in rows.values() if row.account]
        self.roll.set_policies(policies)
        for card, row in cards:
            self.apply(card, row.credentials)
            self.read(card.account.fingerprint, row)
        # After them, for they bring groups along that have no policy of their own.
        for policy in self.roll.policies.values():
            self.pool.set_group(policy)

    async def _patch(self, actor: str, account_id: str, patch: AccountPatch) -> Card:
        card = self.roll.find(account_id)
        wish = patched(card.account, card.enabled, patch)
        named = self.roll.named(wish.account.name)
        if named is not None and named.id != card.id:
            raise RequestRejected("another account is called so", param="name")
        if wish.account.group not in self.roll.policies:
            raise RequestRejected(
                f"there is no group {wish.account.group!r}; create it first", param="group"
            )
        changes = changes_of(card.account, card.enabled, wish)
        if not changes:
            return card
        said = Said(actor, "account.change", card.id, {"name": card.account.name, **changes})
        fingerprint = card.account.fingerprint
        if await self.store.patch(fingerprint, changes, said) is None:
            self._forget(fingerprint)
            raise NotFound(f"there is no account {account_id!r}")
        card = msgspec.structs.replace(
            self.roll.find(account_id), account=wish.account, enabled=wish.enabled
        )
        self.apply(card, self.credentials(fingerprint))
        return card

    async def _unpark(self, actor: str, account_id: str) -> Card:
        card = self.roll.find(account_id)
        fingerprint = card.account.fingerprint
        said = Said(actor, "account.unpark", card.id, {"name": card.account.name})
        await self.store.unpark(fingerprint, said)
        return self._released(self.roll.find(account_id))

    async def _replace(
        self, actor: str, account_id: str, login: Account, credentials: Credentials
    ) -> Card:
        card = self.roll.find(account_id)
        account = card.account
        if login.method != account.method:
            raise Conflict(
                f"{account.name} is an account of another kind ({account.method}, not"
                f" {login.method}): add this login as an account of its own"
            )
        account = msgspec.structs.replace(account, region=login.region)
        said = Said(actor, "account.login", card.id, {"name": account.name})
        await self.store.replace(account, credentials, said)
        card = msgspec.structs.replace(
            self.roll.find(account_id), account=account, parked=None, last_error=""
        )
        # The pool takes what it is given for older than what it renewed; this is not.
        self._keyring.begin(account.fingerprint, credentials)
        self.apply(card, credentials)
        return self._released(card)

    def _released(self, card: Card) -> Card:
        card = msgspec.structs.replace(card, parked=None)
        self.roll.put(card)
        # What it writes is what has been written already, and it logs its own failures.
        self.pool.release(card.account.fingerprint)
        self.changed(card.id)
        return card

    async def _remove(self, actor: str, account_id: str) -> None:
        card = self.roll.find(account_id)
        if card.source != "stored":
            raise Conflict(
                f"{card.account.name} is configured in KIRO_AUTH_TOKEN: remove it there, or"
                " disable it here"
            )
        fingerprint = card.account.fingerprint
        detail = {"name": card.account.name, "group": card.account.group}
        await self.store.remove(fingerprint, Said(actor, "account.remove", card.id, detail))
        self._forget(fingerprint)

    def _forget(self, fingerprint: str) -> None:
        if self.roll.drop(fingerprint) is not None:
            self.pool.expel(fingerprint)
            self.changed(id_of(fingerprint))

    async def _follow(self, told: Iterable[tuple[str, str]]) -> None:
        groups = False
        for topic, subject in told:
            if topic == "account":
                await self._follow_account(subject)
            groups = groups or topic == "group"
        if groups:
            await self._follow_groups()

    async def _follow_account(self, fingerprint: str) -> None:
        row = await self.store.read(fingerprint)
        if row is None or row.account is None:
            self._forget(fingerprint)
            return
        before = self.roll.cards.get(fingerprint)
        card = card_of(row.account, row)
        if before is None:
            if card.account.group not in self.roll.policies:
                await self._follow_groups()
            self.apply(card, row.credentials)
            self.read(fingerprint, row)
            return
        credentials = _newer(row.credentials, self.credentials(fingerprint))
        parked = card.parked if card.parked != before.parked else None
        lent = (before.account, before.enabled, self.credentials(fingerprint))
        if parked is not None or lent != (card.account, card.enabled, credentials):
            self.apply(card, credentials, parked)
        elif card != before:
            self.roll.put(card)
            self.changed(card.id)
        self.read(fingerprint, row)
        if before.parked is not None and card.parked is None and self._lasts(before.parked):
            # Somebody did not wait for its end.
            self.pool.release(fingerprint)

    def _lasts(self, parked: Parked) -> bool:
        return not parked.until or parked.until > self._now()

    async def _follow_groups(self) -> None:
        stored = await self.store.groups()
        before = self.roll.policies
        self.roll.set_policies(stored)
        for name, policy in self.roll.policies.items():
            if before.get(name) != policy:
                self.pool.set_group(policy)
        for name in before.keys() - self.roll.policies.keys():
            self.pool.drop_group(name)


def _newer(stored: Credentials, used: Credentials) -> Credentials:
    """The stored credentials, unless a row was only made to park an account."""
    return stored if stored.refresh_token or stored.access_token else used
