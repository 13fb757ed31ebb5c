# -*- test-case-name: tests.upstream.test_http11_head -*-
"""The head of an HTTP/1.1 message, without any I/O: requests to bytes, bytes to responses.

Strict where leniency would let a body be read as a head or the other way round (RFC 9112, 2.2, 5
and 6.3). Must not know connections.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 200
MAX_LENGTH_DIGITS: Final = 15

_END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: (.*))?", re.DOTALL)
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[!-~]+")
# Controls other than tab, and a CR or LF that is not part of a CRLF.
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_BODILESS: Final = frozenset({204, 304})
# What describes this connection or this body is ours to say.
_OURS: Final = frozenset(
    {b"connection", b"content-length", b"host", b"keep-alive", b"transfer-encoding", b"upgrade"}
)


class MalformedResponse(Exception):
    """The other side's bytes are no HTTP/1.1 response, or exceed a limit."""


class Head(NamedTuple):
    """A response's head. ``length``: octets of the body, None if unknown; ``chunked``: how its end
    is told; neither: it ends with the connection."""

    version: tuple[bytes, int, int]
    code: int
    phrase: bytes
    fields: list[tuple[bytes, bytes]]
    length: int | None
    chunked: bool
    keep_alive: bool


class HeadReader:
    """Collects a head that may come in pieces.

    :param max_head: octets of one head, its empty line included.
    """

    def __init__(self, max_head: int = MAX_HEAD, max_fields: int = MAX_FIELDS) -> None:
        self._max_head = max_head
        self._max_fields = max_fields
        self._partial = bytearray()

    @property
    def begun(self) -> bool:
        """Whether a part of a head has come."""
        return bool(self._partial)

    def receive(self, data: bytes, method: bytes) -> tuple[Head, bytes] | None:
        """The head, once it is whole, and what follows it.

        :param method: of the request, as it decides whether there is a body.
        :raises MalformedResponse: no head, or beyond a limit.
        """
        partial = self._partial
        if partial:
            searched = max(0, len(partial) - 3)
            partial += data
            end = partial.find(_END, searched)
        else:
            end = data.find(_END)
        size = len(partial) or len(data)
        if end < 0:
            if size > self._max_head:
                raise MalformedResponse("the head of the response is too long")
            if not partial:
                partial += data
            return None
        if partial:
            data = bytes(partial)
            partial.clear()
        if end + len(_END) > self._max_head:
            raise MalformedResponse("the head of the response is too long")
        return parse_head(data[:end], method, self._max_fields), data[end + len(_END) :]


def parse_head(block: bytes, method: bytes, max_fields: int = MAX_FIELDS) -> Head:
    """The head in ``block``, which ends before its empty line.

    :raises MalformedResponse: anything else than a response of HTTP/1.0 or 1.1 whose body has one
        clear length.
    """
    if _FORBIDDEN.search(block):
        raise MalformedResponse("a control character in the head of the response")
    first, _, rest = block.partition(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise MalformedResponse("the status line of the response is not one")
    minor, digits, phrase = status.groups()
    code = int(digits)
    fields = parse_fields(rest, max_fields)
    codings, lengths, options = [], [], []
    for name, value in fields:
        match name.lower():
            case b"transfer-encoding":
                codings.append(value)
            case b"content-length":
                lengths.append(value)
            case b"connection":
                options.append(value)
    length: int | None
    chunked = False
    if method == b"HEAD" or code < 200 or code in _BODILESS:
        length = 0
    elif codings:
        if lengths or minor == b"0" or _listed(codings) != [b"chunked"]:
            raise MalformedResponse("the length of the response's body is not clear")
        length, chunked = None, True
    else:
        length = _length(lengths)
    return Head(
        version=(b"HTTP", 1, int(minor)),
        code=code,
        phrase=phrase or b"",
        fields=fields,
        length=length,
        chunked=chunked,
        keep_alive=minor == b"1" and b"close" not in _listed(options),
    )


def parse_fields(block: bytes, max_fields: int = MAX_FIELDS) -> list[tuple[bytes, bytes]]:
    """The header fields, or the trailer, in ``block``.

    :raises MalformedResponse: a line that is none, or too many.
    """
    lines = block.split(b"\r\n") if block else []
    if len(lines) > max_fields:
        raise MalformedResponse("the response has too many header fields")
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # This also refuses a line that begins with a space, once a continuation.
        if not colon or not _TOKEN.fullmatch(name):
            raise MalformedResponse("a header field of the response is not one")
        fields.append((name, value.strip(b" \t")))
    return fields


def _listed(values: Iterable[bytes]) -> list[bytes]:
    """The items of comma-separated values."""
    items = b",".join(values).lower().split(b",")
    return [item for item in (item.strip(b" \t") for item in items) if item]


def _length(values: list[bytes]) -> int | None:
    """Wire: the same length given twice is tolerated, as RFC 9110, 8.6 allows."""
    if not values:
        return None
    given = {value.strip(b" \t") for value in b",".join(values).split(b",")}
    length = given.pop()
    if given or not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
        raise MalformedResponse("the length of the response's body is not clear")
    return int(length)


def request_head(
    method: bytes,
    target: bytes,
    host: bytes,
    fields: Iterable[tuple[bytes, Iterable[bytes]]],
    length: int | None,
    *,
    close: bool,
) -> bytes:
    """The head of a request, its empty line included.

    :param host: stands above a Host field, if there is none among ``fields``.
    :param fields: name and values; those about the connection and the body's length are left out.
    :param length: octets of the body, None for no body.
    :param close: whether the connection is for this request only.
    :raises ValueError: something that would not be one line.
    """
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError("not a method or not a request target")
    lines = [method + b" " + target + b" HTTP/1.1"]
    others = []
    for name, values in fields:
        lowered = name.lower()
        if lowered == b"host":
            host = next(iter(values), host)
        elif lowered not in _OURS:
            others += [name + b": " + value for value in values]
    lines.append(b"Host: " + host)
    lines += others
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    elif method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"Content-Length: 0")
    if close:
        lines.append(b"Connection: close")
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or _FORBIDDEN.search(head):
        raise ValueError("a header field of the request is not one line")
    return head + _END
