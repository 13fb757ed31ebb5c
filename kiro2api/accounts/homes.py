# -*- test-case-name: tests.accounts.test_homes -*-
"""Which account a conversation belongs to: where the upstream has its beginning in a cache.

Pure. Must not know whether an account can serve: a home is a wish, never a condition.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

MOST_HOMES: Final = 20_000
"""Conversations remembered at a time; the one not heard of for longest is forgotten first."""

AWAY_SECONDS: Final = 60.0
"""A conversation returns to an account that was away no longer than this."""


class Homes:
    """A bounded memory of conversations."""

    def __init__(self, most: int = MOST_HOMES) -> None:
        self._most = most
        self._homes: OrderedDict[tuple[str, str], str] = OrderedDict()

    def home(self, group: str, conversation: str) -> str | None:
        """The fingerprint of the account, None for a conversation that is new here."""
        return self._homes.get((group, conversation))

    def settle(self, group: str, conversation: str, fingerprint: str) -> None:
        """The conversation lives there from now on."""
        key = (group, conversation)
        self._homes[key] = fingerprint
        self._homes.move_to_end(key)
        if len(self._homes) > self._most:
            self._homes.popitem(last=False)


def rendezvous(conversation: str, fingerprints: Iterable[str]) -> str:
    """Which of these a conversation meets: the same in every process, and still the same when
    another of them is gone."""
    return max(fingerprints, key=lambda fingerprint: _weight(conversation, fingerprint))


def _weight(conversation: str, fingerprint: str) -> bytes:
    return blake2b(f"{conversation}\n{fingerprint}".encode(), digest_size=8).digest()
