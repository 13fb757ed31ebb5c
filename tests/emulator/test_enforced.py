# -*- test-case-name: tests.emulator.test_enforced -*-
"""Questions put to the emulator through everything between a dialect and the wire.

What the upstream has no field for, and what it has one for, from the question to the answer.
"""

from collections.abc import Callable
from typing import Any, cast

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.interfaces import End, IAccountPool, Lease, Wanted
from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolBegun,
    Usage,
)
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
from kiro2api.conversation.tokens import estimate
from kiro2api.emulator.script import Script, ToolCall
from kiro2api.errors import UpstreamRefused
from kiro2api.exchange import Asking, Exchanges
from kiro2api.kiro.models import Catalogue
from kiro2api.redaction import Secret
from kiro2api.upstream.client import KiroClient
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.interfaces import OfferedModel
from tests.emulator.caller import ARN, EmulatorTestCase
from tests.fakes.lending import FakeOffers, FakePool, account
from tests.kiro.told import merged
from tests.upstream.streaming import Sink

OPUS = "claude-opus-4-7"
HAIKU = "claude-haiku-4-5"


@implementer(IAgent)
class Recording:
    """An agent that keeps the bodies of questions and lets bytes travel at once."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.bodies: list[Any] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        if bodyProducer is not None:
            self.bodies.append(msgspec.json.decode(cast(Any, bodyProducer)._data))
        asked: Deferred[IResponse] = self._agent.request(method, uri, headers, bodyProducer)
        self._agent.flush()
        return asked


class Pool(FakePool):
    """Lends an account that the emulator knows."""

    def __init__(self, token: str) -> None:
        super().__init__([account("first")])
        self.credentials = Credentials(Secret(token), Secret("r"), profile_arn=ARN)

    def acquire(
        self,
        group: str,
        tried: frozenset[str],
        wanted: Wanted = Wanted(),  # noqa: B008
    ) -> "Deferred[Lease]":
        """See ``IAccountPool``."""
        lending = super().acquire(group, tried, wanted)
        self.leases[-1].credentials = self.credentials
        return lending


class EnforcedCase(EmulatorTestCase):
    """Exchanges with the emulator as the upstream."""

    def setUp(self) -> None:
        super().setUp()
        self.offers = FakeOffers()
        self.token = self.bearer()["authorization"].removeprefix("Bearer ")
        self.pool = Pool(self.token)
        self.recording = Recording(self.agent)
        self.upstream = KiroClient(
            self.recording,
            HTTPClient(self.recording),
            Hosts(upstream="http://emulator.invalid"),
            self.clock,
            version="1",
            entropy=lambda: "u",
        )
        self.exchanges = Exchanges(
            IAccountPool(self.pool),
            self.upstream,
            Catalogue(),
            self.offers,
            self.clock,
            attempts=2,
            first_event_seconds=60,
            tool_description_limit=10_000,
            new_id=lambda: "00000000-0000-4000-8000-000000000000",
        )

    def asked(self, *scripts: Script, model: str = HAIKU, text: str = "hello", **more: Any) -> Sink:
        """What comes of a question."""
        self.emulator.script(*scripts)
        turns = more.pop("turns", (Turn("user", (Text(text),)),))
        conversation = Conversation(turns, **more)
        asking = Asking(conversation, model, "default", estimate(conversation))
        opening = ensureDeferred(self.exchanges.open(asking))
        self.travel(lambda: bool(opening.called))
        exchange = self.successResultOf(opening)
        sink = Sink()
        exchange.stream.flow(sink)
        self.travel(lambda: bool(sink.endings))
        exchange.settle(End.SERVED)
        self.agent.flush()
        self.asking = asking
        return sink

    def travel(self, arrived: Callable[[], bool]) -> None:
        """Let bytes travel until then."""
        for _ in range(50):
            if arrived():
                return
            self.agent.flush()
            self.clock.advance(0)
        self.fail("nothing comes any more")

    def ending(self, sink: Sink) -> Ended:
        """The proper end of an answer."""
        self.assertEqual(sink.endings, [None])
        usage, end = sink.all[-2:]
        assert isinstance(usage, Usage)
        assert isinstance(end, Ended)
        return end


class CachePointTests(EnforcedCase):
    """Points of the prompt cache."""

    def marked(self, model: str) -> list[bool]:
        """Whether each body that was sent had points."""
        turns = (
            Turn("user", (Text("a"),), True),
            Turn("assistant", (Text("b"),), True),
            Turn("user", (Text("c"),), True),
        )
        self.recording.bodies.clear()
        sink = self.asked(model=model, turns=turns, system=("s" * 20_000,), cache_system=True)
        self.ending(sink)
        return ["cachePoint" in str(body) for body in self.recording.bodies]

    def test_every_model_accepts_what_it_gets(self) -> None:
        """With the emulator's own list, none is refused; some models get points."""
        credentials = Credentials(Secret(self.token), Secret("r"), profile_arn=ARN)
        listing = self.upstream.models(account("first"), credentials)
        self.travel(lambda: bool(listing.called))
        self.offers.offered = self.successResultOf(listing)
        self.assertEqual(self.marked(OPUS), [True])
        self.assertEqual(self.marked(HAIKU), [False])
        self.assertEqual(self.exchanges.counts.cache_points_refused, 0)

    def test_refused(self) -> None:
        """A model that turns out to have no such cache is asked without, in this request already
        and from then on."""
        name = "claude-haiku-4.5"
        self.offers.offered = (OfferedModel(name, supports_caching=True, max_checkpoints=4),)
        self.assertEqual(self.marked(HAIKU), [True, False])
        self.assertEqual(self.marked(HAIKU), [False])
        self.assertEqual(self.exchanges.counts.cache_points_refused, 1)


