# -*- test-case-name: tests.dialects.responses.test_recall -*-
"""What a request may refer to of earlier ones, and what a finished answer leaves for later ones.

Plain values between the dialect that makes them and whoever holds them. Items are JSON as it may
stand in a later input. Must not know where they are held, for whom or for how long.
"""

from typing import Final

import msgspec


class Wanted(msgspec.Struct, frozen=True):
    """The ids that a request refers to; ``previous`` is empty where there is none."""

    previous: str = ""
    items: tuple[str, ...] = ()


class Recollection(msgspec.Struct, frozen=True):
    """What was found: ``before`` holds all items up to and including the previous response, None
    if that is not known; ``items`` the items found by their ids."""

    before: tuple[bytes, ...] | None = ()
    items: dict[str, bytes] = {}


class Finished(msgspec.Struct, frozen=True):
    """A response to put away. ``body`` is its JSON, ``previous`` the id of the one before it.

    ``given`` are the items of its own input, ``made`` those of its output with their ids.
    """

    id: str
    body: bytes
    previous: str
    given: tuple[bytes, ...]
    made: tuple[tuple[str, bytes], ...]


NO_RECOLLECTION: Final = Recollection()
