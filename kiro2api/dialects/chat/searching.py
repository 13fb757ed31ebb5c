# -*- test-case-name: tests.dialects.chat.test_searching -*-
"""The web search that a request may ask for, and the pages that an answer names.

This dialect has no place for a search itself: the client sees only which of the pages found are
named in the text. Must not know who searches, nor how an answer is put together.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from kiro2api.conversation.question import ServerTool
from kiro2api.conversation.search import SearchHit
from kiro2api.dialects.chat.shapes import Body, Tool, given
from kiro2api.dialects.citations import Citation, citations

_KIND: Final = "web_search"
_BETWEEN: Final = "\n\n"


class Echo(msgspec.Struct, frozen=True):
    """What the writers must know of a request that asks for searches."""


class Annotation(msgspec.Struct, frozen=True):
    """One of ``annotations``."""

    url_citation: Citation
    type: Literal["url_citation"] = "url_citation"


class _Approximate(msgspec.Struct):
    approximate: msgspec.Raw = msgspec.Raw(b"")


_LOCATION: Final = msgspec.json.Decoder(_Approximate)


def server_tools_of(body: Body) -> tuple[ServerTool, ...]:
    """The search, asked for by its options or as one of the tools, as some clients do."""
    options = body.web_search_options
    if options is not None:
        place = place_of(given(options.user_location))
        return (ServerTool(kind="web_search", user_location=place),)
    for tool in body.tools or ():
        if is_web_search(tool):
            return (
                ServerTool(
                    kind="web_search",
                    name=tool.name or _KIND,
                    max_uses=tool.max_uses,
                    allowed_domains=domains_of(tool.allowed_domains),
                    blocked_domains=domains_of(tool.blocked_domains),
                    user_location=place_of(given(tool.user_location)),
                ),
            )
    return ()


def is_web_search(tool: Tool) -> bool:
    """Whether a tool is the server's search."""
    own = tool.function or tool.custom or given(tool.parameters) or given(tool.input_schema)
    return not own and is_kind(tool.type or "")


class Said:
    """The text of an answer with searches, as it is shown.

    The texts before and after a search were written apart, and nothing else shows that.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._hits: list[SearchHit] = []
        self._apart = False

    def more(self, text: str) -> str:
        """What is shown for some more text."""
        if self._apart and text:
            self._apart = False
            if self._pieces and not text[0].isspace():
                text = f"{_BETWEEN}{text}"
        self._pieces.append(text)
        return text

    def found(self, hits: Sequence[SearchHit]) -> None:
        """A search was made here."""
        self._hits += hits
        self._apart = any(self._pieces)

    @property
    def annotations(self) -> list[Annotation]:
        """The pages that are named in it."""
        return [Annotation(named) for named in citations("".join(self._pieces), self._hits)]


def is_kind(kind: str) -> bool:
    """Whether tools of this type are the server's search, of whatever date."""
    return kind == _KIND or kind.startswith(f"{_KIND}_")


def domains_of(domains: Sequence[str] | None) -> tuple[str, ...]:
    """A list of domains without the empty ones."""
    return tuple(domain for domain in domains or () if domain.strip())


def place_of(location: bytes) -> bytes:
    """A place, which this dialect wraps once more."""
    if location[:1] != b"{":
        return b""
    inner = bytes(_LOCATION.decode(location).approximate)
    return inner if inner[:1] == b"{" else location
