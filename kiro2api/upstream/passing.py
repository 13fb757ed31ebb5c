# -*- test-case-name: tests.test_exchange_filtered -*-
"""An answer that passes through somebody's hands.

Must not know what is done with it there.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from kiro2api.conversation.answer import StreamEvent
from kiro2api.errors import UpstreamFault
from kiro2api.upstream.interfaces import AnswerStream, IEventSink


@implementer(IEventSink)
class PassedOn:
    """An ``AnswerStream`` made of another one, whose sink it is."""

    def __init__(self, stream: AnswerStream) -> None:
        self._stream = stream
        self._sink: IEventSink | None = None
        self._paused = False
        self._opening: Deferred[Any] | None = None
        """Another answer that is being opened to go on with."""

    # ── towards the upstream ─────────────────────────────────────────────────

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """See ``IEventSink``."""
        raise NotImplementedError

    def ended(self, fault: UpstreamFault | None) -> None:
        """See ``IEventSink``."""
        raise NotImplementedError

    # ── towards whoever takes the events ─────────────────────────────────────

    @property
    def request_id(self) -> str:
        """See ``AnswerStream``."""
        return self._stream.request_id

    def first(self) -> Deferred[None]:
        """See ``AnswerStream``."""
        return self._stream.first()

    def flow(self, sink: IEventSink) -> None:
        """See ``AnswerStream``."""
        self._sink = sink
        self._stream.flow(self)

    def pause(self) -> None:
        """See ``AnswerStream``."""
        self._paused = True
        self._stream.pause()

    def resume(self) -> None:
        """See ``AnswerStream``."""
        self._paused = False
        self._stream.resume()

    def abandon(self) -> None:
        """See ``AnswerStream``."""
        self._sink = None
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        self._stream.abandon()
