# -*- test-case-name: tests.accounts.test_ledger -*-
"""What the ledger answers, as values.

Pure. Must not know how any of it is found out.
"""

from collections.abc import Mapping

import msgspec

from kiro2api.accounts.account import Account
from kiro2api.accounts.outcome import Parked
from kiro2api.accounts.penalties import State


class Choice(msgspec.Struct, frozen=True):
    """The account that shall serve."""

    account: Account


class Nobody(msgspec.Struct, frozen=True):
    """No account of the group can serve this request now.

    ``earliest`` is when the first one can (``now`` if only those already tried are ready), None
    if none returns by itself. ``census`` counts the group's accounts by reason, "ready" included.
    ``busy``: waiting helps, somebody is only at its limit. ``lacking``: every account lacks the
    model. ``closed``: the model rests, whoever asks for it.
    """

    earliest: float | None
    census: Mapping[str, int]
    busy: bool = False
    lacking: bool = False
    closed: bool = False


class Change(msgspec.Struct, frozen=True):
    """An account's new standing. ``lasting``: must be remembered across restarts; with state
    READY, what was remembered must be forgotten. ``plain``: a rest of the length that the upstream
    asked for; who returns from any other is tried with one loan first."""

    account: Account
    state: State
    reason: str
    until: float
    lasting: bool
    plain: bool = False


class Standing(msgspec.Struct, frozen=True):
    """How an account stands; ``until`` is 0 where time alone changes nothing.

    A ready account may be ``busy`` (at a limit) and ``probing`` (lent once at a time until it is
    seen to work). ``last_error`` is the class name of the last fault that it was blamed for, with
    its time; ``resets_at`` when its credits are renewed. Times are epoch seconds, 0 for none.
    """

    account: Account
    state: State
    reason: str
    until: float
    in_flight: int
    served: int
    failed: int
    last_used: float
    enabled: bool = True
    busy: bool = False
    probing: bool = False
    credits_left: float | None = None
    resets_at: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0


def state_of(parked: Parked) -> State:
    """The state behind a remembered reason; the reason is shown as it is."""
    if parked.reason == "login":
        return State.REJECTED
    for state in (State.EXHAUSTED, State.SUSPENDED, State.DISABLED):
        if parked.reason == state.value:
            return state
    return State.COOLING if parked.until else State.SUSPENDED
