# -*- test-case-name: tests.kiro.test_pictures -*-
"""Images within the upstream's limits, the newest first; a text note where one is left out.

Wire: images hang on a user message, never inside a tool result; at most 10 on one message. One
bad image makes the upstream refuse the conversation for ever, so each one is checked. Must not
know JSON.
"""

from collections.abc import Sequence
from typing import Final

from kiro2api.conversation.question import Image, ResultPart, Text, ToolResult
from kiro2api.kiro.media import usable_image
from kiro2api.kiro.turns import Picture, Piece, Side
from kiro2api.kiro.wording import ATTACHED, image_note

PER_MESSAGE: Final = 10
TOTAL: Final = 20
"""Images of one request; beyond 20 the model provider's limit on dimensions gets tighter."""
TOTAL_BYTES: Final = 20 * 1024 * 1024
"""Base64 characters of all images of one request."""


def fit_pictures(sides: Sequence[Side]) -> int:
    """Replace every image by a picture that may be sent, or by a note why it was left out; how
    many were left out."""
    budget = _Budget()
    for side in reversed(sides):
        if side.assistant or not any(_has_image(group) for group in side.groups):
            continue
        budget.next_message()
        backwards: list[Sequence[Piece]] = [
            _fitted(group, budget) for group in reversed(side.groups)
        ]
        side.groups = backwards[::-1]
    return budget.left_out


class _Budget:
    def __init__(self) -> None:
        self._message = 0
        self._total = 0
        self._bytes = 0
        self.left_out = 0

    def next_message(self) -> None:
        self._message = 0

    def judge(self, image: Image) -> Picture | Text:
        verdict = self._judged(image)
        self.left_out += isinstance(verdict, Text)
        return verdict

    def _judged(self, image: Image) -> Picture | Text:
        if self._message >= PER_MESSAGE:
            return _left_out(image, f"more than {PER_MESSAGE} in one message")
        if self._total >= TOTAL:
            return _left_out(image, f"more than {TOTAL} in the conversation, newer ones are kept")
        verdict = usable_image(image)
        if isinstance(verdict, str):
            return _left_out(image, verdict)
        picture = Picture(*verdict)
        if self._bytes + len(picture.data) > TOTAL_BYTES:
            return _left_out(image, "the images of the conversation are too large together")
        self._message += 1
        self._total += 1
        self._bytes += len(picture.data)
        return picture


def _has_image(group: Sequence[Piece]) -> bool:
    return any(
        isinstance(piece, Image)
        or (isinstance(piece, ToolResult) and any(isinstance(p, Image) for p in piece.parts))
        for piece in group
    )


def _fitted(group: Sequence[Piece], budget: _Budget) -> list[Piece]:
    backwards: list[Piece] = []
    for piece in reversed(group):
        if isinstance(piece, Image):
            backwards.append(budget.judge(piece))
        elif isinstance(piece, ToolResult):
            backwards.extend(_lifted(piece, budget))
        else:
            backwards.append(piece)
    return backwards[::-1]


def _lifted(result: ToolResult, budget: _Budget) -> list[Piece]:
    """The result without images and, behind it, its pictures; in reverse order."""
    backwards: list[Piece] = []
    parts: list[ResultPart] = []
    for part in reversed(result.parts):
        if not isinstance(part, Image):
            parts.append(part)
            continue
        verdict = budget.judge(part)
        if isinstance(verdict, Picture):
            backwards.append(verdict)
            parts.append(Text(ATTACHED))
        else:
            parts.append(verdict)
    backwards.append(ToolResult(result.id, tuple(reversed(parts)), result.is_error))
    return backwards


def _left_out(image: Image, reason: str) -> Text:
    return Text(image_note(image.media_type, reason))
