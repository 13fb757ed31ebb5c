"""What the tests of an answer's stream share: a stream in memory and a sink."""

from collections.abc import Callable, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kiro2api.conversation.answer import (
    StreamEvent,
    TextDelta,
)
from kiro2api.errors import UpstreamFault
from kiro2api.kiro.interpret import Interpreter
from kiro2api.upstream.interfaces import IEventSink
from kiro2api.upstream.stream import EventStream
from kiro2api.wire.eventstream import FrameDecoder
from tests.fakes.upstream import FakeResponse, exception, said

THROTTLED = exception("ThrottlingException", message="slow down")
FULL = exception("ContentLengthExceededException", message="full")


@implementer(IEventSink)
class Sink:
    """Records what it is told; ``react`` is called with each batch."""

    def __init__(self, react: Callable[[], None] = lambda: None) -> None:
        self.batches: list[list[StreamEvent]] = []
        self.endings: list[UpstreamFault | None] = []
        self._react = react

    def events(self, batch: Sequence[StreamEvent]) -> None:
        assert batch, "an empty batch"
        assert not self.endings, "events after the end"
        self.batches.append(list(batch))
        self._react()

    def ended(self, fault: UpstreamFault | None) -> None:
        self.endings.append(fault)

    @property
    def all(self) -> list[StreamEvent]:
        return [event for batch in self.batches for event in batch]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.all if isinstance(event, TextDelta))


class StreamTestCase(SynchronousTestCase):
    """A stream on a fake response, a clock without anything left over, a sink."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.open()

    def open(self) -> None:
        self.response = FakeResponse.stream()
        self.interpreter = Interpreter(window=200_000, input_estimate=7, names={"ls": "LS"})
        self.stream = EventStream(
            FrameDecoder(), self.interpreter, self.clock, linger=5.0, request_id="0f-1"
        )
        self.sink = Sink()
        self.response.deliverBody(self.stream)
        self.transport = self.response.transport

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def flow(self, *data: bytes) -> None:
        """Everything up to the flowing state: the first read, first(), flow(), then the rest."""
        self.response.give(data[0])
        self.successResultOf(self.stream.first())
        self.stream.flow(self.sink)
        for more in data[1:]:
            self.response.give(more)

    def assert_over(self) -> None:
        """Nothing is told and nothing is done to the connection any more."""
        told = (len(self.sink.batches), len(self.sink.endings))
        calls = list(self.transport.calls)
        self.response.give(said("late"))
        self.stream.pause()
        self.stream.resume()
        self.response.cut()
        self.stream.abandon()
        self.stream.abandon()
        self.assertEqual((len(self.sink.batches), len(self.sink.endings)), told)
        self.assertEqual(self.transport.calls, calls)
