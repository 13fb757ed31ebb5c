# -*- test-case-name: tests.web.test_rates -*-
"""How often something may happen: a bucket of tokens, and a memory of who failed too often.

Time is given in seconds, counted from anywhere. Must not know keys or requests.
"""

from collections import OrderedDict
from ipaddress import AddressValueError, IPv6Address
from typing import Final

FREE_FAILURES: Final = 10
"""Failures of one address that are told at once."""
FORGIVEN_SECONDS: Final = 6.0
"""After this long one failure is forgotten."""
MOST_ADDRESSES: Final = 4096


class Bucket:
    """So many a minute, all of them at once if none were taken before.

    :param per_minute: 0 for no limit.
    """

    __slots__ = ("_at", "_level", "_per_minute")

    def __init__(self, per_minute: int = 0) -> None:
        self._per_minute = per_minute
        self._level = float(per_minute)
        self._at = 0.0

    def limit(self, per_minute: int) -> None:
        """Another limit from now on; what was taken already counts."""
        taken = self._per_minute - self._level
        self._per_minute = per_minute
        self._level = max(0.0, per_minute - taken)

    def take(self, now: float) -> float:
        """Take one: 0, or the seconds until there is one, and then none was taken."""
        most = self._per_minute
        if not most:
            return 0.0
        # A clock that is set back gives nothing.
        gained = max(0.0, now - self._at) * most / 60.0
        self._at = now
        self._level = min(float(most), self._level + gained)
        # A wait that is told must be long enough, whatever floating point makes of it.
        if self._level < 1.0 - 1e-9:
            return (1.0 - self._level) * 60.0 / most
        self._level -= 1.0
        return 0.0


class FailedAttempts:
    """Who presented wrong keys lately; only failures are ever slowed down.

    The oldest address is forgotten when there are too many, so that memory stays bounded.
    """

    def __init__(self, most: int = MOST_ADDRESSES) -> None:
        self._most = most
        # How many failures are not forgotten yet, and as of when.
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failed)

    def failed(self, address: str, now: float) -> float:
        """One more failure; the seconds to wait before the next, 0 while there were few."""
        where = _network(address)
        count, at = self._failed.pop(where, (0.0, now))
        count = max(0.0, count - max(0.0, now - at) / FORGIVEN_SECONDS)
        # Not without end: who stops is told the truth soon.
        count = min(count + 1.0, FREE_FAILURES + 10.0)
        self._failed[where] = (count, now)
        if len(self._failed) > self._most:
            self._failed.popitem(last=False)
        return max(0.0, (count - FREE_FAILURES) * FORGIVEN_SECONDS)


def _network(address: str) -> str:
    """What one person has of addresses: of IPv6 a whole /64."""
    if ":" not in address:
        return address
    try:
        number = int(IPv6Address(address.partition("%")[0]))
    except AddressValueError:
        return address
    if number >> 32 == 0xFFFF:  # an IPv4 address in disguise
        return address
    return f"{number >> 64:x}/64"
