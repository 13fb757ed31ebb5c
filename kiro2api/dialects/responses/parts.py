# -*- test-case-name: tests.dialects.responses.test_parts -*-
"""The content of an item: from the dialect's parts to the neutral ones.

A part of an unknown kind becomes text that says so: it must not end a session. Must not know
items, roles or tools.
"""

from collections.abc import Callable, Mapping
from typing import Final

from kiro2api.conversation.question import Reference, ResultPart, Text
from kiro2api.dialects.chat import inline
from kiro2api.dialects.responses.shapes import Content, ImageUrl, Part


def parts_of(content: Content) -> list[ResultPart]:
    """The neutral parts of a content of any form; empty texts are left out."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    out: list[ResultPart] = []
    for part in content if isinstance(content, list) else (content,):
        if isinstance(part, str):
            if part:
                out.append(Text(part))
        elif part is not None:
            if part.text is not None:  # nearly all of them, whatever the kind is called
                if part.text:
                    out.append(Text(part.text))
            else:
                out.append(_READERS.get(part.type or "", _unknown)(part))
    return out


def _unknown(part: Part) -> ResultPart:
    return Text(f"[content of type {part.type or 'unknown'} left out]")


def _refusal(part: Part) -> ResultPart:
    return Text(part.refusal) if part.refusal else _unknown(part)


def _image(part: Part) -> ResultPart:
    address = part.image_url
    url = address.url if isinstance(address, ImageUrl) else address
    if url:
        return inline.image(url)
    return Reference("image", part.file_id) if part.file_id else Text("[image without data]")


def _file(part: Part) -> ResultPart:
    name = part.filename or ""
    if part.file_data:
        return inline.file(part.file_data, name)
    target = part.file_url or part.file_id
    if target:
        return Reference("document", target)
    return Text(f"[file {name} without data]" if name else "[file without data]")


_READERS: Final[Mapping[str, Callable[[Part], ResultPart]]] = {
    "refusal": _refusal,
    "input_image": _image,
    "image_url": _image,
    "computer_screenshot": _image,
    "input_file": _file,
}
