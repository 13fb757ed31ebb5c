# -*- test-case-name: tests.dialects.responses.test_recall -*-
"""What a request refers to of earlier ones: whoever serves it looks up what ``wanted`` names.

Must not know where that is held, for whom or for how long.
"""

from typing import Final

import msgspec

from kiro2api.conversation.held import Wanted
from kiro2api.dialects.responses.shapes import ITEM, REFERENCES, Item

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
