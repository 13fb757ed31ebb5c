# -*- test-case-name: tests.upstream.test_http11_body -*-
"""Where the body of an HTTP/1.1 response ends, without any I/O: chunks, a length, or the close.

Each reader takes the bytes of one read and gives what they hold of the body as one piece; that a
thousand small chunks of one read cost one call and not a thousand is the point. Must not know
connections, nor what a body means.
"""

import re
from typing import Final, Protocol

from kiro2api.upstream.http11_head import Head, MalformedResponse, parse_fields

MAX_CHUNK: Final = 1024 * 1024 * 1024
MAX_SIZE_LINE: Final = 1024
MAX_TRAILER: Final = 16 * 1024

_SIZE_DIGITS: Final = 16
_EXTENDED: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_CRLF: Final = b"\r\n"
_END: Final = b"\r\n\r\n"


class BodyReader(Protocol):
    """Finds a body's end.

    ``done``: it has come; ``excess``: what followed it; ``error``: why it never will. Bytes that
    were good before a defect are given, the same ones however the input was cut.
    """

    done: bool
    excess: bytes
    error: MalformedResponse | None

    def receive(self, data: bytes) -> bytes:
        """What ``data`` holds of the body. Not to be called after the end or an error."""


def reader_for(head: Head) -> BodyReader:
    """The reader of this response's body."""
    if head.chunked:
        return ChunkedBody()
    if head.length is None:
        return EndlessBody()
    return KnownBody(head.length)


class KnownBody:
    """A body whose length was told."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.excess = b""
        self.error: MalformedResponse | None = None

    def receive(self, data: bytes) -> bytes:
        """See ``BodyReader``."""
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            return data
        self.done = True
        self.excess = data[left:]
        return data[:left]


class EndlessBody:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.done = False
        self.excess = b""
        self.error: MalformedResponse | None = None

    def receive(self, data: bytes) -> bytes:
        """See ``BodyReader``."""
        return data


class ChunkedBody:
    """A body in chunks; its trailer is checked and dropped."""

    __slots__ = ("_in_trailer", "_left", "_rest", "done", "error", "excess")

    def __init__(self) -> None:
        # Octets that the chunk under way still lacks, with the CRLF that ends it; 0 before a size.
        self._left = 0
        # The beginning of a size line or of the trailer.
        self._rest = b""
        self._in_trailer = False
        self.done = False
        self.excess = b""
        self.error: MalformedResponse | None = None

    def receive(self, data: bytes) -> bytes:
        """See ``BodyReader``."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        pieces: list[bytes] = []
        try:
            at = self._chunks(data, pieces)
            if self._in_trailer:
                self._trailer(data[at:])
        except MalformedResponse as error:
            self.error = error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _chunks(self, data: bytes, pieces: list[bytes]) -> int:
        """All chunks of ``data``; gives the offset of the trailer, or of the data's end."""
        end = len(data)
        at = 0
        left = self._left
        while at < end and not self._in_trailer:
            if not left:
                stop = data.find(b"\r\n", at, at + MAX_SIZE_LINE)
                if stop < 0:
                    self._keep(data, at)
                    at = end
                    break
                left = _size(data[at:stop])
                at = stop + 2
                if left:
                    left += 2
                else:
                    self._in_trailer = True
                continue
            # The chunk's own octets, then the CRLF that ends it; either may go on in the next read.
            inside = min(end, at + left - 2)
            if inside > at:
                pieces.append(data[at:inside])
                left -= inside - at
                at = inside
            if at < end:
                closing = _CRLF[2 - left :][: end - at]
                if not data.startswith(closing, at):
                    raise MalformedResponse("a chunk of the response is longer than it says")
                left -= len(closing)
                at += len(closing)
        self._left = left
        return at

    def _keep(self, data: bytes, at: int) -> None:
        """A size line that has not ended; the next read begins with it."""
        if len(data) - at >= MAX_SIZE_LINE:
            raise MalformedResponse("the size of a chunk of the response is too long a line")
        self._rest = data[at:]

    def _trailer(self, data: bytes) -> None:
        if data.startswith(b"\r\n"):
            self.done = True
            self.excess = data[2:]
            return
        stop = data.find(_END)
        if stop > MAX_TRAILER or (stop < 0 and len(data) >= MAX_TRAILER + len(_END)):
            raise MalformedResponse("the trailer of the response is too long")
        if stop < 0:
            self._rest = data
            return
        parse_fields(data[:stop])
        self.done = True
        self.excess = data[stop + len(_END) :]


def _size(line: bytes) -> int:
    """The size in a chunk's first line.

    Strategy: ``int`` alone would take signs, underscores, spaces and ``0x``; the usual line is
    only digits, which is cheaper to see than to match.
    """
    digits = line
    if not line.isalnum():
        matched = _EXTENDED.fullmatch(line)
        digits = matched[1] if matched else b""
    if len(digits) <= _SIZE_DIGITS and digits[1:2] not in (b"x", b"X"):
        try:
            size = int(digits, 16)
        except ValueError:
            size = -1
        if 0 <= size <= MAX_CHUNK:
            return size
    raise MalformedResponse("the size of a chunk of the response is not one")
