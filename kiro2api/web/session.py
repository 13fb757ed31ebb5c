# -*- test-case-name: tests.web.test_session -*-
"""Which conversation a request belongs to, where only its headers say so.

Pure. Must not know any dialect, nor who sent the request: an address or a moment says nothing
about a conversation.
"""

from collections.abc import Callable
from typing import Final

NAMES: Final = (
    b"X-Claude-Code-Session-Id",
    b"session-id",
    b"X-Session-Id",
    b"X-Session-Affinity",
    b"X-Conversation-ID",
)
"""The headers by which clients name their conversation, the most precise first."""

MAX_LENGTH: Final = 128
"""Characters of a name; a longer one is none."""


def session_of(header: Callable[[bytes], bytes | str | None]) -> str:
    """The first usable name among the headers, empty without one.

    :param header: gives the value of a header, None where it was not sent.
    """
    for name in NAMES:
        value = header(name)
        if value is None:
            continue
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        text = text.strip()
        if text and len(text) <= MAX_LENGTH and text.isascii() and text.isprintable():
            return text
    return ""
