# -*- test-case-name: tests.web.admin.test_keys -*-
"""What may be said of a key, checked, and what is shown of one.

Must not know rows or routes.
"""

from collections.abc import Collection
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from kiro2api.errors import RequestRejected
from kiro2api.store.keys import GENERATED, SHORTEST, Role, StoredKey
from kiro2api.web.admin.lists import read_moment
from kiro2api.web.gate import Configured
from kiro2api.web.gate_key import KeyUse
from kiro2api.web.operator_api import moment

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Names: TypeAlias = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]], msgspec.Meta(max_length=200)
]
Rate: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Credits: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]

RESERVED: Final = frozenset({"admin", GENERATED})


class KeyPatch(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Changes of a key. Of limits 0 is none; empty lists allow all; ``expires_at`` "" is never."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    role: Literal["client", "admin"] | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    groups: Names | msgspec.UnsetType = msgspec.UNSET
    models: Names | msgspec.UnsetType = msgspec.UNSET
    requests_per_minute: Rate | msgspec.UnsetType = msgspec.UNSET
    max_in_flight: Rate | msgspec.UnsetType = msgspec.UNSET
    credits_per_day: Credits | msgspec.UnsetType = msgspec.UNSET
    credits_per_month: Credits | msgspec.UnsetType = msgspec.UNSET
    expires_at: str | msgspec.UnsetType | None = msgspec.UNSET


class NewKey(KeyPatch, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key to be made. ``key``: the key itself, of at least 32 characters; else one is made."""

    name: Name
    key: str | None = None


class KeyItem(msgspec.Struct):
    """A key as it is shown; ``spent_today`` and ``spent_month`` are null where nobody counts."""

    id: str
    name: str
    role: Role
    hint: str
    enabled: bool
    groups: tuple[str, ...]
    models: tuple[str, ...]
    requests_per_minute: int
    max_in_flight: int
    credits_per_day: float
    credits_per_month: float
    spent_today: float | None
    spent_month: float | None
    expires_at: str
    last_used: str
    created_at: str
    source: Literal["configured", "stored", "generated"]
    in_use: bool
    """Whether it lets anybody in at the moment."""


PATCH: Final = msgspec.json.Decoder(KeyPatch)
NEW: Final = msgspec.json.Decoder(NewKey)


def terms_of(
    said: KeyPatch, groups: Collection[str], before: StoredKey | None, now: float
) -> dict[str, Any]:
    """What was said, checked, by the fields of StoredKey.

    :param groups: those that there are; a key keeps the name of one that is gone.
    :raises RequestRejected: naming the field.
    """
    terms: dict[str, Any] = {
        field: value
        for field, value in msgspec.structs.asdict(said).items()
        if value is not msgspec.UNSET and field != "key"
    }
    if "name" in terms:
        known = before is not None and terms["name"] == before.name
        terms["name"] = terms["name"] if known else own_name(terms["name"])
    if "groups" in terms:
        kept = before.groups if before is not None else ()
        terms["groups"] = _distinct(terms["groups"])
        for index, group in enumerate(said.groups or ()):
            if group not in groups and group not in kept:
                raise RequestRejected(
                    f"there is no group {group!r}; there are: {', '.join(sorted(groups))}",
                    param=f"groups[{index}]",
                )
    if "models" in terms:
        for index, model in enumerate(terms["models"]):
            if not model.isprintable() or " " in model:
                raise RequestRejected(
                    "this must be a model's name or a pattern like claude-sonnet-*",
                    param=f"models[{index}]",
                )
        terms["models"] = _distinct(terms["models"])
    if "expires_at" in terms:
        terms["expires_at"] = expires = read_moment(terms["expires_at"] or "", "expires_at")
        unchanged = before is not None and before.expires_at == expires
        if expires and expires <= now and not unchanged:
            raise RequestRejected("this time has passed", param="expires_at")
    return terms


def own_key(text: str) -> str:
    """A key that an operator brings along; raises RequestRejected."""
    if len(text) < SHORTEST or not text.isascii() or not text.isprintable() or " " in text:
        raise RequestRejected(
            f"a key needs at least {SHORTEST} printable ASCII characters without blanks",
            param="key",
        )
    return text


def own_name(name: str) -> str:
    """A name that an operator gives to a key; raises RequestRejected."""
    if not name.isprintable() or name != name.strip():
        raise RequestRejected("this must be printable, without blanks at its ends", param="name")
    if name in RESERVED or name.startswith("client-"):
        raise RequestRejected(
            "this is what configured keys are called: choose another", param="name"
        )
    return name


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def shown(key: StoredKey, role: Role, use: KeyUse | None, now: float) -> KeyItem:
    """A stored key. :param use: None if the gate does not know it."""
    if use is not None:
        use.budget.roll(now)
    return KeyItem(
        id=str(key.id),
        name=key.name,
        role=role,
        hint=key.hint,
        enabled=key.enabled,
        groups=key.groups,
        models=key.models,
        requests_per_minute=key.requests_per_minute,
        max_in_flight=key.max_in_flight,
        credits_per_day=key.credits_per_day,
        credits_per_month=key.credits_per_month,
        spent_today=round(use.budget.today, 6) if use is not None else None,
        spent_month=round(use.budget.month, 6) if use is not None else None,
        expires_at=moment(key.expires_at),
        last_used=moment(max(key.last_used_at, use.last_used if use is not None else 0.0)),
        created_at=moment(key.created_at),
        source="generated" if key.name == GENERATED else "stored",
        in_use=use is not None and key.enabled and not 0 < key.expires_at <= now,
    )


def shown_configured(key: Configured) -> KeyItem:
    """A configured key."""
    return KeyItem(
        id=key.name,
        name=key.name,
        role=key.role,
        hint=key.hint,
        enabled=True,
        groups=(),
        models=(),
        requests_per_minute=0,
        max_in_flight=0,
        credits_per_day=0.0,
        credits_per_month=0.0,
        spent_today=None,
        spent_month=None,
        expires_at="",
        last_used="",
        created_at="",
        source="configured",
        in_use=True,
    )
