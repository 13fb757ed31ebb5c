# -*- test-case-name: tests.dialects.anthropic.test_answer -*-
"""The order of an answer's blocks: one state machine under the stream and the single reply.

It decides what opens, grows and closes, what is dropped because it breaks the grammar, and why
the answer ended; what that looks like is up to who inherits from it. Both endings therefore tell
a client the same. Must not know JSON shapes of the dialect.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Final

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
from kiro2api.dialects.anthropic.encoding import clean, is_json
from kiro2api.dialects.anthropic.searches import Content, client_search_id, content_of
from kiro2api.dialects.dialect import Opening


class State(Enum):
    """Where the answer is."""

    IDLE = "idle"
    BETWEEN = "between blocks"
    TEXT = "in text"
    THINKING = "in thinking"
    TOOL = "in a tool call"
    SEARCH = "in a search"
    CLOSED = "closed"
    FAILED = "failed"


_BLOCKS: Final = frozenset({State.TEXT, State.THINKING, State.TOOL, State.SEARCH})
_OVER: Final = frozenset({State.CLOSED, State.FAILED})
_CUT: Final = frozenset({StopReason.MAX_TOKENS, StopReason.CONTEXT_WINDOW, StopReason.REFUSAL})
"""Reasons for which an open call is left as far as it came."""

_STOP_REASONS: Final = {
    StopReason.END_TURN: "end_turn",
    StopReason.TOOL_USE: "tool_use",
    StopReason.MAX_TOKENS: "max_tokens",
    StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.REFUSAL: "refusal",
    StopReason.CONTEXT_WINDOW: "model_context_window_exceeded",
}


class BlockSequence(ABC):
    """Takes events in any order, calls its own ``_show`` methods in the dialect's order.

    Invariant: blocks never overlap, every opened block is closed once (but for a call in which
    the answer fails), no text block is empty, no tool id occurs twice, nothing is shown after
    the end.
    """

    __slots__ = (
        "_fragments",
        "_index",
        "_searches",
        "_state",
        "_tool",
        "_tool_broken",
        "_tools",
        "_usage",
    )

    def __init__(self, opening: Opening) -> None:
        self._state = State.IDLE
        self._index = -1
        self._tool = ""
        self._tools: set[str] = set()
        self._tool_broken = False
        # Whether each search has its result.
        self._searches: dict[str, bool] = {}
        self._fragments: list[str] = []
        self._usage = Usage(input_tokens=opening.input_tokens, output_tokens=1)

    @property
    def _over(self) -> bool:
        return self._state in _OVER

    def _take(self, event: StreamEvent) -> None:
        """Move on by one event."""
        if not self._over:
            if self._state is State.IDLE:
                self._state = State.BETWEEN
                self._show_begin()
            self._STEPS[type(event)](self, event)

    # ── what it looks like ───────────────────────────────────────────────────

    @abstractmethod
    def _show_begin(self) -> None: ...

    @abstractmethod
    def _show_text_open(self) -> None: ...

    @abstractmethod
    def _show_thinking_open(self) -> None: ...

    @abstractmethod
    def _show_redacted_open(self, data: str) -> None: ...

    @abstractmethod
    def _show_tool_open(self, tool_id: str, name: str) -> None: ...

    @abstractmethod
    def _show_search(self, search_id: str, query: str) -> None: ...

    @abstractmethod
    def _show_found(self, search_id: str, content: Content) -> None: ...

    @abstractmethod
    def _show_text(self, text: str) -> None: ...

    @abstractmethod
    def _show_thinking(self, text: str) -> None: ...

    @abstractmethod
    def _show_signature(self, signature: str) -> None: ...

    @abstractmethod
    def _show_input(self, fragment: str) -> None: ...

    @abstractmethod
    def _show_close(self) -> None: ...

    @abstractmethod
    def _show_end(self, reason: str, stop_sequence: str | None) -> None: ...

    # ── steps ────────────────────────────────────────────────────────────────

    def _text(self, event: TextDelta) -> None:
        if event.text:
            if self._state is not State.TEXT:
                self._enter(State.TEXT)
                self._show_text_open()
            self._show_text(clean(event.text))

    def _thinking(self, event: ThinkingDelta) -> None:
        if event.text:
            self._need_thinking()
            self._show_thinking(clean(event.text))

    def _signed(self, event: ThinkingSigned) -> None:
        """A signature covers what came since the last one, so it also closes its block."""
        if event.signature:
            self._need_thinking()
            self._show_signature(clean(event.signature))
            self._leave()

    def _redacted(self, event: ThinkingRedacted) -> None:
        if event.data:
            self._enter(State.THINKING)
            self._show_redacted_open(clean(event.data))
            self._leave()

    def _tool_begun(self, event: ToolBegun) -> None:
        if event.id not in self._tools:
            self._enter(State.TOOL)
            self._tools.add(event.id)
            self._tool = event.id
            self._show_tool_open(clean(client_tool_id(event.id)), clean(event.name))

    def _tool_input(self, event: ToolInputDelta) -> None:
        if self._state is State.TOOL and event.id == self._tool and event.json:
            fragment = clean(event.json)
            self._fragments.append(fragment)
            self._show_input(fragment)

    def _tool_ended(self, event: ToolEnded) -> None:
        if self._state is State.TOOL and event.id == self._tool:
            self._leave()

    def _search_begun(self, event: SearchBegun) -> None:
        if event.id not in self._searches:
            self._enter(State.SEARCH)
            self._searches[event.id] = False
            self._show_search(clean(client_search_id(event.id)), clean(event.query))
            self._leave()

    def _search_ended(self, event: SearchEnded) -> None:
        if self._searches.get(event.id) is False:
            self._enter(State.SEARCH)
            self._searches[event.id] = True
            self._show_found(clean(client_search_id(event.id)), content_of(event))
            self._leave()

    def _remember(self, event: Usage) -> None:
        self._usage = event

    def _ended(self, event: Ended) -> None:
        reason = event.reason
        self._leave(cut=reason in _CUT)
        if self._tool_broken:
            # A call whose input is no JSON must not be mistaken for one that can be run.
            reason = StopReason.MAX_TOKENS if reason not in _CUT else reason
        elif reason is StopReason.END_TURN and self._tools:
            reason = StopReason.TOOL_USE
        elif reason is StopReason.TOOL_USE and not self._tools:
            reason = StopReason.END_TURN
        self._state = State.CLOSED
        stopped = reason is StopReason.STOP_SEQUENCE
        self._show_end(_STOP_REASONS[reason], clean(event.stop_sequence) if stopped else None)

    _STEPS: ClassVar[dict[type, Callable[["BlockSequence", Any], None]]] = {
        TextDelta: _text,
        ThinkingDelta: _thinking,
        ThinkingSigned: _signed,
        ThinkingRedacted: _redacted,
        ToolBegun: _tool_begun,
        ToolInputDelta: _tool_input,
        ToolEnded: _tool_ended,
        SearchBegun: _search_begun,
        SearchEnded: _search_ended,
        Usage: _remember,
        Ended: _ended,
    }

    def _need_thinking(self) -> None:
        if self._state is not State.THINKING:
            self._enter(State.THINKING)
            self._show_thinking_open()

    def _enter(self, state: State) -> None:
        self._leave()
        self._index += 1
        self._state = state

    def _leave(self, *, cut: bool = False) -> None:
        """Close the open block, if any; ``cut`` when it is not complete."""
        if self._state is State.TOOL:
            self._settle_input(cut=cut)
        if self._state in _BLOCKS:
            self._state = State.BETWEEN
            self._show_close()

    def _settle_input(self, *, cut: bool) -> None:
        """A call without arguments still needs a JSON value; a broken one is remembered."""
        if not self._fragments and not cut:
            self._show_input("{}")
        elif not is_json(self._fragments):
            self._tool_broken = True
        self._fragments.clear()


def client_tool_id(upstream_id: str) -> str:
    """The id that clients of this dialect expect of a call; the same for the same call."""
    if upstream_id.startswith("toolu_"):
        return upstream_id
    return "toolu_" + upstream_id.removeprefix("tooluse_")
