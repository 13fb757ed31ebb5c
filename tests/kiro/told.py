"""Events of an answer, for the tests of what is enforced on them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.kiro.limits import Filter
from kiro2api.kiro.tally import Tally

USAGE = Usage(input_tokens=7, output_tokens=5, credits=0.5, provenance="exact")
END = Ended(StopReason.END_TURN)
CALLED = Ended(StopReason.TOOL_USE)


def now() -> Usage:
    """What an answer has cost when it is ended early."""
    return Usage(input_tokens=7, output_tokens=3)


def call(id: str, name: str = "t", *inputs: str) -> list[StreamEvent]:
    """A whole call."""
    pieces = [ToolInputDelta(id, piece) for piece in inputs or ("{}",)]
    return [ToolBegun(id, name), *pieces, ToolEnded(id)]


def merged(events: Iterable[StreamEvent]) -> list[StreamEvent]:
    """The same with neighbouring pieces of one kind joined and empty ones left out."""
    out: list[StreamEvent] = []
    for event in events:
        last = out[-1] if out else None
        match last, event:
            case _, TextDelta("") | ThinkingDelta("") | ToolInputDelta(_, ""):
                pass
            case TextDelta(a), TextDelta(b):
                out[-1] = TextDelta(a + b)
            case ThinkingDelta(a), ThinkingDelta(b):
                out[-1] = ThinkingDelta(a + b)
            case ToolInputDelta(id, a), ToolInputDelta(same, b) if id == same:
                out[-1] = ToolInputDelta(id, a + b)
            case _:
                out.append(event)
    return out


def pieces(events: Sequence[StreamEvent], cuts: Sequence[int]) -> list[StreamEvent]:
    """The same answer with its texts cut at these positions."""
    out: list[StreamEvent] = []
    for event in events:
        if isinstance(event, (TextDelta, ThinkingDelta)):
            marks = sorted({0, len(event.text), *(cut % (len(event.text) + 1) for cut in cuts)})
            out += [type(event)(event.text[a:b]) for a, b in pairwise(marks)]
        elif isinstance(event, ToolInputDelta):
            marks = sorted({0, len(event.json), *(cut % (len(event.json) + 1) for cut in cuts)})
            out += [ToolInputDelta(event.id, event.json[a:b]) for a, b in pairwise(marks)]
        else:
            out.append(event)
    return out


def counted(tally: Tally, events: Iterable[StreamEvent]) -> None:
    """Count events as an interpreter does."""
    for event in events:
        match event:
            case TextDelta(text) | ThinkingDelta(text) | ToolInputDelta(_, text):
                tally.put_out(text)
            case ToolBegun(_, name):
                tally.put_out(name)


def fed(
    subject: Filter,
    batches: Iterable[Sequence[StreamEvent]],
    tally: Tally | None = None,
) -> list[StreamEvent]:
    """What comes out of these batches, until the filter wants no more."""
    out: list[StreamEvent] = []
    for batch in batches:
        if tally is not None:
            counted(tally, batch)
        out += subject.feed(batch)
        if subject.done:
            break
    return merged(out)


letters = st.sampled_from(["a", "b", "ab", "ba", "\n", " ", "é", "\U0001f600", "<", ">", "`"])
tags = st.sampled_from(["<thinking>", "</thinking>", "```", "STOP", "word "])
texts = st.lists(st.one_of(letters, tags), max_size=8).map("".join)
answers = st.lists(
    st.one_of(
        texts.map(lambda text: [TextDelta(text)]),
        texts.map(lambda text: [TextDelta(text)]),
        texts.map(lambda text: [ThinkingDelta(text)]),
        st.just([ThinkingSigned("c2ln")]),
        st.just([ThinkingRedacted("eA==")]),
        st.builds(call, st.just("id"), st.sampled_from(["t", "u"]), texts),
    ),
    max_size=5,
).map(lambda groups: [*(event for group in groups for event in group), USAGE, END])
"""Whole answers, with tool ids that repeat: filters do not look at them."""
cuts = st.lists(st.integers(0, 40), max_size=6)
