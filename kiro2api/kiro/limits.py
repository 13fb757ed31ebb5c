# -*- test-case-name: tests.kiro.test_limits -*-
"""What a client may ask of an answer and the upstream has no field for, enforced on its events.

A chain of small filters, each pure and each ignorant of the others; most answers need one or
none. Must not know where events come from, nor how the upstream is closed or asked again.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from kiro2api.conversation.answer import StreamEvent, Usage
from kiro2api.conversation.question import Conversation
from kiro2api.errors import UpstreamFault
from kiro2api.kiro.budget import Budget, Size
from kiro2api.kiro.choices import CalledFor, FirstCall
from kiro2api.kiro.formats import Formed
from kiro2api.kiro.stops import Stops
from kiro2api.kiro.thinking import ThinkingSplitter
from kiro2api.kiro.unmet import Unmet


class Filter(Protocol):
    """One link of the chain."""

    @property
    def done(self) -> bool:
        """It has ended the answer itself: nothing more is wanted."""

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """What becomes of these events."""

    def flush(self) -> Sequence[StreamEvent]:
        """What it holds, because the answer has failed."""


class Limits:
    """All that is enforced on one answer.

    ``done``: the answer has been ended here, its upstream is not wanted any more. ``unmet``: it
    has ended, without what was demanded, and its end was not given. ``fault``: it was ended here
    because it can never be what was demanded.
    """

    __slots__ = ("_demands", "_filters", "done")

    def __init__(
        self,
        filters: Sequence[Filter],
        call: CalledFor | None = None,
        form: Formed | None = None,
    ) -> None:
        demands = (demand for demand in (call, form) if demand is not None)
        self._demands = tuple(demands)
        self._filters: tuple[Filter, ...] = (*filters, *self._demands)
        self.done = False

    @property
    def unmet(self) -> Unmet | None:
        """The first demand that was not met."""
        return next((demand.unmet for demand in self._demands if demand.unmet is not None), None)

    @property
    def fault(self) -> UpstreamFault | None:
        """Why the answer was given up."""
        faults = (demand.fault for demand in self._demands if isinstance(demand, Formed))
        return next((fault for fault in faults if fault is not None), None)

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """What the client is to see of these events; nothing once ``done``."""
        if self.done:
            return ()
        for each in self._filters:
            events = each.feed(events)
            if each.done:
                self.done = True
            if not events:
                break
        return events

    def flush(self) -> Sequence[StreamEvent]:
        """The answer has failed: what is held, as far as it is of use."""
        out: Sequence[StreamEvent] = ()
        for each in self._filters:
            if out:
                out = each.feed(out)
            out = (*out, *each.flush())
        return out


def limits_for(
    conversation: Conversation,
    *,
    max_output: int,
    tagged: bool,
    size: Size | None,
    usage: Callable[[], Usage],
) -> Limits | None:
    """What is to be enforced on an answer to this question; None if nothing is.

    :param max_output: tokens that the model can put out at most; a limit beyond is none, so that
        0 lets every answer be as long as it is.
    :param tagged: whether reasoning was asked for by tags.
    :param size: counts what the answer puts out, None to count here; ``usage`` tells what it has
        cost.
    """
    filters: list[Filter] = []
    sampling, choice = conversation.sampling, conversation.tool_choice
    if sampling.max_tokens is not None and sampling.max_tokens < max_output:
        filters.append(Budget(sampling.max_tokens, size, usage))
    if tagged:
        filters.append(ThinkingSplitter())
    if any(sampling.stop):
        filters.append(Stops(sampling.stop, usage))
    names = {tool.name for tool in conversation.tools}
    if names and not choice.parallel:
        filters.append(FirstCall(usage))
    call = form = None
    if (choice.mode == "any" and names) or (choice.mode == "named" and choice.name in names):
        call = CalledFor(choice)
    if conversation.output_format is not None:
        form = Formed(conversation.output_format)
    return Limits(filters, call, form) if filters or call or form else None
