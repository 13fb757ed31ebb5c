# -*- test-case-name: tests.media.test_results -*-
"""What became of things attached, kept for the next turn: clients send their history each time.

Bounded by what is held. Asked from several threads. Must not know what is attached.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, TypeAlias

from kiro2api.conversation.question import Image, Text
from kiro2api.media.limits import Unreadable

Result: TypeAlias = Text | Image | Unreadable | None
"""None: it stays as it is."""

MAX_BYTES: Final = 32 * 1024 * 1024
_OVERHEAD: Final = 400


class Results:
    """Results by key; those that were not asked for longest go first.

    :param seconds: the time; results may be given an end.
    """

    def __init__(self, seconds: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._seconds = seconds
        self._max = max_bytes
        self._entries: OrderedDict[bytes, tuple[Result, int, float | None]] = OrderedDict()
        self._lock = Lock()
        self.held = 0

    def find(self, key: bytes) -> tuple[Result] | None:
        """The result in a tuple of one, None where there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            result, cost, end = entry
            if end is not None and end <= self._seconds():
                del self._entries[key]
                self.held -= cost
                return None
            self._entries.move_to_end(key)
            return (result,)

    def keep(self, key: bytes, result: Result, lasting: float | None = None) -> None:
        """Keep a result, for ``lasting`` seconds where that is given; too large ones are not."""
        cost = _cost(result)
        if cost > self._max // 2:
            return
        end = None if lasting is None else self._seconds() + lasting
        with self._lock:
            old = self._entries.pop(key, None)
            self.held += cost - (0 if old is None else old[1])
            self._entries[key] = (result, cost, end)
            while self.held > self._max:
                self.held -= self._entries.popitem(last=False)[1][1]


def _cost(result: Result) -> int:
    match result:
        case Text():
            # Up to four bytes for each character, in the worst case.
            return _OVERHEAD + len(result.text) * (1 if result.text.isascii() else 3)
        case Image():
            return _OVERHEAD + len(result.data)
    return _OVERHEAD