class ThinkingTests(EnforcedCase):
    """Reasoning of both kinds."""

    def kinds(self, sink: Sink) -> list[type]:
        """Kinds of the events, neighbours merged."""
        return [type(event) for event in merged(sink.all)]

    def test_fields(self) -> None:
        """A model that takes fields thinks, and signs."""
        sink = self.asked(model=OPUS, reasoning=Reasoning("enabled", 31_999))
        self.assertEqual(
            self.recording.bodies[0]["additionalModelRequestFields"],
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        )
        expected = [ThinkingDelta, ThinkingSigned, TextDelta, Usage, Ended]
        self.assertEqual(self.kinds(sink), expected)

    def test_every_model_accepts_what_it_gets(self) -> None:
        """Whatever is wanted, of whatever model, it is never refused for the fields; with the
        models' own schemas as without."""
        credentials = Credentials(Secret(self.token), Secret("r"), profile_arn=ARN)
        listing = self.upstream.models(account("first"), credentials)
        self.travel(lambda: bool(listing.called))
        entries: tuple[OfferedModel, ...] = self.successResultOf(listing)
        self.assertTrue(any(entry.fields_schema for entry in entries))
        for offered in (entries, None):
            self.offers.offered = offered
            for entry in entries:
                for wanted in (
                    Reasoning("enabled", 31_999, None, "summarized"),
                    Reasoning("adaptive", None, "xhigh", "omitted"),
                    Reasoning("disabled", None, "minimal"),
                    Reasoning(effort="low"),
                ):
                    self.asked(model=entry.id, reasoning=wanted)
                    self.assertEqual(self.asking.attempts, 1, (entry.id, wanted))
        self.assertEqual(self.exchanges.counts.fields_refused, 0)

    def test_refused_fields(self) -> None:
        """A model that turns out to take none is asked by tags, in this request already."""
        self.offers.offered = (
            OfferedModel(
                "claude-haiku-4.5",
                fields_schema=b'{"properties":{"reasoning":{"properties":'
                b'{"effort":{"enum":["low"]}}}}}',
            ),
        )
        sink = self.asked(reasoning=Reasoning("adaptive", effort="low"))
        self.assertEqual(self.kinds(sink), [ThinkingDelta, TextDelta, Usage, Ended])
        self.assertEqual(self.exchanges.counts.fields_refused, 1)
        self.asked(reasoning=Reasoning("adaptive", effort="low"))
        self.assertEqual(self.asking.attempts, 1)

    def test_tags(self) -> None:
        """An older model thinks in tags, and the client sees none of them."""
        sink = self.asked(reasoning=Reasoning("enabled", 5000))
        self.assertEqual(self.kinds(sink), [ThinkingDelta, TextDelta, Usage, Ended])
        self.assertTrue(sink.text.startswith("Hello from the emulator"))
        self.assertNotIn("<", sink.text)

    def test_tags_nobody_asked_for(self) -> None:
        """Are text."""
        text = "<thinking>a</thinking> b"
        self.assertEqual(self.asked(Script(text=text)).text, text)

    def replayed(self, signature: str, text: str) -> Sink:
        """The next turn of a conversation with reasoning."""
        turns = (
            Turn("user", (Text("one"),)),
            Turn("assistant", (Thinking(text, signature), Text("two"))),
            Turn("user", (Text("three"),)),
        )
        return self.asked(model=OPUS, turns=turns, reasoning=Reasoning("adaptive"))

    def test_replay(self) -> None:
        """Reasoning goes back as it came; one that the upstream does not know is left out."""
        sink = self.asked(model=OPUS, reasoning=Reasoning("adaptive"))
        thought, signed, *_ = merged(sink.all)
        assert isinstance(thought, ThinkingDelta)
        assert isinstance(signed, ThinkingSigned)
        self.replayed(signed.signature, thought.text)
        self.assertEqual(self.asking.attempts, 1)
        history = self.recording.bodies[-1]["conversationState"]["history"]
        self.assertEqual(
            history[1]["assistantResponseMessage"]["reasoningContent"],
            {"reasoningText": {"text": thought.text, "signature": signed.signature}},
        )
        self.ending(self.replayed("Zm9yZWlnbg==", thought.text))
        self.assertEqual(self.asking.attempts, 2)
        self.assertEqual(self.exchanges.counts.signatures_refused, 1)


