"""Attempts and failover before the first event."""

import gc
import weakref
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, IAccountPool, Wanted
from kiro2api.conversation.answer import Ended, StopReason, TextDelta, Usage
from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    ToolChoice,
    ToolSpec,
    Turn,
)
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    Kind,
    KiroError,
    ModelNotFound,
    ModelOverloaded,
    NoAccountAvailable,
    ProtocolViolation,
    RequestRejected,
    Scope,
    StreamStalled,
    Throttled,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.exchange import Asking, Exchanges, OpenExchange
from kiro2api.exchange_filtered import FilteredStream
from kiro2api.exchange_way import Question, Way
from kiro2api.kiro.models import Catalogue
from kiro2api.kiro.prepared import Prepared
from kiro2api.upstream.interfaces import AnswerStream, OfferedModel
from tests.fakes.answers import END, USAGE, FakeStream
from tests.fakes.lending import FakeClient, FakeOffers, FakePool, account
from tests.kiro.frames import tool
from tests.upstream.streaming import Sink

QUESTION = Conversation(turns=(Turn("user", (Text("hello"),)),))


def missing() -> UpstreamRefused:
    """The upstream does not know the model."""
    return UpstreamRefused(
        "no", kind=Kind.MODEL_NOT_FOUND, scope=Scope.ACCOUNT_MODEL, code="INVALID_MODEL_ID"
    )


class ExchangeCase(SynchronousTestCase):
    """Exchanges with an invented pool and upstream."""

    def setUp(self) -> None:
        self.clock = Clock()

    def exchanges(
        self,
        client: FakeClient,
        *accounts: Account,
        attempts: int = 3,
        offered: tuple[OfferedModel, ...] | None = None,
    ) -> Exchanges:
        """Exchanges over these accounts."""
        self.offers = FakeOffers(offered)
        self.pool = FakePool(accounts or (account("a"), account("b"), account("c")))
        return Exchanges(
            IAccountPool(self.pool),
            client,
            Catalogue(),
            self.offers,
            self.clock,
            attempts=attempts,
            first_event_seconds=60,
            tool_description_limit=10000,
            new_id=lambda: "00000000-0000-4000-8000-000000000000",
        )

    def asking(self, model: str = "claude-sonnet-4-5-20250929") -> Asking:
        """A small question."""
        return Asking(QUESTION, model, "default", 12)

    def open(self, exchanges: Exchanges, asking: Asking | None = None) -> "Deferred[OpenExchange]":
        """Start."""
        return ensureDeferred(exchanges.open(asking or self.asking()))

    def ends(self) -> list[list[End]]:
        """How each lease ended so far."""
        return [[outcome.end for outcome in lease.outcomes] for lease in self.pool.leases]


