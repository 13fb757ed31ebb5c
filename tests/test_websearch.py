"""Tests for kiro2api.websearch: rounds, their order, and whatever may end them."""

from collections.abc import Callable, Sequence
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kiro2api.conversation.answer import (
    Ended,
    SearchBegun,
    SearchEnded,
    StopReason,
    StreamEvent,
    TextDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.question import (
    Conversation,
    ServerTool,
    Text,
    ToolResult,
    ToolSpec,
    ToolUse,
    Turn,
)
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import (
    Kind,
    RequestRejected,
    StreamTruncated,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.upstream.interfaces import AnswerStream, IEventSink
from kiro2api.websearch import MAX_ROUNDS, MAX_WAITING, SearchingStream
from kiro2api.websearch_tool import planned
from tests.fakes.answers import FakeStream

HITS = (SearchHit("https://a.example/", "A"),)
USED = Usage(10, 2, credits=0.5, provenance="exact")
CALLED = Ended(StopReason.TOOL_USE)
DONE = Ended(StopReason.END_TURN)


def call(id: str, query: str = "q", name: str = "web_search") -> list[StreamEvent]:
    """A whole call."""
    return [
        ToolBegun(id, name),
        ToolInputDelta(id, f'{{"query":"{query[:1]}'),
        ToolInputDelta(id, f'{query[1:]}"}}'),
        ToolEnded(id),
    ]


@implementer(IEventSink)
class Taking:
    """A sink that remembers, and does on the way what the test says."""

    def __init__(self) -> None:
        self.taken: list[StreamEvent] = []
        self.batches = 0
        self.ends: list[UpstreamFault | None] = []
        self.react: Callable[[StreamEvent], None] = lambda event: None

    def events(self, batch: Sequence[StreamEvent]) -> None:
        assert batch
        assert not self.ends
        self.batches += 1
        self.taken += batch
        for event in batch:
            self.react(event)

    def ended(self, fault: UpstreamFault | None) -> None:
        self.ends.append(fault)


class Case(SynchronousTestCase):
    """A stream of rounds that the test pushes, with searches that it answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.rounds = [self.round()]
        self.sink = Taking()
        self.queries: list[str] = []
        self.conversations: list[Conversation] = []
        self.late: list[Deferred[tuple[SearchHit, ...]]] = []
        self.next: list[Deferred[AnswerStream]] = []
        self.stream = self.make()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def round(self) -> FakeStream:
        stream = FakeStream(self.clock)
        stream.held = []
        return stream

    def make(self, max_uses: int | None = None) -> SearchingStream:
        plan = planned(
            Conversation(
                turns=(Turn("user", (Text("?"),)),),
                tools=(ToolSpec("read"),),
                server_tools=(ServerTool(kind="web_search", max_uses=max_uses),),
            )
        )
        assert plan is not None
        stream = SearchingStream(self.rounds[0], plan, self.search, self.another, self.clock)
        stream.flow(self.sink)
        return stream

    def search(self, query: str) -> Deferred[tuple[SearchHit, ...]]:
        self.queries.append(query)
        return self.late.pop(0) if self.late else succeed(HITS)

    def another(self, conversation: Conversation) -> Deferred[AnswerStream]:
        self.conversations.append(conversation)
        if self.next:
            return self.next.pop(0)
        self.rounds.append(self.round())
        return succeed(self.rounds[-1])

    def push(self, *events: StreamEvent) -> None:
        """One read of the latest round."""
        self.rounds[-1].push(*events)

    def over(self, *events: StreamEvent) -> None:
        """The last read of it."""
        self.push(*events)
        self.rounds[-1].end()

    def taken(self, *expected: StreamEvent) -> None:
        """So much has been given since the last look."""
        self.assertEqual(self.sink.taken, list(expected))
        self.sink.taken.clear()


class RoundTests(Case):
    """Answers that come to their end."""

    def test_sink(self) -> None:
        """It stands where a sink stands."""
        verifyObject(IEventSink, self.stream)
        self.assertEqual(self.stream.request_id, "upstream-1")
        self.successResultOf(self.stream.first())

    def test_without_searches(self) -> None:
        """Everything passes; the usage comes with the end."""
        self.push(TextDelta("a"))
        self.taken(TextDelta("a"))
        client = call("c", name="read")
        self.push(*client, USED)
        self.taken(*client)
        self.over(CALLED)
        self.taken(USED, CALLED)
        self.assertEqual(self.sink.ends, [None])
        self.assertEqual((self.queries, self.conversations), ([], []))

    def test_two_rounds(self) -> None:
        """A call becomes a search, its round's end another round, all of it one answer."""
        self.push(TextDelta("I look. "), *call("s")[:2])
        self.taken(TextDelta("I look. "))
        self.push(*call("s")[2:])
        self.assertEqual(self.queries, ["q"])
        self.taken(SearchBegun("s", "q"), SearchEnded("s", HITS))
        self.over(USED, CALLED)
        self.taken()
        self.over(TextDelta("It is A."), USED, DONE)
        total = Usage(20, 4, credits=1.0, provenance="exact", searches=1)
        self.taken(TextDelta("It is A."), total, DONE)
        self.assertEqual(self.sink.ends, [None])
        (conversation,) = self.conversations
        self.assertEqual([spec.name for spec in conversation.tools], ["read", "web_search"])
        self.assertEqual(
            conversation.turns[1:],
            (
                Turn(
                    "assistant",
                    (Text("I look. "), ToolUse("s", "web_search", b'{"query":"q"}')),
                ),
                Turn(
                    "user",
                    (ToolResult("s", (Text("[1] A\nhttps://a.example/"),)),),
                ),
            ),
        )

    def test_held_events_of_the_next_round(self) -> None:
        """What a round holds when it is taken over comes at once."""
        held = self.round()
        held.held = [TextDelta("now")]
        self.next.append(succeed(held))
        self.over(*call("s"), USED, CALLED)
        self.assertEqual(self.sink.taken[-1], TextDelta("now"))

    def test_many_rounds(self) -> None:
        """Each builds upon the last; after so many the answer ends where it is."""
        for number in range(MAX_ROUNDS + 1):
            self.assertEqual(self.sink.ends, [])
            self.over(*call(f"s{number}"), USED, CALLED)
        self.assertEqual(self.sink.ends, [None])
        self.assertEqual(self.sink.taken[-1], DONE)
        self.assertEqual(len(self.conversations), MAX_ROUNDS)
        self.assertEqual(len(self.conversations[-1].turns), 1 + 2 * MAX_ROUNDS)
        usage = self.sink.taken[-2]
        assert isinstance(usage, Usage)
        self.assertEqual(usage.input_tokens, 10 * (MAX_ROUNDS + 1))
        self.assertEqual(usage.searches, MAX_ROUNDS + 1)

    def test_max_uses(self) -> None:
        """A call too many is told to the client and to the model, which goes on."""
        self.stream = self.make(max_uses=1)
        self.over(*call("s"), *call("t"), USED, CALLED)
        self.taken(
            SearchBegun("s", "q"),
            SearchEnded("s", HITS),
            SearchBegun("t", "q"),
            SearchEnded("t", (), "max_uses_exceeded"),
        )
        result = self.conversations[0].turns[-1].parts[1]
        assert isinstance(result, ToolResult)
        self.assertTrue(result.is_error)
        self.over(TextDelta("x"), USED, DONE)
        self.assertEqual(self.sink.ends, [None])

    def test_failed_search(self) -> None:
        """It is no failure of the answer, and not counted."""
        self.late.append(fail(UpstreamUnavailable("x")))
        self.over(*call("s"), USED, CALLED)
        self.taken(SearchBegun("s", "q"), SearchEnded("s", (), "unavailable"))
        self.over(USED, DONE)
        self.taken(Usage(20, 4, credits=1.0, provenance="exact"), DONE)

    def test_mixed(self) -> None:
        """With a call for the client in it, the round is the last: the client goes on."""
        client = call("c", name="read")
        self.over(*call("s"), *client, USED, CALLED)
        self.taken(
            SearchBegun("s", "q"),
            SearchEnded("s", HITS),
            *client,
            Usage(10, 2, credits=0.5, provenance="exact", searches=1),
            CALLED,
        )
        self.assertEqual((self.sink.ends, self.conversations), ([None], []))

    def test_cut(self) -> None:
        """An answer that was cut ends, whatever was searched; half a call never happened."""
        cut = Ended(StopReason.MAX_TOKENS)
        self.over(*call("s"), *call("t")[:2], USED, cut)
        self.assertEqual(self.queries, ["q"])
        self.assertEqual(self.sink.taken[-1], cut)
        self.assertEqual((self.sink.ends, self.conversations), ([None], []))

    def test_without_usage(self) -> None:
        """A round of unknown cost costs nothing."""
        self.over(*call("s"), CALLED)
        self.over(TextDelta("x"), DONE)
        self.assertEqual(self.sink.taken[-2:], [TextDelta("x"), DONE])


class OrderTests(Case):
    """Searches that take their time."""

    def test_what_comes_behind_waits(self) -> None:
        """Parallel searches run together and are told one after the other."""
        first: Deferred[tuple[SearchHit, ...]] = Deferred()
        second: Deferred[tuple[SearchHit, ...]] = Deferred()
        self.late += [first, second]
        self.push(*call("s"), TextDelta("and"), *call("t", "r"))
        self.assertEqual(self.queries, ["q", "r"])
        self.taken(SearchBegun("s", "q"))
        second.callback(())
        self.taken()
        self.over(USED, CALLED)
        self.taken()
        first.callback(HITS)
        self.taken(
            SearchEnded("s", HITS), TextDelta("and"), SearchBegun("t", "r"), SearchEnded("t")
        )
        self.assertEqual(len(self.conversations), 1)
        self.over(USED, DONE)

    def test_last_read(self) -> None:
        """Neither a search nor an opening is silence; afterwards silence counts anew."""
        self.late.append(Deferred())
        search = self.late[0]
        opening: Deferred[AnswerStream] = Deferred()
        self.next.append(opening)
        self.over(*call("s"), USED, CALLED)
        self.clock.advance(20)
        self.assertEqual(self.stream.last_read, 1020)
        search.callback(HITS)
        self.clock.advance(50)
        self.assertEqual(self.stream.last_read, 1070)
        self.rounds.append(self.round())
        self.rounds[-1].last_read = 1060
        opening.callback(self.rounds[-1])
        self.clock.advance(5)
        self.assertEqual(self.stream.last_read, 1070)
        self.push(TextDelta("x"))
        self.assertEqual(self.stream.last_read, 1075)
        self.late.append(Deferred())
        search = self.late[0]
        self.push(*call("t"))
        self.clock.advance(7)
        search.callback(HITS)
        self.clock.advance(1)
        self.assertEqual(self.stream.last_read, 1082)

    def test_too_much_waits(self) -> None:
        """The upstream is stopped, and let go when the search has ended."""
        self.late.append(Deferred())
        search = self.late[0]
        self.push(*call("s"), *[TextDelta("x")] * (MAX_WAITING - 2))
        self.assertFalse(self.rounds[0].paused)
        self.push(TextDelta("x"), TextDelta("x"))
        self.assertTrue(self.rounds[0].paused)
        self.stream.pause()
        self.stream.resume()
        self.assertTrue(self.rounds[0].paused)
        search.callback(HITS)
        self.assertFalse(self.rounds[0].paused)
        self.assertEqual(len(self.sink.taken), MAX_WAITING + 2)

    def test_too_much_for_a_client_that_is_full(self) -> None:
        """An upstream that was stopped stays so while the client does not read."""
        self.late.append(Deferred())
        search = self.late[0]
        self.push(*call("s"), *[TextDelta("x")] * MAX_WAITING)
        self.sink.react = lambda event: self.stream.pause()
        search.callback(HITS)
        self.assertTrue(self.rounds[0].paused)
        self.stream.resume()
        self.assertFalse(self.rounds[0].paused)

    def test_pause(self) -> None:
        """A client that does not read is given nothing, and the next round is not begun."""
        self.late.append(Deferred())
        search = self.late[0]
        self.push(*call("s"))
        self.stream.pause()
        self.assertTrue(self.rounds[0].paused)
        self.sink.taken.clear()
        search.callback(HITS)
        self.over(USED, CALLED)
        self.taken()
        self.stream.resume()
        self.taken(SearchEnded("s", HITS))
        self.assertEqual(len(self.conversations), 1)
        self.over(USED, DONE)
        self.assertEqual(self.sink.ends, [None])

    def test_pause_while_opening(self) -> None:
        """A round that is opened for a client that does not read waits for it."""
        opening: Deferred[AnswerStream] = Deferred()
        self.next.append(opening)
        self.over(*call("s"), USED, CALLED)
        self.stream.pause()
        self.rounds.append(self.round())
        opening.callback(self.rounds[-1])
        self.assertIsNone(self.rounds[-1].sink)
        self.stream.resume()
        self.over(TextDelta("x"), USED, DONE)
        self.assertEqual(self.sink.ends, [None])

    def test_pause_from_within(self) -> None:
        """A client that is full in the middle gets the rest later."""
        self.sink.react = lambda event: self.stream.pause() if event == DONE else None
        self.push(TextDelta("x"), USED)
        self.stream.pause()
        self.over(DONE)
        self.taken(TextDelta("x"))
        self.stream.resume()
        self.taken(USED, DONE)
        self.assertEqual(self.sink.ends, [None])

    def test_resume(self) -> None:
        """The upstream goes on with the client."""
        self.stream.pause()
        self.stream.resume()
        self.assertFalse(self.rounds[0].paused)


class EndTests(Case):
    """Answers that end before their time."""

    def test_fault(self) -> None:
        """In the first round it is passed on as it is."""
        fault = StreamTruncated("x")
        self.push(TextDelta("a"), ToolBegun("s", "web_search"))
        self.rounds[0].end(fault)
        self.taken(TextDelta("a"))
        self.assertEqual(self.sink.ends, [fault])

    def test_fault_during_a_search(self) -> None:
        """The search is given up, and told as failed before the answer fails."""
        cancelled: list[bool] = []
        self.late.append(Deferred(lambda _: cancelled.append(True)))
        fault = StreamTruncated("x")
        self.push(*call("s"), TextDelta("b"))
        self.rounds[0].end(fault)
        self.taken(SearchBegun("s", "q"), SearchEnded("s", (), "unavailable"), TextDelta("b"))
        self.assertEqual((self.sink.ends, cancelled), ([fault], [True]))

    def test_fault_in_a_later_round(self) -> None:
        """What the earlier ones have cost is told."""
        fault = StreamTruncated("x")
        self.over(*call("s"), USED, CALLED)
        self.sink.taken.clear()
        self.push(TextDelta("a"))
        self.rounds[-1].end(fault)
        self.taken(TextDelta("a"), Usage(10, 2, credits=0.5, provenance="exact", searches=1))
        self.assertEqual(self.sink.ends, [fault])

    def test_next_round_refused(self) -> None:
        """So it is when there is no next round."""
        fault = UpstreamUnavailable("x")
        self.next.append(fail(fault))
        self.over(*call("s"), USED, CALLED)
        self.assertEqual(self.sink.ends, [fault])
        self.assertIsInstance(self.sink.taken[-1], Usage)

    def test_next_round_impossible(self) -> None:
        """A conversation that has become too large is the upstream's refusal to the client."""
        self.next.append(fail(RequestRejected("big", kind=Kind.TOO_LARGE, code="c")))
        self.over(*call("s"), USED, CALLED)
        (fault,) = self.sink.ends
        assert isinstance(fault, UpstreamRefused)
        self.assertEqual((fault.message, fault.kind, fault.code), ("big", Kind.TOO_LARGE, "c"))

    def test_next_round_broken(self) -> None:
        """What nobody foresaw is logged and ends the answer."""
        self.next.append(fail(ZeroDivisionError("secret")))
        self.over(*call("s"), USED, CALLED)
        (fault,) = self.sink.ends
        self.assertIsInstance(fault, UpstreamUnavailable)
        self.assertNotIn("secret", str(fault))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_end(self) -> None:
        """A stream that ends without saying so ends the answer as well."""
        self.over(TextDelta("a"))
        self.taken(TextDelta("a"))
        self.assertEqual(self.sink.ends, [None])


class AbandonTests(Case):
    """The client leaves: nothing runs on, nothing more is given."""

    def note(self, numbers: list[int], number: int, _: object) -> None:
        numbers.append(number)

    def left(self) -> None:
        """Leave, twice, and see that nothing more comes."""
        self.sink.taken.clear()
        self.stream.abandon()
        self.stream.abandon()
        self.assertGreaterEqual(self.rounds[-1].abandoned, 1)
        self.stream.resume()
        self.taken()
        self.assertEqual(self.sink.ends, [])

    def test_in_a_round(self) -> None:
        """The stream is abandoned."""
        self.push(TextDelta("a"), ToolBegun("s", "web_search"))
        self.left()

    def test_in_a_search(self) -> None:
        """All searches are cancelled."""
        cancelled: list[int] = []
        for number in range(2):
            self.late.append(Deferred(partial(self.note, cancelled, number)))
        self.push(*call("s"), *call("t"), TextDelta("x"))
        self.left()
        self.assertEqual(cancelled, [0, 1])

    def test_behind_the_end_of_a_round(self) -> None:
        """No round is opened for nobody."""
        self.late.append(Deferred())
        self.over(*call("s"), USED, CALLED)
        self.left()
        self.assertEqual(self.conversations, [])

    def test_in_an_opening(self) -> None:
        """The opening is cancelled."""
        cancelled: list[bool] = []
        opening: Deferred[AnswerStream] = Deferred(lambda _: cancelled.append(True))
        self.next.append(opening)
        self.over(*call("s"), USED, CALLED)
        self.left()
        self.assertEqual(cancelled, [True])
        self.successResultOf(opening)  # the cancellation went no further

    def test_in_an_opening_that_succeeds(self) -> None:
        """A round that comes although it was cancelled is abandoned."""
        late = self.round()
        self.next.append(Deferred(lambda d: d.callback(late)))
        self.over(*call("s"), USED, CALLED)
        self.left()
        self.assertEqual((late.abandoned, late.sink), (1, None))

    def test_in_the_second_round(self) -> None:
        """The stream of now is abandoned."""
        self.over(*call("s"), USED, CALLED)
        self.push(TextDelta("a"))
        self.left()

    def test_from_within(self) -> None:
        """A client that leaves while it is given something gets nothing more."""
        self.sink.react = lambda event: self.stream.abandon()
        self.push(TextDelta("a"), *call("s"))
        self.assertEqual(self.sink.batches, 1)
        self.rounds[0].end(StreamTruncated("x"))
        self.assertEqual((self.sink.ends, self.conversations), ([], []))

    def test_at_the_end(self) -> None:
        """Leaving with the last event is too late to change anything, and harmless."""
        self.sink.react = lambda event: self.stream.abandon() if event == DONE else None
        self.over(TextDelta("a"), USED, DONE)
        self.assertEqual(self.sink.ends, [])

    def test_after_the_end(self) -> None:
        """So is leaving later."""
        self.over(TextDelta("a"), USED, DONE)
        self.stream.abandon()
        self.stream.ended(None)
        self.assertEqual(self.sink.ends, [None])

    def test_cancelled_first(self) -> None:
        """The first event is the stream's own affair."""
        stream = FakeStream(self.clock, Deferred())
        plan = planned(Conversation((), server_tools=(ServerTool(kind="web_search"),)))
        assert plan is not None
        first = SearchingStream(stream, plan, self.search, self.another, self.clock).first()
        first.cancel()
        self.failureResultOf(first, CancelledError)


KINDS = st.lists(st.sampled_from(["text", "search", "client"]), max_size=6)


def pieces_of(kinds: list[str]) -> list[list[StreamEvent]]:
    """An answer of these pieces, told apart by their numbers."""
    made: dict[str, Callable[[int], list[StreamEvent]]] = {
        "text": lambda number: [TextDelta(f"t{number}")],
        "search": lambda number: call(f"s{number}", f"q{number}"),
        "client": lambda number: call(f"c{number}", name="read"),
    }
    return [made[kind](number) for number, kind in enumerate(kinds)]


class SplitTests(SynchronousTestCase):
    """The same answer, however it is cut and however long searches take."""

    def shown(self, events: list[StreamEvent], cuts: set[int], order: list[int]) -> list[object]:
        """What a client is given; searches are answered in some order at the very end."""
        clock = Clock()
        stream, sink = FakeStream(clock), Taking()
        stream.held = []
        waiting: list[tuple[str, Deferred[tuple[SearchHit, ...]]]] = []

        def search(query: str) -> Deferred[tuple[SearchHit, ...]]:
            waiting.append((query, Deferred()))
            return waiting[-1][1]

        def another(conversation: Conversation) -> Deferred[AnswerStream]:
            return fail(UpstreamUnavailable("enough"))

        plan = planned(Conversation((), server_tools=(ServerTool(kind="web_search"),)))
        assert plan is not None
        searching = SearchingStream(stream, plan, search, another, clock)
        searching.flow(sink)
        start = 0
        for stop in sorted({*cuts, len(events)}):
            if stop > start:
                stream.push(*events[start:stop])
                start = stop
        stream.end()
        for place in order:
            if waiting:
                query, found = waiting.pop(place % len(waiting))
                found.callback((SearchHit(query),))
        for query, found in waiting:
            found.callback((SearchHit(query),))
        self.assertEqual(len(sink.ends), 1)
        self.assertEqual(clock.getDelayedCalls(), [])
        return list(sink.taken)

    @settings(max_examples=100, deadline=None)
    @given(KINDS, st.sets(st.integers(1, 24)), st.lists(st.integers(0, 9), max_size=6))
    def test_any_way(self, kinds: list[str], cuts: set[int], order: list[int]) -> None:
        """Every event comes once and in its place."""
        pieces = pieces_of(kinds)
        events = [event for piece in pieces for event in piece]
        expected: list[object] = []
        for piece in pieces:
            first = piece[0]
            if isinstance(first, ToolBegun) and first.name == "web_search":
                query = f"q{first.id[1:]}"
                expected += [
                    SearchBegun(first.id, query),
                    SearchEnded(first.id, (SearchHit(query),)),
                ]
            else:
                expected += piece
        taken = self.shown([*events, USED, CALLED], cuts, order)
        shown = [event for event in taken if not isinstance(event, Usage | Ended)]
        self.assertEqual(shown, expected)
