# -*- test-case-name: tests.bench.test_smoke -*-
"""What goes over the wires of the benchmark: event frames, marked texts, HTTP chunks.

Written apart from ``kiro2api.wire`` on purpose: what is measured must not judge itself. Pure.
"""

import json
import random
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

_PRELUDE: Final = struct.Struct(">II")
_U32: Final = struct.Struct(">I")

MARK: Final = re.compile(rb"~(\d{6}):([0-9a-f]{16})")
"""An event's text: its number, and when it was sent (monotonic nanoseconds, 0 if not paced)."""

TROUBLE: Final = b'{}"'
"""Bytes that mislead whoever looks for JSON in the raw stream."""

LAST_CHUNK: Final = b"0\r\n\r\n"


def _headers(event: bytes) -> bytes:
    block = b""
    for name, value in (
        (b":event-type", event),
        (b":content-type", b"application/json"),
        (b":message-type", b"event"),
    ):
        block += bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
    return block


_TEXT: Final = _headers(b"assistantResponseEvent")
_METERING: Final = _headers(b"meteringEvent")
_CONTEXT: Final = _headers(b"contextUsageEvent")


def frame(headers: bytes, payload: bytes) -> bytes:
    """One event frame with both of its checksums."""
    prelude = _PRELUDE.pack(len(headers) + len(payload) + 16, len(headers))
    message = b"".join((prelude, _U32.pack(crc32(prelude)), headers, payload))
    return message + _U32.pack(crc32(message))


def marked(number: int, now: int = 0) -> bytes:
    """The frame of one marked event: 146 bytes."""
    return frame(_TEXT, b'{"content":"~%06d:%016x"}' % (number, now))


def tail() -> bytes:
    """The two frames that end an answer."""
    return frame(_METERING, b'{"unit":"credit","unitPlural":"credits","usage":0.0513}') + frame(
        _CONTEXT, b'{"contextUsagePercentage":12.345}'
    )


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def burst(count: int) -> bytes:
    """The chunked body of ``count`` marked events, one frame per chunk as the upstream does it."""
    pieces = [chunk(marked(number)) for number in range(count)]
    return b"".join((*pieces, chunk(tail()), LAST_CHUNK))


def dechunked(data: bytes | bytearray) -> bytes | None:
    """A chunked body's content; None while it is not complete. Raises ValueError for nonsense."""
    pieces: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        at = end + 2 + size
        if len(data) < at + 2:
            return None
        if data[at : at + 2] != b"\r\n":
            raise ValueError("an HTTP chunk is longer than it says")
        if not size:
            return b"".join(pieces)
        pieces.append(bytes(data[end + 2 : at]))
        at += 2
    return None


# ── content that breaks naive readers ────────────────────────────────────────

_NASTY: Final = (
    *("ha", "ha", "ha", " ", " ", "\n", "\n", "\n\n", "ha", "ha"),
    *('"', '""', "\\", '\\"', "\\n", "\\u0041", "}", "{", "{}", "[DONE]", "data: x\n\n"),
    *('{"content":"not an event"}', '{"content":', '"}', "event: message_stop\n", ":", "\r\n"),
    *(
        "你好",
        "\uff0c世界",
        "你好",
        "é",
        "e\u0301",
        "🙂",
        "🙂",
        "👩\u200d👩\u200d👧",
        "\u2028",
        "\u2029",
    ),
    *("\x00", "\x1f", "\x7f", "\ufeff", "\U0010ffff", "\uffff", "0\r\n\r\n", "  ha  ", "ha", "ha"),
)


def nasty(seed: int) -> list[str]:
    """The texts of one answer, in an order of this seed, each neighbour twice where it can be."""
    texts = list(_NASTY)
    source = random.Random(seed)
    source.shuffle(texts)
    return [text for text in texts for _ in range(source.choice((1, 1, 2, 3)))]


def nasty_frames(seed: int) -> Iterator[bytes]:
    """A frame per text of ``nasty``, then the tail.

    A byte of ``TROUBLE`` occurs in the checksum of every third message, each in that of a prelude;
    the text is not the payload's first member.
    """
    for index, text in enumerate(nasty(seed)):
        content = json.dumps(text, ensure_ascii=index % 2 == 0).encode()
        wanted = TROUBLE[index // 3 % 3] if index % 3 == 0 else None
        yield _troubled(content, wanted)
    for byte in TROUBLE:
        yield _misleading_prelude(byte)
    yield tail()


NASTY_END: Final = "same" * len(TROUBLE)
"""What the frames with a misleading prelude say, after the texts of ``nasty``."""


def _troubled(content: bytes, wanted: int | None) -> bytes:
    for turn in range(100_000):
        made = frame(_TEXT, b'{"modelId":"m%d","content":%b}' % (turn, content))
        if wanted is None or wanted in made[-4:]:
            return made
    raise AssertionError("no checksum holds the wanted byte")


def _misleading_prelude(wanted: int) -> bytes:
    for size in range(4000):
        made = frame(_TEXT, b'{"content":"same","modelId":"%b"}' % (b"m" * size))
        if wanted in made[8:12]:
            return made
    raise AssertionError("no prelude's checksum holds the wanted byte")


def cut(data: bytes, seed: int, longest: int) -> Iterable[bytes]:
    """``data`` in pieces of 1 to ``longest`` bytes, always the same for a seed."""
    source = random.Random(seed)
    at = 0
    while at < len(data):
        size = source.randint(1, longest)
        yield data[at : at + size]
        at += size
