# -*- test-case-name: tests.bench.test_smoke -*-
"""Whether an answer is whole: every event there, in order and once. Pure.

Each check takes the content of a body, as the client of one route gets it, and says what is wrong
with it, or "".
"""

import json
import re
from collections.abc import Callable
from typing import Final

from tests.bench import wire

RAW_END: Final = b'{"contextUsagePercentage":12.345}'
MESSAGES_END: Final = b'"message_stop"'

_NUMBER: Final = re.compile(rb"~(\d{6}):")


def numbered(count: int, end: bytes) -> Callable[[bytes], str]:
    """For an answer of so many marked events, the last bytes of which contain ``end``."""
    expected = [b"%06d" % number for number in range(count)]

    def check(content: bytes) -> str:
        found = _NUMBER.findall(content)
        if found != expected:
            return _difference(found, expected)
        return "" if end in content[-400:] else f"the answer has no end: {content[-80:]!r}"

    return check


def begun(answer: bytes) -> str:
    """The same for an answer that was left in the middle: what had come must be in order."""
    found = _NUMBER.findall(answer)
    expected = [b"%06d" % number for number in range(len(found))]
    return "" if found == expected else _difference(found, expected)


def texts_of(seed: int) -> int:
    """How many events with text a nasty answer has."""
    return len(wire.nasty(seed)) + len(wire.TROUBLE)


def same_bytes(seed: int) -> Callable[[bytes], str]:
    """For a nasty answer that was only passed on."""
    expected = b"".join(wire.nasty_frames(seed))

    def check(content: bytes) -> str:
        return "" if content == expected else "the bytes are not those that were sent"

    return check


def same_text(seed: int, read: Callable[[bytes], str]) -> Callable[[bytes], str]:
    """For a nasty answer in a client's dialect, the text of which ``read`` gets."""
    expected = "".join(wire.nasty(seed)) + wire.NASTY_END

    def check(content: bytes) -> str:
        try:
            text = read(content)
        except (ValueError, KeyError) as error:
            return f"not what a client can read: {error!r}"
        if text == expected:
            return ""
        pairs = enumerate(zip(text, expected, strict=False))
        at = next((i for i, (is_, should) in pairs if is_ != should), min(len(text), len(expected)))
        return f"the text differs at {at}: {text[at : at + 20]!r}, not {expected[at : at + 20]!r}"

    return check


def read_messages(content: bytes) -> str:
    """The text of a streamed answer of the Messages API; raises ValueError, KeyError."""
    texts, last = [], ""
    for data in _data_lines(content):
        event = json.loads(data)
        last = event["type"]
        if last == "content_block_delta":
            texts.append(event["delta"]["text"])
    if last != "message_stop":
        raise ValueError(f"it ends with {last!r}")
    return "".join(texts)


def read_chat(content: bytes) -> str:
    """The text of a streamed answer of Chat Completions; raises ValueError, KeyError."""
    lines = _data_lines(content)
    if lines[-1] != b"[DONE]":
        raise ValueError(f"it ends with {lines[-1][:40]!r}")
    texts = []
    for data in lines[:-1]:
        choices = json.loads(data)["choices"]
        texts += [choice["delta"].get("content") or "" for choice in choices]
    return "".join(texts)


def _data_lines(content: bytes) -> list[bytes]:
    lines = [line[6:] for line in content.split(b"\n") if line.startswith(b"data: ")]
    if not lines:
        raise ValueError("it has no events")
    return lines


def _difference(found: list[bytes], expected: list[bytes]) -> str:
    """What happened to the events."""
    lost = len(set(expected) - set(found))
    again = len(found) - len(set(found))
    if lost or again:
        return f"of {len(expected)} events {lost} are lost, {again} came twice"
    return f"the {len(expected)} events are out of order"
