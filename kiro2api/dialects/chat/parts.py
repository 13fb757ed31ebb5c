# -*- test-case-name: tests.dialects.chat.test_parts -*-
"""The content of a message: from any client's parts to the neutral ones.

Reads the dialect's own parts and the foreign blocks that some clients mix in. What is not known
becomes text that says so: a strange part in an old message must not end a session. Must not know
messages, roles or tools.
"""

from collections.abc import Callable, Mapping
from typing import Final

from kiro2api.conversation.question import (
    Document,
    Image,
    RedactedThinking,
    Reference,
    ResultPart,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from kiro2api.conversation.question import Part as Neutral
from kiro2api.dialects.chat import inline
from kiro2api.dialects.chat.shapes import Content, File, ImageUrl, Part, Source, given


def parts_of(content: Content) -> list[Neutral]:
    """The neutral parts of a content of any form; empty texts are left out."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    out: list[Neutral] = []
    for part in content if isinstance(content, list) else (content,):
        if isinstance(part, str):
            if part:
                out.append(Text(part))
        elif part is not None:
            _read(part, out)
    return out


def result_parts(content: Content) -> tuple[ResultPart, ...]:
    """The content of a tool's result: parts that cannot stand in one are opened or left out."""
    out: list[ResultPart] = []
    for part in parts_of(content):
        if isinstance(part, Text | Image | Document | Reference):
            out.append(part)
        elif isinstance(part, ToolResult):
            out.extend(part.parts)
    return tuple(out)


def _read(part: Part, out: list[Neutral]) -> None:
    if part.type == "text":  # nearly all of them
        if part.text:
            out.append(Text(part.text))
        return
    _READERS.get(part.type or "", _unknown)(part, out)


def _unknown(part: Part, out: list[Neutral]) -> None:
    """What can be read of a part of a kind that did not exist when this was written."""
    if part.text:
        out.append(Text(part.text))
        return
    inner = parts_of(part.content)
    out.extend(inner or (Text(f"[content of type {part.type or 'unknown'} left out]"),))


def _image_url(part: Part, out: list[Neutral]) -> None:
    address = part.image_url
    url = address.url if isinstance(address, ImageUrl) else address
    out.append(inline.image(url) if url else Text("[image without data]"))


def _image(part: Part, out: list[Neutral]) -> None:
    source = part.source
    if not isinstance(source, Source):
        _image_url(part, out)
    elif source.data:
        out.append(Image(source.media_type or "", source.data))
    else:
        out.append(_address(source, "image"))


def _document(part: Part, out: list[Neutral]) -> None:
    source, name = part.source, part.title or ""
    if not isinstance(source, Source):
        _unknown(part, out)
    elif source.content is not None:
        out.extend(parts_of(source.content))
    elif source.data and source.type == "text":
        out.append(inline.titled(source.data, name))
    elif source.data:
        out.append(inline.document(source.media_type or "", source.data, name))
    else:
        out.append(_address(source, "document"))


def _address(source: Source, what: str) -> Reference | Image | Text:
    target = source.url or source.file_id
    if not target:
        return Text(f"[{what} without data]")
    return Reference("document", target) if what == "document" else inline.image(target)


def _file(part: Part, out: list[Neutral]) -> None:
    file = part.file or File()
    name = file.filename or ""
    target = file.file_url or file.file_id
    if file.file_data:
        out.append(inline.file(file.file_data, name))
    elif target:
        out.append(Reference("document", target))
    else:
        out.append(Text(f"[file {name} without data]" if name else "[file without data]"))


def _input_audio(part: Part, out: list[Neutral]) -> None:
    kind = part.input_audio.format if part.input_audio is not None else None
    out.append(Text(f"[audio ({kind or 'unknown format'}) left out: it cannot be heard here]"))


def _refusal(part: Part, out: list[Neutral]) -> None:
    if part.refusal:
        out.append(Text(part.refusal))


def _tool_use(part: Part, out: list[Neutral]) -> None:
    out.append(ToolUse(part.id or "", part.name or "", given(part.input) or b"{}"))


def _tool_result(part: Part, out: list[Neutral]) -> None:
    out.append(ToolResult(part.tool_use_id or "", result_parts(part.content), bool(part.is_error)))


def _thinking(part: Part, out: list[Neutral]) -> None:
    """Reasoning without a signature is of no use to the upstream, so it is not kept."""
    if part.thinking and part.signature:
        out.append(Thinking(part.thinking, part.signature))


def _redacted_thinking(part: Part, out: list[Neutral]) -> None:
    if part.data:
        out.append(RedactedThinking(part.data))


_READERS: Final[Mapping[str, Callable[[Part, list[Neutral]], None]]] = {
    "image_url": _image_url,
    "input_image": _image_url,
    "image": _image,
    "file": _file,
    "document": _document,
    "input_audio": _input_audio,
    "refusal": _refusal,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
}
