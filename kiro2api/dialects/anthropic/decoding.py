# -*- test-case-name: tests.dialects.anthropic.test_decoding -*-
"""JSON of a client to typed values, with refusals that name the bad field.

Must not know what the values mean. msgspec's own errors never leave this module.
"""

import re
from typing import Final, TypeVar

import msgspec

from kiro2api.dialects.anthropic.encoding import mended_json
from kiro2api.errors import RequestRejected

T = TypeVar("T")

_LOCATION: Final = re.compile(r"(?s)(.*?)(?: - at `\$(.*)`)?")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, where: str = "") -> T:
    """Decode, or raise RequestRejected whose ``param`` is ``where`` plus the path below it."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise rejected(error, where) from None


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a whole body.

    Half of a surrogate pair is what a client sends that cut a text inside an emoji. Such an
    escape is no text, but no reason to refuse a long conversation either: it becomes U+FFFD.
    """
    try:
        return decode(decoder, body)
    except msgspec.DecodeError:
        try:
            return decode(decoder, mended_json(body))
        except msgspec.DecodeError as error:
            raise RequestRejected(f"The request body is not valid JSON: {error}") from None


def rejected(error: msgspec.ValidationError, where: str) -> RequestRejected:
    """The refusal that a validation error amounts to."""
    found = _LOCATION.fullmatch(str(error))
    assert found is not None  # the expression matches every text
    why, below = found[1], found[2] or ""
    missing = _MISSING.fullmatch(why)
    if missing is not None:
        why, below = "this field is required", f"{below}.{missing[1]}"
    param = (where + below).removeprefix(".")
    if not param:
        return RequestRejected(f"The request body has the wrong shape: {why}")
    return RequestRejected(f"{param}: {why}", param=param)


def json_text(raw: msgspec.Raw) -> bytes:
    """JSON that is passed on. Skipping over it checked its grammar but not its UTF-8."""
    data = bytes(raw)
    if not data.isascii():
        data.decode("utf-8")
    return data


def compact(raw: msgspec.Raw) -> str:
    """JSON as one line of text."""
    return msgspec.json.format(bytes(raw), indent=-1).decode("utf-8")
