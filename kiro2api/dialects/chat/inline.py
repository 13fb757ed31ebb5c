# -*- test-case-name: tests.dialects.chat.test_inline -*-
"""Images and files that come by value in a URL or as base64, or only by their address.

Must not know messages or parts, nor fetch anything.
"""

from base64 import b64decode, b64encode
from typing import Final
from urllib.parse import unquote_to_bytes

from kiro2api.conversation.question import Document, Image, Reference, Text

_TEXT_TYPES: Final = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/typescript",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_UNKNOWN_TYPE: Final = "application/octet-stream"
_PDF_TYPE: Final = "application/pdf"
_PDF_START: Final = "JVBERi"
"""``%PDF-`` in base64."""


def image(url: str) -> Image | Reference:
    """An image part's URL: a value for a ``data:`` URL, a reference for any other."""
    inline = split_data_url(url)
    return Reference("image", url) if inline is None else Image(*inline)


def file(data: str, name: str) -> Text | Document:
    """A file part's ``file_data``: a ``data:`` URL, or bare base64 as some clients send it."""
    inline = split_data_url(data)
    if inline is not None:
        return document(*inline, name)
    is_pdf = data.startswith(_PDF_START) or name.lower().endswith(".pdf")
    return document(_PDF_TYPE if is_pdf else _UNKNOWN_TYPE, data, name)


def document(media_type: str, data: str, name: str) -> Text | Document:
    """A document by value: text where its type says so and its bytes agree."""
    if media_type.startswith("text/") or media_type in _TEXT_TYPES:
        try:
            return titled(b64decode(data).decode("utf-8"), name)
        except ValueError:
            pass
    return Document(media_type, data, name)


def titled(text: str, name: str) -> Text:
    """A file's text, under its name where it has one."""
    return Text(f"[{name}]\n{text}" if name else text)


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a ``data:`` URL, None for any other URL (RFC 2397)."""
    if url[:5].lower() != "data:":
        return None
    head, _, payload = url[5:].partition(",")
    media_type, *settings = (field.strip().lower() for field in head.split(";"))
    if "base64" not in settings:
        payload = b64encode(unquote_to_bytes(payload)).decode("ascii")
    return media_type or "text/plain", payload
