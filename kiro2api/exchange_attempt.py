# -*- test-case-name: tests.test_exchange_attempt -*-
"""Attempts with one account: a question asked in the best way known, and in another way where the
upstream refuses that one.

Must not know how an account is chosen, nor who is asked next.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import Lease
from kiro2api.conversation.calibration import Calibration
from kiro2api.conversation.question import Conversation
from kiro2api.errors import (
    AccessRefused,
    CredentialsRejected,
    Kind,
    Scope,
    StreamStalled,
    UpstreamFault,
    UpstreamRefused,
)
from kiro2api.exchange_filtered import FilteredStream, Opened
from kiro2api.exchange_memory import Counts, Lessons
from kiro2api.exchange_tries import ABANDONED, SERVED, Asking, Attempt, outcome_of
from kiro2api.exchange_way import Question, Way, find_way, other_way
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.limits import Limits, limits_for
from kiro2api.kiro.models import Model
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.reasoning import Abilities
from kiro2api.kiro.request import prepare
from kiro2api.kiro.tools import SchemaCache
from kiro2api.kiro.unmet import Unmet
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient, OfferedModel
from kiro2api.websearch import SearchingStream
from kiro2api.websearch_tool import SearchPlan

NOT_LISTED: Final = "not_listed"
"""The code of the fault of an account whose list of models does not hold the one asked for."""


class Offers(Protocol):
    """What is known of the models that an account is offered."""

    def known(
        self, account: Account, credentials: Credentials | None = None
    ) -> tuple[OfferedModel, ...] | None:
        """The last list, or None while there is none; never waits, but renews behind the scenes."""


class Manner(msgspec.Struct):
    """How questions are put, as far as the operator decides it; may be changed at any time.

    ``first_event_seconds``: how long an opened answer may take to its first event.
    ``tool_description_limit``: characters. ``replay_thinking``: send signed reasoning of earlier
    answers back. ``enforce_max_tokens``: cut answers where our estimate reaches what the client
    allows.
    """

    first_event_seconds: float
    tool_description_limit: int
    replay_thinking: bool = True
    enforce_max_tokens: bool = True


class Task(msgspec.Struct, frozen=True):
    """What is the same for all accounts that are asked: ``key`` is that of the conversation;
    ``corrected``: the question holds a word about a call that was cut."""

    asking: Asking
    model: Model
    question: Question
    key: str
    plan: SearchPlan | None = None
    corrected: bool = False


class Turn(msgspec.Struct):
    """One account's turn at a task; ``answers`` are those that it has begun."""

    task: Task
    lease: Lease
    answers: list[Interpreter] = []


