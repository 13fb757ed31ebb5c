"""Models that not every account has, what is written down of attempts, and what is learnt."""

from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import End, Wanted
from kiro2api.conversation.question import (
    Conversation,
    Document,
    Reasoning,
    ServerTool,
    Text,
    Thinking,
    ToolSpec,
    Turn,
)
from kiro2api.errors import (
    ModelNotFound,
    ModelOverloaded,
    NoAccountAvailable,
    Scope,
    StreamStalled,
    Throttled,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.exchange import DENIALS, Asking
from kiro2api.exchange_tries import Attempt
from kiro2api.kiro.request import conversation_key
from kiro2api.upstream.interfaces import AnswerStream, OfferedModel
from kiro2api.wire.eventstream import Frame
from tests.fakes.answers import FakeStream
from tests.fakes.lending import FakeClient, account
from tests.kiro.frames import event, metering, tool
from tests.test_exchange import QUESTION, ExchangeCase, missing
from tests.upstream.streaming import Sink

SONNET = "claude-sonnet-4.5"
OFFERED = (OfferedModel(SONNET),)


class LackingTests(ExchangeCase):
    """Accounts without the model."""

    def test_what_is_wanted(self) -> None:
        """The pool hears the catalogue's name of the model and the key of the conversation."""
        exchanges = self.exchanges(FakeClient(FakeStream(self.clock)))
        self.successResultOf(self.open(exchanges))
        self.assertEqual(self.pool.wanted, [Wanted(SONNET, conversation_key(QUESTION))])

    def test_not_listed(self) -> None:
        """An account whose list lacks the model is not asked, not blamed, and costs no attempt."""
        client = FakeClient(Throttled("t"), FakeStream(self.clock))
        exchanges = self.exchanges(client, *map(account, "abcdef"), attempts=2, offered=OFFERED)
        for name in "acd":
            self.offers.by_account[name] = (OfferedModel("glm-5"),)
        asking = self.asking()
        self.successResultOf(self.open(exchanges, asking))
        self.assertEqual([name for name, _ in client.calls], ["b", "e"])
        self.assertEqual(self.pool.lacking, [(f"fp-{name}", SONNET) for name in "acd"])
        self.assertEqual(
            self.ends(),
            [[End.ABANDONED], [End.FAILED], [End.ABANDONED], [End.ABANDONED], []],
        )
        self.assertEqual((asking.attempts, exchanges.counts.lacking_accounts), (2, 3))
        self.assertEqual([one.account for one in asking.tried], ["b", "e"])

    def test_unknown_list(self) -> None:
        """What is not known is asked."""
        client = FakeClient(FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client)))
        self.assertEqual([name for name, _ in client.calls], ["a"])

    def test_denied(self) -> None:
        """The upstream's own word counts as well, and costs no attempt either."""
        client = FakeClient(missing(), missing(), FakeStream(self.clock))
        exchanges = self.exchanges(client, attempts=1)
        self.successResultOf(self.open(exchanges))
        self.assertEqual([name for name, _ in client.calls], ["a", "b", "c"])
        self.assertEqual([name for name, _ in self.pool.lacking], ["fp-a", "fp-b"])
        self.assertEqual(self.ends(), [[End.ABANDONED], [End.ABANDONED], []])

    def test_denied_though_listed(self) -> None:
        """Where the list holds the model the account is asked once more before it is believed."""
        client = FakeClient(missing(), FakeStream(self.clock))
        self.successResultOf(self.open(self.exchanges(client, offered=OFFERED)))
        self.assertEqual([name for name, _ in client.calls], ["a", "a"])
        self.assertEqual(self.pool.lacking, [])
        client = FakeClient(missing(), missing(), FakeStream(self.clock))
        exchanges = self.exchanges(client, offered=OFFERED)
        seconds: list[float] = []
        real = self.pool.lacks

        def lacks(fingerprint: str, model: str, believed: float) -> None:
            seconds.append(believed)
            real(fingerprint, model, believed)

        self.pool.lacks = lacks  # type: ignore[method-assign, assignment]
        self.successResultOf(self.open(exchanges))
        self.assertEqual([name for name, _ in client.calls], ["a", "a", "b"])
        self.assertEqual(seconds, [300.0])

    def test_nobody_has_it(self) -> None:
        """The answer names the models that there are, also where it was known before."""
        for offered, results in ((None, [missing() for _ in range(3)]), ((OfferedModel("x"),), [])):
            exchanges = self.exchanges(FakeClient(*results), offered=offered)
            for _ in range(2):
                error = self.failureResultOf(self.open(exchanges), ModelNotFound).value
                self.assertIn("claude-haiku-4-5", error.message)
            self.assertEqual(len(self.pool.leases), 3)

    def test_bounded(self) -> None:
        """One invented name does not make every account of a large pool ask."""
        client = FakeClient(*(missing() for _ in range(DENIALS)))
        exchanges = self.exchanges(client, *map(account, "abcdefghij"))
        self.failureResultOf(self.open(exchanges), ModelNotFound)
        self.assertEqual(len(client.calls), DENIALS)

    def test_others_rest(self) -> None:
        """Where accounts that may have it are only busy, the client is to come again."""
        exchanges = self.exchanges(FakeClient(missing()), account("a"))
        self.pool.accounts.append(account("b"))
        acquire = self.pool.acquire

        def busy(group: str, tried: frozenset[str], wanted: Wanted) -> "Deferred[object]":
            if tried:
                self.pool.accounts = []
            return acquire(group, tried, wanted)  # type: ignore[return-value]

        self.pool.acquire = busy  # type: ignore[method-assign, assignment]
        error = self.failureResultOf(self.open(exchanges), NoAccountAvailable).value
        self.assertEqual(error.retry_after, 7.0)

    def test_another_fault_counts_more(self) -> None:
        """A throttled account has the model: its fault is the answer, not that others lack it."""
        client = FakeClient(Throttled("slow"), missing())
        d = self.open(self.exchanges(client, account("a"), account("b")))
        self.assertEqual(self.failureResultOf(d, Throttled).value.message, "slow")

    def test_throttled_for_one_model(self) -> None:
        """Is a failure of the account like any other, not a lack."""
        fault = Throttled("slow", scope=Scope.ACCOUNT_MODEL)
        self.successResultOf(self.open(self.exchanges(FakeClient(fault, FakeStream(self.clock)))))
        self.assertEqual(self.ends(), [[End.FAILED], []])
        self.assertEqual(self.pool.lacking, [])

    def test_not_after_the_first_byte(self) -> None:
        """A client that was promised an answer is told (I2)."""
        pending: Deferred[FakeStream] = Deferred()
        asking = self.asking()
        client = FakeClient(pending)  # type: ignore[arg-type]
        d = self.open(self.exchanges(client, offered=OFFERED), asking)
        asking.committed = True
        pending.errback(missing())
        self.failureResultOf(d, ModelNotFound)
        self.assertEqual(len(client.calls), 1)

    def test_overloaded_model(self) -> None:
        """One more account may try; all of them meet the same model."""
        client = FakeClient(ModelOverloaded("1"), ModelOverloaded("2"), FakeStream(self.clock))
        d = self.open(self.exchanges(client, attempts=3))
        self.assertEqual(self.failureResultOf(d, ModelOverloaded).value.message, "2")
        self.assertEqual(len(client.calls), 2)


