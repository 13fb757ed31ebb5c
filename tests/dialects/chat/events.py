"""Sequences of events: such as the upstream side promises, and any others."""

from hypothesis import strategies as st

from kiro2api.conversation.answer import (
    Ended,
    SearchBegun,
    SearchEnded,
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
from kiro2api.conversation.search import SearchHit

TEXTS = st.text(max_size=6)
IDS = st.sampled_from(["tooluse_a", "tooluse_b", "c", ""])
COUNTS = st.integers(0, 10**6)

USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)
ENDINGS = st.builds(Ended, st.sampled_from(StopReason))
HITS = st.lists(st.builds(SearchHit, TEXTS, TEXTS), max_size=3).map(tuple)
SPOKEN = st.one_of(
    st.builds(TextDelta, TEXTS),
    st.builds(ThinkingDelta, TEXTS),
    st.builds(ThinkingSigned, TEXTS),
    st.builds(ThinkingRedacted, TEXTS),
)
ANY: st.SearchStrategy[list[StreamEvent]] = st.lists(
    st.one_of(
        SPOKEN,
        st.builds(ToolBegun, IDS, TEXTS),
        st.builds(ToolInputDelta, IDS, TEXTS),
        st.builds(ToolEnded, IDS),
        st.builds(SearchBegun, IDS, TEXTS),
        st.builds(SearchEnded, IDS, HITS),
        USAGES,
        ENDINGS,
    ),
    max_size=20,
)
"""Any events in any order."""


@st.composite
def answers(draw: st.DrawFn) -> list[StreamEvent]:
    """A whole answer that keeps the grammar."""
    events: list[StreamEvent] = []
    for index in range(draw(st.integers(0, 3))):
        events.extend(draw(st.lists(SPOKEN, max_size=4)))
        if draw(st.booleans()):
            identity = f"tooluse_{index}"
            events.append(ToolBegun(identity, f"tool{index}"))
            pieces = draw(st.sampled_from([[], [""], ["{}"], ['{"a"', ":1}"], ["", '{"b":"é"}']]))
            events.extend(ToolInputDelta(identity, piece) for piece in pieces)
            events.append(ToolEnded(identity))
    events.extend(draw(st.lists(SPOKEN, max_size=2)))
    events.extend(draw(st.lists(USAGES, max_size=1)))
    events.append(draw(ENDINGS))
    return events
