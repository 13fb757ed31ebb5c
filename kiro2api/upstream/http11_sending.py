# -*- test-case-name: tests.upstream.test_http11_connection -*-
"""One request on its way out: its head and what its body's producer writes.

Must not know connections or responses: it is given a transport, and tells when all is sent.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from kiro2api.transports import write_now


@implementer(IConsumer)
class RequestBody:
    """Sends a request: its head together with the first bytes of its body, then the rest.

    :param done: told once that everything is sent, or why not.
    """

    def __init__(
        self,
        wire: Any,
        head: bytes,
        body: IBodyProducer,
        done: Callable[[Failure | None], None],
    ) -> None:
        self._wire = wire
        self._head = head
        self._body = body
        self._left = body.length
        self._done: Callable[[Failure | None], None] | None = done
        self._registered = False

    def start(self) -> None:
        """Let the body's producer write."""
        try:
            produced = self._body.startProducing(self)
        except Exception:  # noqa: BLE001 - a producer is its user's; whatever it raises is the cause
            self._finish(Failure())
            return
        produced.addCallbacks(self._produced, self._finish)
        if self._done is not None:
            # It goes on later: the transport says when.
            self._flush()
            self._registered = True
            self._wire.registerProducer(self._body, True)

    def write(self, data: bytes) -> None:
        """More of the body; what is more than the head told is never sent."""
        if self._done is None:
            return
        self._left -= len(data)
        if self._left < 0:
            self._body.stopProducing()
            self._finish(Failure(ValueError("a request's body is longer than its length")))
        elif self._head:
            head, self._head = self._head, b""
            write_now(self._wire, head + data)
        else:
            write_now(self._wire, data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """A body's producer is registered by us, with the transport."""
        raise RuntimeError("a request's body has its producer")

    def unregisterProducer(self) -> None:
        """See ``registerProducer``."""

    def stop(self) -> None:
        """Nobody waits for the rest of the body."""
        self._close()
        self._body.stopProducing()

    def _produced(self, _: object) -> None:
        if self._done is None:
            return
        self._flush()
        short = self._left > 0
        self._finish(
            Failure(ValueError("a request's body is shorter than its length")) if short else None
        )

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._wire.write(head)

    def _finish(self, failure: Failure | None) -> None:
        done = self._done
        if done is not None:
            self._close()
            done(failure)

    def _close(self) -> None:
        self._done = None
        if self._registered:
            self._registered = False
            self._wire.unregisterProducer()
