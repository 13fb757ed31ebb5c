# -*- test-case-name: tests.web.admin.test_backup -*-
"""The routes that give everything away under a passphrase, and take it in again.

Must not know ciphers. Also other forms are taken in: those of the configuration, and what the
original kept in a file.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec
from klein import Klein
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.registry import Registry
from kiro2api.accounts.registry_arrivals import Arrivals, Bulk, Skipped
from kiro2api.accounts.registry_changes import GroupPatch
from kiro2api.accounts.registry_entries import LIMBO, entries_of
from kiro2api.accounts.registry_groups import GroupRegistry
from kiro2api.accounts.registry_store import Newcomer, Said
from kiro2api.errors import KiroError, RequestRejected
from kiro2api.redaction import Secret
from kiro2api.store.keys import StoredKey
from kiro2api.web.admin import backup_content, backup_sealed
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.admin.keys_shapes import own_name
from kiro2api.web.gate import Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

T = TypeVar("T")


class Aside(Protocol):
    """Does what takes long in another thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """What ``work`` returns."""


class Keys(Protocol):
    """Where keys are stored."""

    def digests(self) -> Awaitable[Sequence[StoredKey]]:
        """All of them."""

    def add(
        self, name: str, key: Secret, role: Any, *, actor: str = "", **terms: Any
    ) -> Awaitable[int]:
        """One more, in clear; raises ValueError for a short one."""


class Kept(Protocol):
    """Keys that come back by their digests."""

    def restore(self, actor: str, keys: Sequence[StoredKey]) -> Awaitable[list[int]]:
        """The ids of those that were not there."""


class Settings(Protocol):
    """What an operator has set."""

    async def change(self, actor: str, values: Mapping[str, object]) -> None:
        """Check, store and apply these; raises a KiroError before any of it."""


class Stores(msgspec.Struct, frozen=True):
    """Where the parts of a backup come from and go to beside accounts and groups."""

    keys: Keys
    kept: Kept
    preferences: Callable[[], Awaitable[Mapping[str, str]]]
    settings: Settings


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an export."""

    passphrase: str

    def __repr__(self) -> str:
        return "Export()"


class Import(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an import; ``document`` is JSON, or a text that holds JSON."""

    document: Any
    passphrase: str = ""
    group: str = ""

    def __repr__(self) -> str:
        return "Import()"


_EXPORT: Final = msgspec.json.Decoder(Export)
_IMPORT: Final = msgspec.json.Decoder(Import)