class DiaryTests(ExchangeCase):
    """What is written down of a question."""

    def test_tried(self) -> None:
        """Each call of the upstream with its end and its time."""
        pending: Deferred[FakeStream] = Deferred()
        results = (Throttled("t", code="ThrottlingException", status=429), pending)
        client = FakeClient(*results)  # type: ignore[arg-type]
        asking = self.asking()
        d = self.open(self.exchanges(client), asking)
        self.clock.advance(2)
        pending.callback(FakeStream(self.clock))
        exchange = self.successResultOf(d)
        wanted = [
            Attempt("a", SONNET, "ThrottlingException", 429, 0.0),
            Attempt("b", SONNET, "served", 200, 2.0),
        ]
        self.assertEqual(asking.tried, wanted)
        exchange.settle(End.FAILED, StreamStalled("x", code="stalled"))
        self.assertEqual(asking.tried[1].outcome, "stalled")

    def test_left(self) -> None:
        """A client that left is written down as such."""
        asking = self.asking()
        d = self.open(self.exchanges(FakeClient(Deferred())), asking)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(asking.tried, [Attempt("a", SONNET, "abandoned", 0, 0.0)])

    def test_broken_before_the_first_event(self) -> None:
        """The status is that of the head, where the fault has none of its own."""
        asking = self.asking()
        waiting: Deferred[None] = Deferred()
        client = FakeClient(FakeStream(self.clock, waiting))
        d = self.open(self.exchanges(client, attempts=1), asking)
        waiting.errback(UpstreamUnavailable("gone"))
        self.failureResultOf(d, UpstreamUnavailable)
        self.assertEqual(asking.tried, [Attempt("a", SONNET, "unavailable", 200, 0.0)])

    def test_outcome(self) -> None:
        """The pool hears of model and credits."""
        client = FramesClient(self.clock, metering(0.75))
        exchange = self.successResultOf(self.open(self.exchanges(client)))
        exchange.settle(End.SERVED)
        (outcome,) = self.pool.leases[0].outcomes
        self.assertEqual((outcome.model, outcome.credits), (SONNET, 0.75))

    def test_repairs(self) -> None:
        """Both what the translation did and what a refusal led to."""
        turns = (
            Turn("assistant", (Thinking("hm", "c2ln"), Text("hi"))),
            Turn("user", (Text("a"),)),
            Turn("user", (Text("b"),)),
        )
        refused = UpstreamRefused("refused", code="THINKING_SIGNATURE_INVALID")
        asking = Asking(Conversation(turns), "claude-opus-4-7", "default", 12)
        self.successResultOf(
            self.open(self.exchanges(FakeClient(refused, FakeStream(self.clock))), asking)
        )
        self.assertEqual(
            asking.repairs,
            ["history.merged", "history.opened", "signature.retried", "thinking.left_out"],
        )

    def test_searches(self) -> None:
        """How many succeeded is known in the end."""
        asking = self.asking()
        asking.conversation = msgspec.structs.replace(
            QUESTION, server_tools=(ServerTool("web_search"),)
        )
        exchange = self.successResultOf(
            self.open(self.exchanges(FakeClient(FakeStream(self.clock))), asking)
        )
        sink = Sink()
        exchange.stream.flow(sink)
        exchange.settle(End.SERVED)
        self.assertEqual(asking.searches, 0)


