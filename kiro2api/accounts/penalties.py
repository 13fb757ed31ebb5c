# -*- test-case-name: tests.accounts.test_penalties -*-
"""What a fault costs the account it happened to, or the model: one table.

Pure: entropy comes in as a number from 0 to 1. Must not know which accounts exist, nor what
time it is.

A fault of the request costs nobody anything. A fault of the service costs the account that met it
a short rest and no more: whether the way is broken for others, too, each finds out for itself, so
that one bad connection never stops everybody.
"""

from enum import Enum
from typing import Final

import msgspec

from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    QuotaExhausted,
    Scope,
    Throttled,
    UpstreamFault,
)

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_MOST_DOUBLINGS: Final = 20


class State(Enum):
    """Whether an account may be lent, and if not, who can mend that."""

    READY = "ready"
    COOLING = "cooling"
    """Rests for a while and comes back by itself."""
    EXHAUSTED = "exhausted"
    """Its credits are spent until their reset."""
    SUSPENDED = "suspended"
    """Locked by the provider: an operator must have that lifted."""
    REJECTED = "rejected"
    """Its credentials are refused; without an end in time it needs a new login."""
    DISABLED = "disabled"
    """Switched off in the configuration."""


class Penalty(msgspec.Struct, frozen=True):
    """How an account rests.

    ``base`` is the first rest in seconds, doubled up to ``cap`` while the same reason recurs;
    0 means until an operator intervenes. ``believed`` bounds what the upstream may ask for
    instead.
    """

    state: State
    reason: str
    base: float = 0.0
    cap: float = 0.0
    believed: float = 0.0

    def rest(self, attempt: int, retry_after: float | None, jitter: float) -> float:
        """Seconds to rest; ``attempt`` counts from 0 the recurrences of this reason.

        The jitter only lengthens, by up to a quarter: accounts parked together return apart,
        and none returns earlier than promised.
        """
        if retry_after is not None and 0 < retry_after <= self.believed:
            return retry_after
        if retry_after is not None and retry_after > self.believed:
            return self.believed
        doubled: float = self.base * 2 ** min(attempt, _MOST_DOUBLINGS)
        return min(doubled, self.cap) * (1 + jitter / 4)


NEEDS_LOGIN: Final = Penalty(State.REJECTED, "login")
_REFUSED: Final = Penalty(State.COOLING, "refused", 10 * _MINUTE, 2 * _HOUR, 2 * _HOUR)
_CREDENTIALS: Final = Penalty(State.REJECTED, "credentials", _MINUTE, _HOUR, _HOUR)

COOLDOWN: Final = 30.0
"""Seconds of the first rest of a throttled account, where neither upstream nor operator says."""

_THROTTLED: Final = Penalty(State.COOLING, "throttled", COOLDOWN, 10 * _MINUTE, _HOUR)

_BY_CLASS: Final[tuple[tuple[type[UpstreamFault], Penalty], ...]] = (
    (Throttled, _THROTTLED),
    (QuotaExhausted, Penalty(State.EXHAUSTED, "exhausted", _HOUR, _DAY, 40 * _DAY)),
    (AccountSuspended, Penalty(State.SUSPENDED, "suspended")),
    (CredentialsRejected, _CREDENTIALS),
    (AccessRefused, _REFUSED),
)
_BY_SCOPE: Final[dict[Scope, Penalty]] = {
    Scope.SERVICE: Penalty(State.COOLING, "service", 5.0, 2 * _MINUTE, 10 * _MINUTE),
    Scope.ACCOUNT: _REFUSED,
    Scope.CREDENTIALS: _CREDENTIALS,
}

_BY_MODEL: Final[dict[Scope, Penalty]] = {
    Scope.MODEL: Penalty(State.COOLING, "overloaded", 2.0, 30.0, _MINUTE),
    Scope.ACCOUNT_MODEL: Penalty(State.COOLING, "lacking", _HOUR, _HOUR),
}

# Wire: reasons of a 402 whose limit ends before the account's credits are renewed.
_SHORT_QUOTAS: Final = frozenset({"DAILY_REQUEST_COUNT"})

# Wire: the ``error`` values of the login services after which only a new login helps.
DEAD_LOGINS: Final = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "expired_token"}
)


def penalty_for(fault: UpstreamFault, cooldown: float = COOLDOWN) -> Penalty | None:
    """What ``fault`` costs its account; None where the account is not to blame.

    A fault whose scope was overridden is judged by that scope instead of its class.

    :param cooldown: the operator's choice of the first rest of a throttled account, in seconds.
    """
    if fault.scope == fault.default_scope:
        for kind, penalty in _BY_CLASS:
            if isinstance(fault, kind):
                return _throttled(cooldown) if kind is Throttled else penalty
    return _BY_SCOPE.get(fault.scope)


def model_penalty(fault: UpstreamFault, cooldown: float = COOLDOWN) -> Penalty | None:
    """What ``fault`` costs the model: in the whole group (Scope.MODEL), or with this account
    only (Scope.ACCOUNT_MODEL); None where the model has nothing to do with it.

    An account that is asked too often for one model rests from that model alone.
    """
    if fault.scope is Scope.ACCOUNT_MODEL and isinstance(fault, Throttled):
        return _throttled(cooldown)
    return _BY_MODEL.get(fault.scope)


def plain(fault: UpstreamFault) -> bool:
    """Whether the rest is what the upstream asked for: then all may come back at once, and nobody
    needs to try the account first."""
    asked = fault.retry_after
    return isinstance(fault, Throttled) and asked is not None and asked > 0


def reset_of(fault: UpstreamFault, resets_at: float | None, now: float) -> float | None:
    """When the quota that ``fault`` speaks of is renewed; None for another fault or an unknown
    time."""
    if not isinstance(fault, QuotaExhausted) or not resets_at or resets_at <= now:
        return None
    return None if fault.code in _SHORT_QUOTAS and resets_at > now + _DAY else resets_at


def renewal_penalty(fault: UpstreamFault) -> Penalty | None:
    """The same for a failed refresh, which alone can tell that a new login is needed."""
    if isinstance(fault, CredentialsRejected) and fault.code in DEAD_LOGINS:
        return NEEDS_LOGIN
    return penalty_for(fault)


def _throttled(cooldown: float) -> Penalty:
    if cooldown == COOLDOWN:
        return _THROTTLED
    cap = max(_THROTTLED.cap, cooldown)
    return msgspec.structs.replace(_THROTTLED, base=cooldown, cap=cap)
