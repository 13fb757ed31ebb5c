# -*- test-case-name: tests.test_transports -*-
"""Sends bytes at once where nothing is waiting to be sent.

A transport that is written to waits for the reactor to report its socket writable: two epoll calls
and one turn of the reactor for every event of a stream. When nothing waits in the transport, the
bytes can be handed to the kernel right away. Everything that knows the inside of Twisted's TCP
transport stands here, behind a feature test; without those features, or over TLS, it is a plain
``write``. Must not know HTTP.
"""

from typing import Any

from twisted.internet.tcp import Connection


def can_send_at_once(transport: object) -> bool:
    """Whether ``transport`` is a plain TCP connection whose buffers we know how to read."""
    return (
        isinstance(transport, Connection)
        and not getattr(transport, "TLS", True)
        and isinstance(getattr(transport, "dataBuffer", None), bytes)
        and isinstance(getattr(transport, "_tempDataLen", None), int)
        and callable(getattr(transport, "writeSomeData", None))
    )


def send_at_once(transport: Any, data: bytes) -> None:
    """Send ``data`` now, or behind what waits; only for what ``can_send_at_once``."""
    if transport.dataBuffer or transport._tempDataLen or not transport.connected:
        transport.write(data)
        return
    if transport.disconnecting or not data:
        return
    sent = transport.writeSomeData(data)
    if type(sent) is not int:
        # The connection is lost: let the transport find that out in its own way.
        transport.write(data)
    elif sent < len(data):
        transport.write(data[sent:])


def write_now(transport: Any, data: bytes) -> None:
    """Send ``data`` as soon as this transport can."""
    if can_send_at_once(transport):
        send_at_once(transport, data)
    else:
        transport.write(data)
