# -*- test-case-name: tests.accounts.test_pool -*-
"""What an operator may see of an account: no secret, and nothing to find one by.

Pure. Must not know how it is shown.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from kiro2api.accounts.account import Credentials, Method
from kiro2api.accounts.ledger import Standing
from kiro2api.errors import Kind

_SHORT: Final = 8

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
}
# What the client is told follows from what may change soonest.
_KINDS: Final = (
    ("ready", Kind.RATE_LIMITED),
    ("throttled", Kind.RATE_LIMITED),
    ("service", Kind.UNAVAILABLE),
    ("exhausted", Kind.QUOTA_EXHAUSTED),
)


class AccountStatus(msgspec.Struct, frozen=True):
    """One account at one moment. Times are epoch seconds, 0 where there is none.

    ``state`` is a ``State`` value; ``fingerprint`` only the beginning of the real one.
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
