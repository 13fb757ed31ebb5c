# -*- test-case-name: tests.test_websearch_round -*-
"""One round of an answer with searches: what the model said and searched, and the question that
the next round asks.

Pure. Must not know when a search runs, nor who is told.
"""

from typing import Final

import msgspec

from kiro2api.conversation.answer import (
    SearchBegun,
    SearchEnded,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
)
from kiro2api.conversation.question import (
    Conversation,
    Part,
    RedactedThinking,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.conversation.search import SearchHit, failed_text, found_text

MAX_INPUT: Final = 64 * 1024
"""Characters of a call's input that are kept; one that is longer cannot be read."""


class Search:
    """One call of the tool. ``settled``: it is known what came of it."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.query = ""
        self.settled = False
        self.shown = False
        self.hits: tuple[SearchHit, ...] = ()
        self.error = ""
        self._fragments: list[str] = []
        self._size = 0

    @property
    def input(self) -> bytes:
        """Its input as JSON text, as far as it was kept."""
        return "".join(self._fragments).encode("utf-8", "replace")

    def more(self, fragment: str) -> None:
        """More of its input."""
        self._size += len(fragment)
        if self._size <= MAX_INPUT:
            self._fragments.append(fragment)

    def settle(self, hits: tuple[SearchHit, ...] = (), error: str = "") -> None:
        """What came of it. Only the first time counts."""
        if not self.settled:
            self.settled, self.hits, self.error = True, hits, error

    def begun(self) -> SearchBegun:
        """Tells the client about it."""
        self.shown = True
        return SearchBegun(self.id, self.query)

    def ended(self) -> SearchEnded:
        """Tells the client what came of it."""
        return SearchEnded(self.id, self.hits, self.error)

    @property
    def text(self) -> str:
        """What the model is told."""
        return failed_text(self.error) if self.error else found_text(self.hits)


class Round:
    """What the model has said since the last results it was given.

    ``searches`` are its calls of our tool; ``others`` whether it called one of the client's.
    """

    def __init__(self) -> None:
        self.searches: list[Search] = []
        self.others = False
        self._parts: list[Part] = []
        self._texts: list[str] = []
        self._thoughts: list[str] = []

    def say(self, event: StreamEvent) -> None:
        """More of the answer; anything but text and reasoning is passed over."""
        if isinstance(event, TextDelta):
            self._think()
            self._texts.append(event.text)
        elif isinstance(event, ThinkingDelta):
            self._speak()
            self._thoughts.append(event.text)
        elif isinstance(event, ThinkingSigned):
            self._speak()
            self._parts.append(Thinking("".join(self._thoughts), event.signature))
            self._thoughts.clear()
        elif isinstance(event, ThinkingRedacted):
            self._think()
            self._speak()
            self._parts.append(RedactedThinking(event.data))

    def continued(self, conversation: Conversation, name: str, spent: int) -> Conversation:
        """The conversation with this round and what its searches found.

        A choice among tools was for the first round: a call that is always demanded would never
        lead to an answer.

        :param name: what the model calls the tool.
        :param spent: tokens put out in this round, of those that the client allows.
        """
        self._think()
        self._speak()
        uses = (ToolUse(search.id, name, search.input or b"{}") for search in self.searches)
        results = (
            ToolResult(search.id, (Text(search.text),), bool(search.error))
            for search in self.searches
        )
        sampling = conversation.sampling
        if sampling.max_tokens is not None:
            left = max(1, sampling.max_tokens - spent)
            sampling = msgspec.structs.replace(sampling, max_tokens=left)
        turns = (
            *conversation.turns,
            Turn("assistant", (*self._parts, *uses)),
            Turn("user", tuple(results)),
        )
        return msgspec.structs.replace(
            conversation,
            turns=turns,
            sampling=sampling,
            tool_choice=ToolChoice(parallel=conversation.tool_choice.parallel),
        )

    def _speak(self) -> None:
        if self._texts:
            self._parts.append(Text("".join(self._texts)))
            self._texts.clear()

    def _think(self) -> None:
        if self._thoughts:
            self._parts.append(Thinking("".join(self._thoughts)))
            self._thoughts.clear()
