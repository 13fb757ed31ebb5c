"""Event sequences for the property tests: well-formed ones, and anything at all."""

import json

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

texts = st.text(max_size=12)
# Half a surrogate pair is not text, but must not bring a stream down either.
wild_texts = st.one_of(texts, st.sampled_from(["\ud83d", "\ude00x", "a\ud83d"]))
usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_tokens=st.integers(0, 10**6),
)
endings = st.builds(Ended, reason=st.sampled_from(StopReason), stop_sequence=texts)
inputs = st.dictionaries(texts, st.one_of(texts, st.integers(), st.none()), max_size=3)


@st.composite
def calls(draw: st.DrawFn, number: int) -> list[StreamEvent]:
    """One whole call, its input cut into fragments anywhere."""
    tool_id = f"tooluse_{number}"
    found: list[StreamEvent] = [ToolBegun(tool_id, draw(texts))]
    whole = json.dumps(draw(inputs), ensure_ascii=draw(st.booleans()))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    if draw(st.booleans()):
        for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            found.append(ToolInputDelta(tool_id, whole[start:stop]))
    found.append(ToolEnded(tool_id))
    return found


hits = st.builds(SearchHit, texts, texts, texts, texts)


@st.composite
def searches(draw: st.DrawFn, number: int) -> list[StreamEvent]:
    """One search with what it found, or why it found nothing."""
    search_id = f"tooluse_s{number}"
    ended = draw(
        st.one_of(
            st.builds(SearchEnded, st.just(search_id), st.tuples(hits)),
            st.just(SearchEnded(search_id)),
            st.just(SearchEnded(search_id, error="unavailable")),
        )
    )
    return [SearchBegun(search_id, draw(texts)), ended]


@st.composite
def answers(draw: st.DrawFn) -> list[StreamEvent]:
    """A whole answer that keeps the grammar of events."""
    found: list[StreamEvent] = []
    for number in range(draw(st.integers(0, 6))):
        found += draw(
            st.one_of(
                st.lists(st.builds(TextDelta, texts), max_size=3),
                st.lists(st.builds(ThinkingDelta, texts), max_size=3),
                st.lists(st.builds(ThinkingSigned, texts), max_size=1),
                st.lists(st.builds(ThinkingRedacted, texts), max_size=1),
                calls(number),
                searches(number),
            )
        )
    if draw(st.booleans()):
        found.append(draw(usages))
    found.append(draw(endings))
    return found


ids = st.sampled_from(["tooluse_a", "tooluse_b", "toolu_c", ""])
fragments = st.one_of(wild_texts, st.sampled_from(["{}", '{"a":', "1}", "[", "\n\n", '"\\ud83d"']))
anything = st.lists(
    st.one_of(
        st.builds(TextDelta, wild_texts),
        st.builds(ThinkingDelta, wild_texts),
        st.builds(ThinkingSigned, wild_texts),
        st.builds(ThinkingRedacted, wild_texts),
        st.builds(ToolBegun, ids, wild_texts),
        st.builds(ToolInputDelta, ids, fragments),
        st.builds(ToolEnded, ids),
        st.builds(SearchBegun, ids, wild_texts),
        st.builds(
            SearchEnded,
            ids,
            st.lists(st.builds(SearchHit, wild_texts, wild_texts, wild_texts), max_size=2).map(
                tuple
            ),
            st.sampled_from(["", "unavailable", "\ud83d"]),
        ),
        usages,
        st.builds(Ended, reason=st.sampled_from(StopReason), stop_sequence=wild_texts),
    ),
    max_size=20,
)
