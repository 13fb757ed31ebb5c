# -*- test-case-name: tests.test_exchange_cuts -*-
"""Calls of tools that were cut before they were complete, and the next turn's word about it.

Pure. A model that hears nothing makes the same call again, which is cut again, for ever. It is
told once per cut, where the client goes on with that conversation: in a result of the call where
the client kept it, else in a note. What it is told is not part of what the client sends later.

Must not know accounts, nor how an answer is watched.
"""

from hashlib import sha256
from typing import Final

import msgspec

from kiro2api.conversation.question import Conversation, Part, Text, ToolResult, ToolUse, Turn
from kiro2api.kiro.wording import cut_call

CONVERSATIONS: Final = 1024
"""How many are remembered; the oldest goes first."""


class _Cut(msgspec.Struct, frozen=True):
    """``name`` of the tool; ``turns``: how many the conversation had when its call was cut, and
    ``asked`` what tells the last of them from others."""

    name: str
    turns: int
    asked: bytes


class Cuts:
    """What was cut last in each conversation."""

    def __init__(self, capacity: int = CONVERSATIONS) -> None:
        self._capacity = capacity
        self._cuts: dict[str, _Cut] = {}

    def __len__(self) -> int:
        return len(self._cuts)

    def add(self, key: str, conversation: Conversation, tool: str) -> None:
        """The answer to ``conversation`` ended inside of a call of this tool."""
        self._cuts.pop(key, None)
        if len(self._cuts) >= self._capacity:
            del self._cuts[next(iter(self._cuts))]
        turns = conversation.turns
        self._cuts[key] = _Cut(tool, len(turns), _told_apart(turns[-1]) if turns else b"")

    def corrected(self, key: str, conversation: Conversation) -> Conversation:
        """The conversation with a word about the cut, the very same where there is none to say.

        It is said again until ``told``: a request may fail before the model has read it.

        Other conversations may bear the same name, where they begin alike, and a client's requests
        beside this one: they are told by their tools, their length and what was asked last.
        """
        cut = self._cuts.get(key)
        if cut is None or not conversation.turns or conversation.turns[-1].role == "assistant":
            return conversation
        declared = any(tool.name == cut.name for tool in conversation.tools)
        if not declared or len(conversation.turns) <= cut.turns:
            return conversation
        if cut.asked and _told_apart(conversation.turns[cut.turns - 1]) != cut.asked:
            return conversation
        *before, last = conversation.turns
        said = cut_call(cut.name)
        kept = _kept(before, cut)
        word: Part = Text(said) if kept is None else ToolResult(kept, (Text(said),), is_error=True)
        # Results come first in a turn, as a client would send them.
        parts = (*last.parts, word) if kept is None else (word, *last.parts)
        turn = msgspec.structs.replace(last, parts=parts)
        return msgspec.structs.replace(conversation, turns=(*before, turn))

    def told(self, key: str) -> None:
        """The model has read a corrected conversation."""
        self._cuts.pop(key, None)


def _told_apart(turn: Turn) -> bytes:
    digest = sha256()
    for part in turn.parts:
        if isinstance(part, (Text, ToolResult)):
            said = part.text if isinstance(part, Text) else part.id
            digest.update(said.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _kept(turns: list[Turn], cut: _Cut) -> str | None:
    """The client's id of the call, if its last answer still holds it."""
    answer = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    calls = [part for part in answer.parts if isinstance(part, ToolUse)] if answer else []
    return calls[-1].id if calls and calls[-1].name == cut.name else None
