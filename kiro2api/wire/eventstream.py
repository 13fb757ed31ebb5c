# -*- test-case-name: tests.wire.test_eventstream -*-
"""The upstream's binary framing, ``application/vnd.amazon.eventstream``, without any I/O.

Wire: a frame is ``u32 total, u32 header bytes, u32 CRC of those eight bytes, headers, payload,
u32 CRC of everything before it``, all big-endian, CRC-32/ISO-HDLC. Must not know what a payload
means: no JSON, no event names.
"""

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

from kiro2api.errors import ProtocolViolation, StreamTruncated

MAX_FRAME: Final = 24 * 1024 * 1024
MAX_HEADER_BLOCK: Final = 128 * 1024
MAX_HEADERS: Final = 1024
MAX_HEADER_VALUE: Final = 32_767

_PRELUDE: Final = Struct(">III")
_PRELUDE_SIZE: Final = 12
_OVERHEAD: Final = 16
_U32: Final = Struct(">I")
_U16: Final = Struct(">H")

# A header block repeats for every frame of one kind, so its decoded form is remembered. Blocks
# beyond these bounds are unusual and are decoded each time.
_CACHED_BLOCKS: Final = 128
_CACHED_BLOCK_SIZE: Final = 512


class HeaderType(IntEnum):
    """The ten types a header value may have on the wire."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


_NUMBERS: Final = {
    HeaderType.BYTE: Struct(">b"),
    HeaderType.SHORT: Struct(">h"),
    HeaderType.INTEGER: Struct(">i"),
    HeaderType.LONG: Struct(">q"),
    HeaderType.TIMESTAMP: Struct(">q"),
}


class Headers(msgspec.Struct, frozen=True):
    """The headers of one frame: the six that have a meaning to us, "" where absent, and all.

    In ``values`` a timestamp is an int (milliseconds since the epoch), a UUID its canonical text.
    """

    message_type: str
    event_type: str
    exception_type: str
    error_code: str
    error_message: str
    content_type: str
    values: dict[str, object]


class Frame(msgspec.Struct, gc=False):
    """One whole, checked frame."""

    headers: Headers
    payload: bytes


class FrameDecoder:
    """Turns bytes, cut anywhere, into frames.

    A defect is for ever: frames that were complete before it are still given, and ``error`` is
    set; every later call raises it (at once if no frame came before the defect in the same call).

    :param max_frame: refuse a frame of more bytes than this, before its bytes are collected.
    :param max_headers: refuse a header block of more bytes than this.
    :param known: decoded header blocks, which several decoders may share; it stays small.
    """

    __slots__ = ("_known", "_max_frame", "_max_headers", "_need", "_partial", "error")

    def __init__(
        self,
        *,
        max_frame: int = MAX_FRAME,
        max_headers: int = MAX_HEADER_BLOCK,
        known: dict[bytes, Headers] | None = None,
    ) -> None:
        self._max_frame = max_frame
        self._max_headers = max_headers
        self._known: dict[bytes, Headers] = {} if known is None else known
        # The beginning of a frame whose end has not come, and how long it must grow before it
        # can be looked at again: to the prelude, then to the whole frame. Growing one bytearray
        # keeps a large frame in small pieces linear.
        self._partial = bytearray()
        self._need = 0
        self.error: ProtocolViolation | None = None

    def receive(self, data: bytes) -> list[Frame]:
        """The frames completed by ``data``.

        :raises ProtocolViolation: not an event stream, a wrong checksum, or beyond a limit.
        """
        if self.error is not None:
            raise self.error
        frames: list[Frame] = []
        try:
            at = self._complete(data, frames) if self._partial else 0
            if not self._partial:
                self._scan(data, at, frames)
        except ProtocolViolation as error:
            self.error = error
            self._partial.clear()
            if not frames:
                raise
        return frames

    def finish(self) -> None:
        """The bytes have ended.

        :raises StreamTruncated: inside a frame.
        :raises ProtocolViolation: the defect met before.
        """
        if self.error is not None:
            raise self.error
        if self._partial:
            raise StreamTruncated("the upstream's answer ended inside an event frame")

    def _complete(self, data: bytes, frames: list[Frame]) -> int:
        """Fill the partial frame from ``data``; give the offset of what it did not take."""
        partial = self._partial
        at = 0
        while partial:
            missing = self._need - len(partial)
            if len(data) - at < missing:
                partial += data[at:]
                break
            partial += data[at : at + missing]
            at += missing
            whole = bytes(partial)
            partial.clear()
            # Either gives the frame, or (so far only a prelude) fills the partial frame again.
            self._scan(whole, 0, frames)
        return at

    def _scan(self, data: bytes, at: int, frames: list[Frame]) -> None:
        """Cut whole frames from ``data``, keep the rest. Plain slices were measured fastest."""
        end = len(data)
        need = _PRELUDE_SIZE
        known = self._known
        while end - at >= _PRELUDE_SIZE:
            total, block_size, prelude_crc = _PRELUDE.unpack_from(data, at)
            if crc32(data[at : at + 8]) != prelude_crc:
                raise ProtocolViolation("an event frame's prelude has a wrong checksum")
            if not _OVERHEAD <= total <= self._max_frame:
                raise ProtocolViolation(f"an event frame declares a size of {total} bytes")
            if block_size > self._max_headers or block_size > total - _OVERHEAD:
                raise ProtocolViolation(f"an event frame declares {block_size} bytes of headers")
            stop = at + total
            if stop > end:
                need = total
                break
            (frame_crc,) = _U32.unpack_from(data, stop - 4)
            if crc32(data[at : stop - 4]) != frame_crc:
                raise ProtocolViolation("an event frame has a wrong checksum")
            body = at + _PRELUDE_SIZE + block_size
            block = data[at + _PRELUDE_SIZE : body]
            headers = known.get(block)
            if headers is None:
                headers = self._learn(block)
            frames.append(Frame(headers, data[body : stop - 4]))
            at = stop
        if at < end:
            self._partial += data[at:]
            self._need = need

    def _learn(self, block: bytes) -> Headers:
        headers = parse_headers(block)
        if len(block) <= _CACHED_BLOCK_SIZE:
            if len(self._known) >= _CACHED_BLOCKS:
                self._known.clear()
            self._known[block] = headers
        return headers


def parse_headers(block: bytes) -> Headers:
    """Decode one header block.

    :raises ProtocolViolation: cut short, unknown type, duplicate name, too many or too long.
    """
    values: dict[str, object] = {}
    at = 0
    try:
        while at < len(block):
            if len(values) >= MAX_HEADERS:
                raise ProtocolViolation(f"an event frame has more than {MAX_HEADERS} headers")
            name, at = _text(block, at + 1, block[at])
            kind = HeaderType(block[at])
            value, at = _value(block, at + 1, kind)
            if not name or name in values:
                raise ProtocolViolation("an event frame has an empty or repeated header name")
            values[name] = value
    except (IndexError, ValueError) as error:
        # No detail of ours: the bytes at hand are the upstream's.
        raise ProtocolViolation("an event frame has malformed headers") from error
    return Headers(
        message_type=_named(values, ":message-type"),
        event_type=_named(values, ":event-type"),
        exception_type=_named(values, ":exception-type"),
        error_code=_named(values, ":error-code"),
        error_message=_named(values, ":error-message"),
        content_type=_named(values, ":content-type"),
        values=values,
    )


def _named(values: Mapping[str, object], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ProtocolViolation(f"the header {name} of an event frame is not text")
    return value


def _cut(block: bytes, at: int, size: int) -> bytes:
    piece = block[at : at + size]
    if len(piece) != size:
        raise IndexError
    return piece


def _text(block: bytes, at: int, size: int) -> tuple[str, int]:
    return _cut(block, at, size).decode("utf-8"), at + size


def _value(block: bytes, at: int, kind: HeaderType) -> tuple[object, int]:
    """The value that starts at ``at``, and where the next header starts."""
    if kind is HeaderType.STRING or kind is HeaderType.BYTES:
        (size,) = _U16.unpack(_cut(block, at, 2))
        if size > MAX_HEADER_VALUE:
            raise ProtocolViolation(f"an event frame has a header value of {size} bytes")
        at += 2
        if kind is HeaderType.STRING:
            return _text(block, at, size)
        return _cut(block, at, size), at + size
    if kind is HeaderType.UUID:
        digits = _cut(block, at, 16).hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts), at + 16
    number = _NUMBERS.get(kind)
    if number is None:
        return kind is HeaderType.TRUE, at
    (value,) = number.unpack(_cut(block, at, number.size))
    return value, at + number.size


def encode_frame(headers: Mapping[str, object], payload: bytes) -> bytes:
    """One frame, as the upstream would send it.

    A header value is a bool, int (sent as a long), bytes or str; or a pair of a ``HeaderType`` and
    a value, for the others: a timestamp in milliseconds, a UUID as its canonical text.

    :raises ValueError: a value that has no place on the wire.
    """
    block = b"".join(_encode_header(name, value) for name, value in headers.items())
    total = _OVERHEAD + len(block) + len(payload)
    prelude = total.to_bytes(4, "big") + len(block).to_bytes(4, "big")
    message = b"".join((prelude, _U32.pack(crc32(prelude)), block, payload))
    return message + _U32.pack(crc32(message))


def _encode_header(name: str, value: object) -> bytes:
    kind, plain = value if isinstance(value, tuple) else (_kind_of(value), value)
    label = name.encode("utf-8")
    return bytes([len(label)]) + label + bytes([kind]) + _encode_value(kind, plain)


def _kind_of(value: object) -> HeaderType:
    match value:
        case bool():
            return HeaderType.TRUE if value else HeaderType.FALSE
        case int():
            return HeaderType.LONG
        case bytes():
            return HeaderType.BYTES
        case str():
            return HeaderType.STRING
        case _:
            raise ValueError(f"no header type for {type(value).__name__}")


def _encode_value(kind: HeaderType, value: object) -> bytes:
    if kind is HeaderType.TRUE or kind is HeaderType.FALSE:
        return b""
    if isinstance(value, int) and kind in _NUMBERS:
        return _NUMBERS[kind].pack(value)
    if isinstance(value, str) and kind is HeaderType.UUID:
        return bytes.fromhex(value.replace("-", ""))
    if isinstance(value, str) and kind is HeaderType.STRING:
        value = value.encode("utf-8")
    elif kind is not HeaderType.BYTES:
        raise ValueError(f"no {kind.name} from {type(value).__name__}")
    if not isinstance(value, bytes) or len(value) > MAX_HEADER_VALUE:
        raise ValueError("a header value is not bytes, or too long")
    return _U16.pack(len(value)) + value
