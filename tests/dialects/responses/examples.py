"""Requests and openings that the tests of answers share."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from kiro2api.conversation.answer import (
    Ended,
    SearchBegun,
    SearchEnded,
    StreamEvent,
    TextDelta,
    ToolBegun,
)
from kiro2api.conversation.held import Finished
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.dialect import Asked, Opening
from kiro2api.dialects.responses.ask import parse
from tests.dialects.chat.events import ANY, TEXTS, answers

TOOLS: list[Any] = [
    {"type": "function", "name": "tool0", "parameters": {"type": "object"}},
    {"type": "custom", "name": "tool1", "description": "Raw."},
    {"type": "local_shell"},
    {"type": "shell", "environment": {"type": "local"}},
    {"type": "apply_patch"},
    {"type": "computer"},
    {"type": "tool_search", "execution": "client"},
    {"type": "namespace", "name": "space", "tools": [{"type": "function", "name": "tool2"}]},
]

BUILT_IN = ("local_shell", "shell", "apply_patch", "computer", "tool_search")
NAMES = ("tool0", "tool1", *BUILT_IN, "tool2", "unheard of")


def _renamed(events: list[StreamEvent]) -> list[StreamEvent]:
    """Calls of tools of every kind, in place of tools of any name."""
    return [
        ToolBegun(event.id, NAMES[len(event.name) % len(NAMES)])
        if isinstance(event, ToolBegun)
        else event
        for event in events
    ]


BROKEN: st.SearchStrategy[list[StreamEvent]] = ANY.map(_renamed)
"""Any events in any order."""


PAGES = [SearchHit(f"https://{name}.example/", name) for name in "abc"]


@st.composite
def searching(draw: st.DrawFn) -> list[StreamEvent]:
    """A whole answer with searches, and perhaps names of the pages found."""
    *events, end = draw(answers())
    assert isinstance(end, Ended)
    found: list[StreamEvent] = []
    for number in range(draw(st.integers(1, 3))):
        hits = tuple(draw(st.lists(st.sampled_from(PAGES), max_size=2)))
        error = draw(st.sampled_from(["", "", "unavailable"]))
        found.append(SearchBegun(f"s{number}", draw(TEXTS)))
        found.append(SearchEnded(f"s{number}", () if error else hits, error))
        if draw(st.booleans()):
            found += [TextDelta("See "), TextDelta(draw(st.sampled_from(PAGES)).url + "!")]
    return [*found, *events, end] if draw(st.booleans()) else [*events, *found, end]


def asked(keep: list[Finished] | None = None, **fields: Any) -> Asked:
    """A request that was understood; what is put away goes to ``keep``."""
    body = {"model": 'claude "x"', "input": "Hi", "tools": TOOLS, **fields}
    return parse(msgspec.json.encode(body), keep=None if keep is None else keep.append)


def opening(keep: list[Finished] | None = None, **fields: Any) -> Opening:
    """The opening of an answer to such a request."""
    return Opening("ab", 'claude "x"', 1700000000, 40, echo=asked(keep, **fields).echo)
