# -*- test-case-name: tests.web.test_choices -*-
"""Several answers to one question, as one exchange and one stream.

Each answer has its own call of the upstream, its own lease and its own end; the client sees all of
them or, if one fails, none of them to its end. Must not know any dialect's shapes, nor how an
exchange is opened.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import reduce
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults, succeed
from zope.interface import implementer

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, Usage, added
from kiro2api.dialects.dialect import OfChoice
from kiro2api.errors import UpstreamFault
from kiro2api.exchange import Asking, OpenExchange, judged
from kiro2api.upstream.interfaces import AnswerStream, IEventSink

Opener = Callable[[Asking], Coroutine[Any, Any, OpenExchange]]


def again(asking: Asking, times: int) -> tuple[Asking, ...]:
    """The same question so many times more, each to go its own way."""
    return tuple(
        Asking(
            asking.conversation,
            asking.model,
            asking.group,
            asking.input_tokens,
            asking.caller,
        )
        for _ in range(times)
    )


def merge(asking: Asking, others: Sequence[Asking]) -> None:
    """Put down in ``asking`` what happened to all of them."""
    for other in others:
        asking.attempts += other.attempts
        asking.searches += other.searches
        asking.tried += other.tried
        asking.repaired(*other.repairs)
        if asking.lent_at is None:
            asking.lent_at = other.lent_at
            asking.account, asking.upstream_model = other.account, other.upstream_model


async def open_together(open_one: Opener, askings: Sequence[Asking]) -> "JointExchange":
    """Open all of them at once; one that fails lets all of them fail with its fault.

    Each goes on as soon as it is open, and what comes is kept until all of them are: one of them
    may wait for the account that another one has. Cancelling leaves nothing behind.
    """

    async def begun(asking: Asking) -> Choice:
        choice = Choice(await open_one(asking))
        choice.exchange.stream.flow(choice)
        return choice

    openings = [Deferred.fromCoroutine(begun(asking)) for asking in askings]
    try:
        return JointExchange(await gatherResults(openings, consumeErrors=True))
    except FirstError as first:
        for opening in openings:
            opening.addCallback(_settle)
            opening.cancel()
        first.subFailure.raiseException()
        raise


def _settle(choice: "Choice | None") -> None:
    if choice is not None:
        choice.exchange.settle(End.ABANDONED)


@implementer(IEventSink)
class Choice:
    """One of the answers; what comes before it has a place among the others is kept."""

    def __init__(self, exchange: OpenExchange) -> None:
        self.exchange = exchange
        self._kept: list[Sequence[StreamEvent]] = []
        self._over = False
        self._fault: UpstreamFault | None = None
        self._joint: JointStream | None = None
        self._index = 0

    def join(self, joint: "JointStream", index: int) -> None:
        """Give what was kept to ``joint``, and from now on everything."""
        self._joint, self._index = joint, index
        kept, self._kept = self._kept, []
        for batch in kept:
            joint.events(index, batch)
        if self._over:
            joint.ended(index, self._fault)

    def events(self, batch: Sequence[StreamEvent]) -> None:
        """More of the answer."""
        if self._joint is None:
            self._kept.append(batch)
        else:
            self._joint.events(self._index, batch)

    def ended(self, fault: UpstreamFault | None) -> None:
        """The answer is over; whoever waits for its account need not wait for the others."""
        if self._joint is not None:
            self._joint.ended(self._index, fault)
            return
        self._over, self._fault = True, fault
        self.exchange.settle(*judged(fault))


def joined(usages: Sequence[Usage]) -> Usage:
    """What several answers cost: the question counts once, as clients expect it."""
    first = usages[0]
    return msgspec.structs.replace(
        reduce(added, usages),
        input_tokens=first.input_tokens,
        cache_read_tokens=first.cache_read_tokens,
        cache_write_tokens=first.cache_write_tokens,
    )


class JointExchange(OpenExchange):
    """Several open exchanges, settled as they end."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.exchanges = [choice.exchange for choice in choices]
        self.stream: JointStream = JointStream(self, choices)
        self.open = dict(enumerate(self.exchanges))

    def usage(self) -> Usage:
        """What all of them have cost so far."""
        return joined([exchange.usage() for exchange in self.exchanges])

    def settle(self, end: End, fault: UpstreamFault | None = None) -> None:
        """Close what is still open. Only one can be to blame: that which failed, or which has
        been silent for longest."""
        self.stream.abandon()
        left, self.open = self.open, {}
        blamed = self.stream.failed
        if blamed is None and left:
            blamed = min(left, key=lambda index: left[index].stream.last_read)
        for index, exchange in left.items():
            if index == blamed:
                exchange.settle(end, fault)
            else:
                exchange.settle(End.ABANDONED)

    def served(self, index: int) -> int:
        """One of them is through; how many are not."""
        exchange = self.open.pop(index)
        exchange.settle(End.SERVED)
        return len(self.open)


class JointStream:
    """The events of several answers as they come, each batch marked with its choice; at last one
    usage and one end of all."""

    def __init__(self, exchange: JointExchange, choices: Sequence[Choice]) -> None:
        self._exchange = exchange
        self._choices = choices
        self._usages: dict[int, Usage] = {}
        self._said: set[int] = set()
        self._sink: IEventSink | None = None
        self.failed: int | None = None

    @property
    def last_read(self) -> float:
        """Of that which has been silent for longest: each must go on."""
        running = self._exchange.open.values()
        return min((each.stream.last_read for each in running), default=float("inf"))

    @property
    def request_id(self) -> str:
        """That of the first."""
        return self._exchange.exchanges[0].stream.request_id

    def first(self) -> Deferred[None]:
        """All of them were opened with their first event."""
        return succeed(None)

    def flow(self, sink: IEventSink) -> None:
        """Deliver what is kept of each, then everything as it arrives."""
        self._sink = sink
        for index, choice in enumerate(self._choices):
            choice.join(self, index)

    def pause(self) -> None:
        """Stop reading all of them."""
        for stream in self._running():
            stream.pause()

    def resume(self) -> None:
        """Read on."""
        for stream in self._running():
            stream.resume()

    def abandon(self) -> None:
        """Close all connections at once."""
        self._sink = None
        for stream in self._running():
            stream.abandon()

    def _running(self) -> list[AnswerStream]:
        return [each.stream for each in self._exchange.open.values()]

    # ── told by the single streams ───────────────────────────────────────────

    def events(self, index: int, batch: Sequence[StreamEvent]) -> None:
        """More of one of the answers."""
        if self._sink is None:
            return
        marked: list[Any] = [OfChoice(index, batch)]
        for event in batch[-2:]:
            if type(event) is Usage:
                self._usages[index] = event
            elif type(event) is Ended:
                self._said.add(index)
                if len(self._said) == len(self._choices):
                    marked += (self._usage(), Ended(StopReason.END_TURN))
        self._sink.events(marked)

    def ended(self, index: int, fault: UpstreamFault | None) -> None:
        """One of the answers is over."""
        sink = self._sink
        if sink is None:
            return
        if fault is not None:
            self.failed = index
            self._sink = None
            sink.ended(fault)
        elif not self._exchange.served(index):
            self._sink = None
            sink.ended(None)

    def _usage(self) -> Usage:
        exchanges = self._exchange.exchanges
        return joined([self._usages.get(i) or each.usage() for i, each in enumerate(exchanges)])
