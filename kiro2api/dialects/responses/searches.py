# -*- test-case-name: tests.dialects.responses.test_searches -*-
"""Web searches as items: how they are shown to a client, and what comes back of them.

A client is shown the query, and the addresses if it wants them. What a response that is held here
found is kept with its item, so that a later turn can tell the model again. Must not know the order
of items, nor who searches.
"""

from typing import Final, Literal

import msgspec

from kiro2api.conversation.answer import SearchEnded
from kiro2api.conversation.question import Part, Text, ToolResult, ToolUse
from kiro2api.conversation.search import SEARCH_TOOL, SearchHit, failed_text, found_text
from kiro2api.dialects.responses.output import Item, Status
from kiro2api.dialects.responses.shapes import Item as Given
from kiro2api.dialects.responses.shapes import within
from kiro2api.errors import RequestRejected

_UNKNOWN: Final = "What was found is not kept. What matters of it is in the answer."


class _Source(msgspec.Struct, frozen=True):
    url: str
    type: Literal["url"] = "url"


class _Action(msgspec.Struct, frozen=True):
    query: str
    sources: tuple[_Source, ...] | msgspec.UnsetType
    type: Literal["search"] = "search"


class _SearchCall(msgspec.Struct, frozen=True):
    id: str
    status: Status
    action: _Action
    results: tuple[SearchHit, ...] | msgspec.UnsetType
    type: Literal["web_search_call"] = "web_search_call"


_encode = msgspec.json.Encoder().encode


class SearchCall(Item):
    """A search of ours; ``source`` is its id as the upstream gave it."""

    prefix = "ws"

    def __init__(self, unique: str, index: int, source: str, query: str) -> None:
        self.source = source
        self.query = query
        self.hits: tuple[SearchHit, ...] = ()
        self.error = ""
        super().__init__(unique, index)

    def end(self, ended: SearchEnded) -> None:
        """What came of it."""
        self.hits, self.error = ended.hits, ended.error

    def json(self, status: Status) -> bytes:
        """The item before its end."""
        return self._json(status, msgspec.UNSET, msgspec.UNSET)

    def shown(self, sources: bool) -> bytes:
        """The item at its end, for the client."""
        found = tuple(_Source(hit.url) for hit in self.hits) if sources else msgspec.UNSET
        return self._json(self._end, found, msgspec.UNSET)

    def kept(self) -> bytes:
        """The item at its end, for later requests."""
        return self._json(self._end, msgspec.UNSET, self.hits)

    @property
    def _end(self) -> Status:
        return "failed" if self.error else "completed"

    def _json(
        self,
        status: Status,
        sources: tuple[_Source, ...] | msgspec.UnsetType,
        results: tuple[SearchHit, ...] | msgspec.UnsetType,
    ) -> bytes:
        return _encode(_SearchCall(self.id, status, _Action(self.query, sources), results))


# ── what comes back ──────────────────────────────────────────────────────────


class _GivenPage(msgspec.Struct, gc=False):
    url: str | None = None
    title: str | None = None
    snippet: str | None = None
    page_age: str | None = None


class _GivenAction(msgspec.Struct, gc=False):
    query: str | None = None
    queries: list[str] | None = None
    sources: list[_GivenPage] | None = None


_ACTION: Final = msgspec.json.Decoder(_GivenAction | None)
_RESULTS: Final = msgspec.json.Decoder(list[_GivenPage] | None)


def parts_of(item: Given, place: str, offered: bool) -> tuple[Part, ...]:
    """An earlier search: a call of the tool with its result where the model is given the tool
    again, which a text would show how to do without; else a text. Empty for what was no search.
    """
    try:
        action = within(_ACTION, item.action, place) or _GivenAction()
        pages = within(_RESULTS, item.results, place)
    except RequestRejected:
        # Another server's, of a form that is unknown here.
        return ()
    query = action.query or next(iter(action.queries or ()), "")
    if not query:
        return ()
    failed = bytes(item.status) == b'"failed"'
    text = failed_text("") if failed else _found(action.sources if pages is None else pages)
    asked = _encode({"query": query})
    if offered:
        call = item.id or f"ws_{place}"
        return (ToolUse(call, SEARCH_TOOL, asked), ToolResult(call, (Text(text),), failed))
    return (
        Text(f"(The server ran {SEARCH_TOOL} with {asked.decode('utf-8')}.)"),
        Text(f"(The web search gave this back:\n{text}\n)"),
    )


def _found(pages: list[_GivenPage] | None) -> str:
    if pages is None:
        return _UNKNOWN
    return found_text(
        [
            SearchHit(page.url, page.title or "", page.snippet or "", page.page_age or "")
            for page in pages
            if page.url
        ]
    )
