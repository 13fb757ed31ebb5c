# -*- test-case-name: tests.test_exchange -*-
"""One conversation with the upstream: choose an account, open an answer, fail over.

Failover happens here and only here, and only until the first event is held or the client has been
promised an answer. Must not know HTTP towards clients, dialects or SQL.
"""

from collections.abc import Callable
from functools import reduce
from typing import Final

from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.interfaces import End, IAccountPool, Lease, Outcome, Wanted
from kiro2api.conversation.answer import Usage, added
from kiro2api.errors import (
    Kind,
    KiroError,
    ModelNotFound,
    NoAccountAvailable,
    Scope,
    UpstreamFault,
)
from kiro2api.exchange_attempt import NOT_LISTED, Attempts, Manner, Offers, Task, Turn
from kiro2api.exchange_cuts import Cuts
from kiro2api.exchange_memory import Counts
from kiro2api.exchange_tries import Asking, Attempt
from kiro2api.kiro.models import Catalogue
from kiro2api.kiro.request import conversation_key
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient
from kiro2api.websearch import SearchingStream
from kiro2api.websearch_tool import planned

__all__ = ["Asking", "Attempt", "Exchanges", "Offers", "OpenExchange", "judged"]

LACKS_SECONDS: Final = 1800.0
"""How long an account is believed to lack a model that its list or the upstream denied it."""
DOUBTED_SECONDS: Final = 300.0
"""The same where its list holds the model nevertheless."""
DENIALS: Final = 5
"""Accounts that the upstream may deny a model before the question is given up."""
OVERLOADS: Final = 2
"""Accounts that may find a model overloaded: all of them ask the same model."""


class OpenExchange:
    """An answer whose first event is held, with the account that gives it."""

    def __init__(self, stream: AnswerStream, turn: Turn, attempts: Attempts, cuts: Cuts) -> None:
        self.stream = stream
        self._turn = turn
        self._attempts = attempts
        self._cuts = cuts
        self._settled = False

    def usage(self) -> Usage:
        """What it has cost so far, as far as that is known: also of an answer that failed, was
        left, or took several rounds."""
        return reduce(added, (answer.usage() for answer in self._turn.answers))

    def settle(self, end: End, fault: UpstreamFault | None = None) -> None:
        """Close what is still open and give the account back. More calls change nothing."""
        self.stream.abandon()
        if self._settled:
            return
        self._settled = True
        task, answers = self._turn.task, self._turn.answers
        asking = task.asking
        if isinstance(self.stream, SearchingStream):
            asking.searches = self.stream.searches
        if fault is not None:
            asking.failed_later(fault)
        self._turn.lease.settle(Outcome(end, fault, task.model.name, self.usage().credits))
        if end is End.ABANDONED:
            return
        counts = self._attempts.counts
        for answer in answers:
            counts.cut_calls += answer.cut_call
            if answer.calls_from_text:
                counts.calls_from_text += answer.calls_from_text
                asking.repaired("call.from_text")
        if end is End.SERVED:
            # Only the first one answered just what the client had asked.
            self._attempts.learn(task, answers[0])
            if answers[-1].cut_call:
                asking.repaired("call.cut")
                self._cuts.add(task.key, asking.conversation, answers[-1].open_call)