class CorrectionTests(ExchangeCase):
    """A call that was cut, and the turn after."""

    def test_next_turn(self) -> None:
        """Is told once."""
        client = FramesClient(self.clock, tool("a", "Write", input='{"p":'))
        client.results.append(FakeStream(self.clock))
        client.results.append(FakeStream(self.clock))
        exchanges = self.exchanges(client)
        tools = (ToolSpec("Write"),)
        first = msgspec.structs.replace(QUESTION, tools=tools)
        asking = Asking(first, SONNET, "default", 12)
        exchange = self.successResultOf(self.open(exchanges, asking))
        exchange.settle(End.SERVED)
        self.assertIn("call.cut", asking.repairs)
        turns = (*QUESTION.turns, Turn("assistant", (Text("so"),)), Turn("user", (Text("on"),)))
        client.frames = ()
        client.results.insert(0, UpstreamRefused("not now"))
        asking = Asking(msgspec.structs.replace(first, turns=turns), SONNET, "default", 12)
        self.failureResultOf(self.open(exchanges, asking), UpstreamRefused)
        for corrected in (True, False):
            asking = Asking(msgspec.structs.replace(first, turns=turns), SONNET, "default", 12)
            self.successResultOf(self.open(exchanges, asking))
            body = msgspec.json.decode(client.calls[-1][1])["conversationState"]
            content = body["currentMessage"]["userInputMessage"]["content"]
            self.assertEqual("cut off before it was complete" in content, corrected)
            self.assertEqual("call.corrected" in asking.repairs, corrected)
        self.assertEqual(exchanges.counts.corrections, 1)

    def test_left(self) -> None:
        """A client that left during a call is not told: it was not cut by us or the model."""
        client = FramesClient(self.clock, tool("a", "Write", input='{"p":'))
        exchanges = self.exchanges(client)
        asking = self.asking()
        exchange = self.successResultOf(self.open(exchanges, asking))
        exchange.settle(End.ABANDONED)
        self.assertNotIn("call.cut", asking.repairs)


