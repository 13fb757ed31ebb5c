# -*- test-case-name: tests.web.admin.test_events -*-
"""One listener of the operator's events: what is sent to it, and what it misses.

Nothing is kept for a listener that is slow: it is told how much it has missed, and asks for the
rest itself. Must not know what the events say.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from kiro2api.web.sending import BodyWriter

_encode = msgspec.json.Encoder().encode

HEARTBEAT = b": still here\n\n"


def written(name: str, value: object) -> bytes:
    """One event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(value))


@implementer(IPushProducer)
class Listener:
    """One stream of events.

    :param left: called once when it is over.
    """

    def __init__(self, request: Any, left: Callable[["Listener"], None]) -> None:
        self.request = request
        self._left = left
        self._paused = False
        self._missed = 0
        self.done: Deferred[None] = Deferred(lambda _: self._forget())
        self._over = False
        self._body: BodyWriter | None = None

    def begin(self, first: bytes) -> Deferred[None]:
        """Send the head and the first events; fires when all is over."""
        self.request.registerProducer(self, True)
        self.request.begin_stream(first)
        self._body = BodyWriter(self.request)
        return self.done

    def put(self, data: bytes, events: int = 1) -> None:
        """So many events, already written; or they are missed."""
        if self._over or self._body is None:
            return
        if self._paused:
            self._missed += events
            return
        if self._missed:
            missed, self._missed = self._missed, 0
            data = written("lagging", {"missed": missed}) + data
        self._body.write(data)

    def end(self) -> None:
        """No more events. Idempotent."""
        if self._over:
            return
        self._forget()
        if self.request.channel is not None:
            self.request.unregisterProducer()
        if not self.done.called:
            self.done.callback(None)

    def pauseProducing(self) -> None:
        """The client is slow."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The client has caught up."""
        self._paused = False

    def stopProducing(self) -> None:
        """The client has left."""
        self._forget()

    def _forget(self) -> None:
        if not self._over:
            self._over = True
            self._left(self)
