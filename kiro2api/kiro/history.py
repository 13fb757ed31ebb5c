# -*- test-case-name: tests.kiro.test_history -*-
"""Alternating sides to the upstream's messages: pairs tool calls with results, fills what must
not be empty, loses no text.

Must not know tools' schemas, models or the body around the messages. The inputs of tool calls
are left out at first and set by ``fill_inputs``: whoever checks the messages in between need
not decode them again.
"""

import binascii
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from kiro2api.conversation.question import (
    Document,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from kiro2api.kiro.naming import Labels, Names
from kiro2api.kiro.pairing import Calls, result_texts
from kiro2api.kiro.toolinput import as_object
from kiro2api.kiro.turns import Paper, Picture, Side
from kiro2api.kiro.wording import (
    ACKNOWLEDGED,
    CONTINUE,
    LOOK,
    SILENT,
    document_note,
    misplaced_call,
    orphan_result,
    reference_note,
)

Message: TypeAlias = dict[str, Any]

ORIGIN: Final = "AI_EDITOR"


class History:
    """Writes the messages of one conversation, oldest first.

    :param names: upstream names of every tool the conversation mentions.
    :param replay_thinking: send signed reasoning back. A signature that another account or
        another service issued makes the upstream refuse the whole request.
    """

    def __init__(self, names: Names, *, replay_thinking: bool = False) -> None:
        self._names = names
        self._replay = replay_thinking
        self._labels = Labels()
        self._inputs: list[tuple[dict[str, Any], bytes]] = []
        self.called: dict[str, None] = {}
        """Upstream names of the tools that were called, in order of their first call."""
        self.picture_bytes = 0
        """Base64 characters of all pictures and documents written."""
        self.cached: list[tuple[dict[str, Any], int]] = []
        """The written messages after which a prompt cache is to have a point, each with
        ``picture_bytes`` up to there."""
        self.repairs: dict[str, None] = {}
        """Short words for what did not stay as it was."""

    def written(self, sides: Iterable[Side]) -> list[Message]:
        """One message per side; the last one is the user's current message."""
        messages: list[Message] = []
        calls = Calls(self._labels)
        for side in sides:
            if side.assistant:
                calls = Calls(self._labels)
                message = self._assistant(side, calls)
                messages.append({"assistantResponseMessage": message})
            else:
                message = self._user(side, calls)
                messages.append({"userInputMessage": message})
            if side.cache:
                self.cached.append((message, self.picture_bytes))
        return messages

    def fill_inputs(self) -> None:
        """Put the inputs of all tool calls into the messages written so far."""
        for use, data in self._inputs:
            use["input"] = as_object(data)

    def _assistant(self, side: Side, calls: Calls) -> Message:
        groups: list[list[str]] = []
        uses: list[dict[str, Any]] = []
        thought = False
        for group in side.groups:
            texts: list[str] = []
            for piece in group:
                if isinstance(piece, Text):
                    texts.append(piece.text)
                elif isinstance(piece, ToolUse):
                    uses.append(self._use(piece, calls))
                elif isinstance(piece, Document):
                    texts.append(document_note(piece))
                elif isinstance(piece, Reference):
                    texts.append(reference_note(piece))
                else:
                    thought = True
            groups.append(texts)
        message: Message = {"content": _joined(groups) or SILENT}
        if uses:
            message["toolUses"] = uses
        if thought and not self._replay:
            self.repairs["thinking.left_out"] = None
        elif thought and (reasoning := reasoning_content(side)) is not None:
            message["reasoningContent"] = reasoning
        elif thought:
            self.repairs["thinking.unsigned_dropped"] = None
        return message

    def _use(self, piece: ToolUse, calls: Calls) -> dict[str, Any]:
        name = self._names.upstream(piece.name)
        self.called[name] = None
        use: dict[str, Any] = {"toolUseId": calls.called(piece.id), "name": name, "input": {}}
        self._inputs.append((use, piece.input))
        return use

    def _user(self, side: Side, calls: Calls) -> Message:
        groups: list[list[str]] = []
        pictures: list[dict[str, Any]] = []
        papers: list[dict[str, Any]] = []
        for group in side.groups:
            texts: list[str] = []
            for piece in group:
                if isinstance(piece, Text):
                    texts.append(piece.text)
                elif isinstance(piece, ToolResult):
                    if not calls.answered(piece):
                        self.repairs["results.as_text"] = None
                        said = "\n".join(result_texts(piece))
                        texts.append(orphan_result(piece.id, piece.is_error, said))
                elif isinstance(piece, Picture):
                    pictures.append({"format": piece.format, "source": {"bytes": piece.data}})
                    self.picture_bytes += len(piece.data)
                elif isinstance(piece, Paper):
                    source = {"bytes": piece.data}
                    papers.append({"name": piece.name, "format": piece.format, "source": source})
                    self.picture_bytes += len(piece.data)
                elif isinstance(piece, ToolUse):
                    texts.append(misplaced_call(piece))
                elif isinstance(piece, Document):
                    texts.append(document_note(piece))
                elif isinstance(piece, Reference):
                    texts.append(reference_note(piece))
            groups.append(texts)
        content = _joined(groups)
        # Wire: empty content is fine beside tool results, and refused without them.
        if not content and not calls:
            content = LOOK if pictures or papers else CONTINUE
        message: Message = {"content": content, "origin": ORIGIN}
        if pictures:
            message["images"] = pictures
        if papers:
            message["documents"] = papers
        if calls:
            message["userInputMessageContext"] = {"toolResults": calls.results()}
            if calls.unanswered:
                self.repairs["results.added"] = None
        return message


def instructed(text: str) -> list[Message]:
    """The pair that carries the system text: at the very start, where the upstream's cache
    finds it again, and without a wrapper that would weaken it."""
    return [
        {"userInputMessage": {"content": text, "origin": ORIGIN}},
        {"assistantResponseMessage": {"content": ACKNOWLEDGED}},
    ]


def reasoning_content(side: Side) -> dict[str, Any] | None:
    """The reasoning of an assistant's side as far as the upstream can take it back.

    Wire: a union of one text with its signature or one encrypted blob. Several signed blocks of
    one message cannot be expressed; the last one is what the calls after it rest on.
    """
    redacted = None
    signed = None
    for group in side.groups:
        for piece in group:
            if isinstance(piece, Thinking) and piece.signature:
                signed = {"text": piece.text, "signature": piece.signature}
            elif isinstance(piece, RedactedThinking) and _is_base64(piece.data):
                redacted = piece.data
    if signed is not None:
        return {"reasoningText": signed}
    if redacted is not None:
        return {"redactedContent": redacted}
    return None


def _is_base64(data: str) -> bool:
    try:
        return bool(binascii.a2b_base64(data, strict_mode=True))
    except ValueError:
        return False


def _joined(groups: list[list[str]]) -> str:
    """Turns by a blank line, parts of one turn by a line end; "" if nothing is said at all."""
    if len(groups) == 1 and len(groups[0]) < 2:
        content = groups[0][0] if groups[0] else ""
    else:
        turns = ["\n".join(filter(None, texts)) for texts in groups]
        content = "\n\n".join(filter(None, turns))
    return "" if content.isspace() else content
