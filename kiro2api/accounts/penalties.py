# -*- test-case-name: tests.accounts.test_penalties -*-
"""What a fault costs the account it happened to: one table.

Pure: entropy comes in as a number from 0 to 1. Must not know which accounts exist, nor what
time it is.
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
_REFUSED: Final = Penalty(State.COOLING, "refused", 10 * _MINUTE, 10 * _MINUTE, _HOUR)
_CREDENTIALS: Final = Penalty(State.REJECTED, "credentials", _MINUTE, _HOUR, _HOUR)

COOLDOWN: Final = 30.0
"""Seconds of the first rest of a throttled account, where neither upstream nor operator says."""

_BY_CLASS: Final[tuple[tuple[type[UpstreamFault], Penalty], ...]] = (
    (Throttled, Penalty(State.COOLING, "throttled", COOLDOWN, 10 * _MINUTE, _HOUR)),
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
                if kind is Throttled and cooldown != COOLDOWN:
                    cap = max(penalty.cap, cooldown)
                    return msgspec.structs.replace(penalty, base=cooldown, cap=cap)
                return penalty
    return _BY_SCOPE.get(fault.scope)


def renewal_penalty(fault: UpstreamFault) -> Penalty | None:
    """The same for a failed refresh, which alone can tell that a new login is needed."""
    if isinstance(fault, CredentialsRejected) and fault.code in DEAD_LOGINS:
        return NEEDS_LOGIN
    return penalty_for(fault)
