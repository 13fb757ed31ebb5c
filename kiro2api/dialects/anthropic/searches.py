# -*- test-case-name: tests.dialects.anthropic.test_searches -*-
"""Web searches as blocks: how they are shown to a client, and what it sends back of them.

``encrypted_content`` hides nothing: it keeps the excerpt of a page that only the model reads, in a
wrapper with a mark of ours, so that a later turn can tell the model again what it had found. Must
not know the order of blocks, nor who searches.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from kiro2api.conversation.answer import SearchEnded
from kiro2api.conversation.search import SEARCH_TOOL, SearchHit
from kiro2api.dialects.anthropic.encoding import clean, encode

_VERSION: Final = 1
_PREFIX: Final = "srvtoolu_"


class _Sealed(msgspec.Struct):
    kiro2api: int
    snippet: str


class Found(msgspec.Struct):
    """One entry of the content of a ``web_search_tool_result``."""

    url: str
    title: str
    encrypted_content: str
    page_age: str | None
    type: str = "web_search_result"


class NotFound(msgspec.Struct):
    """Its content where the search failed."""

    error_code: str
    type: str = "web_search_tool_result_error"


Content: TypeAlias = list[Found] | NotFound

_SEALED: Final = msgspec.json.Decoder(_Sealed)


def search_block(search_id: str, query: str) -> dict[str, object]:
    """The ``server_tool_use`` block of a whole answer; a stream begins it with empty input."""
    name = SEARCH_TOOL
    return {"type": "server_tool_use", "id": search_id, "name": name, "input": {"query": query}}


def query_json(query: str) -> str:
    """The input of such a block as JSON text."""
    return encode({"query": query}).decode("utf-8")


def result_block(search_id: str, content: Content) -> dict[str, object]:
    """The ``web_search_tool_result`` block."""
    return {"type": "web_search_tool_result", "tool_use_id": search_id, "content": content}


def content_of(ended: SearchEnded) -> Content:
    """What came of a search."""
    if ended.error:
        return NotFound(clean(ended.error))
    return [
        Found(
            clean(hit.url), clean(hit.title), seal(clean(hit.snippet)), clean(hit.page_age) or None
        )
        for hit in ended.hits
    ]


def client_search_id(upstream_id: str) -> str:
    """The id that clients expect of a search; the same for the same call."""
    if upstream_id.startswith(_PREFIX):
        return upstream_id
    return _PREFIX + upstream_id.removeprefix("tooluse_")


def seal(snippet: str) -> str:
    """The ``encrypted_content`` of a page."""
    return b64encode(msgspec.json.encode(_Sealed(_VERSION, snippet))).decode("ascii")


def unseal(content: str) -> str:
    """The excerpt again; empty for what is not ours or was damaged."""
    try:
        sealed = _SEALED.decode(b64decode(content, validate=True))
    except ValueError:  # of base64 and of JSON alike
        return ""
    return sealed.snippet if sealed.kiro2api == _VERSION else ""


# ── what comes back ──────────────────────────────────────────────────────────


class WebPage(msgspec.Struct):
    """One page in a client's history; of another server's there is no excerpt."""

    url: str
    title: str | None = None
    encrypted_content: str | None = None
    page_age: str | None = None


class WebSearchError(msgspec.Struct):
    """Instead of pages."""

    error_code: str


def hits_of(pages: Sequence[WebPage]) -> tuple[SearchHit, ...]:
    """The pages as they were found."""
    return tuple(
        SearchHit(
            page.url, page.title or "", unseal(page.encrypted_content or ""), page.page_age or ""
        )
        for page in pages
    )
