# -*- test-case-name: tests.test_exchange_filtered -*-
"""An answer under way with its limits enforced, and asked for once more where it does not do.

Stands between an upstream's stream and whoever takes the events, and looks like the one to the
other. Must not know accounts, nor how the second answer is opened.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.conversation.answer import StreamEvent, Usage, added
from kiro2api.errors import KiroError, UpstreamFault
from kiro2api.kiro.limits import Limits
from kiro2api.kiro.unmet import Unmet
from kiro2api.upstream.interfaces import AnswerStream
from kiro2api.upstream.passing import PassedOn

Opened = tuple[AnswerStream, Limits]


class FilteredStream(PassedOn):
    """See ``AnswerStream``.

    Invariant: a demand that can be unmet holds the whole answer back, so when another round is
    asked for, nothing of the first has been given.

    :param again: opens another answer that is told what was wrong with this one.
    """

    _log = Logger()

    def __init__(
        self,
        stream: AnswerStream,
        limits: Limits,
        again: Callable[[Unmet], "Deferred[Opened]"],
        clock: IReactorTime,
    ) -> None:
        super().__init__(stream)
        self._limits = limits
        self._again = again
        self._clock = clock
        # Of a second round: what was wrong with the first, since when, and its opening.
        self._before: Unmet | None = None
        self._given = False
        self._since = 0.0

    @property
    def last_read(self) -> float:
        """See ``AnswerStream``; the beginning of a second round counts as well."""
        return max(self._stream.last_read, self._since)

    # ── towards the upstream ─────────────────────────────────────────────────

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """See ``IEventSink``."""
        limits = self._limits
        self._give(limits.feed(batch))
        if limits.done and self._sink is not None:
            self._stream.abandon()
            self._end(limits.fault)

    def ended(self, fault: UpstreamFault | None) -> None:
        """See ``IEventSink``."""
        if self._sink is None:
            return
        unmet = self._limits.unmet
        if fault is not None:
            if self._before is not None and not self._given:
                self._give_up(self._before)
            else:
                self._give(self._limits.flush())
                self._end(fault)
        elif unmet is None:
            self._end(None)
        elif self._before is None:
            self._ask_again(unmet)
        else:
            self._give_up(unmet)

    # ── inside ───────────────────────────────────────────────────────────────

    def _give(self, events: Sequence[StreamEvent]) -> None:
        if not events or self._sink is None:
            return
        self._given = True
        if self._before is not None:
            events = [self._summed(event) for event in events]
        self._sink.events(events)

    def _summed(self, event: StreamEvent) -> StreamEvent:
        usage = None if self._before is None else self._before.usage
        return added(usage, event) if usage is not None and isinstance(event, Usage) else event

    def _end(self, fault: UpstreamFault | None) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.ended(fault)

    def _give_up(self, unmet: Unmet) -> None:
        """Nobody asks again: the answer as it is, or why it is none."""
        if unmet is self._before:
            self._before = None  # its usage is not to be added to itself
        self._give(unmet.remains)
        self._end(unmet.fault)

    def _ask_again(self, unmet: Unmet) -> None:
        self._before = unmet
        self._since = self._clock.seconds()
        opening = self._again(unmet).addCallbacks(self._opened, self._not_opened)
        if not opening.called:
            self._opening = opening

    def _opened(self, opened: Opened) -> None:
        self._opening = None
        self._stream, self._limits = opened
        self._stream.flow(self)
        if self._paused:
            self._stream.pause()

    def _not_opened(self, failure: Failure) -> None:
        self._opening = None
        if failure.check(CancelledError) is not None:
            return
        if failure.check(KiroError) is None:
            self._log.failure("cannot ask again", failure)
        assert self._before is not None
        self._give_up(self._before)
