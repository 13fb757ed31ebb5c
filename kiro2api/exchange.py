# -*- test-case-name: tests.test_exchange -*-
"""One conversation with the upstream: choose an account, open an answer, fail over.

Failover happens here and only here, and only until the first event is held or the client has been
promised an answer. Must not know HTTP towards clients, dialects or SQL.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, IAccountPool, Lease, Outcome
from kiro2api.conversation.question import Conversation
from kiro2api.errors import (
    CredentialsRejected,
    Kind,
    ModelNotFound,
    NoAccountAvailable,
    Scope,
    StreamStalled,
    UpstreamFault,
)
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.models import Catalogue, Model, choose_upstream_id
from kiro2api.kiro.request import Prepared, conversation_key, prepare
from kiro2api.kiro.tools import SchemaCache
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient, OfferedModel


class Offers(Protocol):
    """What is known of the models that an account is offered."""

    def known(
        self, account: Account, credentials: Credentials | None = None
    ) -> tuple[OfferedModel, ...] | None:
        """The last list, or None while there is none; never waits, but renews behind the scenes."""


class Asking(msgspec.Struct):
    """One question on its way, and what happens to it.

    ``committed`` is set by whoever writes the first byte to the client: from then on a failure is
    the answer and no other attempt is made. ``lent_at``: reactor seconds of the first loan.
    """

    conversation: Conversation
    model: str
    group: str
    input_tokens: int
    committed: bool = False
    attempts: int = 0
    lent_at: float | None = None
    account: str = ""
    upstream_model: str = ""
    upstream_request_id: str = ""


class OpenExchange:
    """An answer whose first event is held, with the account that gives it."""

    def __init__(self, stream: AnswerStream, lease: Lease) -> None:
        self.stream = stream
        self._lease = lease

    def settle(self, end: End, fault: UpstreamFault | None = None) -> None:
        """Close what is still open and give the account back. More calls change nothing."""
        self.stream.abandon()
        self._lease.settle(Outcome(end, fault))


class Exchanges:
    """Opens exchanges.

    :param attempts: accounts tried per question, at most.
    :param first_event_seconds: how long an opened answer may take to its first event.
    :param new_id: gives a fresh UUID text.
    """

    def __init__(
        self,
        pool: IAccountPool,
        client: IKiroClient,
        catalogue: Catalogue,
        offers: Offers,
        clock: IReactorTime,
        *,
        attempts: int,
        first_event_seconds: float,
        tool_description_limit: int,
        new_id: Callable[[], str],
        replay_thinking: bool = False,
    ) -> None:
        self._pool = pool
        self._client = client
        self._catalogue = catalogue
        self._offers = offers
        self._clock = clock
        self._attempts = attempts
        self._first_event_seconds = first_event_seconds
        self._tool_description_limit = tool_description_limit
        self._new_id = new_id
        self._replay_thinking = replay_thinking
        self._schemas = SchemaCache()

    async def open(self, asking: Asking) -> OpenExchange:
        """An answer whose first event is held.

        Raises RequestRejected before anything is sent, else the UpstreamFault of the last attempt
        or NoAccountAvailable. Cancelling leaves nothing behind.
        """
        model = self._catalogue.resolve(asking.model)
        prepared = prepare(
            asking.conversation,
            conversation_id=conversation_key(asking.conversation),
            continuation_id=self._new_id(),
            tool_description_limit=self._tool_description_limit,
            schemas=self._schemas,
            replay_thinking=self._replay_thinking,
        )
        tried: set[str] = set()
        last: UpstreamFault | None = None
        while len(tried) < self._attempts and not (last is not None and asking.committed):
            try:
                lease: Lease = await self._pool.acquire(asking.group, frozenset(tried))
            except NoAccountAvailable as nobody:
                if last is None:
                    raise
                raise _with_return(last, nobody) from None
            tried.add(lease.account.fingerprint)
            if asking.lent_at is None:
                asking.lent_at = self._clock.seconds()
            try:
                return await self._with(lease, asking, model, prepared)
            except UpstreamFault as fault:
                if fault.scope is Scope.REQUEST:
                    raise self._explained(fault, asking) from None
                last = fault
        assert last is not None
        raise last

    async def _with(
        self, lease: Lease, asking: Asking, model: Model, prepared: Prepared
    ) -> OpenExchange:
        """Attempt with one account: twice if a refreshed token may mend it. Settles failures."""
        outcome = Outcome(End.ABANDONED)
        try:
            try:
                stream = await self._attempt(lease, asking, model, prepared)
            except CredentialsRejected:
                if asking.committed:
                    raise
                await lease.renew()
                stream = await self._attempt(lease, asking, model, prepared)
        except UpstreamFault as fault:
            if fault.scope is not Scope.REQUEST:
                outcome = Outcome(End.FAILED, fault)
            raise
        else:
            exchange = OpenExchange(stream, lease)
            outcome = Outcome(End.SERVED)
            return exchange
        finally:
            if outcome.end is not End.SERVED:
                lease.settle(outcome)

    async def _attempt(
        self, lease: Lease, asking: Asking, model: Model, prepared: Prepared
    ) -> AnswerStream:
        account = lease.account
        asking.attempts += 1
        asking.account = account.name
        offered = self._offers.known(account, lease.credentials)
        upstream_id, window = _pick(model, offered)
        asking.upstream_model = upstream_id
        credentials = lease.credentials
        arn = "" if account.method == "api_key" else credentials.profile_arn
        interpreter = Interpreter(
            window=window, input_estimate=asking.input_tokens, names=prepared.names
        )
        stream: AnswerStream = await self._client.generate(
            account, credentials, prepared.body(upstream_id, arn), interpreter
        )
        asking.upstream_request_id = stream.request_id
        await self._first_event(stream)
        return stream

    def _first_event(self, stream: AnswerStream) -> Deferred[None]:
        """Wait for the first event, but not for ever."""
        first = stream.first()
        timed_out = False

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            first.cancel()

        timer = self._clock.callLater(self._first_event_seconds, give_up)

        def disarm(result: object) -> object:
            if timer.active():
                timer.cancel()
            if timed_out:
                raise StreamStalled(
                    f"no event within {self._first_event_seconds:g} seconds",
                    code="first_event_timeout",
                )
            return result

        return first.addBoth(disarm)

    def _explained(self, fault: UpstreamFault, asking: Asking) -> Exception:
        """A refusal in terms that help: an unknown model lists the known ones."""
        if fault.kind is not Kind.MODEL_NOT_FOUND:
            return fault
        names = ", ".join(name for name, _ in self._catalogue.listed())
        return ModelNotFound(
            f"model {asking.model!r} is not offered by the upstream to this account; "
            f"available are: {names}",
            param="model",
            code=fault.code,
        )


def _pick(model: Model, offered: tuple[OfferedModel, ...] | None) -> tuple[str, int]:
    """The upstream's id for ``model`` and its context window in tokens."""
    if offered is None:
        return choose_upstream_id(model, None), model.window
    by_id = {entry.id: entry for entry in offered}
    chosen = choose_upstream_id(model, by_id.keys())
    entry = by_id.get(chosen)
    window = entry.max_input_tokens if entry is not None and entry.max_input_tokens else 0
    return chosen, window or model.window


def _with_return(fault: UpstreamFault, nobody: NoAccountAvailable) -> UpstreamFault:
    """The last attempt's fault, with the time at which somebody may serve again."""
    if fault.retry_after is None:
        fault.retry_after = nobody.retry_after
    return fault
