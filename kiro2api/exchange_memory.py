# -*- test-case-name: tests.test_exchange_memory -*-
"""What was learnt from a refusal, for a while; and what is counted.

Must not know what it means, nor the clock.
"""

import msgspec


class Counts(msgspec.Struct):
    """What happened to answers since the start: calls of tools that were cut and never completed;
    answers asked for again since they had no demanded call or were not the demanded JSON; retries
    without reasoning sent back, without additional fields, and without cache points."""

    cut_calls: int = 0
    repairs: int = 0
    signatures_refused: int = 0
    fields_refused: int = 0
    cache_points_refused: int = 0


class Remembered:
    """A bounded set whose members are forgotten after a time, the oldest first.

    :param seconds: how long a member is remembered.
    :param capacity: how many there may be.
    """

    def __init__(self, *, seconds: float, capacity: int = 1024) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, key: str, now: float) -> None:
        """Remember ``key`` from ``now`` (in seconds) on."""
        self._until.pop(key, None)
        if len(self._until) >= self._capacity:
            del self._until[next(iter(self._until))]
        self._until[key] = now + self._seconds

    def holds(self, key: str, now: float) -> bool:
        """Whether ``key`` is remembered."""
        until = self._until.get(key)
        if until is None:
            return False
        if now >= until:
            del self._until[key]
            return False
        return True
