# -*- test-case-name: tests.kiro.test_naming -*-
"""Names and ids within the upstream's alphabet and length, each back to the client's own.

Deterministic: the same conversation gets the same labels on every turn, which the upstream's
prompt cache needs. Must not know what a label stands for.

Wire: tool names and tool use ids are 1 to 64 of ``A-Z a-z 0-9 _ -``.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from kiro2api.kiro.constraints import MAX_NAME

_DIGITS: Final = 8
_acceptable = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}").fullmatch
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_-]")


def acceptable(text: str) -> bool:
    """Whether the upstream takes this text as a name or id as it is."""
    return _acceptable(text) is not None


def shortened(text: str, salt: int = 0) -> str:
    """A readable prefix of ``text`` and 8 hex digits of its hash; ``salt`` gives alternatives."""
    seed = f"{text}\0{salt}" if salt else text
    digest = sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    prefix = _FORBIDDEN.sub("_", text[: MAX_NAME - _DIGITS - 1])
    return f"{prefix or 'unnamed'}_{digest}"


class Labels:
    """Gives each text an acceptable label that it has not given before."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        # Strategy: remembering how often a text came keeps a client that repeats one id
        # thousands of times from costing quadratic time.
        self._salts: dict[str, int] = {}

    def give(self, text: str) -> str:
        """``text`` itself if it is acceptable and new, else a shortened form of it."""
        if text not in self._taken and acceptable(text):
            self._taken.add(text)
            return text
        salt = self._salts.get(text, 0)
        while (label := shortened(text, salt)) in self._taken:
            salt += 1
        self._salts[text] = salt + 1
        self._taken.add(label)
        return label


class Names:
    """The two-way map of tool names of one conversation.

    :param names: every name the conversation mentions, in order; repetitions are fine.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._labels = Labels()
        self._upstream: dict[str, str] = {}
        self.clients: dict[str, str] = {}
        """Upstream's name to the client's."""
        # Names that need no change come first, so that a shortened one never takes their place.
        for name in sorted(dict.fromkeys(names), key=acceptable, reverse=True):
            self._upstream[name] = self.another(name)

    def __contains__(self, name: object) -> bool:
        return name in self._upstream

    def upstream(self, name: str) -> str:
        """The upstream's name for one of ``names``."""
        return self._upstream[name]

    def another(self, name: str) -> str:
        """One more upstream name for the same client name, for a second tool that bears it."""
        label = self._labels.give(name)
        self.clients[label] = name
        return label