class BackupApi:
    """The routes ``/api/export`` and ``/api/import``, for those whose key is for all groups.

    :param entropy: gives so many random octets.
    :param clock: its seconds are epoch seconds.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self,
        gate: Gate,
        registry: Registry,
        arrivals: Arrivals,
        groups: GroupRegistry,
        stores: Stores,
        *,
        aside: Aside,
        entropy: Callable[[int], bytes],
        clock: IReactorTime,
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._arrivals = arrivals
        self._groups = groups
        self._stores = stores
        self._aside = aside
        self._entropy = entropy
        self._clock = clock

    @app.route("/api/export", methods=["POST"])
    async def export(self, request: ApiRequest) -> bytes:
        """Everything, readable only with the passphrase."""
        caller = self._gate.identify_owner(request)
        passphrase = Secret(body_of(request, _EXPORT).passphrase)
        if len(passphrase.reveal()) < backup_sealed.SHORTEST:
            raise RequestRejected(
                f"a passphrase needs at least {backup_sealed.SHORTEST} characters",
                param="passphrase",
            )
        keys = await self._stores.keys.digests()
        preferences = await self._stores.preferences()
        registry = self._registry
        accounts = [
            (card.account, card.enabled, registry.credentials(card.account.fingerprint))
            for card in sorted(registry.roll, key=lambda card: card.account.order)
        ]
        policies = self._groups.all()
        entropy = self._entropy(backup_sealed.SALT + backup_sealed.NONCE)
        at = moment(self._clock.seconds())

        def sealed() -> backup_sealed.Sealed:
            content = backup_content.encode(accounts, policies, keys, preferences)
            return backup_sealed.seal(content, passphrase, entropy, at)

        document = await self._aside(sealed)
        said = Said(caller.name, "backup.export", "", {"accounts": len(accounts)})
        await registry.store.wrote(said)
        request.setHeader(b"Cache-Control", b"no-store")
        return send_value(request, document)

    @app.route("/api/import", methods=["POST"])
    async def take_in(self, request: ApiRequest) -> bytes:
        """What a backup or another document holds and is not there yet."""
        caller = self._gate.identify_owner(request)
        asked = body_of(request, _IMPORT)
        document = asked.document
        if isinstance(document, str):
            document = _parsed(document)
        if backup_sealed.is_sealed(document):
            passphrase = Secret(asked.passphrase)
            content = await self._aside(
                lambda: backup_content.decode(backup_sealed.unseal(document, passphrase))
            )
            told = await self._restored(caller.name, content)
        else:
            told = await self._foreign(caller.name, document, asked.group)
        return send_value(request, told)

    # ── a backup ─────────────────────────────────────────────────────────────

    async def _restored(self, actor: str, content: backup_content.Content) -> dict[str, object]:
        skipped: list[Skipped] = []
        newcomers: list[Newcomer] = []
        for index, raw in enumerate(content.accounts):
            try:
                newcomers.append(backup_content.newcomer(raw))
            except RequestRejected as error:
                skipped.append(Skipped(index, error.message))
        groups = 0
        for policy in content.groups:
            patch = GroupPatch(
                **{field: getattr(policy, field) for field in GroupPatch.__struct_fields__}
            )
            groups += await self._made(actor, policy.name, patch)
        done = await self._arrivals.restore(actor, newcomers)
        keys = await self._stores.kept.restore(actor, content.keys)
        told = _told(done, skipped)
        told |= {"groups": groups, "keys": len(keys)}
        return told | await self._set(actor, content.settings)

    async def _made(self, actor: str, name: str, patch: GroupPatch) -> int:
        """Whether a group had to be made; one that is there stays as it is."""
        if name in self._registry.roll.policies or name in LIMBO:
            return 0
        await self._groups.create(actor, name, patch)
        return 1

    async def _set(self, actor: str, values: Mapping[str, str]) -> dict[str, object]:
        """One by one, since one that this version does not know must not keep out the others."""
        done = 0
        errors = []
        for name, value in values.items():
            try:
                await self._stores.settings.change(actor, {name: value})
                done += 1
            except KiroError as error:
                errors.append({"name": name, "error": error.message})
        return {"settings": done, "settings_skipped": errors}

    # ── other documents ──────────────────────────────────────────────────────

    async def _foreign(self, actor: str, document: Any, group: str) -> dict[str, object]:
        """The forms of KIRO_AUTH_TOKEN, or the original's file with groups and keys beside."""
        beside: Mapping[str, Any] = document if isinstance(document, dict) else {}
        entries = entries_of(document)
        groups = 0
        named = beside.get("groups") if "tokens" in beside else None
        for name, said in (named if isinstance(named, dict) else {}).items():
            shown = said.get("display_name") if isinstance(said, dict) else ""
            try:
                patch = GroupPatch(display_name=shown if isinstance(shown, str) else "")
                groups += await self._made(actor, name, patch)
            except RequestRejected:
                continue  # reserved, or no name for a part of a URL; its accounts say so, too
        done = await self._arrivals.add_all(actor, entries, group=group, new_groups=True)
        told = _told(done, [])
        return told | {"groups": groups} | await self._clear_keys(actor, beside.get("api_keys"))

    async def _clear_keys(self, actor: str, entries: Any) -> dict[str, object]:
        added = 0
        skipped = []
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            try:
                key, name, groups = _clear_key(entry, index)
                await self._stores.keys.add(name, key, "client", actor=actor, groups=groups)
                added += 1
            except (KiroError, ValueError) as error:
                skipped.append(Skipped(index, str(error)))
        return {"keys": added, "keys_skipped": skipped}


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise RequestRejected("the document is not JSON", param="document") from None


def _told(done: Bulk, skipped: list[Skipped]) -> dict[str, object]:
    return {
        "added": len(done.added),
        "duplicates": len(done.duplicates),
        "skipped": [*skipped, *done.skipped],
        "warnings": done.warnings,
    }


def _clear_key(entry: Any, index: int) -> tuple[Secret, str, tuple[str, ...]]:
    """A key as the original kept it; raises RequestRejected."""
    fields = entry if isinstance(entry, dict) else {}
    key, name, groups = (fields.get(field) for field in ("key", "name", "allowed_groups"))
    if not isinstance(key, str) or not key:
        raise RequestRejected("key is missing", param="key")
    named = name.strip()[:64].strip() if isinstance(name, str) else ""
    listed = groups if isinstance(groups, list) else []
    allowed = tuple(each for each in listed if isinstance(each, str))
    return Secret(key), own_name(named or f"imported-{index + 1}"), allowed
