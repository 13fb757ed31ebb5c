# -*- test-case-name: tests.web.test_budgets -*-
"""What a key has spent today and this month, in UTC, over all processes.

Counts by day: what the store knows (of all processes, as of when it was read last) and what was
spent here since. Must not know keys or limits.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

DAY_SECONDS: Final = 86400
_EPOCH: Final = date(1970, 1, 1).toordinal()


def day_of(now: float) -> int:
    """Days since 1970-01-01 at a time in epoch seconds."""
    return int(now // DAY_SECONDS)


def month_of(day: int) -> int:
    """The first day of that day's month."""
    return date.fromordinal(day + _EPOCH).replace(day=1).toordinal() - _EPOCH


def next_month(day: int) -> int:
    """The first day of the month after."""
    return month_of(month_of(day) + 31)


class Budget:
    """What was spent; ``today`` and ``month`` are as of the last ``roll``."""

    __slots__ = ("_day", "_here", "_stored", "_underway", "month", "today")

    def __init__(self) -> None:
        self._stored: Mapping[int, float] = {}
        self._here: dict[int, float] = {}
        self._underway: dict[int, float] = {}
        self._day = -1
        self.today = 0.0
        self.month = 0.0

    def roll(self, now: float) -> None:
        """Begin a new day, if there is one."""
        day = int(now // DAY_SECONDS)
        if day != self._day:
            self._day = day
            self._count()

    def add(self, credits: float, now: float) -> None:
        """That much was spent."""
        if not credits > 0:
            return
        self.roll(now)
        self._here[self._day] = self._here.get(self._day, 0.0) + credits
        self.today += credits
        self.month += credits

    # ── with the store ───────────────────────────────────────────────────────

    def underway(self) -> Mapping[int, float]:
        """What the store does not know yet, by day, for it to be told; see the next two."""
        for day, credits in self._here.items():
            self._underway[day] = self._underway.get(day, 0.0) + credits
        self._here = {}
        return self._underway

    def told(self, stored: Mapping[int, float]) -> None:
        """The store was told, and these are its sums of all processes now."""
        self._stored, self._underway = stored, {}
        self._count()

    def not_told(self) -> None:
        """The store could not be told: next time."""
        for day, credits in self._underway.items():
            self._here[day] = self._here.get(day, 0.0) + credits
        self._underway = {}

    def _count(self) -> None:
        first = month_of(self._day) if self._day >= 0 else 0
        self.today = self.month = 0.0
        for part in (self._stored, self._underway, self._here):
            self.today += part.get(self._day, 0.0)
            self.month += sum(credits for day, credits in part.items() if first <= day <= self._day)
