"""Answers under the test's control."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta, Usage
from kiro2api.errors import KiroError, UpstreamFault
from kiro2api.upstream.interfaces import IEventSink

USAGE = Usage(input_tokens=10, output_tokens=2, provenance="exact")
END = Ended(StopReason.END_TURN)


class FakeStream:
    """An AnswerStream whose events the test pushes."""

    def __init__(self, clock: IReactorTime, first: Deferred[None] | None = None) -> None:
        self._clock = clock
        self._first = succeed(None) if first is None else first
        self.sink: IEventSink | None = None
        self.paused = False
        self.abandoned = 0
        self.last_read = clock.seconds()
        self.request_id = "upstream-1"
        self.held: list[StreamEvent] = [TextDelta("Hel")]

    def first(self) -> Deferred[None]:
        """As the test said."""
        return self._first

    def flow(self, sink: IEventSink) -> None:
        """Deliver what is held."""
        self.sink = sink
        if self.held:
            sink.events(self.held)

    def push(self, *events: StreamEvent) -> None:
        """One read's worth of events."""
        assert self.sink is not None
        self.last_read = self._clock.seconds()
        if not self.abandoned:
            self.sink.events(list(events))

    def end(self, fault: UpstreamFault | None = None) -> None:
        """The end of the answer."""
        assert self.sink is not None
        if not self.abandoned:
            self.sink.ended(fault)

    def pause(self) -> None:
        """Remember."""
        self.paused = True

    def resume(self) -> None:
        """Remember."""
        self.paused = False

    def abandon(self) -> None:
        """Count."""
        self.abandoned += 1


class PlainWriter:
    """A StreamWriter whose bytes are easy to read."""

    def __init__(self) -> None:
        self.over = False

    def begin(self) -> bytes:
        """A mark."""
        return b"<begin>"

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """Texts and the end."""
        out = b""
        for event in events:
            if isinstance(event, TextDelta):
                out += event.text.encode()
            elif isinstance(event, Ended):
                out += b"<end>"
                self.over = True
        return out

    def ping(self) -> bytes:
        """A mark."""
        return b"" if self.over else b"<ping>"

    def fail(self, error: KiroError) -> bytes:
        """A mark."""
        if self.over:
            return b""
        self.over = True
        return b"<fail>"
