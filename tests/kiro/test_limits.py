"""Tests of all that is enforced on an answer, together."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
)
from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from kiro2api.kiro.formats import Formed
from kiro2api.kiro.limits import Limits, limits_for
from kiro2api.kiro.tally import Tally
from tests.kiro import told
from tests.kiro.told import END, USAGE, call, counted, merged, pieces

TOOLS = (ToolSpec("t"), ToolSpec("u"))


class Bench:
    """The limits of one question, with a count of what goes in."""

    def __init__(self, *, max_output: int = 1000, tagged: bool = False, **asked: Any) -> None:
        self.tally = Tally()
        conversation = Conversation((), **asked)
        self.limits = limits_for(
            conversation,
            max_output=max_output,
            tagged=tagged,
            size=self.tally,
            usage=lambda: self.tally.usage(1000, 7),
        )

    def fed(self, *batches: list[StreamEvent]) -> list[StreamEvent]:
        """What comes out until no more is wanted."""
        assert self.limits is not None
        out: list[StreamEvent] = []
        for batch in batches:
            counted(self.tally, batch)
            out += self.limits.feed(batch)
            if self.limits.done:
                break
        return merged(out)


class WhichTests(SynchronousTestCase):
    """What is enforced when."""

    def test_nothing(self) -> None:
        """An ordinary question costs nothing."""
        for asked in (
            {},
            {"sampling": Sampling(max_tokens=1000)},
            {"sampling": Sampling(stop=("",))},
            {"tools": TOOLS},
            {"tool_choice": ToolChoice("any", parallel=False)},
            {"tools": TOOLS, "tool_choice": ToolChoice("named", "gone")},
            {"tools": TOOLS, "tool_choice": ToolChoice("none")},
        ):
            self.assertIsNone(Bench(**asked).limits, asked)

    def test_something(self) -> None:
        """Each wish of its own."""
        for asked in (
            {"sampling": Sampling(max_tokens=999)},
            {"sampling": Sampling(stop=("x",))},
            {"tagged": True},
            {"tools": TOOLS, "tool_choice": ToolChoice(parallel=False)},
            {"tools": TOOLS, "tool_choice": ToolChoice("any")},
            {"tools": TOOLS, "tool_choice": ToolChoice("named", "u")},
            {"output_format": OutputFormat("json_object")},
        ):
            self.assertIsNotNone(Bench(**asked).limits, asked)


class TogetherTests(SynchronousTestCase):
    """Several at once."""

    def test_the_first_end_counts(self) -> None:
        """A stop sequence before the limit, or the limit before the stop sequence."""
        sampling = Sampling(max_tokens=10, stop=("STOP",))
        text = TextDelta("x" * 20 + "STOP" + "y" * 20)
        bench = Bench(sampling=sampling)
        *_, end = bench.fed([text, USAGE, END])
        self.assertEqual(end, Ended(StopReason.STOP_SEQUENCE, "STOP"))
        text = TextDelta("x" * 36 + "STOP")
        *rest, end = Bench(sampling=sampling).fed([text, USAGE, END])
        self.assertEqual(rest[0], TextDelta("x" * 36 + "S"))
        self.assertEqual(end, Ended(StopReason.MAX_TOKENS))

    def test_stops_are_searched_in_text_only(self) -> None:
        """Tagged reasoning is none."""
        bench = Bench(tagged=True, sampling=Sampling(stop=("x",)))
        events = bench.fed([TextDelta("<thinking>x</thinking>axb"), USAGE, END])
        self.assertEqual(events[:2], [ThinkingDelta("x"), TextDelta("a")])

    def test_cut_json(self) -> None:
        """A limit on tokens cuts JSON as well; nobody asks again."""
        bench = Bench(sampling=Sampling(max_tokens=3), output_format=OutputFormat("json_object"))
        *rest, end = bench.fed([TextDelta('{"a":"')], [TextDelta("b" * 100)])
        self.assertEqual((rest[0], end), (TextDelta('{"a":"bbbbb'), Ended(StopReason.MAX_TOKENS)))
        assert bench.limits is not None
        self.assertIsNone(bench.limits.unmet)

    def test_call_before_json(self) -> None:
        """A demanded call is what is missing, not JSON."""
        wanted: dict[str, Any] = {
            "tools": TOOLS,
            "tool_choice": ToolChoice("any"),
            "output_format": OutputFormat("json_object"),
        }
        bench = Bench(**wanted)
        self.assertEqual(bench.fed([TextDelta("no"), USAGE, END]), [])
        assert bench.limits is not None and bench.limits.unmet is not None
        self.assertIn("tool", bench.limits.unmet.instruction)
        events: list[StreamEvent] = [*call("1"), USAGE, END]
        self.assertEqual(Bench(**wanted).fed(events), events)

    def test_too_long_to_be_checked(self) -> None:
        """Ends the answer, with the reason."""
        limits = Limits((), None, Formed(OutputFormat("json_object"), max_held=10))
        self.assertIsNone(limits.fault)
        self.assertEqual(limits.feed([TextDelta("x" * 20)]), [])
        self.assertTrue(limits.done)
        self.assertIsNotNone(limits.fault)
        self.assertEqual(limits.feed([TextDelta("more")]), ())

    def test_failed_answer(self) -> None:
        """What one filter held passes through those behind it."""
        bench = Bench(tagged=True, sampling=Sampling(stop=("thing",)))
        assert bench.limits is not None
        self.assertEqual(bench.fed([TextDelta("<thi")]), [])
        self.assertEqual(list(bench.limits.flush()), [TextDelta("<"), TextDelta("thi")])
        bench = Bench(tagged=True, tools=TOOLS, tool_choice=ToolChoice("any"))
        assert bench.limits is not None
        self.assertEqual(bench.fed([TextDelta("a <")]), [])
        self.assertEqual(merged(bench.limits.flush()), [TextDelta("a <")])

    @settings(max_examples=100, deadline=None)
    @given(
        told.answers,
        told.cuts,
        st.fixed_dictionaries(
            {
                "tagged": st.booleans(),
                "sampling": st.builds(
                    Sampling,
                    max_tokens=st.none() | st.integers(1, 20),
                    stop=st.sampled_from([(), ("STOP",), ("b<", "ab")]),
                ),
                "tools": st.just(TOOLS),
                "tool_choice": st.builds(
                    ToolChoice,
                    mode=st.sampled_from(["auto", "any", "named"]),
                    name=st.just("u"),
                    parallel=st.booleans(),
                ),
                "output_format": st.sampled_from([None, OutputFormat("json_object")]),
            }
        ),
    )
    def test_any_cuts(
        self, answer: list[StreamEvent], cuts: list[int], asked: dict[str, Any]
    ) -> None:
        """Whatever is asked, an answer in one piece and the same in many end alike, once."""
        one, other = Bench(**asked), Bench(**asked)
        if one.limits is None or other.limits is None:
            return
        whole = one.fed(answer)
        parts = other.fed(*([event] for event in pieces(answer, cuts)))
        # What it has cost differs by how much of the answer was read.
        self.assertEqual(
            [e for e in parts if type(e) is not type(USAGE)],
            [e for e in whole if type(e) is not type(USAGE)],
        )
        self.assertEqual(one.limits.done, other.limits.done)
        self.assertEqual(one.limits.unmet is None, other.limits.unmet is None)
        self.assertEqual(one.limits.unmet is None, bool(whole))
        if whole:
            self.assertIsInstance(whole[-1], Ended)
            self.assertIsInstance(whole[-2], type(USAGE))
            self.assertEqual(sum(isinstance(event, Ended) for event in whole), 1)
        if asked["tool_choice"].parallel is False:
            self.assertLessEqual(sum(isinstance(event, ToolBegun) for event in whole), 1)
