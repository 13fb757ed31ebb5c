# -*- test-case-name: tests.test_statistics_durations -*-
"""Durations as counts by class, which can be summed up where percentiles cannot.

Eight classes for each doubling, from a millisecond on. A percentile is told as the middle of its
class, so that it is wrong by 4.5 % at most. Pure; must not know what took so long.
"""

from collections.abc import Mapping
from math import log2
from typing import Final, TypeAlias

PER_DOUBLING: Final = 8
SHORTEST: Final = 0.001
"""Seconds; what takes less is counted as this."""

Classes: TypeAlias = dict[int, int]
"""How many durations fell into each class."""


def class_of(seconds: float) -> int:
    """The class of a duration."""
    if seconds <= SHORTEST:
        return 0
    return int(PER_DOUBLING * log2(seconds / SHORTEST))


def middle_of(number: int) -> float:
    """The seconds that stand for a class."""
    return SHORTEST * float(2 ** ((number + 0.5) / PER_DOUBLING))


def merge(into: Classes, more: Mapping[int, int]) -> None:
    """Count the others as well."""
    for number, count in more.items():
        into[number] = into.get(number, 0) + count


def quantile(classes: Mapping[int, int], share: float) -> float | None:
    """Seconds that this share (0.5 for half) of the durations did not exceed; None without any."""
    wanted = share * sum(classes.values())
    counted = 0
    for number in sorted(classes):
        counted += classes[number]
        if counted >= wanted:
            return middle_of(number)
    return None
