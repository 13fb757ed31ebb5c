# -*- test-case-name: tests.media.test_reading -*-
"""The sentences around what was attached: in prompts and in refusals. Dull on purpose.

Must not know where they are used.
"""

from urllib.parse import urlsplit


def document_text(title: str, about: str, text: str) -> str:
    """A document's text between two lines that say where it begins and ends."""
    name = f"document {title}" if title else "document"
    head = f"[{name}: {about}]" if about else f"[{name}]"
    return f"{head}\n{text}\n[end of the document]"


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters of ``text``, and a line that says so where some are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut here: only the first {limit:,} characters are shown]"


def document_name(name: str, media_type: str) -> str:
    """How a document by value is called in a sentence."""
    return f"the document {name!r}" if name else f"a document ({media_type or 'unknown type'})"


def address_name(what: str, url: str) -> str:
    """How something given by address is called: without path and query, which may be secrets."""
    return f"the {what} at {urlsplit(url).hostname or 'an address'}"


def left_out(name: str, reason: str) -> str:
    """In place of something that cannot be used."""
    return f"[{name} left out: {reason}]"


def refused(name: str, reason: str) -> str:
    """The message of a refusal."""
    return f"{name} cannot be used: {reason}"
