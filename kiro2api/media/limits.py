# -*- test-case-name: tests.media.test_reading -*-
"""How much of what is attached is read, and the failure of what cannot be read.

Must not know parsers, threads or the network.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

DOCUMENT_BYTES: Final = 32 * 1024 * 1024
"""Decoded bytes of one document."""
DOCUMENT_CHARACTERS: Final = 400_000
"""Characters of one document's text; what comes after is cut off."""
DOCUMENT_PAGES: Final = 100
UNPACKED_BYTES: Final = 96 * 1024 * 1024
"""Bytes of all parts of a packed document."""
UNPACKED_TREE_BYTES: Final = 24 * 1024 * 1024
"""Bytes of one part that is read into a tree, which takes many times as much memory."""
IMAGE_PIXELS: Final = 64_000_000
"""Pixels that are decoded of one image: at four bytes each they are held in memory."""
IMAGE_SIDE: Final = 2000
"""Pixels. Wire: beyond it a request with more than 20 images is refused, beyond 8000 any."""
IMAGE_BYTES: Final = 3_750_000
"""Wire: what first-party clients send at most."""

Halted: TypeAlias = Callable[[], bool]
"""Says whether the result is still wanted; long work asks it now and then."""


class Limits(msgspec.Struct, frozen=True):
    """What the operator may set: ``side`` in pixels, ``image_bytes`` of the decoded file."""

    side: int = IMAGE_SIDE
    image_bytes: int = IMAGE_BYTES


class Unreadable(Exception):
    """Something attached cannot be read; ``reason`` completes "it cannot be used: ..."."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Halt(Exception):
    """Nobody wants the result any more."""


def go_on(halted: Halted) -> None:
    """Raise Halt where work is to stop."""
    if halted():
        raise Halt
