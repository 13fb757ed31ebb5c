# -*- test-case-name: tests.dialects.chat.test_collect -*-
"""Events to one whole chat completion.

Accepts and leaves out exactly what the stream's writer does, so that both say the same. Must not
know the transport or the clock.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from kiro2api.conversation.answer import (
    Ended,
    SearchEnded,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
    Usage,
)
from kiro2api.dialects.chat.ending import Counts, call_id, completion_id, counts, finish_reason
from kiro2api.dialects.chat.freeform import raw_text
from kiro2api.dialects.chat.searching import Annotation, Echo, Said
from kiro2api.dialects.dialect import Opening


class CalledFunction(msgspec.Struct, frozen=True):
    """``function`` of a call."""

    name: str
    arguments: str


class Call(msgspec.Struct, frozen=True):
    """One of ``tool_calls``."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class CalledCustom(msgspec.Struct, frozen=True):
    """``custom`` of a call."""

    name: str
    input: str


class CustomCall(msgspec.Struct, frozen=True):
    """One of ``tool_calls``, of a tool that takes raw text."""

    id: str
    custom: CalledCustom
    type: Literal["custom"] = "custom"


class Message(msgspec.Struct, frozen=True):
    """``message``."""

    content: str | None
    reasoning_content: str | msgspec.UnsetType
    tool_calls: list[Call | CustomCall] | msgspec.UnsetType
    annotations: list[Annotation] | msgspec.UnsetType = msgspec.UNSET
    role: Literal["assistant"] = "assistant"


class ChatChoice(msgspec.Struct, frozen=True):
    """One of ``choices``."""

    message: Message
    finish_reason: str
    index: int = 0


class Completion(msgspec.Struct, frozen=True):
    """The whole answer."""

    id: str
    created: int
    model: str
    choices: tuple[ChatChoice, ...]
    usage: Counts
    object: Literal["chat.completion"] = "chat.completion"


class _OpenCall:
    """A call while its arguments arrive."""

    def __init__(self, call: str, name: str) -> None:
        self.id = call
        self.name = name
        self.fragments: list[str] = []
        self.open = True

    def close(self) -> None:
        if self.open and not any(self.fragments):
            self.fragments.append("{}")
        self.open = False

    def whole(self, freeform: bool) -> Call | CustomCall:
        arguments = "".join(self.fragments)
        if freeform:
            return CustomCall(call_id(self.id), CalledCustom(self.name, raw_text(arguments)))
        return Call(call_id(self.id), CalledFunction(self.name, arguments))


class CompletionCollector:
    """Collects one answer."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[str, _OpenCall] = {}
        self._said = Said() if isinstance(opening.echo, Echo) else None
        self._usage: Usage | None = None
        self._ended: Ended | None = None

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take more events; those after the end are not looked at."""
        if self._ended is not None:
            return
        for event in events:
            if isinstance(event, TextDelta):
                said = self._said
                self._texts.append(event.text if said is None else said.more(event.text))
            elif isinstance(event, ThinkingDelta):
                self._thoughts.append(event.text)
            elif isinstance(event, ToolBegun):
                self._calls.setdefault(event.id, _OpenCall(event.id, event.name))
            elif isinstance(event, ToolInputDelta):
                call = self._calls.get(event.id)
                if call is not None and call.open:
                    call.fragments.append(event.json)
            elif isinstance(event, ToolEnded):
                call = self._calls.get(event.id)
                if call is not None:
                    call.close()
            elif isinstance(event, SearchEnded):
                if self._said is not None:
                    self._said.found(event.hits)
            elif isinstance(event, Usage):
                self._usage = event
            elif isinstance(event, Ended):
                self._ended = event
                return

    def reply(self) -> bytes:
        """The JSON body."""
        return whole(self._opening, (self.choice(),), self._usage)

    def choice(self, index: int = 0) -> ChatChoice:
        """The answer so far."""
        reason = StopReason.END_TURN if self._ended is None else self._ended.reason
        text = "".join(self._texts)
        freeform = self._opening.freeform
        calls = [
            call.whole(call.name in freeform)
            for call in self._calls.values()
            # Raw text that was cut off cannot be told from the whole.
            if not (call.open and call.name in freeform)
        ]
        message = Message(
            None if calls and not text else text,
            "".join(self._thoughts) or msgspec.UNSET,
            calls or msgspec.UNSET,
            (self._said.annotations if self._said else None) or msgspec.UNSET,
        )
        return ChatChoice(message, finish_reason(reason, bool(calls)), index)


def whole(opening: Opening, choices: tuple[ChatChoice, ...], usage: Usage | None) -> bytes:
    """The JSON body around the choices."""
    return msgspec.json.encode(
        Completion(
            completion_id(opening),
            opening.created,
            opening.model,
            choices,
            counts(opening, usage),
        )
    )
