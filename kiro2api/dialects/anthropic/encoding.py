# -*- test-case-name: tests.dialects.anthropic.test_encoding -*-
"""Texts to JSON that any client can read, whatever the texts hold.

Must not know what the texts are.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
"""Any value to JSON; raises UnicodeEncodeError for half of a surrogate pair."""

_ANY_JSON: Final = msgspec.json.Decoder(msgspec.Raw)


def mended(text: str) -> str:
    """The text with U+FFFD for every half of a surrogate pair, which UTF-8 cannot carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean(text: str) -> str:
    """The same as ``mended``, at no cost for ASCII."""
    return text if text.isascii() else mended(text)


def is_json(fragments: Sequence[str]) -> bool:
    """Whether these (clean) fragments join to exactly one JSON value."""
    try:
        _ANY_JSON.decode("".join(fragments))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
