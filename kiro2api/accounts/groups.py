# -*- test-case-name: tests.accounts.test_groups -*-
"""How a group of accounts is used, as a value.

Pure. Must not know the accounts, nor where a policy is kept.
"""

from typing import Literal, TypeAlias

import msgspec

Policy: TypeAlias = Literal["sequential", "round_robin", "least_used"]


class GroupPolicy(msgspec.Struct, frozen=True):
    """One group.

    ``policy``: who serves next among those that can. ``sequential``: the first in configured
    order; ``round_robin``: each in turn; ``least_used``: the one with most credits left.
    ``affinity``: a conversation keeps its account while that can serve. ``max_in_flight`` and
    ``requests_per_minute`` hold for each account that has no limit of its own, 0 for none.
    ``cooldown_seconds``: the first rest of a throttled account, 0 for the service's.
    """

    name: str
    display_name: str = ""
    policy: Policy = "sequential"
    affinity: bool = True
    max_in_flight: int = 0
    requests_per_minute: int = 0
    cooldown_seconds: float = 0.0
