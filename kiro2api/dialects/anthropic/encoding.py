# -*- test-case-name: tests.dialects.anthropic.test_encoding -*-
"""Texts to JSON that any client can read, and JSON that needs mending to be read at all.

Must not know what the texts are.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
"""Any value to JSON; raises UnicodeEncodeError for half of a surrogate pair."""

_ANY_JSON: Final = msgspec.json.Decoder(msgspec.Raw)

# An escaped backslash, a whole surrogate pair, or half a pair.
_SURROGATES: Final = re.compile(
    rb"\\\\"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mended(text: str) -> str:
    """The text with U+FFFD for every half of a surrogate pair, which UTF-8 cannot carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean(text: str) -> str:
    """The same as ``mended``, at no cost for ASCII."""
    return text if text.isascii() else mended(text)


def mended_json(data: bytes) -> bytes:
    """JSON text with U+FFFD for every escape of half a surrogate pair.

    Most JSON libraries read such an escape, so clients send it and models write it; ours does not.
    """
    return _SURROGATES.sub(_mend, data)


def is_json(fragments: Sequence[str]) -> bool:
    """Whether these (clean) fragments join to exactly one JSON value."""
    try:
        _ANY_JSON.decode(mended_json("".join(fragments).encode("utf-8")))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _mend(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else found[0]
