# -*- test-case-name: tests.kiro.test_toolinput -*-
"""The input of a tool call in history, as the JSON object that the upstream insists on.

Must not know tools or turns. A good input passes byte for byte: it is decoded once, to be sure
of it, and never encoded again.
"""

from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 128
"""Nesting beyond which an input travels as text: JSON readers along the way have such limits."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def as_object(data: bytes) -> msgspec.Raw:
    """JSON text of any kind, or no JSON at all, as a JSON object that still holds all of it.

    Wire: ``toolUses[].input`` is an object. Another value becomes ``{"value": ...}``, invalid
    JSON becomes ``{"text": "..."}``, nothing becomes ``{}``.
    """
    if not data.strip():
        return msgspec.Raw(b"{}")
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _as_text(data)
    if too_deep(data, value):
        return _as_text(data)
    if isinstance(value, dict):
        return msgspec.Raw(data)
    return msgspec.Raw(b'{"value":' + data + b"}")


def too_deep(data: bytes, value: Any) -> bool:
    """Whether JSON, given as text and decoded, nests more than ``MAX_DEPTH`` containers."""
    # Counting brackets is much cheaper than walking, and an upper bound of the depth.
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [item for item in level if isinstance(item, (dict, list))]
        if not containers:
            return False
        level = []
        for item in containers:
            level.extend(item.values() if isinstance(item, dict) else item)
    return True


def _as_text(data: bytes) -> msgspec.Raw:
    return msgspec.Raw(_encode({"text": data.decode("utf-8", "replace")}))
