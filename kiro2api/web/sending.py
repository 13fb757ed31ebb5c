# -*- test-case-name: tests.web.test_sending -*-
"""Writes a streamed body with as little delay and as few system calls as possible.

``Request.write`` hands bytes to the transport, which waits for the reactor to report the socket
writable: two epoll calls and one reactor turn for every event. When nothing is waiting in the
transport, the bytes can be sent at once instead. Everything that knows the inside of Twisted's TCP
transport stands here, behind a feature test; without those features, or over TLS, the fallback
is ``Request.write``.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.tcp import Connection

Write = Callable[[bytes], None]


def can_send_at_once(transport: object) -> bool:
    """Whether ``transport`` is a plain TCP connection whose buffers we know how to read."""
    return (
        isinstance(transport, Connection)
        and not getattr(transport, "TLS", True)
        and isinstance(getattr(transport, "dataBuffer", None), bytes)
        and isinstance(getattr(transport, "_tempDataLen", None), int)
        and callable(getattr(transport, "writeSomeData", None))
    )


def body_writer(request: Any) -> Write:
    """How to write more of the body of ``request``, whose head has been written."""
    transport = request.channel.transport
    if not can_send_at_once(transport):
        write: Write = request.write
        return write
    if not request.chunked:
        return _at_once(transport, request)

    send = _at_once(transport, request)

    def write_chunk(data: bytes) -> None:
        send(b"%x\r\n%b\r\n" % (len(data), data))

    return write_chunk


def _at_once(transport: Any, request: Any) -> Write:
    def send(data: bytes) -> None:
        if request.channel is None:
            return
        if transport.dataBuffer or transport._tempDataLen or transport.disconnecting:
            transport.write(data)
            return
        sent = transport.writeSomeData(data)
        if type(sent) is not int:
            # The connection is lost: let the transport find that out in its own way.
            transport.write(data)
        elif sent < len(data):
            transport.write(data[sent:])

    return send
