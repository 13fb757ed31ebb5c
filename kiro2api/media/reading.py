# -*- test-case-name: tests.media.test_reading -*-
"""One thing that was attached to what goes to the model in its place.

Slow: made for a thread of its own, and touches nothing but its arguments. Must not know threads,
caches or the network.
"""

from base64 import b64encode
from binascii import a2b_base64
from typing import Final

from kiro2api.conversation.question import Document, Image, Text
from kiro2api.media.downscale import fitted
from kiro2api.media.limits import (
    DOCUMENT_BYTES,
    DOCUMENT_CHARACTERS,
    Halted,
    Limits,
    Unreadable,
    go_on,
)
from kiro2api.media.markup import is_page, page_text
from kiro2api.media.office import office_text, packed_kind
from kiro2api.media.pdf import pdf_text
from kiro2api.media.plaintext import decoded, is_text
from kiro2api.media.probe import decoded_size, kind_of
from kiro2api.media.wording import cut, document_text

_URL_SAFE: Final = str.maketrans("-_", "+/")
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


def read_image(image: Image, limits: Limits, halted: Halted) -> Image | None:
    """The image within the limits; None where nothing can be done for it.

    :raises Unreadable: it must not be sent as it is.
    """
    data = _bytes(image.data)
    found = None if data is None else fitted(data, limits, halted)
    return None if found is None or found[1] is data else _image(*found)


def read_document(document: Document, limits: Limits, halted: Halted) -> Text | Image | None:
    """A document's text, an image that came as one, or None for a kind that is not read.

    :raises Unreadable: of a kind that is read, but not this one.
    """
    if decoded_size(document.data) > DOCUMENT_BYTES:
        raise Unreadable(f"it has more than {DOCUMENT_BYTES:,} bytes")
    data = _bytes(document.data)
    if data is None:
        raise Unreadable("its data is not valid base64")
    go_on(halted)
    return read_bytes(data, document.media_type, document.name, limits, halted)


def read_bytes(
    data: bytes, content_type: str, name: str, limits: Limits, halted: Halted
) -> Text | Image | None:
    """As ``read_document``; what the bytes are counts for more than what they are said to be."""
    said = content_type.partition(";")[0].strip().lower()
    # A mark before it, or some blanks: other readers take it so, too.
    if b"%PDF-" in data[:1024] and kind_of(data[:64]) is None:
        return _text(name, *pdf_text(data, DOCUMENT_CHARACTERS, halted))
    if said == "application/pdf":
        raise Unreadable("it is not a valid PDF file")
    if kind_of(data[:64]) is not None:
        found = fitted(data, limits, halted)
        return None if found is None else _image(*found)
    if data.startswith(b"PK\x03\x04"):
        kind = packed_kind(data)
        if kind is None:
            return None
        return _text(name, *office_text(kind, data, DOCUMENT_CHARACTERS, halted))
    if not data or not is_text(data):
        return None
    text = decoded(data, content_type)
    if said in _PAGES or is_page(text):
        return _text(name, "web page", page_text(text, DOCUMENT_CHARACTERS, halted))
    return _text(name, "", text)


def _text(name: str, about: str, text: str) -> Text:
    return Text(document_text(name, about, cut(text, DOCUMENT_CHARACTERS)))


def _image(kind: str, data: bytes) -> Image:
    return Image(f"image/{kind}", b64encode(data).decode("ascii"))


def _bytes(data: str) -> bytes | None:
    """What some base64 text of any kind stands for, None where it is none."""
    try:
        return a2b_base64(data, strict_mode=True)
    except ValueError:
        pass
    data = "".join(data.split()).translate(_URL_SAFE).rstrip("=")
    try:
        return a2b_base64(data + "=" * (-len(data) % 4), strict_mode=True)
    except ValueError:
        return None
