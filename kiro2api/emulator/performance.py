# -*- test-case-name: tests.emulator.test_performance -*-
"""From an answer to the frames that carry it, and from frames to the steps of their delivery.

Iterators throughout, so that an endless answer costs no memory. Must not know HTTP or time: a
step says what to do next, ``playback`` does it.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import zip_longest
from typing import Any, TypeAlias

import msgspec

from kiro2api.emulator import frames
from kiro2api.emulator.script import Script

_PIECE = 16
_LARGE_PIECE = 1024
_LARGE = 16_384
_FRAGMENT = 12


class Part(msgspec.Struct, frozen=True):
    """One tool call, ready to be sent."""

    id: str
    name: str
    input: str


class Performance(msgspec.Struct, frozen=True):
    """Everything that one answer consists of."""

    model: str
    text: str
    parts: tuple[Part, ...] = ()
    thinking: str = ""
    signature: str = ""
    redacted: str = ""
    context_percent: float = 0.0
    credits: float = 0.0


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for so many seconds."""

    seconds: float


class Turn(Enum):
    """What may come instead of more bytes."""

    HANG = "hang"
    ABORT = "abort"


Step: TypeAlias = bytes | Wait | Turn


def events(play: Performance, script: Script) -> Iterator[bytes]:
    """The frames of a sound answer, in the upstream's usual order."""
    for piece in _pieces(play.thinking):
        yield frames.event("reasoningContentEvent", {"text": piece})
    if play.signature:
        yield frames.event("reasoningContentEvent", {"signature": play.signature})
    if play.redacted:
        yield frames.event("reasoningContentEvent", {"redactedContent": play.redacted})
    for _ in range(script.repeat):
        for piece in _pieces(play.text):
            yield _text(piece, play.model)
    for index in range(script.events):
        yield _text(f"{index} ", play.model)
    yield from _tools(play.parts, script)
    if script.no_ending:
        return
    if script.token_usage is not None or script.stop_reason:
        yield frames.event("metadataEvent", _metadata(script))
    yield frames.event("contextUsageEvent", {"contextUsagePercentage": play.context_percent})
    metering = {"unit": "credit", "unitPlural": "credits", "usage": play.credits}
    yield frames.event("meteringEvent", metering)


def delivered(sent: Iterator[bytes], script: Script, pace: float) -> Iterator[Step]:
    """The steps that bring these frames to the caller, the ordered faults among them."""
    between = script.delay or script.interval or pace
    position = 0
    while True:
        frame = next(sent, None)
        if position == script.stall_at:
            yield Turn.HANG
        if position == script.cut_at:
            if not script.clean:
                yield Turn.ABORT
            return
        if position == script.exception_at:
            yield frames.exception(script.exception, script.message, script.reason)
            return
        if position == script.error_at:
            yield frames.error(script.error or "InternalError", script.message)
            return
        if position == script.garbage_at:
            yield frames.GARBAGE
        if position == script.unknown_at:
            yield frames.event("somethingNewEvent", {"text": "not to be shown"})
        if frame is None:
            break
        if position and between:
            yield Wait(between)
        if position == script.bad_crc_at:
            frame = frames.spoilt(frame)
        yield from _sliced(frame, script.slice)
        position += 1
    if script.linger:
        yield Turn.HANG


def _text(piece: str, model: str) -> bytes:
    return frames.event("assistantResponseEvent", {"content": piece, "modelId": model})


def _tools(parts: Sequence[Part], script: Script) -> Iterator[bytes]:
    streams = [
        _tool(part, stop=not (script.no_stop and index == len(parts) - 1))
        for index, part in enumerate(parts)
    ]
    if script.interleave:
        for row in zip_longest(*streams):
            yield from (frame for frame in row if frame is not None)
    else:
        for stream in streams:
            yield from stream


def _tool(part: Part, stop: bool) -> Iterator[bytes]:
    """Wire: a start without input, fragments of the input, one stop; the name in all of them."""
    head = {"name": part.name, "toolUseId": part.id}
    yield frames.event("toolUseEvent", head)
    # Wire: a call without arguments may come without any input.
    if part.input != "{}":
        for start in range(0, len(part.input), _FRAGMENT):
            fragment = part.input[start : start + _FRAGMENT]
            yield frames.event("toolUseEvent", {"input": fragment, **head})
    if stop:
        yield frames.event("toolUseEvent", {**head, "stop": True})


def _metadata(script: Script) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if script.token_usage is not None:
        payload["tokenUsage"] = script.token_usage
    if script.stop_reason:
        payload["stopReason"] = script.stop_reason
    return payload


def _pieces(text: str) -> Iterator[str]:
    size = _LARGE_PIECE if len(text) > _LARGE else _PIECE
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _sliced(frame: bytes, size: int) -> Iterator[bytes]:
    if not size:
        yield frame
        return
    for start in range(0, len(frame), size):
        yield frame[start : start + size]
