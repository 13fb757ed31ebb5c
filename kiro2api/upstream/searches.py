# -*- test-case-name: tests.upstream.test_searches -*-
"""The upstream's web search as values: the call of its tool and what comes back.

Pure. Must not know how it is sent. Wire: JSON-RPC 2.0; a failure is an ``error`` within HTTP 200,
or ``isError``; the pages are JSON text inside a text block, which has an ``error`` of its own.
"""

from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from kiro2api.conversation.search import SearchHit
from kiro2api.errors import (
    AccessRefused,
    ProtocolViolation,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)

INVALID_QUERY: Final = "invalid_query"
"""Code of the fault for a query that the search refuses."""

MAX_HITS: Final = 20
MAX_SNIPPET: Final = 4000
_MAX_LINE: Final = 2000
_MAX_DAY: Final = 40

_INVALID_PARAMS: Final = -32602
_TOOL: Final = "web_search"
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_T = TypeVar("_T")


class _Block(msgspec.Struct):
    type: str = "text"
    text: str | None = None


class _Result(msgspec.Struct):
    content: list[_Block] = []
    isError: bool | None = None


class _Error(msgspec.Struct):
    code: int | None = None
    message: str | None = None


class _Response(msgspec.Struct):
    result: _Result | None = None
    error: _Error | None = None


class _Page(msgspec.Struct):
    url: str
    title: str | None = None
    snippet: str | None = None
    publishedDate: object = None


class _Pages(msgspec.Struct):
    results: list[msgspec.Raw] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_RESPONSE: Final = msgspec.json.Decoder(_Response)
_PAGES: Final = msgspec.json.Decoder(_Pages)
_PAGE: Final = msgspec.json.Decoder(_Page)


def search_body(query: str, id: str) -> bytes:
    """The request body of one search; ``id`` is any text that is not used twice."""
    params = {"name": _TOOL, "arguments": {"query": query}}
    message = {"id": id, "jsonrpc": "2.0", "method": "tools/call", "params": params}
    return msgspec.json.encode(message)


def parse_search(body: bytes) -> tuple[SearchHit, ...]:
    """The pages that were found, perhaps none; raises UpstreamFault.

    A page without an address is left out, long texts are cut.
    """
    response = _decoded(_RESPONSE, body)
    if response.error is not None:
        raise _refused(response.error)
    result = response.result
    if result is None:
        raise _unexpected()
    if result.isError:
        raise _failed()
    text = next((block.text for block in result.content if block.text), None)
    if text is None:
        return ()
    pages = _decoded(_PAGES, text.encode("utf-8", "replace"))
    if not pages.results and bytes(pages.error) not in (b"null", b'""', b"false"):
        raise _failed()
    hits = (_hit(raw) for raw in pages.results or ())
    return tuple(hit for hit in hits if hit is not None)[:MAX_HITS]


def _hit(raw: msgspec.Raw) -> SearchHit | None:
    try:
        page = _PAGE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not page.url or len(page.url) > _MAX_LINE:
        return None
    return SearchHit(
        url=page.url,
        title=(page.title or "")[:_MAX_LINE],
        snippet=(page.snippet or "")[:MAX_SNIPPET],
        page_age=_day(page.publishedDate),
    )


def _day(published: object) -> str:
    """Wire: milliseconds since the epoch; a text is passed on. "" for what makes no sense."""
    if isinstance(published, str):
        return published[:_MAX_DAY]
    if not isinstance(published, int | float) or not published:
        return ""
    try:
        when = datetime.fromtimestamp(published / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{_MONTHS[when.month - 1]} {when.day}, {when.year}"


def _decoded(decoder: "msgspec.json.Decoder[_T]", body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without the library's text, which may quote the body.
        raise _unexpected() from None


def _unexpected() -> UpstreamFault:
    return ProtocolViolation(
        "the upstream's answer to a search is not the expected JSON", code="unexpected_json"
    )


def _failed() -> UpstreamFault:
    return UpstreamUnavailable("the upstream's web search failed", code="search_failed")


def _refused(error: _Error) -> UpstreamFault:
    if error.code != _INVALID_PARAMS:
        return _failed()
    # Wire: a tool that is not there for this account has the same code as a wrong argument.
    if "tool not found" in (error.message or "").lower():
        return AccessRefused("this account has no web search", code="no_web_search")
    return UpstreamRefused("the upstream's web search refuses the query", code=INVALID_QUERY)