class ExchangesTests(ExchangeCase):
    """Who is asked, how often, and what the client hears in the end."""

    def test_first_account_serves(self) -> None:
        """One attempt; the lease is settled once, by whoever relayed, however often told (I1)."""
        client = FakeClient(FakeStream(self.clock))
        asking = self.asking()
        exchange = self.successResultOf(self.open(self.exchanges(client), asking))
        self.assertEqual(self.ends(), [[]])
        exchange.settle(End.SERVED)
        self.assertEqual(self.ends(), [[End.SERVED]])
        self.assertEqual((asking.attempts, asking.account), (1, "a"))
        self.assertEqual(asking.upstream_request_id, "upstream-1")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failover_is_invisible(self) -> None:
        """Throttling, 5xx and a broken first frame lead to the next account."""
        for fault in (Throttled("t"), UpstreamUnavailable("u"), ModelOverloaded("m")):
            client = FakeClient(fault, FakeStream(self.clock))
            self.successResultOf(self.open(self.exchanges(client)))
            self.assertEqual([name for name, _ in client.calls], ["a", "b"])
            self.assertEqual(self.ends(), [[End.FAILED], []])
            self.assertIs(self.pool.leases[0].outcomes[0].fault, fault)

    def test_fault_before_the_first_event(self) -> None:
        """A 200 that breaks before its first event is still a failed attempt."""
        broken = FakeStream(self.clock, fail(ProtocolViolation("bad CRC")))
        client = FakeClient(broken, FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual(self.ends(), [[End.FAILED], []])

    def test_request_faults_never_rotate(self) -> None:
        """The request's own fault is told at once and held against nobody."""
        client = FakeClient(UpstreamRefused("improperly formed", status=400))
        self.failureResultOf(self.open(self.exchanges(client)), UpstreamRefused)
        self.assertEqual(self.ends(), [[End.ABANDONED]])

    def test_unknown_model_lists_what_there_is(self) -> None:
        """INVALID_MODEL_ID becomes a 404 that helps; the name is passed on as it came."""
        client = FakeClient(
            *(missing() for _ in range(3)),
        )
        d = self.open(self.exchanges(client), self.asking("gpt-17"))
        error = self.failureResultOf(d, ModelNotFound).value
        self.assertIn("gpt-17", error.message)
        self.assertIn("claude-sonnet-4-5-20250929", error.message)
        self.assertIn(b'"modelId":"gpt-17"', client.calls[0][1])

    def test_attempts_are_bounded(self) -> None:
        """After the last attempt the client hears the last fault."""
        client = FakeClient(Throttled("1"), UpstreamUnavailable("2"))
        d = self.open(self.exchanges(client, attempts=2))
        self.assertEqual(self.failureResultOf(d, UpstreamUnavailable).value.message, "2")
        self.assertEqual(len(client.calls), 2)

    def test_nobody_left(self) -> None:
        """The last fault carries the time of the next account's return."""
        client = FakeClient(Throttled("slow down"))
        d = self.open(self.exchanges(client, account("only")))
        self.assertEqual(self.failureResultOf(d, Throttled).value.retry_after, 7.0)

    def test_nobody_at_all(self) -> None:
        """Without any attempt the pool's own error is the answer."""
        exchanges = self.exchanges(FakeClient())
        self.pool.accounts = []
        self.failureResultOf(self.open(exchanges), NoAccountAvailable)

    def test_own_retry_after_wins(self) -> None:
        """What the upstream said is not overwritten."""
        client = FakeClient(Throttled("slow down", retry_after=90.0))
        d = self.open(self.exchanges(client, account("only")))
        self.assertEqual(self.failureResultOf(d, Throttled).value.retry_after, 90.0)

    def test_rejected_token_is_renewed_once(self) -> None:
        """401 leads to one refresh and one more try with the same account."""
        client = FakeClient(CredentialsRejected("expired"), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        self.assertEqual(self.pool.leases[0].renewals, 1)
        self.assertEqual(self.ends(), [[]])

    def test_rejected_twice_goes_to_the_next(self) -> None:
        """A fresh token that is refused as well costs the account, not the client."""
        client = FakeClient(
            CredentialsRejected("1"), CredentialsRejected("2"), FakeStream(self.clock)
        )
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a", "a", "b"])
        self.assertEqual(self.ends(), [[End.FAILED], []])

    def test_overloaded_model_says_when(self) -> None:
        """Who tries again learns when the model is asked again, unless the upstream has said it."""
        for said, told in ((None, 2.0), (9.0, 9.0)):
            faults = [ModelOverloaded("full", retry_after=said) for _ in range(3)]
            exchanges = self.exchanges(FakeClient(*faults))
            self.pool.rest = 2.0
            failure = self.failureResultOf(self.open(exchanges), ModelOverloaded)
            self.assertEqual(failure.value.retry_after, told)
            self.assertEqual(len(self.pool.leases), 2)

    def test_refused_account_with_another_way(self) -> None:
        """A refusal that may be mended, as by another profile, leads to one more try."""
        client = FakeClient(AccessRefused("profile"), FakeStream(self.clock))
        exchanges = self.exchanges(client)
        self.pool.mendable = True
        self.successResultOf(self.open(exchanges))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        self.assertEqual(len(self.pool.leases[0].refusals), 1)
        self.assertEqual(self.ends(), [[]])

    def test_refused_account_without_another_way(self) -> None:
        """Otherwise it costs the account, and the next one is asked."""
        client = FakeClient(AccessRefused("profile"), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a", "b"])
        self.assertEqual(self.ends(), [[End.FAILED], []])

    def test_failed_renewal_goes_to_the_next(self) -> None:
        """So does a refresh that fails."""
        client = FakeClient(CredentialsRejected("1"), FakeStream(self.clock))
        exchanges = self.exchanges(client)
        renewal: Deferred[None] = Deferred()
        real = self.pool.acquire

        def acquire(group: str, tried: frozenset[str], wanted: Wanted) -> object:
            d = real(group, tried, wanted)
            self.pool.leases[-1].renewal = renewal
            return d

        self.pool.acquire = acquire  # type: ignore[method-assign, assignment]
        d = self.open(exchanges)
        self.assertNoResult(d)
        renewal.errback(AccountSuspended("locked"))
        self.successResultOf(d)
        self.assertEqual([name for name, _ in client.calls], ["a", "b"])

    def test_no_second_attempt_after_the_first_byte(self) -> None:
        """Once the client was promised an answer, a failure is the answer (I2)."""
        for fault in (Throttled("t"), CredentialsRejected("c")):
            pending: Deferred[FakeStream] = Deferred()
            client = FakeClient(pending)  # type: ignore[arg-type]
            asking = self.asking()
            d = self.open(self.exchanges(client), asking)
            asking.committed = True
            pending.errback(fault)
            self.failureResultOf(d, type(fault))
            self.assertEqual(len(client.calls), 1)
            self.assertEqual(self.ends(), [[End.FAILED]])

    def test_first_event_timeout(self) -> None:
        """An answer that never begins is a failed attempt, and its stream is closed."""
        waiting: Deferred[None] = Deferred()
        client = FakeClient(FakeStream(self.clock, waiting), FakeStream(self.clock))
        d = self.open(self.exchanges(client))
        self.clock.advance(59)
        self.assertNoResult(d)
        self.clock.advance(1)
        self.successResultOf(d)
        fault = self.pool.leases[0].outcomes[0].fault
        self.assertIsInstance(fault, StreamStalled)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_leaves_while_waiting_for_an_account(self) -> None:
        """Nothing was lent, nothing is left."""
        exchanges = self.exchanges(FakeClient())
        self.pool.waiting = Deferred()
        d = self.open(exchanges)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.pool.leases, [])

    def test_client_leaves_before_the_head(self) -> None:
        """The attempt is cancelled and the lease given back without blame."""
        client = FakeClient(Deferred())
        d = self.open(self.exchanges(client))
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.ends(), [[End.ABANDONED]])

    def test_client_leaves_before_the_first_event(self) -> None:
        """So it is while the first event is awaited; no timer stays (I10)."""
        cancelled: list[bool] = []
        waiting: Deferred[None] = Deferred(lambda _: cancelled.append(True))
        client = FakeClient(FakeStream(self.clock, waiting))
        d = self.open(self.exchanges(client))
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(cancelled, [True])
        self.assertEqual(self.ends(), [[End.ABANDONED]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_rules_cost_nobody_anything(self) -> None:
        """A question that cannot be asked is refused before an account is lent."""
        huge = Conversation(turns=(Turn("user", (Text("x" * 11_000_000),)),))
        exchanges = self.exchanges(FakeClient())
        d = self.open(exchanges, Asking(huge, "claude-haiku-4-5", "default", 1))
        error = self.failureResultOf(d, RequestRejected).value
        self.assertIsInstance(error, KiroError)
        self.assertEqual(self.pool.asked, [])

    def test_offered_models_choose_the_id_and_the_window(self) -> None:
        """The upstream id is the first candidate that the account is offered."""
        offered = (OfferedModel("CLAUDE_SONNET_4_5_20250929_V1_0", max_input_tokens=1234),)
        client = FakeClient(FakeStream(self.clock))
        asking = self.asking()
        self.successResultOf(self.open(self.exchanges(client, offered=offered), asking))
        self.assertEqual(asking.upstream_model, "CLAUDE_SONNET_4_5_20250929_V1_0")

    def test_api_keys_send_no_profile(self) -> None:
        """The upstream refuses a profile ARN beside an API key."""
        client = FakeClient(FakeStream(self.clock), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client, account("k", "api_key"))))
        self.successResultOf(self.open(self.exchanges(client, account("s"))))
        bodies = [msgspec.json.decode(body) for _, body in client.calls]
        self.assertNotIn("profileArn", bodies[0])
        self.assertIn("profileArn", bodies[1])


SIGNED = Conversation(
    turns=(
        Turn("user", (Text("hello"),)),
        Turn("assistant", (Thinking("hm", "c2ln"), Text("hi"))),
        Turn("user", (Text("and?"),)),
    ),
    reasoning=Reasoning("adaptive", effort="high"),
)
OPUS = "claude-opus-4-7"


def foreign_signature() -> UpstreamRefused:
    """The upstream does not know a signature."""
    return UpstreamRefused("refused", status=400, code="THINKING_SIGNATURE_INVALID")


def foreign_fields() -> UpstreamRefused:
    """The upstream does not want the fields."""
    return UpstreamRefused(
        "refused: additionalModelRequestFields is not supported for this model",
        status=400,
        code="REQUEST_BODY_INVALID",
    )


class OtherWaysTests(ExchangeCase):
    """Refusals that are mended by asking differently."""

    def bodies(self, client: FakeClient) -> list[Any]:
        """What was sent so far."""
        return [msgspec.json.decode(body) for _, body in client.calls]

    def signed(self, model: str = OPUS) -> Asking:
        """A question that sends reasoning back and asks for more."""
        return Asking(SIGNED, model, "default", 12)

    def test_signature(self) -> None:
        """One more try with the same account, without reasoning, and so in the next turns with
        that account for a while; nobody is blamed."""
        client = FakeClient(foreign_signature(), *(FakeStream(self.clock) for _ in range(3)))
        exchanges = self.exchanges(client, account("a"))
        asking = self.signed()
        self.successResultOf(self.open(exchanges, asking))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        self.assertEqual((asking.attempts, self.ends()), (2, [[]]))
        self.successResultOf(self.open(exchanges, self.signed()))
        self.clock.advance(4000)
        self.successResultOf(self.open(exchanges, self.signed()))
        replayed = [
            "reasoningContent"
            in body["conversationState"]["history"][1]["assistantResponseMessage"]
            for body in self.bodies(client)
        ]
        self.assertEqual(replayed, [True, False, False, True])
        self.assertEqual(exchanges.counts.signatures_refused, 1)

    def test_signature_twice(self) -> None:
        """A second refusal is the answer."""
        client = FakeClient(foreign_signature(), foreign_signature())
        d = self.open(self.exchanges(client), self.signed())
        self.failureResultOf(d, UpstreamRefused)
        self.assertEqual((len(client.calls), self.ends()), (2, [[End.ABANDONED]]))

    def test_fields(self) -> None:
        """One more try without them, for everybody and a while; reasoning is asked for by tags."""
        client = FakeClient(foreign_fields(), *(FakeStream(self.clock) for _ in range(3)))
        exchanges = self.exchanges(client)
        self.successResultOf(self.open(exchanges, self.signed()))
        self.successResultOf(self.open(exchanges, self.signed()))
        self.clock.advance(4000)
        self.successResultOf(self.open(exchanges, self.signed()))
        bodies = self.bodies(client)
        self.assertEqual(
            ["additionalModelRequestFields" in body for body in bodies],
            [True, False, False, True],
        )
        for body, tagged in zip(bodies, [False, True, True, False], strict=True):
            first = body["conversationState"]["history"][0]["userInputMessage"]["content"]
            self.assertEqual("<thinking_mode>" in first, tagged)
        self.assertEqual(exchanges.counts.fields_refused, 1)

    def test_cache_points(self) -> None:
        """Sent where the account's list allows them; one more try without them for everybody who
        meets this model, and a while."""
        marked = Conversation((Turn("user", (Text("hello"),), cache=True),))
        offered = (
            OfferedModel("claude-opus-4.7", supports_caching=True, max_checkpoints=4),
            OfferedModel("claude-haiku-4.5"),
        )
        fault = UpstreamRefused("refused: cachePoint is not supported", status=400)
        client = FakeClient(fault, *(FakeStream(self.clock) for _ in range(4)))
        exchanges = self.exchanges(client, offered=offered)
        for model in (OPUS, OPUS, "claude-haiku-4-5"):
            self.successResultOf(self.open(exchanges, Asking(marked, model, "default", 12)))
        self.clock.advance(4000)
        self.successResultOf(self.open(exchanges, Asking(marked, OPUS, "default", 12)))
        sent = [
            "cachePoint" in body["conversationState"]["currentMessage"]["userInputMessage"]
            for body in self.bodies(client)
        ]
        self.assertEqual(sent, [True, False, False, False, True])
        self.assertEqual(exchanges.counts.cache_points_refused, 1)

    def test_both(self) -> None:
        """One after the other."""
        client = FakeClient(foreign_fields(), foreign_signature(), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client), self.signed()))
        self.assertEqual(len(client.calls), 3)

    def test_not_after_the_first_byte(self) -> None:
        """Then a refusal is the answer, but it is remembered (I2)."""
        pending: Deferred[FakeStream] = Deferred()
        client = FakeClient(pending, FakeStream(self.clock))  # type: ignore[arg-type]
        exchanges = self.exchanges(client)
        asking = self.signed()
        d = self.open(exchanges, asking)
        asking.committed = True
        pending.errback(foreign_fields())
        self.failureResultOf(d, UpstreamRefused)
        self.successResultOf(self.open(exchanges, self.signed()))
        self.assertNotIn("additionalModelRequestFields", self.bodies(client)[1])

    def test_other_refusals(self) -> None:
        """Are not tried again; nor are these where nothing of the kind was sent."""
        for fault in (UpstreamRefused("improperly formed"), foreign_fields()):
            client = FakeClient(fault)
            self.failureResultOf(self.open(self.exchanges(client)), UpstreamRefused)
            self.assertEqual(len(client.calls), 1)

    def test_overflow(self) -> None:
        """The numbers that clients look for, from the window of the model that was asked."""
        for offered, estimate, tokens in (
            (1234, 5000, 5000),
            (1234, 12, 1235),
            (0, 5000, 200_001),
        ):
            fault = UpstreamRefused("the prompt is too long", kind=Kind.CONTEXT_OVERFLOW)
            entry = OfferedModel("claude-sonnet-4.5", max_input_tokens=offered)
            exchanges = self.exchanges(FakeClient(fault), offered=(entry,))
            asking = self.asking()
            asking.input_tokens = estimate
            error = self.failureResultOf(self.open(exchanges, asking), UpstreamRefused).value
            maximum = offered or 200_000
            self.assertEqual(error.details, {"tokens": tokens, "maximum": maximum})
            self.assertEqual(
                error.message, f"prompt is too long: {tokens} tokens > {maximum} maximum"
            )

    def test_overflow_of_an_unknown_window(self) -> None:
        """No invented numbers."""
        fault = UpstreamRefused("the prompt is too long", kind=Kind.CONTEXT_OVERFLOW)
        d = self.open(self.exchanges(FakeClient(fault)), self.asking("brand-new"))
        error = self.failureResultOf(d, UpstreamRefused).value
        self.assertEqual((error.details, error.message.count("too long")), ({}, 1))


