# -*- test-case-name: tests.accounts.test_quota -*-
"""What an account may still spend: the provider's usage limits as a value.

Pure. Must not know how they were fetched, nor what follows from them. Wire: GetUsageLimits; every
member may be missing or odd, and only a body that is no JSON object is a fault.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Final, Literal

import msgspec

from kiro2api.accounts.expiry import parse_expiry
from kiro2api.errors import ProtocolViolation

_ACTIVE: Final = "ACTIVE"
# Which of several breakdowns counts: the one that answers are paid with.
_KINDS: Final = ("CREDIT", "AGENTIC_REQUEST", "VIBE")
_LONGEST_TEXT: Final = 200


class Part(msgspec.Struct, frozen=True):
    """One source of credits. ``expires_at`` is in epoch seconds, 0 where it has no end."""

    kind: Literal["plan", "trial", "bonus", "overage"]
    name: str
    used: float
    limit: float
    expires_at: float = 0.0


class Quota(msgspec.Struct, frozen=True):
    """The credits of one account at one moment.

    ``used`` and ``limit`` are the sums of plan, active trial and active bonuses. ``left`` is what
    can still be spent, overage up to its cap included; None where no bound is known: the provider
    tells none, or overage is enabled without a cap. ``reset_at`` is in epoch seconds, 0 if unknown.
    ``overage``: whether the plan goes on beyond its limit, for money.
    """

    used: float = 0.0
    limit: float = 0.0
    left: float | None = None
    reset_at: float = 0.0
    subscription: str = ""
    email: str = ""
    overage: bool = False
    parts: tuple[Part, ...] = ()

    @property
    def exhausted(self) -> bool:
        """Whether nothing can be spent before the reset."""
        return self.left is not None and self.left <= 0

    def __repr__(self) -> str:
        # Without the e-mail address.
        return f"Quota(used={self.used!r}, limit={self.limit!r}, left={self.left!r})"


_Fields = Mapping[str, object]
_BODY: Final = msgspec.json.Decoder(dict[str, object])
_STORED: Final = msgspec.json.Decoder(Quota)


def parse_usage(body: bytes) -> Quota:
    """The answer of GetUsageLimits.

    :raises ProtocolViolation: it is no JSON object.
    """
    try:
        said = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without the library's text, which may quote the body.
        raise ProtocolViolation(
            "the upstream's usage limits are not the expected JSON", code="unexpected_json"
        ) from None
    breakdown = _breakdown(said)
    parts = tuple(_parts(breakdown))
    overage = _object(said.get("overageConfiguration")).get("overageStatus") == "ENABLED"
    beyond = _overage(breakdown) if overage else None
    used = sum((part.used for part in parts), 0.0)
    limit = sum((part.limit for part in parts), 0.0)
    left: float | None = None
    if parts and not (overage and beyond is None):
        counted = parts if beyond is None else (*parts, beyond)
        left = sum((max(part.limit - part.used, 0.0) for part in counted), 0.0)
    return Quota(
        used=used,
        limit=limit,
        left=left,
        reset_at=_moment(breakdown.get("nextDateReset")) or _moment(said.get("nextDateReset")),
        subscription=_text(_object(said.get("subscriptionInfo")).get("subscriptionTitle")),
        email=_text(_object(said.get("userInfo")).get("email")),
        overage=overage,
        parts=parts if beyond is None else (*parts, beyond),
    )


def encode_quota(quota: Quota) -> str:
    """For the store."""
    return msgspec.json.encode(quota).decode("utf-8")


def decode_quota(text: str) -> Quota | None:
    """From the store; None where nothing sensible is stored."""
    try:
        return _STORED.decode(text)
    except msgspec.DecodeError:
        return None


def masked(email: str) -> str:
    """An address by which its owner knows it, and nobody else: ``a***@example.com``."""
    name, at, domain = email.rpartition("@")
    return f"{name[:1]}***@{domain}" if at and name else ("***" if email else "")


def _breakdown(said: _Fields) -> _Fields:
    """The breakdown that counts; older answers hold a list of limits instead."""
    found = _objects(said.get("usageBreakdownList"))
    found += _objects([said.get("usageBreakdown")])
    for kind in _KINDS:
        for entry in found:
            if entry.get("resourceType") == kind:
                return entry
    if found:
        return found[0]
    for entry in _objects(said.get("limits")):
        if entry.get("type") == "AGENTIC_REQUEST":
            return {**entry, "usageLimit": entry.get("totalUsageLimit")}
    return {}


def _parts(breakdown: _Fields) -> Iterable[Part]:
    # Wire: what is used beyond the limit is counted in both, the usage and the overages.
    limit = _amount(breakdown, "usageLimit")
    if limit is None:
        return
    used = _amount(breakdown, "currentUsage") or 0.0
    yield Part("plan", _text(breakdown.get("displayName")), used, limit)
    trial = _object(breakdown.get("freeTrialInfo"))
    if trial.get("freeTrialStatus") == _ACTIVE:
        yield _extra("trial", trial, "freeTrialExpiry")
    for bonus in _objects(breakdown.get("bonuses")):
        if bonus.get("status") == _ACTIVE:
            yield _extra("bonus", bonus, "expiresAt")


def _extra(kind: Literal["trial", "bonus"], said: _Fields, end: str) -> Part:
    return Part(
        kind,
        _text(said.get("displayName")) or _text(said.get("bonusCode")),
        _amount(said, "currentUsage") or 0.0,
        _amount(said, "usageLimit") or 0.0,
        _moment(said.get(end)),
    )


def _overage(breakdown: _Fields) -> Part | None:
    cap = _amount(breakdown, "overageCap")
    if cap is None:
        return None
    return Part("overage", "", _amount(breakdown, "currentOverages") or 0.0, cap)


def _amount(said: _Fields, name: str) -> float | None:
    """A number of credits, the precise one where both are given."""
    for value in (said.get(f"{name}WithPrecision"), said.get(name)):
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
            if isfinite(number) and number >= 0:
                return number
    return None


def _moment(value: object) -> float:
    try:
        return parse_expiry(value)
    except (ValueError, OverflowError):
        return 0.0


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        return ""
    return value.strip()[:_LONGEST_TEXT]


def _object(value: object) -> _Fields:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[_Fields]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
