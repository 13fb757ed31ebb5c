# -*- test-case-name: tests.dialects.anthropic.test_blocks -*-
"""Content blocks of a client's message to parts of the neutral question.

Known blocks are read strictly, with the path of a bad field; a block of an unknown type becomes
its own JSON as text, because clients learn new types before we do and a refusal would end a
session that is otherwise fine. Must not know messages, roles or the upstream.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from kiro2api.conversation.question import (
    Document,
    Part,
    RedactedThinking,
    ResultPart,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from kiro2api.conversation.search import SEARCH_TOOL, failed_text, found_text
from kiro2api.dialects.anthropic import media
from kiro2api.dialects.anthropic.decoding import compact, decode, json_text, rejected
from kiro2api.dialects.anthropic.searches import WebPage, WebSearchError, hits_of

Content: TypeAlias = str | list[msgspec.Raw] | None


class Marked(msgspec.Struct, kw_only=True):
    """Anything on which a client may set the end of what a prompt cache is to keep."""

    cache_control: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def cached(self) -> bool:
        """Whether the client has; which kind of cache it wants is not read."""
        return bytes(self.cache_control)[:1] == b"{"


class TextBlock(Marked, tag="text"):
    """Text, whatever cache marks and citations come with it."""

    text: str

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (Text(self.text),) if self.text else ()


class ImageBlock(Marked, tag="image"):
    """An image by value, URL or file id."""

    source: msgspec.Raw

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        below = f"{where}.source"
        part = media.image(media.read_source(self.source, below), below)
        return (Text(compact(raw)) if part is None else part,)


class DocumentBlock(Marked, tag="document"):
    """A document by value, as text, as blocks, by URL or by file id."""

    source: msgspec.Raw
    title: str | None = None
    context: str | None = None

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        below = f"{where}.source"
        source = media.read_source(self.source, below)
        found: tuple[Part, ...]
        if source.type == "content":
            found = _PLAIN.read(source.content, f"{below}.content")
        else:
            part = media.document(source, self.title or "", below)
            found = (Text(compact(raw)) if part is None else part,)
        # A Document carries its title as its name; beside any other part it has to be said.
        named = len(found) == 1 and isinstance(found[0], Document)
        said = (self.context,) if named else (self.title, self.context)
        return (*(Text(text) for text in said if text), *found)


class ToolUseBlock(Marked, tag="tool_use"):
    """A call of a client's tool."""

    id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        given = json_text(self.input)
        return (ToolUse(self.id, self.name, b"{}" if given == b"null" else given),)


class ToolResultBlock(Marked, tag="tool_result"):
    """What a call returned: text, blocks, or nothing."""

    tool_use_id: str
    content: Content = None
    is_error: bool | None = None

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        parts = _RESULT.read(self.content, f"{where}.content")
        found = tuple(part for part in parts if isinstance(part, ResultPart))
        return (ToolResult(self.tool_use_id, found, bool(self.is_error)),)


class ThinkingBlock(Marked, tag="thinking"):
    """Earlier reasoning; its text may be empty where the client chose not to see it."""

    thinking: str | None = None
    signature: str | None = None

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (Thinking(self.thinking or "", self.signature or ""),)


class RedactedThinkingBlock(Marked, tag="redacted_thinking"):
    """Earlier reasoning that nobody but its provider can read."""

    data: str

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (RedactedThinking(self.data),)


class ToolReferenceBlock(Marked, tag="tool_reference"):
    """A tool that the client's tool search found; it is among the tools as well."""

    tool_name: str

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (Text(f"The tool {self.tool_name} is available now."),)


class SearchResultBlock(Marked, tag="search_result"):
    """A passage from the client's own search."""

    content: list[msgspec.Raw]
    source: str = ""
    title: str = ""

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        head = "\n".join(line for line in (self.title, self.source) if line)
        found = _PLAIN.read(self.content, f"{where}.content")
        return (Text(head), *found) if head else found


class ServerToolUseBlock(Marked, tag="server_tool_use"):
    """A call that an earlier server made itself. Its result follows as a block of its own."""

    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (Text(f"(The server ran {self.name} with {compact(self.input)}.)"),)


