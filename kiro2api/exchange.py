# -*- test-case-name: tests.test_exchange -*-
"""One conversation with the upstream: choose an account, open an answer, fail over.

Failover happens here and only here, and only until the first event is held or the client has been
promised an answer. Must not know HTTP towards clients, dialects or SQL.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, IAccountPool, Lease, Outcome
from kiro2api.conversation.answer import Usage, added
from kiro2api.conversation.question import Conversation
from kiro2api.errors import (
    CredentialsRejected,
    Kind,
    ModelNotFound,
    NoAccountAvailable,
    Scope,
    StreamStalled,
    UpstreamFault,
    UpstreamRefused,
)
from kiro2api.exchange_filtered import FilteredStream, Opened
from kiro2api.exchange_memory import Counts, Remembered
from kiro2api.exchange_way import (
    Question,
    Way,
    blames_cache_points,
    blames_fields,
    blames_signature,
    find_way,
    without_fields,
)
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.limits import Limits, limits_for
from kiro2api.kiro.models import Catalogue, Model
from kiro2api.kiro.reasoning import Abilities
from kiro2api.kiro.request import Prepared, conversation_key, prepare
from kiro2api.kiro.tools import SchemaCache
from kiro2api.kiro.unmet import Unmet
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient, OfferedModel
from kiro2api.websearch import SearchingStream
from kiro2api.websearch_tool import SearchPlan, planned

LESSON_SECONDS = 3600.0
"""How long a refusal of fields, cache points or reasoning sent back is kept in mind."""


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

    def __init__(
        self, stream: AnswerStream, lease: Lease, answers: list[Interpreter], counts: Counts
    ) -> None:
        self.stream = stream
        self._lease = lease
        self._answers = answers
        self._counts: Counts | None = counts

    def usage(self) -> Usage:
        """What it has cost so far, as far as that is known: also of an answer that failed, was
        left, or took several rounds."""
        return reduce(added, (answer.usage() for answer in self._answers))

    def settle(self, end: End, fault: UpstreamFault | None = None) -> None:
        """Close what is still open and give the account back. More calls change nothing."""
        self.stream.abandon()
        self._lease.settle(Outcome(end, fault))
        counts, self._counts = self._counts, None
        if counts is not None and end is not End.ABANDONED:
            counts.cut_calls += sum(answer.cut_call for answer in self._answers)


class Exchanges:
    """Opens exchanges.

    :param attempts: accounts tried per question, at most.
    :param first_event_seconds: how long an opened answer may take to its first event.
    :param new_id: gives a fresh UUID text.
    :param replay_thinking: send signed reasoning of earlier answers back.
    :param enforce_max_tokens: cut answers where our estimate reaches what the client allows.
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
        replay_thinking: bool = True,
        enforce_max_tokens: bool = True,
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
        self._enforce_max_tokens = enforce_max_tokens
        self._schemas = SchemaCache()
        self._abilities = Abilities()
        self._fieldless = Remembered(seconds=LESSON_SECONDS)
        self._unsigned = Remembered(seconds=LESSON_SECONDS)
        self._pointless = Remembered(seconds=LESSON_SECONDS)
        self.counts = Counts()

    async def open(self, asking: Asking) -> OpenExchange:
        """An answer whose first event is held.

        Raises RequestRejected before anything is sent, else the UpstreamFault of the last attempt
        or NoAccountAvailable. Cancelling leaves nothing behind.
        """
        model = self._catalogue.resolve(asking.model)
        key = conversation_key(asking.conversation)
        plan = planned(asking.conversation)
        conversation = asking.conversation if plan is None else plan.conversation
        question = Question(conversation, partial(self._written, key))
        # Prepared for the most likely way: what cannot be sent costs no account anything.
        question.prepared(self._way(asking, model, key))
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
                return await self._with(_Turn(asking, model, question, key, lease, plan))
            except UpstreamFault as fault:
                if fault.scope is Scope.REQUEST:
                    raise self._explained(fault, asking) from None
                last = fault
        assert last is not None
        raise last

    def _written(
        self, key: str, conversation: Conversation, replay: bool, preface: str
    ) -> Prepared:
        return prepare(
            conversation,
            conversation_id=key,
            continuation_id=self._new_id(),
            tool_description_limit=self._tool_description_limit,
            schemas=self._schemas,
            replay_thinking=replay,
            preface=preface,
        )

    async def _with(self, turn: "_Turn") -> OpenExchange:
        """Attempt with one account: twice if a refreshed token may mend it. Settles failures."""
        lease = turn.lease
        outcome = Outcome(End.ABANDONED)
        try:
            try:
                stream = await self._attempt(turn)
            except CredentialsRejected:
                if turn.asking.committed:
                    raise
                await lease.renew()
                stream = await self._attempt(turn)
        except UpstreamFault as fault:
            if fault.scope is not Scope.REQUEST:
                outcome = Outcome(End.FAILED, fault)
            raise
        else:
            exchange = OpenExchange(stream, lease, turn.answers, self.counts)
            outcome = Outcome(End.SERVED)
            return exchange
        finally:
            if outcome.end is not End.SERVED:
                lease.settle(outcome)

    async def _attempt(self, turn: "_Turn") -> AnswerStream:
        """One account's answer, asked for in another way where the upstream refuses the first."""
        asking = turn.asking
        asking.account = turn.lease.account.name
        way = self._way(asking, turn.model, turn.key, turn.lease)
        while True:
            asking.upstream_model = way.model
            try:
                answer = await self._answer(turn, turn.question, way)
                break
            except UpstreamRefused as fault:
                other = self._other_way(fault, turn, way)
                if other is None or asking.committed:
                    raise _measured(fault, asking, way) from None
                way = other
        if turn.plan is None:
            return answer
        search = partial(self._client.search, turn.lease.account, turn.lease.credentials)

        def another(longer: Conversation) -> Deferred[AnswerStream]:
            question = Question(longer, partial(self._written, turn.key))
            return Deferred.fromCoroutine(self._answer(turn, question, way))

        return SearchingStream(answer, turn.plan, search, another, self._clock)

    async def _answer(self, turn: "_Turn", question: Question, way: Way) -> AnswerStream:
        """An answer whose first event is held, with its limits enforced."""
        stream, limits = await self._open(turn, question, way)
        question.forget()
        if limits is None:
            return stream

        def again(unmet: Unmet) -> Deferred[Opened]:
            self.counts.repairs += 1
            repaired = question.repaired(unmet)
            return Deferred.fromCoroutine(self._open_again(turn, repaired, way))

        return FilteredStream(stream, limits, again, self._clock)

    def _way(self, asking: Asking, model: Model, key: str, lease: Lease | None = None) -> Way:
        now = self._clock.seconds()
        offered, name = None, ""
        if lease is not None:
            name = lease.account.fingerprint
            offered = self._offers.known(lease.account, lease.credentials)
        return find_way(
            model,
            offered,
            asking.conversation,
            abilities=self._abilities,
            replay=self._replay_thinking and not self._unsigned.holds(f"{key} {name}", now),
            takes_fields=lambda id: not self._fieldless.holds(id, now),
            takes_points=lambda id: not self._pointless.holds(id, now),
        )

    def _other_way(self, fault: UpstreamRefused, turn: "_Turn", way: Way) -> Way | None:
        """Without what the upstream has just refused, if it is that; remembered for a while."""
        now = self._clock.seconds()
        if way.fields and blames_fields(fault):
            self.counts.fields_refused += 1
            self._fieldless.add(way.model, now)
            return without_fields(way, turn.asking.conversation)
        if way.cache_points and blames_cache_points(fault):
            self.counts.cache_points_refused += 1
            self._pointless.add(way.model, now)
            return msgspec.structs.replace(way, cache_points=0)
        if way.replay and blames_signature(fault):
            # Signatures are good only with the account that got them. The key without an account
            # only saves the next turn from being prepared twice.
            self.counts.signatures_refused += 1
            self._unsigned.add(f"{turn.key} {turn.lease.account.fingerprint}", now)
            self._unsigned.add(f"{turn.key} ", now)
            return msgspec.structs.replace(way, replay=False)
        return None

    async def _open(
        self, turn: "_Turn", question: Question, way: Way
    ) -> tuple[AnswerStream, Limits | None]:
        """An answer whose first event is held, and what is to be enforced on it."""
        asking, account, credentials = turn.asking, turn.lease.account, turn.lease.credentials
        prepared = question.prepared(way)
        interpreter = Interpreter(
            window=way.window, input_estimate=asking.input_tokens, names=prepared.names
        )
        limits = limits_for(
            question.conversation,
            max_output=way.max_output if self._enforce_max_tokens else 0,
            tagged=bool(way.preface),
            size=interpreter.tally,
            usage=interpreter.usage,
        )
        arn = "" if account.method == "api_key" else credentials.profile_arn
        body = prepared.body(way.model, arn, way.fields, way.cache_points)
        asking.attempts += 1
        stream: AnswerStream = await self._client.generate(account, credentials, body, interpreter)
        asking.upstream_request_id = stream.request_id
        await self._first_event(stream)
        turn.answers.append(interpreter)
        return stream, limits

    async def _open_again(self, turn: "_Turn", question: Question, way: Way) -> Opened:
        stream, limits = await self._open(turn, question, way)
        question.forget()
        assert limits is not None, "only a limit leads to another round"
        return stream, limits

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


class _Turn(msgspec.Struct):
    """One account's turn at a question; ``answers`` are those that it has begun."""

    asking: Asking
    model: Model
    question: Question
    key: str
    lease: Lease
    plan: SearchPlan | None = None
    answers: list[Interpreter] = []


def _measured(fault: UpstreamRefused, asking: Asking, way: Way) -> UpstreamRefused:
    """An overflow with its numbers, which clients look for before they shorten anything."""
    if fault.kind is not Kind.CONTEXT_OVERFLOW:
        return fault
    if way.sure:
        # Our estimate may be lower than the truth, which is above the maximum.
        tokens = max(asking.input_tokens, way.window + 1)
        fault.details = {"tokens": tokens, "maximum": way.window}
        fault.message = f"prompt is too long: {tokens} tokens > {way.window} maximum"
    else:
        fault.message = "prompt is too long for the context window of the model"
    return fault


def _with_return(fault: UpstreamFault, nobody: NoAccountAvailable) -> UpstreamFault:
    """The last attempt's fault, with the time at which somebody may serve again."""
    if fault.retry_after is None:
        fault.retry_after = nobody.retry_after
    return fault
