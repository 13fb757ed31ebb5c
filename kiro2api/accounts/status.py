# -*- test-case-name: tests.accounts.test_pool -*-
"""What an operator may see of an account: no secret, and nothing to find one by.

Pure. Must not know how it is shown.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from kiro2api.accounts.account import Credentials, Method
from kiro2api.accounts.standing import Nobody, Standing
from kiro2api.errors import Kind, NoAccountAvailable

_SHORT: Final = 16
_SOONEST_RETRY: Final = 1.0

_WORDS: Final[Mapping[str, str]] = {
    "ready": "already tried for this request",
    "throttled": "throttled",
    "exhausted": "out of credits",
    "suspended": "suspended by the provider",
    "login": "in need of a new login",
    "credentials": "with refused credentials",
    "refused": "refused by the upstream",
    "service": "resting after upstream failures",
    "disabled": "disabled",
    "busy": "busy",
    "lacking": "without this model",
}
# What the client is told follows from what may change soonest.
_KINDS: Final = (
    ("ready", Kind.RATE_LIMITED),
    ("busy", Kind.RATE_LIMITED),
    ("throttled", Kind.RATE_LIMITED),
    ("service", Kind.UNAVAILABLE),
    ("exhausted", Kind.QUOTA_EXHAUSTED),
)


class AccountStatus(msgspec.Struct, frozen=True):
    """One account at one moment. Times are epoch seconds, 0 where there is none.

    ``state`` is a ``State`` value; ``fingerprint`` only the beginning of the real one. ``busy``:
    at a limit. ``probing``: lent once at a time until it is seen to work. ``last_error`` names the
    last fault it was blamed for. ``credits_left`` is None while nobody knows.
    """

    name: str
    group: str
    method: Method
    state: str
    reason: str
    until: float
    expires_at: float
    in_flight: int
    served: int
    failed: int
    order: int
    last_used: float
    fingerprint: str
    enabled: bool = True
    busy: bool = False
    probing: bool = False
    credits_left: float | None = None
    resets_at: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0
    max_in_flight: int = 0
    requests_per_minute: int = 0


def status_of(standing: Standing, credentials: Credentials) -> AccountStatus:
    """Put together what may be shown."""
    account = standing.account
    return AccountStatus(
        name=account.name,
        group=account.group,
        method=account.method,
        state=standing.state.value,
        reason=standing.reason,
        until=standing.until,
        expires_at=credentials.expires_at,
        in_flight=standing.in_flight,
        served=standing.served,
        failed=standing.failed,
        order=account.order,
        last_used=standing.last_used,
        fingerprint=account.fingerprint[:_SHORT],
        enabled=standing.enabled,
        busy=standing.busy,
        probing=standing.probing,
        credits_left=standing.credits_left,
        resets_at=standing.resets_at,
        last_error=standing.last_error,
        last_error_at=standing.last_error_at,
        max_in_flight=account.max_in_flight,
        requests_per_minute=account.requests_per_minute,
    )


def describe(census: Mapping[str, int]) -> str:
    """One sentence on why nobody of a group can serve: counts and states only."""
    total = sum(census.values())
    if not total:
        return "This group has no accounts."
    # A reason from the store may be anything, so that an unknown one is not repeated.
    counts: dict[str, int] = {}
    for reason, count in census.items():
        words = _WORDS.get(reason, "parked")
        counts[words] = counts.get(words, 0) + count
    parts = ", ".join(f"{counts[words]} {words}" for words in sorted(counts))
    noun = "account" if total == 1 else "accounts"
    return f"None of the {total} {noun} of this group can serve now: {parts}."


def kind_of(census: Mapping[str, int]) -> Kind:
    """How that failure looks to a client."""
    for reason, kind in _KINDS:
        if census.get(reason):
            return kind
    return Kind.UNAVAILABLE


def refusal(nobody: Nobody, now: float, *, waited: bool = False) -> NoAccountAvailable:
    """What a client hears for whom there is nobody.

    :param waited: it has waited for a busy account in vain, or there was no room to wait.
    """
    wait = None if nobody.earliest is None else max(nobody.earliest - now, _SOONEST_RETRY)
    if nobody.lacking:
        return NoAccountAvailable(
            "No account of this group has this model.",
            kind=Kind.MODEL_NOT_FOUND,
            retry_after=wait,
            code="model_lacking",
        )
    if nobody.closed:
        return NoAccountAvailable(
            "The model has no capacity at the moment.", kind=Kind.OVERLOADED, retry_after=wait
        )
    kind = Kind.RATE_LIMITED if waited else kind_of(nobody.census)
    if nobody.busy and wait is None:
        wait = _SOONEST_RETRY
    return NoAccountAvailable(describe(nobody.census), kind=kind, retry_after=wait)
