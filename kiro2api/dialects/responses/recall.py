# -*- test-case-name: tests.dialects.responses.test_recall -*-
"""What a request may refer to of earlier ones, and what a finished answer leaves for later ones.

Plain values: whoever serves the request looks up what ``wanted`` names, and puts away what comes
back as ``Finished``. Must not know where that is kept, for whom or for how long.
"""

from typing import Final

import msgspec

from kiro2api.dialects.responses.shapes import ITEM, REFERENCES, Item


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

    ``given`` are the items of its own input, ``made`` those of its output with their ids; each is
    JSON as it may stand in a later input.
    """

    id: str
    body: bytes
    previous: str
    given: tuple[bytes, ...]
    made: tuple[tuple[str, bytes], ...]


NO_RECOLLECTION: Final = Recollection()

# The names as they stand in JSON: most requests hold neither, and need no second decoding.
_PREVIOUS: Final = b'"previous_response_id"'
_REFERENCE: Final = b'"item_reference"'


def wanted(body: bytes) -> Wanted:
    """What a request body refers to; nothing if it cannot be read, which is told later."""
    if _PREVIOUS not in body and _REFERENCE not in body:
        return Wanted()
    try:
        asked = REFERENCES.decode(body)
        items = asked.input if isinstance(asked.input, list) else []
        found = [referred(item) for item in map(ITEM.decode, items)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Wanted()
    return Wanted(asked.previous_response_id or "", tuple(name for name in found if name))


def referred(item: Item | str) -> str:
    """The id that an item refers to; empty if it is an item by itself."""
    if isinstance(item, str) or item.type not in (None, "item_reference"):
        return ""
    if item.type is None and (item.role is not None or bytes(item.content)):
        return ""
    return item.id or ""