class TextCallTests(ExchangeCase):
    """Calls that the model wrote into its text."""

    def test_counted(self) -> None:
        """They come from the interpreter that the exchange has made, and are counted."""
        text = '<invoke name="Write">\n</invoke>'
        client = FramesClient(
            self.clock, event("assistantResponseEvent", {"content": text}), finished=True
        )
        exchanges = self.exchanges(client)
        conversation = msgspec.structs.replace(QUESTION, tools=(ToolSpec("Write"),))
        asking = Asking(conversation, SONNET, "default", 12)
        exchange = self.successResultOf(self.open(exchanges, asking))
        exchange.settle(End.SERVED)
        self.assertEqual(exchanges.counts.calls_from_text, 1)
        self.assertIn("call.from_text", asking.repairs)

    def test_not_where_reasoning_is_text(self) -> None:
        """A call that is only thought of must not be made."""
        text = '<thinking>\n<invoke name="Write">\n</invoke>\n</thinking>'
        client = FramesClient(
            self.clock, event("assistantResponseEvent", {"content": text}), finished=True
        )
        exchanges = self.exchanges(client)
        conversation = msgspec.structs.replace(
            QUESTION, tools=(ToolSpec("Write"),), reasoning=Reasoning("adaptive", effort="high")
        )
        asking = Asking(conversation, SONNET, "default", 12)
        self.successResultOf(self.open(exchanges, asking)).settle(End.SERVED)
        self.assertEqual(exchanges.counts.calls_from_text, 0)


class CalibrationTests(ExchangeCase):
    """The estimate of the input learns from what the upstream counts."""

    def test_learnt(self) -> None:
        """Cached tokens included; by all the names of one model; a second answer that tells no
        numbers uses what was learnt."""
        counts = {
            "uncachedInputTokens": 1000,
            "outputTokens": 5,
            "cacheReadInputTokens": 9000,
            "cacheWriteInputTokens": 2000,
        }
        client = FramesClient(self.clock, event("metadataEvent", {"tokenUsage": counts}))
        client.results += [FakeStream(self.clock) for _ in range(40)]
        exchanges = self.exchanges(client)
        self.assertEqual(exchanges.estimated(SONNET, 10_000), 10_000)
        for _ in range(40):
            asking = self.asking()
            asking.input_tokens = 10_000
            exchange = self.successResultOf(self.open(exchanges, asking))
            exchange.settle(End.SERVED)
        self.assertEqual(exchanges.estimated("claude-sonnet-4-5-20250929", 10_000), 12_000)
        client.frames = ()
        asking = self.asking()
        asking.input_tokens = 10_000
        exchange = self.successResultOf(self.open(exchanges, asking))
        self.assertEqual(exchange.usage().input_tokens, 12_000)


class DocumentTests(ExchangeCase):
    """Documents as such, and as text after a refusal."""

    def test_refused(self) -> None:
        """Once; from then on this model is given the text."""
        offered = (OfferedModel(SONNET, input_types=("TEXT", "DOCUMENT")),)
        refused = UpstreamRefused("no", code="DOCUMENT_MODEL_NOT_SUPPORTED", status=400)
        client = FakeClient(refused, *(FakeStream(self.clock) for _ in range(2)))
        exchanges = self.exchanges(client, offered=offered)
        paper = Document("application/pdf", "JVBERg==", "a.pdf", "the text")
        for _ in range(2):
            asking = Asking(Conversation((Turn("user", (paper,)),)), SONNET, "default", 12)
            self.successResultOf(self.open(exchanges, asking))
        sent = [
            msgspec.json.decode(body)["conversationState"]["currentMessage"]["userInputMessage"]
            for _, body in client.calls
        ]
        self.assertEqual(["documents" in message for message in sent], [True, False, False])
        self.assertEqual([message["content"] for message in sent][1:], ["the text"] * 2)
        self.assertEqual(exchanges.counts.documents_refused, 1)


class FramesClient(FakeClient):
    """Every answer has begun with these frames."""

    def __init__(self, clock: Clock, *frames: Frame, finished: bool = False) -> None:
        super().__init__(FakeStream(clock))
        self.frames = frames
        self.finished = finished

    def generate(
        self, account: Account, credentials: Credentials, body: bytes, interpreter: Any
    ) -> Deferred[AnswerStream]:
        """The frames reach the interpreter."""
        interpreter.feed(self.frames)
        if self.finished:
            interpreter.finish()
        return super().generate(account, credentials, body, interpreter)
