# -*- test-case-name: tests.test_websearch -*-
"""An answer under way whose model may search the web: round after round, one answer to the client.

Stands between the upstream's streams and whoever takes the events, and looks like the one to the
other. A call of our tool is carried out instead of being passed on; when a round ends with such
calls only, the next one is opened with what they found. Must not know accounts, nor how a search
is made or a round is opened.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
    added,
)
from kiro2api.conversation.question import Conversation
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import KiroError, UpstreamFault, UpstreamRefused, UpstreamUnavailable
from kiro2api.upstream.interfaces import AnswerStream
from kiro2api.upstream.passing import PassedOn
from kiro2api.websearch_round import Round, Search
from kiro2api.websearch_running import Searches
from kiro2api.websearch_tool import SearchPlan

MAX_ROUNDS: Final = 8
"""How many more rounds may follow the first."""
MAX_WAITING: Final = 512
"""Events that wait behind a search before the upstream is stopped."""

_COMPLETE: Final = (StopReason.TOOL_USE, StopReason.END_TURN)


class _Over(msgspec.Struct):
    """The end of a round, as far as its stream goes."""

    fault: UpstreamFault | None


_Waiting: TypeAlias = StreamEvent | Search | _Over


class SearchingStream(PassedOn):
    """See ``AnswerStream``.

    Invariant: events leave in the order in which the model gave them; what came behind a search
    waits until it has ended. Searches of one round run at the same time.

    :param search: looks for a query.
    :param another: opens the answer to a longer conversation.
    """

    _log = Logger()

    def __init__(
        self,
        stream: AnswerStream,
        plan: SearchPlan,
        search: Callable[[str], "Deferred[tuple[SearchHit, ...]]"],
        another: Callable[[Conversation], "Deferred[AnswerStream]"],
        clock: IReactorTime,
    ) -> None:
        super().__init__(stream)
        self._plan = plan
        self._conversation = plan.conversation
        self._another = another
        self._clock = clock
        # The upstream is stopped because too much waits, and: a new stream waits for its sink.
        self._choked = False
        self._unflowed = False
        self._waiting: deque[_Waiting] = deque()
        self._draining = False
        self._round = Round()
        self._call: Search | None = None
        self._usage: Usage | None = None
        self._ended: Ended | None = None
        # Of the whole answer.
        self._spent: Usage | None = None
        self._rounds = 0
        self._searches = Searches(plan.tool, search, clock, self._drain)
        self._since = 0.0

    @property
    def last_read(self) -> float:
        """See ``AnswerStream``; what we do ourselves is no silence, and has its own time limit."""
        if self._searches or self._opening is not None:
            return self._clock.seconds()
        return max(self._stream.last_read, self._since, self._searches.changed_at)

    @property
    def searches(self) -> int:
        """Searches that have succeeded so far."""
        return self._searches.succeeded

    # ── towards whoever takes the events ─────────────────────────────────────

    def resume(self) -> None:
        """See ``AnswerStream``."""
        self._paused = False
        self._drain()
        if self._paused or self._sink is None:
            return
        if self._unflowed:
            self._unflowed = False
            self._stream.flow(self)
        elif not self._choked:
            self._stream.resume()

    def abandon(self) -> None:
        """See ``AnswerStream``."""
        self._waiting.clear()
        self._searches.cancel()
        super().abandon()

    # ── towards the upstream ─────────────────────────────────────────────────

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """See ``IEventSink``."""
        for event in batch:
            self._sort(event)
        self._drain()

    def ended(self, fault: UpstreamFault | None) -> None:
        """See ``IEventSink``."""
        if self._sink is None:
            return
        if fault is not None:
            self._searches.cancel()
        self._waiting.append(_Over(fault))
        self._drain()

    def _sort(self, event: StreamEvent) -> None:
        """Keep what is for us, let the rest wait for its turn."""
        call = self._call
        if call is not None and isinstance(event, ToolInputDelta):
            call.more(event.json)
        elif call is not None and isinstance(event, ToolEnded):
            self._call = None
            self._round.searches.append(call)
            self._waiting.append(call)
            self._searches.start(call)
        elif isinstance(event, ToolBegun) and event.name == self._plan.name:
            self._call = Search(event.id)
        elif isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, Ended):
            self._ended = event
        else:
            if isinstance(event, ToolBegun):
                self._round.others = True
            self._round.say(event)
            self._waiting.append(event)

    # ── what waits ───────────────────────────────────────────────────────────

    def _drain(self) -> None:
        """Give everything whose turn it is."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._sink is not None and not self._paused:
                batch = self._ready()
                if batch:
                    self._sink.events(batch)
                elif self._waiting and isinstance(self._waiting[0], _Over):
                    over = self._waiting.popleft()
                    assert isinstance(over, _Over)
                    self._round_over(over.fault)
                else:
                    break
        finally:
            self._draining = False
        self._breathe()

    def _ready(self) -> list[StreamEvent]:
        """What goes out now: up to a search that runs, or to the end of the round."""
        batch: list[StreamEvent] = []
        waiting = self._waiting
        while waiting:
            item = waiting[0]
            if isinstance(item, _Over):
                break
            if isinstance(item, Search):
                if not item.shown:
                    batch.append(item.begun())
                if not item.settled:
                    break
                batch.append(item.ended())
            else:
                batch.append(item)
            waiting.popleft()
        return batch

    def _breathe(self) -> None:
        """Stop the upstream while too much waits."""
        if self._sink is None:
            return
        if len(self._waiting) >= MAX_WAITING:
            if not self._choked:
                self._choked = True
                self._stream.pause()
        elif self._choked:
            self._choked = False
            if not self._paused:
                self._stream.resume()

    # ── rounds ───────────────────────────────────────────────────────────────

    def _round_over(self, fault: UpstreamFault | None) -> None:
        usage, ended, done = self._usage, self._ended, self._round
        if usage is not None:
            self._spent = usage if self._spent is None else added(self._spent, usage)
        if fault is not None or ended is None:
            self._fail(fault)
            return
        searched = bool(done.searches) and not done.others
        if searched and ended.reason in _COMPLETE:
            if self._rounds < MAX_ROUNDS:
                self._next_round(0 if usage is None else usage.output_tokens)
                return
            ended = Ended(StopReason.END_TURN)
        self._give([*self._cost(), ended])
        self._finish(None)

    def _next_round(self, output_tokens: int) -> None:
        self._rounds += 1
        self._conversation = self._round.continued(
            self._conversation, self._plan.name, output_tokens
        )
        self._round = Round()
        self._call = self._usage = self._ended = None
        self._choked = False
        opening = self._another(self._conversation)
        if not opening.called:
            self._opening = opening
        opening.addCallbacks(self._opened, self._not_opened)
        opening.addErrback(lambda failure: self._log.failure("cannot use a round", failure))

    def _opened(self, stream: AnswerStream) -> None:
        self._opening = None
        if self._sink is None:
            stream.abandon()
            return
        self._since = self._clock.seconds()
        self._stream = stream
        if self._paused:
            self._unflowed = True
        else:
            stream.flow(self)

    def _not_opened(self, failure: Failure) -> None:
        self._opening = None
        if self._sink is None:
            return
        error = failure.value
        if isinstance(error, UpstreamFault):
            fault = error
        elif isinstance(error, KiroError):
            fault = UpstreamRefused(error.message, kind=error.kind, code=error.code)
        else:
            self._log.failure("cannot open the next round", failure)
            fault = UpstreamUnavailable("the answer could not be continued after a search")
        self._fail(fault)

    def _fail(self, fault: UpstreamFault | None) -> None:
        """The answer is over before its end; earlier rounds have cost something nevertheless."""
        self._give(self._cost())
        self._finish(fault)

    def _cost(self) -> list[StreamEvent]:
        if self._spent is None:
            return []
        return [msgspec.structs.replace(self._spent, searches=self._searches.succeeded)]

    def _give(self, batch: Sequence[StreamEvent]) -> None:
        if batch and self._sink is not None:
            self._sink.events(batch)

    def _finish(self, fault: UpstreamFault | None) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.ended(fault)
