# -*- test-case-name: tests.dialects.responses.test_output -*-
"""The items of an answer while they grow, and their JSON at any moment.

Each knows its id, its place in ``output`` and the texts it was given. Must not know events.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec

from kiro2api.conversation.question import RedactedThinking, Thinking
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.chat.ending import call_id
from kiro2api.dialects.chat.freeform import raw_text
from kiro2api.dialects.citations import Citation, citations
from kiro2api.dialects.responses.sealed import seal
from kiro2api.dialects.responses.tools import Callee

Status: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed"]

_encode = msgspec.json.Encoder().encode


class UrlCitation(Citation, frozen=True, tag_field="type", tag="url_citation"):
    """One of ``annotations``: where in the text a page is named."""


class OutputText(msgspec.Struct, frozen=True):
    """The one content part of a message."""

    text: str
    type: Literal["output_text"] = "output_text"
    annotations: tuple[UrlCitation, ...] = ()
    logprobs: tuple[()] = ()


class SummaryText(msgspec.Struct, frozen=True):
    """The one part of a summary."""

    text: str
    type: Literal["summary_text"] = "summary_text"


class _Message(msgspec.Struct, frozen=True):
    id: str
    status: Status
    content: tuple[OutputText, ...]
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"


class _Reasoning(msgspec.Struct, frozen=True):
    id: str
    summary: tuple[SummaryText, ...]
    encrypted_content: str | msgspec.UnsetType
    type: Literal["reasoning"] = "reasoning"


class _FunctionCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Status
    name: str
    arguments: str
    namespace: str | msgspec.UnsetType
    type: Literal["function_call"] = "function_call"


class _CustomCall(msgspec.Struct, frozen=True):
    id: str
    call_id: str
    status: Status
    name: str
    input: str
    namespace: str | msgspec.UnsetType
    type: Literal["custom_tool_call"] = "custom_tool_call"


class Item:
    """What all items have in common: ``id``, ``index`` in the output, ``fragments`` of text."""

    prefix: ClassVar[str]

    def __init__(self, unique: str, index: int) -> None:
        self.id = f"{self.prefix}_{unique}{index:02x}"
        self.index = index
        self.fragments: list[str] = []

    @property
    def text(self) -> str:
        """All that has come so far."""
        return "".join(self.fragments)


class Message(Item):
    """Text of the answer."""

    prefix = "msg"
    named: tuple[UrlCitation, ...] = ()

    def cite(self, hits: Sequence[SearchHit]) -> None:
        """Look in the text, which is complete, for the pages that were found before."""
        self.named = tuple(
            UrlCitation(*msgspec.structs.astuple(each)) for each in citations(self.text, hits)
        )

    @property
    def part(self) -> OutputText:
        """The content of a message that is complete."""
        return OutputText(self.text, annotations=self.named)

    def json(self, status: Status) -> bytes:
        """The item."""
        content = (self.part,) if status != "in_progress" else ()
        return _encode(_Message(self.id, status, content))


class Reasoning(Item):
    """The model's reasoning up to its signature, or a piece of it that is encrypted."""

    prefix = "rs"
    sealed: str = ""

    def sign(self, signature: str) -> None:
        """The text so far was signed."""
        self.sealed = seal(Thinking(self.text, signature))

    def hide(self, data: str) -> None:
        """There is no text, only what its provider has encrypted."""
        self.sealed = seal(RedactedThinking(data))

    def json(self, summary: bool, sealed: bool) -> bytes:
        """The item, as far as it is to be shown."""
        text = self.text if summary else ""
        return _encode(
            _Reasoning(
                self.id,
                (SummaryText(text),) if text else (),
                self.sealed if sealed and self.sealed else msgspec.UNSET,
            )
        )


class Call(Item):
    """A call of one of the client's tools; ``source`` is its id as the upstream gave it."""

    prefix = "fc"

    def __init__(self, unique: str, index: int, source: str, callee: Callee) -> None:
        self.source = source
        self.callee = callee
        super().__init__(unique, index)

    def json(self, status: Status) -> bytes:
        """The item."""
        namespace = self.callee.namespace or msgspec.UNSET
        return _encode(
            _FunctionCall(
                self.id, call_id(self.source), status, self.callee.name, self.text, namespace
            )
        )


class CustomCall(Call):
    """A call whose input is raw text, which can be told only when all of it is there."""

    prefix = "ctc"

    @property
    def input(self) -> str:
        """The raw text."""
        return raw_text(self.text)

    def json(self, status: Status) -> bytes:
        """The item."""
        namespace = self.callee.namespace or msgspec.UNSET
        text = self.input if status == "completed" else ""
        return _encode(
            _CustomCall(self.id, call_id(self.source), status, self.callee.name, text, namespace)
        )
