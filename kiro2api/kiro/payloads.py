# -*- test-case-name: tests.kiro.test_payloads -*-
"""The JSON payloads of the upstream's events, as typed values.

Unknown keys are tolerated; what the official model requires but captures lack is optional. Must
not know what an event leads to.
"""

import json
from typing import TypeVar

import msgspec

from kiro2api.errors import ProtocolViolation
from kiro2api.kiro.halves import Halves, has_halves


class Content(msgspec.Struct, gc=False):
    """``assistantResponseEvent`` and ``codeEvent``."""

    content: str | None = None


class Reasoning(msgspec.Struct, gc=False):
    """``reasoningContentEvent``: any of the three."""

    text: str | None = None
    signature: str | None = None
    redacted: str | None = msgspec.field(default=None, name="redactedContent")


class ToolFragment(msgspec.Struct):
    """``toolUseEvent``: a call's beginning, more of its input, its end, or all three at once.

    Wire: ``input`` is a piece of JSON text by the model, but objects have been seen.
    """

    id: str = msgspec.field(name="toolUseId")
    name: str | None = None
    input: str | dict[str, msgspec.Raw] | None = None
    stop: bool | None = None


class ContextUsage(msgspec.Struct, gc=False):
    """``contextUsageEvent``: percent points of the model's window."""

    percent: float | None = msgspec.field(default=None, name="contextUsagePercentage")


class Metering(msgspec.Struct, gc=False):
    """``meteringEvent``: credits of this request."""

    usage: float | None = None


class TokenUsage(msgspec.Struct, gc=False):
    """What the upstream itself counted. Whole numbers, read as floats lest ``101.0`` offends."""

    uncached: float | None = msgspec.field(default=None, name="uncachedInputTokens")
    output: float | None = msgspec.field(default=None, name="outputTokens")
    cache_read: float | None = msgspec.field(default=None, name="cacheReadInputTokens")
    cache_write: float | None = msgspec.field(default=None, name="cacheWriteInputTokens")
    percent: float | None = msgspec.field(default=None, name="contextUsagePercentage")


class Metadata(msgspec.Struct, gc=False):
    """``metadataEvent``: either part may be missing."""

    token_usage: TokenUsage | None = msgspec.field(default=None, name="tokenUsage")
    stop_reason: str | None = msgspec.field(default=None, name="stopReason")


class Fault(msgspec.Struct, gc=False):
    """The body of an error, in whichever of its spellings."""

    type: str | None = msgspec.field(default=None, name="__type")
    code: str | None = None
    message: str | None = None
    Message: str | None = None
    reason: str | None = None


class InvalidState(msgspec.Struct, gc=False):
    """``invalidStateEvent``."""

    reason: str | None = None
    message: str | None = None


_T = TypeVar("_T", bound=msgspec.Struct)


def read(decoder: msgspec.json.Decoder[_T], payload: bytes, halves: Halves) -> _T:
    """Decode one payload.

    Halves of surrogate pairs stay in the members of the payload itself, and ``halves.met`` tells
    of them; deeper inside they are lost.

    :raises ProtocolViolation: not JSON, or not of the expected shape.
    """
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise ProtocolViolation("an event's payload has an unexpected shape") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _mended(decoder, payload, halves)


def _mended(decoder: msgspec.json.Decoder[_T], payload: bytes, halves: Halves) -> _T:
    """Strategy: models sometimes emit half an emoji, which strict JSON readers refuse and the
    standard library does not; one lost half must not cost the whole answer."""
    try:
        members = json.loads(payload)
        text = json.dumps(members, ensure_ascii=False)
        value = decoder.decode(_whole(text).encode("utf-8"))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise ProtocolViolation("an event's payload is not JSON of the expected shape") from error
    for field in msgspec.structs.fields(type(value)):
        raw = members.get(field.encode_name)
        if isinstance(raw, str) and has_halves(raw):
            halves.met = True
            setattr(value, field.name, raw)
    return value


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_cut_short(text: str) -> bool:
    """Whether JSON text ends before its value does (as opposed to: whole, or wrong)."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        if "truncated" not in str(error):
            return False
    except RecursionError:
        return False
    else:
        return False
    # The same error is given for half a surrogate pair, which is whole.
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False