class Exchanges:
    """Opens exchanges.

    ``attempts`` and ``manner`` may be changed at any time; ``counts`` only grow.

    :param attempts: accounts tried per question, at most; those that merely lack the model are
        not counted.
    :param first_event_seconds: see ``Manner``, like what follows.
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
        replay_thinking: bool = True,
        enforce_max_tokens: bool = True,
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._clock = clock
        self.attempts = attempts
        self.manner = Manner(
            first_event_seconds, tool_description_limit, replay_thinking, enforce_max_tokens
        )
        self._attempts = Attempts(client, offers, clock, self.manner, new_id)
        self._cuts = Cuts()

    @property
    def counts(self) -> Counts:
        """What happened to answers since the start."""
        return self._attempts.counts

    def estimated(self, model: str, tokens: int) -> int:
        """Our estimate of a question, corrected by what the upstream has counted for this model
        so far.

        :param model: the client's name for it.
        :param tokens: as ``conversation.tokens.estimate`` says.
        """
        return self._attempts.calibration.corrected(self._catalogue.resolve(model).name, tokens)

    async def open(self, asking: Asking) -> OpenExchange:
        """An answer whose first event is held.

        Raises RequestRejected before anything is sent, ModelNotFound where no account has the
        model, else the UpstreamFault of the last attempt or NoAccountAvailable. Cancelling leaves
        nothing behind.
        """
        task = self._task(asking)
        # What cannot be sent costs no account anything.
        self._attempts.likely(task)
        wanted = Wanted(task.model.name, task.key, asking.caller)
        tried: set[str] = set()
        failures = denials = overloads = 0
        last: UpstreamFault | None = None
        while True:
            try:
                lease: Lease = await self._pool.acquire(asking.group, frozenset(tried), wanted)
            except NoAccountAvailable as nobody:
                raise self._nobody(asking, last, nobody) from None
            tried.add(lease.account.fingerprint)
            if asking.lent_at is None:
                asking.lent_at = self._clock.seconds()
            try:
                return await self._with(Turn(task, lease))
            except UpstreamFault as fault:
                if fault.scope is Scope.REQUEST:
                    raise
                if fault.code == NOT_LISTED:
                    continue  # nobody was asked
                denied = _denied(fault)
                if not denied or last is None:
                    last = fault
                denials += denied
                overloads += fault.scope is Scope.MODEL
                failures += not denied
                if asking.committed or failures >= self.attempts or overloads >= OVERLOADS:
                    break
                if denials >= DENIALS:
                    break
        assert last is not None, "an attempt has failed"
        if _denied(last):
            raise self._unknown(asking)
        if overloads and last.retry_after is None:
            # Whoever tries again sooner meets a model that rests.
            last.retry_after = self._pool.returns_in(asking.group, wanted)
        raise last

    def _task(self, asking: Asking) -> Task:
        key = conversation_key(asking.conversation)
        asked = self._cuts.corrected(key, asking.conversation)
        plan = planned(asked)
        conversation = asked if plan is None else plan.conversation
        model = self._catalogue.resolve(asking.model)
        question = self._attempts.question(conversation, key)
        return Task(asking, model, question, key, plan, asked is not asking.conversation)

    async def _with(self, turn: Turn) -> OpenExchange:
        """Attempt with one account. Settles failures."""
        lease, model = turn.lease, turn.task.model.name
        outcome = Outcome(End.ABANDONED, model=model)
        try:
            stream = await self._attempts.open(turn)
        except UpstreamFault as fault:
            if _denied(fault):
                self._lacks(lease, model, fault)
            elif fault.scope is not Scope.REQUEST:
                outcome = Outcome(End.FAILED, fault, model)
            raise
        else:
            lease.answered()
            outcome = Outcome(End.SERVED)
            if turn.task.corrected:
                self._cuts.told(turn.task.key)
                self.counts.corrections += 1
                turn.task.asking.repaired("call.corrected")
            return OpenExchange(stream, turn, self._attempts, self._cuts)
        finally:
            if outcome.end is not End.SERVED:
                lease.settle(outcome)

    def _lacks(self, lease: Lease, model: str, fault: UpstreamFault) -> None:
        self.counts.lacking_accounts += 1
        listed = fault.details.get("listed")
        seconds = DOUBTED_SECONDS if listed else LACKS_SECONDS
        self._pool.lacks(lease.account.fingerprint, model, seconds)

    def _nobody(
        self, asking: Asking, last: UpstreamFault | None, nobody: NoAccountAvailable
    ) -> Exception:
        """What to tell where nobody is left to ask."""
        if last is not None and not _denied(last):
            # The last attempt's fault, with the time at which somebody may serve again.
            if last.retry_after is None:
                last.retry_after = nobody.retry_after
            return last
        if nobody.kind is Kind.MODEL_NOT_FOUND:
            return self._unknown(asking)
        return nobody

    def _unknown(self, asking: Asking) -> ModelNotFound:
        """A refusal in terms that help: it lists the known models."""
        names = ", ".join(name for name, _ in self._catalogue.listed())
        return ModelNotFound(
            f"model {asking.model!r} is not offered by the upstream to this account; "
            f"available are: {names}",
            param="model",
            code="INVALID_MODEL_ID",
        )


def judged(fault: KiroError | None) -> tuple[End, UpstreamFault | None]:
    """What the end of an answer says about the account."""
    if fault is None:
        return End.SERVED, None
    if isinstance(fault, UpstreamFault) and fault.scope is not Scope.REQUEST:
        return End.FAILED, fault
    return End.ABANDONED, None


def _denied(fault: UpstreamFault) -> bool:
    """Whether the account does not have the model; another one may."""
    return fault.scope is Scope.ACCOUNT_MODEL and fault.kind is Kind.MODEL_NOT_FOUND
