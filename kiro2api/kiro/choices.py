# -*- test-case-name: tests.kiro.test_choices -*-
"""The client's choice among its tools, as far as a request cannot express it.

``FirstCall`` keeps parallel calls away from a client that wants one, ``CalledFor`` sees to it that
a demanded call is made. Must not know how the model was told about it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.conversation.question import ToolChoice
from kiro2api.kiro.unmet import MENDABLE, Unmet, end_of, size_of, text_of, usage_of
from kiro2api.kiro.wording import repaired_choice

MAX_HELD: Final = 256 * 1024
"""Characters that wait for a demanded call; with more the answer goes on without it."""


class FirstCall:
    """Ends the answer where a second call would begin."""

    __slots__ = ("_begun", "_usage", "done")

    def __init__(self, usage: Callable[[], Usage]) -> None:
        self._usage = usage
        self._begun = False
        self.done = False

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """The events up to the second call, and then the end."""
        for index, event in enumerate(events):
            if type(event) is not ToolBegun:
                continue
            if self._begun:
                self.done = True
                return [*events[:index], self._usage(), Ended(StopReason.TOOL_USE)]
            self._begun = True
        return events

    def flush(self) -> list[StreamEvent]:
        """Nothing is ever held."""
        return []


class CalledFor:
    """Holds an answer back until the demanded call begins.

    Calls of other tools that came before it are dropped then; the client could not ask for them.
    ``unmet`` is set instead of the end of an answer without the call.

    :param choice: mode ``any`` or ``named``.
    """

    __slots__ = ("_choice", "_held", "_max_held", "_open", "_size", "unmet")

    done: Final = False

    def __init__(self, choice: ToolChoice, *, max_held: int = MAX_HELD) -> None:
        self._choice = choice
        self._max_held = max_held
        self._held: list[StreamEvent] = []
        self._size = 0
        self._open = False
        self.unmet: Unmet | None = None

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """Nothing until the call, then everything."""
        if self._open:
            return events
        for index, event in enumerate(events):
            if isinstance(event, ToolBegun) and self._fits(event.name):
                self._open = True
                before = [event for event in self._held if not isinstance(event, _CALLS)]
                self._held = []
                return [*before, *events[index:]]
            self._held.append(event)
            self._size += size_of(event)
        end = end_of(self._held)
        if end is not None and end.reason in MENDABLE:
            self.unmet = Unmet(
                repaired_choice(self._choice),
                text_of(self._held),
                usage_of(self._held),
                tuple(self._held),
            )
            self._held = []
            return []
        return self.flush() if end is not None or self._size > self._max_held else []

    def flush(self) -> list[StreamEvent]:
        """What is held, as it came: the answer is not waited for any longer."""
        self._open = True
        held, self._held = self._held, []
        return held

    def _fits(self, name: str) -> bool:
        return self._choice.mode == "any" or name == self._choice.name


_CALLS: Final = (ToolBegun, ToolInputDelta, ToolEnded)
