# -*- test-case-name: tests.emulator.test_performance -*-
"""The frames of an answer, sound ones and spoilt ones."""

from typing import Any, Final

import msgspec

from kiro2api.wire.eventstream import encode_frame

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
GARBAGE: Final = b"\x00\x00\x00\x07 this is no frame " + bytes(range(64))


def event(kind: str, payload: dict[str, Any]) -> bytes:
    """One event frame."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, msgspec.json.encode(payload))


def exception(kind: str, message: str, reason: str | None) -> bytes:
    """An exception frame. Wire: the modelled one has the type ``error``."""
    headers = {
        ":message-type": "exception",
        ":exception-type": kind,
        ":content-type": "application/json",
    }
    return encode_frame(headers, msgspec.json.encode({"message": message, "reason": reason}))


def error(code: str, message: str) -> bytes:
    """An error frame: headers only."""
    headers = {":message-type": "error", ":error-code": code, ":error-message": message}
    return encode_frame(headers, b"")


def spoilt(frame: bytes) -> bytes:
    """The frame with a wrong checksum at its end."""
    return frame[:-1] + bytes([frame[-1] ^ 0xFF])
