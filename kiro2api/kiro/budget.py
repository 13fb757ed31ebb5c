# -*- test-case-name: tests.kiro.test_budget -*-
"""``max_tokens``, which the upstream has no field for: the answer is cut where our estimate of it
is used up.

Text, thinking, and names and inputs of tool calls count. An answer that ends within the estimate
is left as it is, whatever the upstream counts in the end. Must not know tags or stop sequences.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.tokens import estimate_counts


class Size(Protocol):
    """How much was put out, the events of the batch at hand included."""

    @property
    def chars(self) -> int:
        """Characters."""

    @property
    def octets(self) -> int:
        """The same in UTF-8."""


class Budget:
    """Lets through what fits.

    Hot: a batch that fits costs one estimate, whatever number of events it holds.

    :param limit: tokens.
    :param size: counts the same events, like ``kiro.tally.Tally``; None where nobody does, then
        each event is counted here.
    :param usage: what the answer has cost so far.
    """

    __slots__ = ("_chars", "_limit", "_octets", "_size", "_usage", "done")

    def __init__(self, limit: int, size: Size | None, usage: Callable[[], Usage]) -> None:
        self._limit = limit
        self._size = size
        self._usage = usage
        self._chars = 0
        self._octets = 0
        self.done = False

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """The events up to the limit, and then the end."""
        size = self._size
        if size is None:
            return self._cut(events)
        chars, octets = size.chars, size.octets
        if estimate_counts(chars, octets) <= self._limit:
            self._chars = chars
            self._octets = octets
            return events
        return self._cut(events)

    def flush(self) -> list[StreamEvent]:
        """Nothing is ever held."""
        return []

    def _cut(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """Event by event, from where the count of those before them stands."""
        for index, event in enumerate(events):
            text = _text(event)
            if not text:
                continue
            fits = self._fitting(text)
            if fits == len(text):
                self._chars += fits
                self._octets += len(text.encode("utf-8", "replace"))
                continue
            self.done = True
            out = list(events[:index])
            if fits and not isinstance(event, ToolBegun):
                out.append(_shortened(event, text[:fits]))
            usage = self._usage()
            usage = msgspec.structs.replace(
                usage, output_tokens=min(usage.output_tokens, self._limit)
            )
            return [*out, usage, Ended(StopReason.MAX_TOKENS)]
        return events

    def _fitting(self, text: str) -> int:
        """How many characters of ``text`` still fit."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            octets = len(text[:middle].encode("utf-8", "replace"))
            if estimate_counts(self._chars + middle, self._octets + octets) <= self._limit:
                low = middle
            else:
                high = middle - 1
        return low


_TEXTS: Final = (TextDelta, ThinkingDelta)


def _text(event: StreamEvent) -> str:
    if isinstance(event, _TEXTS):
        return event.text
    if isinstance(event, ToolInputDelta):
        return event.json
    return event.name if isinstance(event, ToolBegun) else ""


def _shortened(event: StreamEvent, text: str) -> StreamEvent:
    if isinstance(event, ToolInputDelta):
        return ToolInputDelta(event.id, text)
    return ThinkingDelta(text) if isinstance(event, ThinkingDelta) else TextDelta(text)
