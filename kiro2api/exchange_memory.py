# -*- test-case-name: tests.test_exchange_memory -*-
"""What was learnt from a refusal, for a while; and what is counted.

Must not know what it means, nor the clock.
"""

from typing import Final

import msgspec

LESSON_SECONDS: Final = 3600.0
"""How long a refusal of fields, cache points, documents or reasoning sent back is kept in mind."""


class Counts(msgspec.Struct):
    """What happened to answers since the start: calls of tools that were cut and never completed;
    answers asked for again since they had no demanded call or were not the demanded JSON; retries
    without reasoning sent back, without additional fields, without cache points, and without
    documents; calls told to the model as cut; calls found in the text; accounts passed over
    because they do not have the model."""

    cut_calls: int = 0
    repairs: int = 0
    signatures_refused: int = 0
    fields_refused: int = 0
    cache_points_refused: int = 0
    documents_refused: int = 0
    corrections: int = 0
    calls_from_text: int = 0
    lacking_accounts: int = 0

    def refused(self, what: str) -> None:
        """One of the things that ``exchange_way.other_way`` does without."""
        if what == "signature":
            self.signatures_refused += 1
        elif what == "fields":
            self.fields_refused += 1
        elif what == "cache_points":
            self.cache_points_refused += 1
        else:
            self.documents_refused += 1


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


class Lessons:
    """Who has refused what, for a while."""

    def __init__(self, seconds: float = LESSON_SECONDS) -> None:
        self._refused: dict[str, Remembered] = {
            what: Remembered(seconds=seconds)
            for what in ("signature", "fields", "cache_points", "documents")
        }

    def learn(self, what: str, who: str, now: float) -> None:
        """``who`` refuses ``what``."""
        self._refused[what].add(who, now)

    def holds(self, what: str, who: str, now: float) -> bool:
        """Whether that was learnt."""
        return self._refused[what].holds(who, now)
