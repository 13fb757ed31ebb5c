# -*- test-case-name: tests.kiro.test_halves -*-
"""Halves of surrogate pairs, joined across events.

Must not know which events there are: texts are kept apart by a key.

Wire: a model puts out an emoji in pieces, and an event may end with the first half of its pair
(``\\ud83d``) while the next begins with the second. Neither is valid JSON to a strict reader.
"""

import re
from typing import Final

LOST: Final = "\N{REPLACEMENT CHARACTER}"

_halves: Final = re.compile("[\ud800-\udfff]")


def has_halves(text: str) -> bool:
    """Whether there is any half of a pair in it."""
    return _halves.search(text) is not None


class Halves:
    """Remembers the first halves that wait for their second one.

    ``met``: there was any half so far. Until then nobody need ask for ``joined``.
    """

    __slots__ = ("_waiting", "met")

    def __init__(self) -> None:
        self.met = False
        self._waiting: dict[str, str] = {}

    def joined(self, key: str, text: str) -> str:
        """``text`` behind what waits under ``key``: pairs become one character, a half at the
        very end waits on, any other is lost and shown as such."""
        waiting = self._waiting.pop(key, "")
        if not text:
            if waiting:
                self._waiting[key] = waiting
            return ""
        text = waiting + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._waiting[key] = text[-1]
            text = text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def lost(self, key: str) -> str:
        """What is to be shown for the half that waits under ``key``, if any, and will for ever."""
        return LOST if self._waiting.pop(key, "") else ""
