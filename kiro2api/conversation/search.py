# -*- test-case-name: tests.conversation.test_search -*-
"""What a web search finds, and how the model is told of it.

Must not know who searches, nor any dialect. The text for the model is the same in the turn that
searched and in later ones, where it is made again from what the client sent back.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

SEARCH_TOOL: Final = "web_search"
"""What the model calls the tool, unless a tool of the client is called that."""

SearchError: TypeAlias = Literal[
    "unavailable",
    "too_many_requests",
    "query_too_long",
    "invalid_tool_input",
    "max_uses_exceeded",
]


class SearchHit(msgspec.Struct, frozen=True):
    """One page. ``page_age`` is a date in words; what is unknown is empty."""

    url: str
    title: str = ""
    snippet: str = ""
    page_age: str = ""


_FAILED: Final[dict[str, str]] = {
    "too_many_requests": "There were too many searches just now.",
    "query_too_long": "The query is too long.",
    "invalid_tool_input": "The input is not what this tool takes.",
    "max_uses_exceeded": "No more searches are allowed in this answer. Answer with what is known.",
}


def found_text(hits: Sequence[SearchHit]) -> str:
    """The pages as the model reads them."""
    if not hits:
        return "No pages were found."
    return "\n\n".join(_page(number, hit) for number, hit in enumerate(hits, 1))


def failed_text(error: str) -> str:
    """Why there are no pages; any other code than ours is as good as ``unavailable``."""
    return _FAILED.get(error, "The web search is not available.")


def _page(number: int, hit: SearchHit) -> str:
    lines = (f"[{number}] {hit.title or hit.url}", hit.url, hit.page_age, hit.snippet)
    return "\n".join(line for line in lines if line)
