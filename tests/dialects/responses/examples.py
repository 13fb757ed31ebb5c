"""Requests and openings that the tests of answers share."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from kiro2api.conversation.answer import StreamEvent, ToolBegun
from kiro2api.dialects.dialect import Asked, Opening
from kiro2api.dialects.responses.ask import parse
from kiro2api.dialects.responses.recall import Finished
from tests.dialects.chat.events import ANY

TOOLS: list[Any] = [
    {"type": "function", "name": "tool0", "parameters": {"type": "object"}},
    {"type": "custom", "name": "tool1", "description": "Raw."},
    {"type": "local_shell"},
    {"type": "namespace", "name": "space", "tools": [{"type": "function", "name": "tool2"}]},
]

NAMES = ("tool0", "tool1", "local_shell", "tool2", "unheard of")


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


def asked(keep: list[Finished] | None = None, **fields: Any) -> Asked:
    """A request that was understood; what is put away goes to ``keep``."""
    body = {"model": 'claude "x"', "input": "Hi", "tools": TOOLS, **fields}
    return parse(msgspec.json.encode(body), keep=None if keep is None else keep.append)


def opening(keep: list[Finished] | None = None, **fields: Any) -> Opening:
    """The opening of an answer to such a request."""
    return Opening("ab", 'claude "x"', 1700000000, 40, echo=asked(keep, **fields).echo)
