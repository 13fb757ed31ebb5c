# -*- test-case-name: tests.conversation.test_answer -*-
"""What the model answers, as a closed union of small events.

Grammar, kept by whoever produces events: text and thinking may alternate freely; between
``ToolBegun`` and its ``ToolEnded`` come only ``ToolInputDelta`` of the same id; a ``SearchBegun``
is followed by its ``SearchEnded`` with nothing in between; one ``Usage`` may come before ``Ended``;
nothing follows ``Ended``. Must not know any dialect or the upstream.
"""

from enum import Enum
from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.conversation.search import SearchHit


class StopReason(Enum):
    """Why the answer ended."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    REFUSAL = "refusal"
    CONTEXT_WINDOW = "context_window"


# These are made once per upstream event, so they are untracked by the garbage collector
# (they hold only texts) and are not frozen, which would cost a check per construction.


class TextDelta(msgspec.Struct, gc=False):
    """More of the answer's text."""

    text: str


class ThinkingDelta(msgspec.Struct, gc=False):
    """More of the model's reasoning."""

    text: str


class ThinkingSigned(msgspec.Struct, gc=False):
    """The upstream's signature of the reasoning since the last signature."""

    signature: str


class ThinkingRedacted(msgspec.Struct, gc=False):
    """Reasoning encrypted by the model provider, base64 text."""

    data: str


class ToolBegun(msgspec.Struct, gc=False):
    """A call of a client's tool starts; ``name`` is the client's own name for it."""

    id: str
    name: str


class ToolInputDelta(msgspec.Struct, gc=False):
    """A fragment of the call's input; the fragments of one id join to JSON text."""

    id: str
    json: str


class ToolEnded(msgspec.Struct, gc=False):
    """The call's input is complete."""

    id: str


class SearchBegun(msgspec.Struct, gc=False):
    """We search the web for the model; the client is told, and has nothing to do."""

    id: str
    query: str


class SearchEnded(msgspec.Struct, gc=False):
    """What the search found; with an ``error`` (a ``SearchError``) it found nothing."""

    id: str
    hits: tuple[SearchHit, ...] = ()
    error: str = ""


class Usage(msgspec.Struct, gc=False):
    """Tokens and credits of the exchange.

    ``input_tokens`` excludes what was read from or written to a cache. ``provenance``: exact =
    the upstream counted, derived = from its context percentage, estimated = by us. ``searches``
    are the web searches that succeeded.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    credits: float = 0.0
    context_percent: float = 0.0
    provenance: Literal["exact", "derived", "estimated"] = "estimated"
    searches: int = 0


class Ended(msgspec.Struct, gc=False):
    """The answer is complete; ``stop_sequence`` only with that reason."""

    reason: StopReason
    stop_sequence: str = ""


StreamEvent: TypeAlias = (
    TextDelta
    | ThinkingDelta
    | ThinkingSigned
    | ThinkingRedacted
    | ToolBegun
    | ToolInputDelta
    | ToolEnded
    | SearchBegun
    | SearchEnded
    | Usage
    | Ended
)

_RANKS: Final = ("estimated", "derived", "exact")


def added(one: Usage, other: Usage) -> Usage:
    """What two rounds have cost together, as sure as the less sure of them."""
    return msgspec.structs.replace(
        other,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        credits=one.credits + other.credits,
        provenance=min(one.provenance, other.provenance, key=_RANKS.index),
        searches=one.searches + other.searches,
    )
