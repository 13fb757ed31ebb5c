# -*- test-case-name: tests.web.test_sending -*-
"""The body of one streamed response, framed as HTTP wants it and sent without delay.

``Request.write`` is a good way to begin a body and a slow way to go on with it: here a piece is one
join and one send, and the last piece takes the end of the body along. Must not know what the bytes
mean.
"""

from collections.abc import Callable
from typing import Any

from kiro2api.transports import can_send_at_once, send_at_once

LAST_CHUNK = b"0\r\n\r\n"


class BodyWriter:
    """Writes more of the body of ``request``, whose head has been written."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._chunked = bool(request.chunked)
        transport = request.channel.transport
        self._send: Callable[[bytes], None]
        if can_send_at_once(transport):
            self._send = lambda data: send_at_once(transport, data)
        else:
            self._send = transport.write

    def write(self, data: bytes) -> None:
        """One piece; nothing if the client has left."""
        if self._request.channel is None or not data:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._send(data)

    def last(self, data: bytes) -> None:
        """The last piece, with the end of the body; ``Request.finish`` must follow."""
        if self._request.channel is None:
            return
        if self._chunked:
            # Request.finish writes the last chunk only while it takes the body for chunked.
            self._request.chunked = 0
            self._chunked = False
            data = b"%x\r\n%b\r\n" % (len(data), data) + LAST_CHUNK if data else LAST_CHUNK
        self._send(data)
