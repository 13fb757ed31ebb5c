# -*- test-case-name: tests.dialects.anthropic.test_media -*-
"""Sources of images and documents: where a client put the bytes, and what that amounts to.

Must not know what the upstream takes: base64 text is passed on as it came.
"""

import binascii
from typing import Final, TypeAlias

import msgspec

from kiro2api.conversation.question import Document, Image, Reference, Text
from kiro2api.dialects.anthropic.decoding import decode
from kiro2api.errors import RequestRejected

MediaPart: TypeAlias = Text | Image | Document | Reference


class Source(msgspec.Struct):
    """The ``source`` of an image or document; which fields count depends on ``type``."""

    type: str = ""
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[msgspec.Raw] | None = None


_SOURCE: Final = msgspec.json.Decoder(Source)


def read_source(raw: msgspec.Raw, where: str) -> Source:
    """Decode a source; raises RequestRejected."""
    source = decode(_SOURCE, raw, where)
    if source.type == "url" and source.url is not None and source.url.startswith("data:"):
        return _inline(source.url)
    return source


def image(source: Source, where: str) -> MediaPart | None:
    """The image, or None for a kind of source that is not known."""
    match source.type:
        case "base64":
            data = _required(source.data, f"{where}.data")
            return Image(media_type=source.media_type or "", data=data)
        case "url":
            return Reference("image", _required(source.url, f"{where}.url"))
        case "file":
            return Reference("image", _required(source.file_id, f"{where}.file_id"))
    return None


def document(source: Source, title: str, where: str) -> MediaPart | None:
    """The document, or None for ``content`` and for a kind of source that is not known."""
    match source.type:
        case "base64":
            data = _required(source.data, f"{where}.data")
            media_type = source.media_type or "application/pdf"
            if media_type.startswith("text/"):
                return _plain(media_type, data, title)
            return Document(media_type=media_type, data=data, name=title)
        case "text":
            return Text(_required(source.data, f"{where}.data"))
        case "url":
            return Reference("document", _required(source.url, f"{where}.url"))
        case "file":
            return Reference("document", _required(source.file_id, f"{where}.file_id"))
    return None


def _inline(url: str) -> Source:
    """A ``data:`` URL is a base64 source in another dress."""
    head, _, data = url.removeprefix("data:").partition(",")
    return Source(type="base64", media_type=head.partition(";")[0], data=data)


def _plain(media_type: str, data: str, title: str) -> MediaPart:
    try:
        return Text(binascii.a2b_base64(data).decode("utf-8", "replace"))
    except ValueError:  # not base64, or not ASCII: judging that is the upstream side's
        return Document(media_type=media_type, data=data, name=title)


def _required(value: str | None, where: str) -> str:
    if value is None:
        raise RequestRejected(f"{where}: this field is required", param=where)
    return value
