# -*- test-case-name: tests.test_ids -*-
"""Random ids, drawn from the system's entropy in large pieces.

Asking the kernel for each id would cost more than the rest of making it. Must not know what the
ids are for.
"""

import os
from collections.abc import Callable

_PIECE = 4096


class Ids:
    """Gives ids; ``entropy`` gives that many random bytes."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy
        self._digits = ""
        self._used = 0

    def hex(self) -> str:
        """24 random hex digits."""
        return self._take(24)

    def uuid(self) -> str:
        """A UUID of version 4 as text."""
        digits = self._take(32)
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )

    def _take(self, count: int) -> str:
        start, end = self._used, self._used + count
        if end > len(self._digits):
            self._digits = self._entropy(_PIECE).hex()
            start, end = 0, count
        self._used = end
        return self._digits[start:end]
