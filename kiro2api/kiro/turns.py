# -*- test-case-name: tests.kiro.test_turns -*-
"""Any list of turns as strictly alternating sides: user first, user last.

The roles are normalised first and neighbours merged afterwards; the other way round leaves
neighbours behind. Must not know JSON, tools or limits.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from kiro2api.conversation.question import Image, Part, Text, ToolResult, Turn
from kiro2api.kiro.wording import CONTINUE, OPENING


class Picture(msgspec.Struct, frozen=True):
    """An image that the upstream will take: ``format`` as it names it, ``data`` base64 text."""

    format: str
    data: str


class Paper(msgspec.Struct, frozen=True):
    """A document that the upstream will take: ``format`` as it names it, ``data`` base64 text."""

    name: str
    format: str
    data: str


Piece: TypeAlias = Part | Picture | Paper


class Side(msgspec.Struct):
    """What one side said before the other one spoke: a group of pieces per turn of the client.

    ``cache``: one of the turns is to be the end of what a prompt cache keeps.
    """

    assistant: bool
    groups: list[Sequence[Piece]]
    cache: bool = False


def alternating(turns: Iterable[Turn]) -> list[Side]:
    """The sides of a conversation; the first and the last one are the user's, at least one."""
    sides: list[Side] = []
    for assistant, parts, cache in _normalised(turns):
        if sides and sides[-1].assistant is assistant:
            sides[-1].groups.append(parts)
            sides[-1].cache |= cache
        else:
            sides.append(Side(assistant, [parts], cache))
    if sides and sides[0].assistant:
        sides.insert(0, Side(False, [(Text(OPENING),)]))
    if not sides or sides[-1].assistant:
        # Wire: a prefilled answer cannot be expressed, the current message is the user's.
        sides.append(Side(False, [(Text(CONTINUE),)]))
    return sides


def _normalised(turns: Iterable[Turn]) -> Iterator[tuple[bool, Sequence[Part], bool]]:
    for turn in turns:
        if turn.role != "assistant":
            # Wire: there is no system role. A system turn amid the messages speaks where it
            # stands, with the user's voice.
            yield False, turn.parts, turn.cache
            continue
        # Wire: an assistant message holds neither images nor results; the next user message does.
        moved = [part for part in turn.parts if isinstance(part, (Image, ToolResult))]
        if moved:
            kept = [part for part in turn.parts if not isinstance(part, (Image, ToolResult))]
            yield True, kept, False
            yield False, moved, turn.cache
        else:
            yield True, turn.parts, turn.cache
