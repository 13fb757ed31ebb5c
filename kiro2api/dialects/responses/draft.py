# -*- test-case-name: tests.dialects.responses.test_draft -*-
"""The answer while it grows: events to items, one after the other.

Streams and whole answers are both made from this, so they cannot differ. ``Idle -> item open ->
… -> ended``; at most one item is open, and a call that another item interrupts is cut: it counts
as incomplete and is never told as done. Must not know bytes of events or the transport.
"""

from typing import Protocol, TypeAlias

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
from kiro2api.conversation.tokens import estimate_text
from kiro2api.dialects.responses.clientcalls import CALLS
from kiro2api.dialects.responses.echo import Echo
from kiro2api.dialects.responses.mcp import ToolList
from kiro2api.dialects.responses.output import Call, Message, Reasoning, Status
from kiro2api.dialects.responses.searches import SearchCall

AnyItem: TypeAlias = Message | Reasoning | Call | SearchCall | ToolList

_CUT_SHORT = frozenset({StopReason.MAX_TOKENS, StopReason.CONTEXT_WINDOW, StopReason.REFUSAL})


class Onlooker(Protocol):
    """Who is told of each step."""

    def begun(self, item: AnyItem) -> None:
        """An item was opened."""

    def more(self, item: AnyItem, text: str) -> None:
        """More text of the open item."""

    def done(self, item: AnyItem, json: bytes) -> None:
        """The open item is complete, or as complete as it gets."""


class Draft:
    """One answer. ``shown`` are the items that are through, ``made`` those of them that a later
    request may send or refer to, ``thought`` the estimated tokens of all reasoning.
    """

    def __init__(self, unique: str, echo: Echo, onlooker: Onlooker) -> None:
        self._unique = unique
        self._echo = echo
        self._onlooker = onlooker
        self._sources: set[str] = set()
        self._unsigned = False
        self._hits: list[SearchHit] = []
        self._untold = list(echo.box.untold)
        self.open: AnyItem | None = None
        self.shown: list[bytes] = []
        self.made: list[tuple[str, bytes]] = []
        self.thought = 0
        self.usage: Usage | None = None
        self.ended: Ended | None = None

    def take(self, event: StreamEvent) -> None:
        """One more event; strays are left out."""
        if isinstance(event, TextDelta):
            if event.text:
                self._add(Message, event.text)
        elif isinstance(event, ToolInputDelta):
            item = self.open
            if isinstance(item, Call) and item.source == event.id and event.json:
                item.fragments.append(event.json)
                self._onlooker.more(item, event.json)
        elif isinstance(event, ThinkingDelta):
            if event.text:
                self._add(Reasoning, event.text)
        elif isinstance(event, ThinkingSigned):
            self._sign(event.signature)
        elif isinstance(event, ThinkingRedacted):
            if event.data:
                self._close("completed")
                self._reasoning().hide(event.data)
                self._close("completed")
        elif isinstance(event, ToolBegun):
            self._begin_call(event)
        elif isinstance(event, ToolEnded):
            self._end_call(event.id)
        elif isinstance(event, SearchBegun):
            self._begin(SearchCall(self._unique, self._next(), event.id, event.query))
        elif isinstance(event, SearchEnded):
            self._end_search(event)
        elif isinstance(event, Usage):
            self.usage = event
        else:
            self.ended = event
            self._close("incomplete" if event.reason in _CUT_SHORT else "completed")
            self._tell_lists()

    def _add(self, kind: type[Message] | type[Reasoning], text: str) -> None:
        item = self.open
        if not isinstance(item, kind):
            item = kind(self._unique, self._next())
            self._begin(item)
        item.fragments.append(text)
        self._onlooker.more(item, text)

    def _sign(self, signature: str) -> None:
        """A signature is worthless without its text: one that comes late has no place."""
        late = self._unsigned and not isinstance(self.open, Reasoning)
        self._unsigned = False
        if signature and not late:
            self._reasoning().sign(signature)
            self._close("completed")

    def _reasoning(self) -> Reasoning:
        """The open reasoning, or a new one without text."""
        item = self.open
        if not isinstance(item, Reasoning):
            item = Reasoning(self._unique, self._next())
            self._begin(item)
        return item

    def _begin_call(self, event: ToolBegun) -> None:
        if event.id in self._sources:
            return
        self._sources.add(event.id)
        callee = self._echo.box.callee(event.name)
        self._begin(CALLS[callee.kind](self._unique, self._next(), event.id, callee))

    def _end_call(self, source: str) -> None:
        item = self.open
        if not isinstance(item, Call) or item.source != source:
            return
        if not item.fragments:
            # A call without arguments: clients parse what they joined, and "" is not JSON.
            item.fragments.append("{}")
            self._onlooker.more(item, "{}")
        self._told(item, item.json("completed"))

    def _end_search(self, event: SearchEnded) -> None:
        item = self.open
        if not isinstance(item, SearchCall) or item.source != event.id:
            return
        item.end(event)
        self._hits += event.hits
        self._told(item, item.shown(self._echo.sources), item.kept())

    def _next(self) -> int:
        """The place of a new item, once what is open has been closed."""
        self._close("completed")
        self._tell_lists()
        return len(self.shown)

    def _tell_lists(self) -> None:
        """Before all else: which servers' tools there are not."""
        while self._untold:
            item = ToolList(self._unique, len(self.shown), self._untold.pop(0))
            self._begin(item)
            self._told(item, item.json("failed"))

    def _begin(self, item: AnyItem) -> None:
        self.open = item
        self._onlooker.begun(item)

    def _close(self, status: Status) -> None:
        item = self.open
        if item is None:
            return
        if isinstance(item, Message):
            if self._hits:
                item.cite(self._hits)
            self._told(item, item.json(status))
        elif isinstance(item, Reasoning):
            self.thought += estimate_text(item.text)
            self._unsigned = not item.sealed
            self.open = None
            shown = item.json(self._echo.summary, self._echo.sealed)
            self.shown.append(shown)
            self.made.append((item.id, item.json(True, True)))
            self._onlooker.done(item, shown)
        else:
            # Cut: clients carry out what they are told is done.
            self.open = None
            self.shown.append(item.json("incomplete"))

    def _told(
        self, item: Message | Call | SearchCall | ToolList, json: bytes, kept: bytes | None = None
    ) -> None:
        """An item is done; ``kept`` is how a later request is to see it, if not like this."""
        self.open = None
        self.shown.append(json)
        self.made.append((item.id, json if kept is None else kept))
        self._onlooker.done(item, json)