class RoundsTests(ExchangeCase):
    """Answers that are enforced, and asked for again."""

    def ask(self, client: FakeClient, **asked: Any) -> tuple[Exchanges, Sink, OpenExchange]:
        """An exchange that flows."""
        exchanges = self.exchanges(client)
        conversation = msgspec.structs.replace(QUESTION, **asked)
        opening = self.open(exchanges, Asking(conversation, OPUS, "default", 12))
        exchange = self.successResultOf(opening)
        sink = Sink()
        exchange.stream.flow(sink)
        return exchanges, sink, exchange

    def test_nothing_to_enforce(self) -> None:
        """The stream itself is given."""
        stream = FakeStream(self.clock)
        _, _, exchange = self.ask(FakeClient(stream), sampling=Sampling(max_tokens=128_000))
        self.assertIs(exchange.stream, stream)

    def test_max_tokens_is_the_operators_choice(self) -> None:
        """Told not to, nobody cuts an answer by an estimate of its tokens."""
        for enforced in (True, False):
            stream = FakeStream(self.clock)
            exchanges = self.exchanges(FakeClient(stream))
            exchanges.manner.enforce_max_tokens = enforced
            conversation = msgspec.structs.replace(QUESTION, sampling=Sampling(max_tokens=1))
            opening = self.open(exchanges, Asking(conversation, OPUS, "default", 12))
            exchange = self.successResultOf(opening)
            self.assertEqual(exchange.stream is stream, not enforced)
            exchange.settle(End.SERVED)

    def test_stop(self) -> None:
        """A stop sequence ends the answer and closes the upstream; the account served well."""
        stream = FakeStream(self.clock)
        _, sink, exchange = self.ask(FakeClient(stream), sampling=Sampling(stop=("lo",)))
        stream.push(TextDelta("lo"))
        self.assertEqual(sink.all[-1], Ended(StopReason.STOP_SEQUENCE, "lo"))
        self.assertEqual((sink.text, stream.abandoned), ("Hel", 1))
        exchange.settle(End.SERVED)
        self.assertEqual(self.ends(), [[End.SERVED]])

    def test_second_round(self) -> None:
        """The same account and model are told what was wrong."""
        second = FakeStream(self.clock)
        second.held = [TextDelta('{"a":1}'), USAGE, END]
        first = FakeStream(self.clock)
        client = FakeClient(first, second)
        exchanges, sink, exchange = self.ask(client, output_format=OutputFormat("json_object"))
        first.push(USAGE, END)
        first.end()
        second.end()
        self.assertEqual((sink.text, sink.endings), ('{"a":1}', [None]))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        state = msgspec.json.decode(client.calls[1][1])["conversationState"]
        self.assertEqual(state["history"][-1]["assistantResponseMessage"]["content"], "Hel")
        self.assertIn("not valid JSON", state["currentMessage"]["userInputMessage"]["content"])
        self.assertEqual(exchanges.counts.repairs, 1)
        self.assertEqual(len(self.pool.leases), 1)
        exchange.settle(End.SERVED)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bodies_are_not_kept(self) -> None:
        """While an answer flows, its question's body is no longer in memory."""
        kept: list[weakref.ref[Prepared]] = []
        prepared = Question.prepared

        class Watched(Prepared):
            __slots__ = ("__weakref__",)

        def watch(question: Question, way: Way) -> Prepared:
            found = prepared(question, way)
            if not isinstance(found, Watched):
                watched = Watched(b"{}}}}", found.names)
                question._written[(way.replay, way.preface, way.documents)] = found = watched
                kept.append(weakref.ref(watched))
            return found

        self.patch(Question, "prepared", watch)
        client = FakeClient(FakeStream(self.clock))
        _, _, exchange = self.ask(client, sampling=Sampling(stop=("x",)))
        gc.collect()
        self.assertEqual([ref() for ref in kept], [None])
        self.assertIsInstance(exchange.stream, FilteredStream)

    def test_cost(self) -> None:
        """Known at any time, of all rounds."""
        first, second = FakeStream(self.clock), FakeStream(self.clock)
        wanted = OutputFormat("json_object")
        _, _, exchange = self.ask(FakeClient(first, second), output_format=wanted)
        self.assertEqual(exchange.usage(), Usage(12, 0))
        first.push(USAGE, END)
        first.end()
        self.assertEqual(exchange.usage(), Usage(24, 0))

    def test_second_round_fails(self) -> None:
        """The first answer has to do; no other account is asked."""
        first = FakeStream(self.clock)
        client = FakeClient(first, Throttled("slow"))
        _, sink, _ = self.ask(client, tools=(ToolSpec("t"),), tool_choice=ToolChoice("any"))
        first.push(USAGE, END)
        first.end()
        self.assertEqual((sink.text, sink.endings), ("Hel", [None]))
        self.assertEqual(len(self.pool.leases), 1)

    def test_cut_calls_are_counted(self) -> None:
        """Once per answer that was not merely left by its client."""
        for end, count in ((End.SERVED, 1), (End.FAILED, 1), (End.ABANDONED, 0)):
            client = CallingClient(self.clock)
            exchanges, _, exchange = self.ask(client)
            exchange.settle(end)
            exchange.settle(end)
            self.assertEqual(exchanges.counts.cut_calls, count)


class CallingClient(FakeClient):
    """Every answer has begun a call and no more."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(FakeStream(clock))

    def generate(
        self, account: Account, credentials: Credentials, body: bytes, interpreter: Any
    ) -> Deferred[AnswerStream]:
        """The call reaches the interpreter."""
        interpreter.feed([tool("a", input='{"p":')])
        return super().generate(account, credentials, body, interpreter)