class LimitTests(EnforcedCase):
    """Ends that the upstream does not know."""

    def test_stop_sequence(self) -> None:
        """However the upstream cuts its answer; the rest of it is not waited for."""
        for slice in (0, 1, 7):
            script = Script(text="one two STOP three", repeat=1000, slice=slice)
            sink = self.asked(script, sampling=Sampling(stop=("STOP", "never")))
            self.assertEqual(sink.text, "one two ")
            self.assertEqual(self.ending(sink), Ended(StopReason.STOP_SEQUENCE, "STOP"))

    def test_max_tokens(self) -> None:
        """As many tokens as we count, the same in one piece and in many."""
        for slice in (0, 1, 7):
            script = Script(text="word " * 100, slice=slice)
            sink = self.asked(script, sampling=Sampling(max_tokens=10))
            self.assertEqual(sink.text, ("word " * 100)[:37])
            self.assertEqual(self.ending(sink).reason, StopReason.MAX_TOKENS)
            usage = sink.all[-2]
            assert isinstance(usage, Usage)
            self.assertEqual(usage.output_tokens, 10)

    def test_one_call(self) -> None:
        """A client that takes one call at a time gets one."""
        text = 'call a {"n": 1}\ncall b {"n": 2}'
        tools = (ToolSpec("a"), ToolSpec("b"))
        for parallel, count in ((True, 2), (False, 1)):
            sink = self.asked(text=text, tools=tools, tool_choice=ToolChoice(parallel=parallel))
            self.assertEqual(sum(isinstance(e, ToolBegun) for e in sink.all), count)
            self.assertEqual(self.ending(sink).reason, StopReason.TOOL_USE)


class DemandTests(EnforcedCase):
    """Answers that must be something."""

    def test_json(self) -> None:
        """Out of its fence, or in a second round; both rounds are paid for."""
        wanted = OutputFormat("json_schema", b'{"type":"object","required":["a"]}')
        fenced = Script(text='```json\n{"a": 1}\n```', credits=1.0)
        sink = self.asked(fenced, output_format=wanted)
        self.assertEqual((sink.text, self.asking.attempts), ('{"a": 1}', 1))
        sink = self.asked(Script(text="Sure: {}", credits=2.0), fenced, output_format=wanted)
        self.assertEqual((sink.text, self.asking.attempts), ('{"a": 1}', 2))
        self.ending(sink)
        usage = sink.all[-2]
        assert isinstance(usage, Usage)
        self.assertEqual(usage.credits, 3.0)
        message = self.recording.bodies[-1]["conversationState"]["currentMessage"]
        self.assertIn("'a' is a required property", message["userInputMessage"]["content"])

    def test_willing_model(self) -> None:
        """One that does as it is told needs one round."""
        wanted = OutputFormat("json_schema", b'{"properties":{"n":{"type":"integer"}}}')
        sink = self.asked(output_format=wanted)
        self.assertEqual((sink.text, self.asking.attempts), ('{"n":0}', 1))
        for choice in (ToolChoice("any"), ToolChoice("named", "look")):
            sink = self.asked(tools=(ToolSpec("look"),), tool_choice=choice)
            self.assertEqual(self.ending(sink).reason, StopReason.TOOL_USE)
            self.assertEqual(self.asking.attempts, 1)

    def test_no_json(self) -> None:
        """Not in the second round either: a failure that says so, and no part of an answer."""
        sink = self.asked(Script(text="no", times=2), output_format=OutputFormat("json_object"))
        (fault,) = sink.endings
        assert isinstance(fault, UpstreamRefused)
        self.assertEqual((fault.code, sink.batches), ("invalid_json_output", []))

    def test_demanded_call(self) -> None:
        """Made in the second round."""
        script = Script(calls=(ToolCall("look", msgspec.Raw(b'{"a":1}')),))
        sink = self.asked(
            Script(text="I will not.", calls=()),
            script,
            tools=(ToolSpec("look"),),
            tool_choice=ToolChoice("named", "look"),
        )
        kinds = [e for e in sink.all if isinstance(e, ToolBegun)]
        self.assertEqual(len(kinds), 1)
        self.assertEqual(self.ending(sink).reason, StopReason.TOOL_USE)
        self.assertEqual((self.asking.attempts, self.exchanges.counts.repairs), (2, 1))

    def test_demanded_call_is_never_made(self) -> None:
        """Then the client gets what there is."""
        sink = self.asked(
            Script(text="I will not.", calls=(), times=2),
            tools=(ToolSpec("look"),),
            tool_choice=ToolChoice("any"),
        )
        self.assertEqual(sink.text, "I will not.")
        self.assertEqual(self.ending(sink).reason, StopReason.END_TURN)


class OverflowTests(EnforcedCase):
    """Questions that are too long."""

    def test_numbers(self) -> None:
        """The client is told both."""
        text = "word " * 300_000
        conversation = Conversation((Turn("user", (Text(text),)),))
        asking = Asking(conversation, HAIKU, "default", estimate(conversation))
        opening = ensureDeferred(self.exchanges.open(asking))
        self.travel(lambda: bool(opening.called))
        error = self.failureResultOf(opening, UpstreamRefused).value
        self.assertRegex(error.message, r"^prompt is too long: \d+ tokens > 200000 maximum$")
