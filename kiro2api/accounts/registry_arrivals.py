# -*- test-case-name: tests.accounts.test_registry_arrivals -*-
"""How accounts come in beside the configuration: typed, in bulk, from a backup, by a login.

Must not know how they are asked for. Who is there already is not added twice, whether it is known
by the credential it came with or by the one it has now.
"""

from collections.abc import Callable, Iterable

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_changes import new_group_name
from kiro2api.accounts.registry_entries import Parsed, parse_entry
from kiro2api.accounts.registry_roll import Card, card_of, id_of
from kiro2api.accounts.registry_store import Newcomer, Said
from kiro2api.errors import Conflict, RequestRejected


class Skipped(msgspec.Struct, frozen=True):
    """An entry that is at fault."""

    index: int
    error: str


class Warned(msgspec.Struct, frozen=True):
    """An entry of which a part is ignored."""

    index: int
    warning: str


class Bulk(msgspec.Struct, frozen=True):
    """What became of many entries."""

    added: tuple[Card, ...] = ()
    duplicates: tuple[Card, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Warned, ...] = ()


class Arrivals:
    """Takes accounts in."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def add(self, actor: str, entry: object) -> Deferred[Card]:
        """One account of any known form; fails with Conflict if it is there, whose ``existing``
        says as what, or with RequestRejected."""
        return self._registry.order.run(self._add(actor, entry))

    def add_all(
        self,
        actor: str,
        entries: Iterable[object],
        *,
        group: str = "",
        new_groups: bool = False,
        allowed: Callable[[str], bool] = lambda group: True,
    ) -> Deferred[Bulk]:
        """Many, in one transaction; each that is at fault is skipped.

        :param group: where all go, instead of where each says.
        :param new_groups: whether unknown groups come into being, as in the configuration.
        :param allowed: whether accounts may be added to a group.
        """
        parsed: list[tuple[int, Parsed]] = []
        skipped: list[Skipped] = []
        for index, entry in enumerate(entries):
            try:
                read = parse_entry(entry, group)
            except RequestRejected as error:
                skipped.append(Skipped(index, error.message))
                continue
            if allowed(read.newcomer.account.group):
                parsed.append((index, read))
            else:
                skipped.append(Skipped(index, "this API key is not for that group"))
        return self._registry.order.run(
            self._enlist(actor, "account.add_all", parsed, skipped, new_groups=new_groups)
        )

    def restore(self, actor: str, newcomers: Iterable[Newcomer]) -> Deferred[Bulk]:
        """Those of a backup, as they were; unknown groups come into being."""
        parsed = [(index, Parsed(each, named=True)) for index, each in enumerate(newcomers)]
        return self._registry.order.run(
            self._enlist(actor, "account.restore", parsed, [], new_groups=True)
        )

    def logged_in(
        self, actor: str, account: Account, credentials: Credentials, *, email: str = ""
    ) -> Deferred[Card]:
        """A login has succeeded: a new account, or new credentials for a known one.

        :param account: with the fingerprint of a known account it is that one.
        :param email: whose login it was; the account of the same person and kind, where there is
            just one, gets the credentials.
        """
        roll = self._registry.roll
        known = roll.cards.get(account.fingerprint)
        if known is None:
            found = self._same_person(account, email)
            known = found[0] if len(found) == 1 else None
        if known is not None:
            return self._registry.replace(actor, known.id, account, credentials)
        parsed = Parsed(Newcomer(account, credentials), named=bool(account.name))
        return self._registry.order.run(self._arrive(actor, "account.login", parsed))

    # ── how ──────────────────────────────────────────────────────────────────

    async def _add(self, actor: str, entry: object) -> Card:
        return await self._arrive(actor, "account.add", parse_entry(entry))

    async def _arrive(self, actor: str, action: str, parsed: Parsed) -> Card:
        group = parsed.newcomer.account.group
        if group not in self._registry.roll.policies:
            raise RequestRejected(f"there is no group {group!r}; create it first", param="group")
        done = await self._enlist(actor, action, [(0, parsed)], [], new_groups=False)
        if done.added:
            return done.added[0]
        card = done.duplicates[0]
        raise Conflict(
            f"this account is there already: {card.account.name}",
            details={
                "existing": {
                    "id": card.id,
                    "name": card.account.name,
                    "group": card.account.group,
                }
            },
        )

    async def _enlist(
        self,
        actor: str,
        action: str,
        parsed: Iterable[tuple[int, Parsed]],
        skipped: list[Skipped],
        *,
        new_groups: bool,
    ) -> Bulk:
        registry = self._registry
        roll = registry.roll
        secrets = self._secrets()
        names: set[str] = set()
        coming: dict[str, Newcomer] = {}
        duplicates: list[str] = []
        warnings: list[Warned] = []
        order = roll.next_order()
        for index, each in parsed:
            account = each.newcomer.account
            secret = _secret_of(account, each.newcomer.credentials)
            there = secrets.setdefault(secret, account.fingerprint)
            if account.fingerprint in roll.cards or account.fingerprint in coming:
                there = account.fingerprint
            if there in roll.cards or there in coming:
                duplicates.append(there)
                continue
            try:
                await self._place(actor, account.group, new_groups)
            except RequestRejected as error:
                skipped.append(Skipped(index, error.message))
                continue
            name = roll.free_name(
                account.name or account.method.replace("_", "-"), given=each.named, taken=names
            )
            names.add(name)
            warnings += (Warned(index, text) for text in each.warnings)
            account = msgspec.structs.replace(account, name=name, order=order)
            order += 1
            coming[account.fingerprint] = msgspec.structs.replace(each.newcomer, account=account)
        added = await self._store(actor, action, coming, duplicates)
        return Bulk(
            tuple(added),
            tuple(roll.cards[each] for each in duplicates if each in roll.cards),
            tuple(sorted(skipped, key=lambda each: each.index)),
            tuple(warnings),
        )

    async def _store(
        self, actor: str, action: str, coming: dict[str, Newcomer], duplicates: list[str]
    ) -> list[Card]:
        if not coming:
            return []
        registry = self._registry
        newcomers = list(coming.values())
        subject, detail = "", dict[str, object](count=len(newcomers))
        if len(newcomers) == 1:
            account = newcomers[0].account
            subject = id_of(account.fingerprint)
            detail = {"name": account.name, "group": account.group, "auth": account.method}
        done = await registry.store.add(newcomers, Said(actor, action, subject, detail))
        for row in (*done.there.values(), *done.added.values()):
            if row.account is not None:
                registry.apply(card_of(row.account, row), row.credentials)
        # Another process was faster with these.
        duplicates += done.there
        return [registry.roll.cards[fingerprint] for fingerprint in done.added]

    async def _place(self, actor: str, group: str, new_groups: bool) -> None:
        """See that the group is there."""
        registry = self._registry
        if group in registry.roll.policies:
            return
        if not new_groups:
            raise RequestRejected(f"there is no group {group!r}; create it first", param="group")
        policy = GroupPolicy(new_group_name(group, "group"))
        await registry.store.put_group(policy, Said(actor, "group.create", group))
        registry.roll.policies[group] = policy
        registry.pool.set_group(policy)

    def _secrets(self) -> dict[str, str]:
        """Whose credential each is that is in use now."""
        found = {}
        for card in self._registry.roll:
            fingerprint = card.account.fingerprint
            credentials = self._registry.credentials(fingerprint)
            found[_secret_of(card.account, credentials)] = fingerprint
        found.pop("", None)
        return found

    def _same_person(self, account: Account, email: str) -> list[Card]:
        if not email:
            return []
        return [
            card
            for card in self._registry.roll
            if card.account.method == account.method and card.email.lower() == email.lower()
        ]


def _secret_of(account: Account, credentials: Credentials) -> str:
    if account.method == "api_key":
        return credentials.access_token.reveal()
    return credentials.refresh_token.reveal()
