# -*- test-case-name: tests.dialects.test_citations -*-
"""The pages that an answer names in its text, as OpenAI's dialects tell them.

Must not know who searches, nor how a dialect wraps a citation.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from kiro2api.conversation.search import SearchHit

# What may follow an address in a text without being a part of it.
_END: Final = r"(?![\w/?#&=%~+@-]|[.,:;][\w/])"


class Citation(msgspec.Struct, frozen=True):
    """Where in the text a page is named."""

    start_index: int
    end_index: int
    title: str
    url: str


def citations(text: str, hits: Iterable[SearchHit]) -> list[Citation]:
    """The first place of each page that is named in the text, in the order of the text."""
    found: dict[str, Citation] = {}
    for hit in hits:
        place = re.search(re.escape(hit.url) + _END, text) if hit.url not in found else None
        if place is not None:
            title = hit.title or hit.url
            found[hit.url] = Citation(place.start(), place.end(), title, hit.url)
    return sorted(found.values(), key=lambda each: each.start_index)
