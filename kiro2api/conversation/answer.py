# -*- test-case-name: tests.conversation.test_answer -*-
"""What the model answers, as a closed union of small events.

Grammar, kept by whoever produces events: text and thinking may alternate freely; between
``ToolBegun`` and its ``ToolEnded`` come only ``ToolInputDelta`` of the same id; one ``Usage`` may
come before ``Ended``; nothing follows ``Ended``. Must not know any dialect or the upstream.
"""

from enum import Enum
from typing import Literal, TypeAlias

import msgspec


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


class Usage(msgspec.Struct, gc=False):
    """Tokens and credits of the exchange.

    ``input_tokens`` excludes what was read from or written to a cache. ``provenance``: exact =
    the upstream counted, derived = from its context percentage, estimated = by us.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    credits: float = 0.0
    context_percent: float = 0.0
    provenance: Literal["exact", "derived", "estimated"] = "estimated"


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
    | Usage
    | Ended
)
