# -*- test-case-name: tests.web.test_serving -*-
"""What is known of a request while it is served, and the record that it becomes.

Must not know how it is served.
"""

from typing import TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred

from kiro2api.conversation.answer import Usage
from kiro2api.dialects.dialect import Asked, Dialect
from kiro2api.errors import (
    BodyTooLarge,
    Forbidden,
    KiroError,
    ModelNotFound,
    NotFound,
    RequestRejected,
    Scope,
    UpstreamFault,
)
from kiro2api.exchange import Asking, OpenExchange
from kiro2api.exchange import Attempt as Tried
from kiro2api.metering import Attempt, Record
from kiro2api.web.gate import Caller
from kiro2api.web.relay import StreamRelay
from kiro2api.web.reply import id_of
from kiro2api.web.site import ApiRequest

T = TypeVar("T")


class Running(msgspec.Struct, frozen=True):
    """One request as it is at one moment. ``state``: ``waiting`` for an account, ``asking`` it,
    or ``answering``. ``output_tokens`` are those that were sent so far, estimated."""

    request_id: str
    model: str
    account: str
    key: str
    group: str
    dialect: str
    stream: bool
    age_seconds: float
    output_tokens: int
    state: str


class Progress:
    """What is known of a request while it is served; becomes its record."""

    def __init__(self, request: ApiRequest, dialect: Dialect, caller: Caller, now: float) -> None:
        self.request = request
        self.dialect = dialect
        self.caller = caller
        self.started = now
        self.first_event: float | None = None
        self.asked: Asked | None = None
        self.asking: Asking | None = None
        self.others: tuple[Asking, ...] = ()
        self.usage: Usage | None = None
        self.fault: KiroError | None = None
        self.outcome = "failed"
        self.exchange: OpenExchange | None = None
        self.relay: StreamRelay | None = None
        self._work: Deferred[object] | None = None
        self._stopped: KiroError | None = None

    async def unless_stopped(self, work: Deferred[T]) -> T:
        """The result of ``work``; ``stop`` cancels it and is what is raised then."""
        self._work = work  # type: ignore[assignment]
        try:
            return await work
        except CancelledError:
            if self._stopped is not None:
                raise self._stopped from None
            raise
        finally:
            self._work = None

    def stop(self, fault: KiroError) -> bool:
        """End the request with this failure; whether there was something to end."""
        if self.relay is not None:
            self.relay.interrupt(fault)
            return True
        work = self._work
        if work is None or self._stopped is not None:
            return False
        self._stopped = fault
        work.cancel()
        return True

    def running(self, now: float, default_group: str) -> Running:
        """The request as it is now."""
        asked, asking, exchange = self.asked, self.asking, self.exchange
        lent = asking is not None and asking.lent_at is not None
        return Running(
            request_id=id_of(self.request),
            model=asked.model if asked else "",
            account=asking.account if asking else "",
            key=self.caller.name,
            group=self.request.group or default_group,
            dialect=self.dialect.name,
            stream=asked.stream if asked else False,
            age_seconds=round(now - self.started, 1),
            output_tokens=exchange.usage().output_tokens if exchange is not None else 0,
            state="answering" if exchange is not None else "asking" if lent else "waiting",
        )

    def record(self, now: float, default_group: str) -> Record:
        """The finished request as one flat record."""
        asked, asking, usage, fault = self.asked, self.asking, self.usage, self.fault
        return Record(
            request_id=id_of(self.request),
            dialect=self.dialect.name,
            model=asked.model if asked else "",
            upstream_model=asking.upstream_model if asking else "",
            group=self.request.group or default_group,
            account=asking.account if asking else "",
            key=self.caller.name,
            stream=asked.stream if asked else False,
            status=self.dialect.status(fault) if fault is not None else 200,
            outcome=_judged(self.outcome, fault),
            error=(fault.code or fault.kind.value) if fault is not None else "",
            started=self.started,
            queue_seconds=(asking.lent_at - self.started) if asking and asking.lent_at else 0.0,
            first_event_seconds=None
            if self.first_event is None
            else self.first_event - self.started,
            total_seconds=now - self.started,
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
            cache_read_tokens=usage.cache_read_tokens if usage else 0,
            cache_write_tokens=usage.cache_write_tokens if usage else 0,
            usage_provenance=usage.provenance if usage else "",
            credits=usage.credits if usage else 0.0,
            attempts=asking.attempts if asking else 0,
            upstream_request_id=asking.upstream_request_id if asking else "",
            attempts_detail=tuple(map(_attempt, asking.tried)) if asking else (),
            repairs=tuple(asking.repairs) if asking else (),
            searches=asking.searches if asking else 0,
            key_id=self.caller.key_id,
        )


def _attempt(tried: Tried) -> Attempt:
    return Attempt(tried.account, tried.upstream_model, tried.outcome, tried.status, tried.seconds)


_AT_FAULT = (BodyTooLarge, Forbidden, ModelNotFound, NotFound, RequestRejected)


def _judged(outcome: str, fault: KiroError | None) -> str:
    """A failure that no account and no new try would have spared the client is the request's."""
    if outcome != "failed" or fault is None:
        return outcome
    upstream = isinstance(fault, UpstreamFault) and fault.scope is Scope.REQUEST
    return "refused" if upstream or isinstance(fault, _AT_FAULT) else outcome