class WebSearchResultBlock(Marked, tag="web_search_tool_result"):
    """What such a call of the web search found."""

    content: list[WebPage] | WebSearchError

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        return (Text(f"(The web search gave this back:\n{self.text}\n)"),)

    @property
    def text(self) -> str:
        """What the model is told."""
        content = self.content
        if isinstance(content, WebSearchError):
            return failed_text(content.error_code)
        return found_text(hits_of(content))


class SearchCallBlock(Marked, tag="server_tool_use"):
    """The same where the client offers the search again: a call of the tool that the model is
    given. As a text it would be an example of how to search by merely saying so."""

    name: str
    id: str
    input: msgspec.Raw = msgspec.Raw(b"{}")

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        if self.name != SEARCH_TOOL:
            return ServerToolUseBlock(self.name, self.input).parts(raw, where)
        return (ToolUse(self.id, SEARCH_TOOL, json_text(self.input)),)


class SearchFoundBlock(WebSearchResultBlock, tag="web_search_tool_result", kw_only=True):
    """And its result."""

    tool_use_id: str

    def parts(self, raw: msgspec.Raw, where: str) -> Sequence[Part]:
        failed = isinstance(self.content, WebSearchError)
        return (ToolResult(self.tool_use_id, (Text(self.text),), failed),)


_Plain: TypeAlias = TextBlock | ImageBlock
_Result: TypeAlias = (
    _Plain | DocumentBlock | ToolReferenceBlock | SearchResultBlock | WebSearchResultBlock
)
_Own: TypeAlias = ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock
_Block: TypeAlias = _Result | _Own | ServerToolUseBlock
_Searching: TypeAlias = (
    _Plain
    | DocumentBlock
    | ToolReferenceBlock
    | SearchResultBlock
    | _Own
    | SearchCallBlock
    | SearchFoundBlock
)


class _Tag(msgspec.Struct):
    type: str


_TAG: Final = msgspec.json.Decoder(_Tag)
_STRING: Final = msgspec.json.Decoder(str)
_QUOTE: Final = ord('"')

# A bad field in one of these is worth a refusal: the client meant it to be read. What a server
# tool left behind in the history is not.
_STRICT: Final = frozenset(
    {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"}
)


class BlockReader:
    """Reads lists of blocks of one vocabulary; any other block becomes text.

    Vocabularies get smaller from the message inwards, so nesting ends by itself.
    """

    def __init__(self, union: Any, strict: frozenset[str]) -> None:
        self._decoder: msgspec.json.Decoder[_Block | _Searching] = msgspec.json.Decoder(union)
        self._strict = strict

    def read(self, content: Content, where: str) -> tuple[Part, ...]:
        """The parts of some content in order; raises RequestRejected."""
        return self.read_marked(content, where)[0]

    def read_marked(self, content: Content, where: str) -> tuple[tuple[Part, ...], bool]:
        """The same, and whether a block ends what a prompt cache is to keep."""
        if not content:
            return (), False
        if isinstance(content, str):
            return (Text(content),), False
        cached = False
        found: list[Part] = []
        decode_block = self._decoder.decode
        for index, raw in enumerate(content):
            try:
                block = decode_block(raw)
            except msgspec.ValidationError as error:
                found.append(self._irregular(raw, f"{where}[{index}]", error))
            else:
                found += block.parts(raw, f"{where}[{index}]")
                cached = cached or block.cached
        return tuple(found), cached

    def _irregular(self, raw: msgspec.Raw, where: str, error: msgspec.ValidationError) -> Part:
        if memoryview(raw)[0] == _QUOTE:
            return Text(_STRING.decode(raw))
        if decode(_TAG, raw, where).type in self._strict:
            raise rejected(error, where) from None
        return Text(compact(raw))


_PLAIN: Final = BlockReader(_Plain, frozenset({"text", "image"}))
_RESULT: Final = BlockReader(_Result, frozenset({"text", "image", "document"}))
MESSAGE: Final = BlockReader(_Block, _STRICT)
SEARCHING: Final = BlockReader(_Searching, _STRICT)
"""For messages of a client that offers the web search."""
