# -*- test-case-name: tests.kiro.test_choices -*-
"""An answer that is not what the client demanded, and what may be done about it.

Must not know what was demanded, nor who asks again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kiro2api.conversation.answer import Ended, StopReason, StreamEvent, TextDelta, Usage
from kiro2api.errors import UpstreamFault

MENDABLE: Final = frozenset({StopReason.END_TURN, StopReason.TOOL_USE})
"""Ends after which asking again makes sense: the model had its full say."""


class Unmet(msgspec.Struct, frozen=True):
    """Instead of the end of an answer.

    ``said`` is its text and ``instruction`` what to tell the model. When nobody asks again, the
    answer fails with ``fault``, or without one is ``remains`` as it came. ``what`` names in one
    word what was not met.
    """

    instruction: str
    said: str
    usage: Usage | None = None
    remains: tuple[StreamEvent, ...] = ()
    fault: UpstreamFault | None = None
    what: str = "call"


def text_of(events: Sequence[StreamEvent]) -> str:
    """The text of an answer."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: Sequence[StreamEvent]) -> Ended | None:
    """The end, if these are the last events of an answer."""
    last = events[-1] if events else None
    return last if isinstance(last, Ended) else None


def usage_of(events: Sequence[StreamEvent]) -> Usage | None:
    """The usage among the last events of an answer."""
    return next((event for event in reversed(events) if isinstance(event, Usage)), None)


def size_of(event: StreamEvent) -> int:
    """Characters that an event holds, and something for itself."""
    return 32 + sum(len(text) for text in msgspec.structs.astuple(event) if isinstance(text, str))
