# -*- test-case-name: tests.accounts.test_ledger -*-
"""How a loan ended, and what of it outlives a restart, as values.

Pure. Must not know who lends, who asks, or where anything is stored.
"""

from enum import Enum

import msgspec

from kiro2api.errors import UpstreamFault


class End(Enum):
    """How a loan ended."""

    SERVED = "served"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """The client left, or the request was at fault: says nothing about the account."""


class Outcome(msgspec.Struct, frozen=True):
    """The end of a loan, with the fault that caused it where there was one.

    ``model``: the name of the model that was asked for. ``credits``: what it cost, as far as known.
    """

    end: End
    fault: UpstreamFault | None = None
    model: str = ""
    credits: float = 0.0


class Parked(msgspec.Struct, frozen=True):
    """An account that must not be asked until ``until`` (epoch seconds; 0: until an operator)."""

    reason: str
    until: float = 0.0
