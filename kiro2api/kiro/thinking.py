# -*- test-case-name: tests.kiro.test_thinking -*-
"""Reasoning for models that take no fields for it: asked for by tags, told apart by tags.

``preface`` is what asks, ``ThinkingSplitter`` what tells apart. Must not know which models need
it.

Wire: with such tags in front of the system text a model writes ``<thinking>…</thinking>`` at the
beginning of its answer. The reasoning carries no signature and none is made up.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from kiro2api.conversation.answer import (
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
)
from kiro2api.conversation.question import Reasoning

OPEN: Final = "<thinking>"
CLOSE: Final = "</thinking>"
_DEFAULT_LENGTH: Final = 16_000


def preface(reasoning: Reasoning) -> str:
    """What to put in front of the system text; "" for a client that wants no reasoning."""
    if reasoning.mode not in ("enabled", "adaptive"):
        return ""
    if reasoning.effort and reasoning.budget_tokens is None:
        effort = "".join(filter(str.isalnum, reasoning.effort))[:16]
        return (
            "<thinking_mode>adaptive</thinking_mode>"
            f"<thinking_effort>{effort or 'high'}</thinking_effort>"
        )
    length = reasoning.budget_tokens or _DEFAULT_LENGTH
    return (
        f"<thinking_mode>enabled</thinking_mode><max_thinking_length>{length}</max_thinking_length>"
    )


class _State(Enum):
    BEGINNING = "nothing but white space yet"
    THINKING = "behind an opening tag"
    BETWEEN = "behind a closing tag, nothing but white space since"
    TEXT = "in the text, where tags are only text"


_NATIVE: Final = frozenset({ThinkingDelta, ThinkingSigned, ThinkingRedacted})


class ThinkingSplitter:
    """Turns tagged text at the beginning of an answer into ``ThinkingDelta``.

    Only there: once the text has begun, a tag in it (in a code fence, say) is text. Tags may be
    cut anywhere; white space around the reasoning is dropped with them, all else goes on.
    """

    __slots__ = ("_held", "_state")

    done: Final = False

    def __init__(self) -> None:
        self._state = _State.BEGINNING
        # Text that may yet turn out to be part of a tag, or white space beside one.
        self._held = ""

    def feed(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """The same events with reasoning and text told apart."""
        if self._state is _State.TEXT:
            return events
        out: list[StreamEvent] = []
        for event in events:
            if type(event) is TextDelta:
                self._text(event.text, out)
            else:
                # Reasoning that needs no tags does not begin the text.
                if type(event) not in _NATIVE or self._state is _State.THINKING:
                    out += self.flush()
                out.append(event)
        return out

    def flush(self) -> list[StreamEvent]:
        """What is held, as what it is now known to be: the answer goes on otherwise, or ends."""
        held, self._held = self._held, ""
        if self._state is _State.THINKING:
            self._state = _State.TEXT
            return [ThinkingDelta(held)] if held else []
        if self._state is _State.BETWEEN:
            held = held.lstrip()
        if held:
            self._state = _State.TEXT
        return [TextDelta(held)] if held else []

    def _text(self, text: str, out: list[StreamEvent]) -> None:
        text = self._held + text
        self._held = ""
        while text:
            if self._state is _State.THINKING:
                text = self._thinking(text, out)
            elif self._state is _State.TEXT:
                out.append(TextDelta(text))
                return
            else:
                text = self._beginning(text)

    def _beginning(self, text: str) -> str:
        """Returns what is left to look at; may leave something held."""
        bare = text.lstrip()
        if bare.startswith(OPEN):
            self._state = _State.THINKING
            return bare[len(OPEN) :]
        if OPEN.startswith(bare):  # also when it is empty
            self._held = text
            return ""
        after = self._state is _State.BETWEEN
        self._state = _State.TEXT
        return bare if after else text

    def _thinking(self, text: str, out: list[StreamEvent]) -> str:
        end = text.find(CLOSE)
        if end >= 0:
            if end:
                out.append(ThinkingDelta(text[:end]))
            self._state = _State.BETWEEN
            return text[end + len(CLOSE) :]
        keep = _begun(text)
        if keep < len(text):
            out.append(ThinkingDelta(text[: len(text) - keep]))
        self._held = text[len(text) - keep :]
        return ""


def _begun(text: str) -> int:
    """How many characters at the end of ``text`` could be the beginning of a closing tag."""
    start = text.rfind("<", -len(CLOSE) + 1)
    return len(text) - start if start >= 0 and CLOSE.startswith(text[start:]) else 0
