# -*- test-case-name: tests.web.test_serving -*-
"""One model request from parse to last byte, the same for every dialect.

Ties gate, dialect, exchange and relay together and leaves one record behind, whatever happens.
Must not know any dialect's shapes.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import Usage
from kiro2api.conversation.question import Conversation
from kiro2api.conversation.tokens import estimate
from kiro2api.dialects.dialect import Dialect, Opening
from kiro2api.errors import KiroError, UpstreamFault
from kiro2api.exchange import Asking, Exchanges, OpenExchange, judged
from kiro2api.media.room import Media
from kiro2api.metering import Meter, Record
from kiro2api.web.choices import again, merge, open_together
from kiro2api.web.gate import Gate
from kiro2api.web.gather import Gathering
from kiro2api.web.progress import Progress
from kiro2api.web.relay import StreamRelay
from kiro2api.web.reply import id_of, send_json
from kiro2api.web.session import session_of
from kiro2api.web.site import ApiRequest

LARGE: Final = 512 * 1024
"""Octets of a body from which on the work on it is done in two turns of the reactor: to read and
to write a megabyte take some milliseconds each, in which no other answer goes on."""


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds that an answer may take for this and that."""

    ping: float = 15.0
    silence: float = 180.0
    stall: float = 300.0


class Serving:
    """Serves model requests.

    :param default_group: the group of a path without one.
    :param media: reads what is attached; None: it is left to the upstream side as it came.
    """

    def __init__(
        self,
        gate: Gate,
        exchanges: Exchanges,
        meter: Meter,
        clock: IReactorTime,
        *,
        timeouts: Timeouts,
        default_group: str,
        new_id: Callable[[], str],
        media: Media | None = None,
    ) -> None:
        self._gate = gate
        self._exchanges = exchanges
        self._meter = meter
        self._clock = clock
        self.timeouts = timeouts
        self._default_group = default_group
        self._new_id = new_id
        self._media = media
        self.active: set[Progress] = set()
        self.failed: Callable[[Progress, Record], None] | None = None
        """Called with each request that failed."""

    async def serve(self, request: ApiRequest, dialect: Dialect) -> bytes | None:
        """Answer one request; raises KiroError for what is to be answered with a status."""
        caller = self._gate.identify(request)
        self._gate.allow_group(caller, request.group or self._default_group)
        progress = Progress(request, dialect, caller, self._clock.seconds())
        request.setHeader(dialect.id_header, id_of(request))
        self._gate.enter(caller)
        self.active.add(progress)
        try:
            asked = progress.asked = dialect.parse(request.body)
            self._gate.allow_model(caller, asked.model)
            asking = progress.asking = Asking(
                _in_session(asked.conversation, request),
                asked.model,
                request.group or self._default_group,
                estimate(asked.conversation),
                caller.owner,
            )
            opening = Opening(
                id=self._new_id(),
                model=asked.model,
                created=int(progress.started),
                input_tokens=self.estimated(asked.model, asking.input_tokens),
                include_usage=asked.include_usage,
                request_id=id_of(request),
                freeform=frozenset(t.name for t in asked.conversation.tools if t.freeform),
                echo=asked.echo,
                choices=asked.choices,
            )
            if asked.choices > 1:
                progress.others = again(asking, asked.choices - 1)
            if request.body_length > LARGE:
                await progress.unless_stopped(deferLater(self._clock, 0.0))
            if asked.stream:
                await self._stream(progress, asking, opening)
                return None
            return await self._gather(progress, asking, opening)
        except KiroError as error:
            progress.fault = error
            raise
        except CancelledError:
            progress.outcome = "abandoned"
            raise
        finally:
            self._gate.leave(caller)
            self.active.discard(progress)
            if progress.others and progress.asking is not None:
                merge(progress.asking, progress.others)
            record = progress.record(self._clock.seconds(), self._default_group)
            self._gate.spent(caller, record.credits)
            self._meter.finished(record)
            if self.failed is not None and record.outcome in ("failed", "refused"):
                self.failed(progress, record)

    def estimated(self, model: str, tokens: int) -> int:
        """An estimate of tokens as it is told to clients."""
        return self._exchanges.estimated(model, tokens)

    async def _stream(self, progress: Progress, asking: Asking, opening: Opening) -> None:
        request, timeouts = progress.request, self.timeouts

        def committed() -> None:
            asking.committed = True
            for other in progress.others:
                other.committed = True

        relay = StreamRelay(
            request,
            progress.dialect.writer(opening),
            self._clock,
            ping_seconds=timeouts.ping,
            silence_seconds=timeouts.silence,
            stall_seconds=timeouts.stall,
            committed=committed,
        )
        try:
            try:
                exchange = await self._open(progress, asking)
            except KiroError as fault:
                if not relay.begun:
                    raise
                relay.fail(fault)
                progress.fault = fault
                return
            progress.first_event = self._clock.seconds()
            end, cause = End.ABANDONED, None
            try:
                progress.relay = relay
                await relay.run(exchange.stream)
                end, cause = judged(relay.fault)
            finally:
                progress.usage = relay.usage or exchange.usage()
                progress.fault = relay.fault
                exchange.settle(end, cause)
            if relay.fault is None:
                progress.outcome = "served"
        finally:
            relay.close()

    async def _open(self, progress: Progress, asking: Asking) -> OpenExchange:
        media = self._media
        if media is not None and media.needs_work(asking.conversation):
            opened = self._prepared(media, progress, asking)
        elif progress.others:
            opened = self._opened(progress, asking)
        else:
            opened = self._exchanges.open(asking)
        opening = Deferred.fromCoroutine(opened)
        exchange = progress.exchange = await progress.unless_stopped(opening)
        return exchange

    async def _prepared(self, media: Media, progress: Progress, asking: Asking) -> OpenExchange:
        asking.conversation = await media.prepared(asking.conversation)
        asking.input_tokens = estimate(asking.conversation)
        return await self._opened(progress, asking)

    async def _opened(self, progress: Progress, asking: Asking) -> OpenExchange:
        if progress.others:
            for other in progress.others:
                other.conversation, other.input_tokens = asking.conversation, asking.input_tokens
            return await open_together(self._exchanges.open, (asking, *progress.others))
        return await self._exchanges.open(asking)

    async def _gather(self, progress: Progress, asking: Asking, opening: Opening) -> bytes:
        collector = progress.dialect.collector(opening)
        exchange = await self._open(progress, asking)
        progress.first_event = self._clock.seconds()
        gathering = Gathering(collector, self._clock, self.timeouts.silence)
        end, cause = End.ABANDONED, None
        try:
            await progress.unless_stopped(gathering.run(exchange.stream))
            end = End.SERVED
        except UpstreamFault as fault:
            end, cause = judged(fault)
            raise
        finally:
            progress.usage = gathering.usage or exchange.usage()
            exchange.settle(end, cause)
        progress.outcome = "served"
        _tell_usage(progress.request, progress.usage)
        return send_json(progress.request, collector.reply())


def _in_session(conversation: Conversation, request: ApiRequest) -> Conversation:
    """The conversation with its name, if not by its body then by a header."""
    if conversation.session or not (session := session_of(request.getHeader)):
        return conversation
    return msgspec.structs.replace(conversation, session=session)


def _tell_usage(request: ApiRequest, usage: Usage) -> None:
    """How sure the numbers are and what was paid: no dialect has a field for either."""
    request.setHeader(b"X-Kiro2api-Usage", usage.provenance.encode("ascii"))
    credits = f"{usage.credits:.6f}".rstrip("0").rstrip(".")
    request.setHeader(b"X-Kiro2api-Credits", credits.encode("ascii"))
