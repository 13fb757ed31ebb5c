# -*- test-case-name: tests.kiro.test_media -*-
"""Images within the upstream's limits.

Looks only at the size and the first bytes of an image; the payload stays the client's own base64
text, neither decoded nor copied unless it holds line breaks or lacks its padding. Must not know
where in the upstream body an image goes.

Wire: at most 10 images per message, at most 10,000,000 bytes each in the model (first-party
clients stop at 3.75 MB by their own choice); gif, jpeg, png, webp.
"""

import binascii
import re
from typing import Final

from kiro2api.conversation.question import Image

IMAGE_LIMIT: Final = 10
"""Images of one message."""
MODEL_BYTES: Final = 10_000_000
"""What the upstream's model allows per image, decoded."""

DOCUMENT_BYTES: Final = 4_500_000
"""Decoded bytes of a document that is sent as such. No limit is published: this is that of the
model provider's other interfaces."""
DOCUMENT_CHARACTERS: Final = DOCUMENT_BYTES // 3 * 4
"""The same in base64."""

_HEAD = 32
_URL_SAFE = str.maketrans("-_", "+/")
_BLANKS = re.compile(r"\s+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]++={0,2}")


def sniff(data: str) -> str | None:
    """The format that the first bytes of base64 text show, None for any other content."""
    try:
        head = binascii.a2b_base64(data[:_HEAD])
    except ValueError:
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return None


def usable_image(image: Image) -> tuple[str, str] | str:
    """(format, base64 text) of an image that can be sent, else the reason why it cannot.

    The format is what the bytes show: clients mislabel images, the upstream then refuses them.
    """
    data = normal(image.data)
    if data is None:
        return "its data is not valid base64"
    size = len(data) // 4 * 3 - data[-2:].count("=")
    if size > MODEL_BYTES:
        return f"it has {size:,} bytes, more than the {MODEL_BYTES:,} allowed"
    kind = sniff(data)
    if kind is None:
        return "it is not a PNG, JPEG, GIF or WebP image"
    return kind, data


def normal(data: str) -> str | None:
    """Standard, padded base64 in one line; the very same string where it already is."""
    if _BASE64.fullmatch(data) is None:
        data = _BLANKS.sub("", data).translate(_URL_SAFE)
        if _BASE64.fullmatch(data) is None:
            return None
    if len(data) % 4:
        data = data.rstrip("=")
        if len(data) % 4 == 1:
            return None
        data += "=" * (-len(data) % 4)
    return data