class Attempts:
    """Puts questions to one account at a time.

    :param new_id: gives a fresh UUID text.
    """

    def __init__(
        self,
        client: IKiroClient,
        offers: Offers,
        clock: IReactorTime,
        manner: Manner,
        new_id: Callable[[], str],
    ) -> None:
        self._client = client
        self._offers = offers
        self._clock = clock
        self._manner = manner
        self._new_id = new_id
        self._schemas = SchemaCache()
        self._abilities = Abilities()
        self._lessons = Lessons()
        self.calibration = Calibration()
        self.counts = Counts()

    def question(self, conversation: Conversation, key: str) -> Question:
        """A conversation to be prepared where it is needed."""
        return Question(conversation, partial(self._written, key))

    def likely(self, task: Task) -> Prepared:
        """Prepared for the most likely way, before any account is asked; raises
        RequestRejected."""
        return task.question.prepared(self._way(task, None))

    def learn(self, task: Task, answer: Interpreter) -> None:
        """An answer is complete: what the upstream has counted corrects our estimates."""
        usage = answer.usage()
        if usage.provenance == "exact":
            exact = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
            self.calibration.learn(task.model.name, task.asking.input_tokens, exact)

    async def open(self, turn: Turn) -> AnswerStream:
        """The account's answer, its first event held: asked for a second time if a renewed token,
        or another profile, may mend it. Raises the UpstreamFault of the last attempt."""
        way = self._way(turn.task, turn.lease)
        if way.listed is False:
            raise _not_listed(turn.task.model)
        try:
            return await self._attempt(turn, way)
        except CredentialsRejected:
            if turn.task.asking.committed:
                raise
            await turn.lease.renew()
            return await self._attempt(turn, self._way(turn.task, turn.lease))
        except AccessRefused as fault:
            if turn.task.asking.committed or not await turn.lease.mend(fault):
                raise
            return await self._attempt(turn, self._way(turn.task, turn.lease))

    def _written(self, key: str, conversation: Conversation, way: Way) -> Prepared:
        return prepare(
            conversation,
            conversation_id=key,
            continuation_id=self._new_id(),
            tool_description_limit=self._manner.tool_description_limit,
            schemas=self._schemas,
            replay_thinking=way.replay,
            preface=way.preface,
            documents=way.documents,
        )

    async def _attempt(self, turn: Turn, way: Way) -> AnswerStream:
        """One account's answer, asked for in another way where the upstream refuses the first."""
        task = turn.task
        asking = task.asking
        asking.account = turn.lease.account.name
        other: Way | None
        doubted = False
        while True:
            asking.upstream_model = way.model
            try:
                answer = await self._answer(turn, task.question, way)
                break
            except UpstreamRefused as fault:
                if fault.scope is Scope.ACCOUNT_MODEL and way.listed and not doubted:
                    # Wire: models that are listed are now and then said not to exist.
                    other, doubted = way, True
                else:
                    other = self._other_way(fault, turn, way)
                if other is None or asking.committed:
                    if way.listed and fault.scope is Scope.ACCOUNT_MODEL:
                        fault.details = {"listed": True}
                    raise _measured(fault, asking, way) from None
                way = other
        if task.plan is None:
            return answer
        search = partial(self._client.search, turn.lease.account, turn.lease.credentials)

        def another(longer: Conversation) -> Deferred[AnswerStream]:
            question = self.question(longer, task.key)
            return Deferred.fromCoroutine(self._answer(turn, question, way))

        return SearchingStream(answer, task.plan, search, another, self._clock)

    async def _answer(self, turn: Turn, question: Question, way: Way) -> AnswerStream:
        """An answer whose first event is held, with its limits enforced."""
        stream, limits = await self._open(turn, question, way)
        question.forget()
        if limits is None:
            return stream

        def again(unmet: Unmet) -> Deferred[Opened]:
            self.counts.repairs += 1
            turn.task.asking.repaired(f"{unmet.what}.repaired")
            repaired = question.repaired(unmet)
            return Deferred.fromCoroutine(self._open_again(turn, repaired, way))

        return FilteredStream(stream, limits, again, self._clock)

    def _way(self, task: Task, lease: Lease | None) -> Way:
        now = self._clock.seconds()
        offered, name = None, ""
        if lease is not None:
            name = lease.account.fingerprint
            offered = self._offers.known(lease.account, lease.credentials)
        lessons = self._lessons
        return find_way(
            task.model,
            offered,
            task.question.conversation,
            abilities=self._abilities,
            replay=self._manner.replay_thinking
            and not lessons.holds("signature", f"{task.key} {name}", now),
            takes=lambda what, id: not lessons.holds(what, id, now),
        )

    def _other_way(self, fault: UpstreamRefused, turn: Turn, way: Way) -> Way | None:
        """Without what the upstream has just refused, if it is that; remembered for a while."""
        found = other_way(fault, way, turn.task.question.conversation)
        if found is None:
            return None
        what, other = found
        now = self._clock.seconds()
        self.counts.refused(what)
        if what == "signature":
            # Signatures are good only with the account that got them. The key without an account
            # only saves the next turn from being prepared twice.
            self._lessons.learn(what, f"{turn.task.key} {turn.lease.account.fingerprint}", now)
            self._lessons.learn(what, f"{turn.task.key} ", now)
        else:
            self._lessons.learn(what, way.model, now)
        turn.task.asking.repaired(f"{what}.retried")
        return other

    async def _open(
        self, turn: Turn, question: Question, way: Way
    ) -> tuple[AnswerStream, Limits | None]:
        """An answer whose first event is held, and what is to be enforced on it."""
        task, account, credentials = turn.task, turn.lease.account, turn.lease.credentials
        asking = task.asking
        prepared = question.prepared(way)
        asking.repaired(*prepared.repairs)
        interpreter = Interpreter(
            window=way.window,
            input_estimate=self.calibration.corrected(task.model.name, asking.input_tokens),
            names=prepared.names,
            # Reasoning comes as text there, and what is only thought of is no call.
            leaks=None if way.preface else prepared.leaks(),
            salt=prepared.salt,
        )
        limits = limits_for(
            question.conversation,
            max_output=way.max_output if self._manner.enforce_max_tokens else 0,
            tagged=bool(way.preface),
            size=interpreter.tally,
            usage=interpreter.usage,
        )
        arn = "" if account.method == "api_key" else credentials.profile_arn
        body = prepared.body(way.model, arn, way.fields, way.cache_points, way.point_tokens)
        asking.attempts += 1
        since = self._clock.seconds()
        outcome, status = ABANDONED, 0
        try:
            stream: AnswerStream = await self._client.generate(
                account, credentials, body, interpreter
            )
            status = 200
            asking.upstream_request_id = stream.request_id
            await self._first_event(stream)
            outcome = SERVED
        except UpstreamFault as fault:
            outcome, status = outcome_of(fault), fault.status or status
            raise
        finally:
            seconds = self._clock.seconds() - since
            asking.tried.append(Attempt(account.name, way.model, outcome, status, seconds))
        turn.answers.append(interpreter)
        return stream, limits

    async def _open_again(self, turn: Turn, question: Question, way: Way) -> Opened:
        stream, limits = await self._open(turn, question, way)
        question.forget()
        assert limits is not None, "only a limit leads to another round"
        return stream, limits

    def _first_event(self, stream: AnswerStream) -> Deferred[None]:
        """Wait for the first event, but not for ever."""
        first = stream.first()
        patience = self._manner.first_event_seconds
        timed_out = False

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            first.cancel()

        timer = self._clock.callLater(patience, give_up)

        def disarm(result: object) -> object:
            if timer.active():
                timer.cancel()
            if timed_out:
                raise StreamStalled(
                    f"no event within {patience:g} seconds", code="first_event_timeout"
                )
            return result

        return first.addBoth(disarm)


def _not_listed(model: Model) -> UpstreamRefused:
    return UpstreamRefused(
        f"the account is not offered the model {model.name}",
        kind=Kind.MODEL_NOT_FOUND,
        scope=Scope.ACCOUNT_MODEL,
        code=NOT_LISTED,
    )


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
