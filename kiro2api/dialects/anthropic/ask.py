# -*- test-case-name: tests.dialects.anthropic.test_ask -*-
"""A client's Messages request to the neutral question.

Tolerant where clients differ or run ahead of us (unknown keys, roles, blocks, tools), strict
where guessing would answer another question than the one asked. Must not know the upstream.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, TypeVar, cast

import msgspec

from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Sampling,
    Text,
    ToolResult,
    Turn,
)
from kiro2api.dialects.anthropic.blocks import MESSAGE, SEARCHING, Content
from kiro2api.dialects.anthropic.decoding import decode_body, json_text
from kiro2api.dialects.anthropic.tools import (
    Choice,
    Tool,
    read_choice,
    read_server_tools,
    read_tools,
    unserved,
)
from kiro2api.dialects.dialect import Asked
from kiro2api.dialects.unserved import note
from kiro2api.errors import Kind, RequestRejected

_NO_JSON: Final = msgspec.Raw(b"null")


class Message(msgspec.Struct):
    """One entry of ``messages``."""

    role: str
    content: Content = None


class ThinkingConfig(msgspec.Struct):
    """The ``thinking`` field."""

    type: str | None = None
    budget_tokens: int | None = None
    display: str | None = None


class Request(msgspec.Struct):
    """The fields that are read; everything else a client sends is ignored.

    ``metadata``, ``output_config`` and ``output_format`` are read apart, because nothing in them
    is worth a refusal.
    """

    model: str | None = None
    messages: list[Message] | None = None
    system: Content = None
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    thinking: ThinkingConfig | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    metadata: msgspec.Raw = _NO_JSON
    output_config: msgspec.Raw = _NO_JSON
    output_format: msgspec.Raw = _NO_JSON
    thread: msgspec.Raw = _NO_JSON
    cache_control: msgspec.Raw = _NO_JSON


class Metadata(msgspec.Struct):
    """``metadata``; the user id may itself be JSON text."""

    user_id: str | None = None


class UserId(msgspec.Struct):
    """The JSON text that newer clients put into ``metadata.user_id``."""

    session_id: str = ""


class Format(msgspec.Struct):
    """The wanted shape of the answer."""

    type: str = ""
    name: str | None = None
    schema: msgspec.Raw = _NO_JSON


class OutputConfig(msgspec.Struct):
    """``output_config``."""

    effort: str | None = None
    format: Format | None = None


T = TypeVar("T")

_REQUEST: Final = msgspec.json.Decoder(Request)
_METADATA: Final = msgspec.json.Decoder(Metadata)
_USER_ID: Final = msgspec.json.Decoder(UserId)
_OUTPUT_CONFIG: Final = msgspec.json.Decoder(OutputConfig)
_FORMAT: Final = msgspec.json.Decoder(Format)

_ROLES: Final[dict[str, Role]] = {
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_THINKING_MODES: Final = frozenset({"enabled", "adaptive", "disabled"})
_BILLING: Final = "x-anthropic-billing-header:"
"""The first system text of one client: accounting that changes with every conversation, of no
use to a model and fatal to a prompt cache."""


def parse(body: bytes) -> Asked:
    """Understand the body of ``/v1/messages``; raises RequestRejected naming the bad field."""
    request, conversation = _understand(body)
    if not request.model:
        raise RequestRejected("model: this field is required", param="model")
    return Asked(conversation=conversation, model=request.model, stream=request.stream is True)


def parse_count(body: bytes) -> tuple[str, Conversation]:
    """Understand the body of ``/v1/messages/count_tokens``, where a model may be missing: it is
    empty then."""
    request, conversation = _understand(body)
    return request.model or "", conversation


def _understand(body: bytes) -> tuple[Request, Conversation]:
    try:
        request = decode_body(_REQUEST, body)
        return request, _conversation(request)
    except UnicodeDecodeError:
        raise RequestRejected("The request body is not valid UTF-8") from None
    except RecursionError:
        raise RequestRejected("The request body is nested too deeply") from None


def _conversation(request: Request) -> Conversation:
    if bytes(request.thread) != b"null":
        # Wire: the client then sends the whole history instead of relying on ours.
        raise RequestRejected(
            "thread: this server keeps no conversations; send the whole history",
            kind=Kind.THREAD_UNSUPPORTED,
            param="thread",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    if not request.messages:
        raise RequestRejected("messages: at least one message is required", param="messages")
    tools = read_tools(request.tools)
    system, system_marked = _system(request.system)
    server_tools = read_server_tools(request.tools)
    output = _lenient(_OUTPUT_CONFIG, request.output_config) or OutputConfig()
    return Conversation(
        turns=_turns(request, request.messages, searching=bool(server_tools)),
        system=system + note(unserved(request.tools)),
        tools=tools,
        tool_choice=read_choice(request.tool_choice, tools, server_tools, request.tools),
        sampling=Sampling(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            stop=tuple(request.stop_sequences or ()),
        ),
        reasoning=_reasoning(request.thinking, output.effort),
        output_format=_format(output.format or _lenient(_FORMAT, request.output_format)),
        session=_session(request.metadata),
        server_tools=server_tools,
        # Tools come before the system texts, both there and upstream.
        cache_system=system_marked or any(_marked(t.cache_control) for t in request.tools or ()),
    )


def _turns(request: Request, messages: Sequence[Message], *, searching: bool) -> tuple[Turn, ...]:
    reader = SEARCHING if searching else MESSAGE
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        role = _ROLES.get(message.role, "user")
        parts, cached = reader.read_marked(message.content, f"messages[{index}].content")
        if searching and role == "assistant":
            turns += _rounds(parts)
            if cached and parts:
                turns[-1] = msgspec.structs.replace(turns[-1], cache=True)
        else:
            turns.append(Turn(role, parts, cached))
    if turns and _marked(request.cache_control):
        turns[-1] = msgspec.structs.replace(turns[-1], cache=True)
    return tuple(turns)


def _marked(cache_control: msgspec.Raw) -> bool:
    return bytes(cache_control)[:1] == b"{"


def _rounds(parts: Sequence[Part]) -> Iterator[Turn]:
    """An assistant's message with searches in it: each result has a turn between its own."""
    for found, group in groupby(parts, lambda part: isinstance(part, ToolResult)):
        yield Turn("user" if found else "assistant", tuple(group))


def _system(content: Content) -> tuple[tuple[str, ...], bool]:
    parts, cached = MESSAGE.read_marked(content, "system")
    texts = (part.text for part in parts if isinstance(part, Text))
    return tuple(text for text in texts if not text.startswith(_BILLING)), cached


def _reasoning(thinking: ThinkingConfig | None, effort: str | None) -> Reasoning:
    if thinking is None:
        return Reasoning(effort=effort)
    mode = None
    if thinking.type in _THINKING_MODES:
        mode = cast(Literal["enabled", "adaptive", "disabled"], thinking.type)
    return Reasoning(
        mode=mode,
        budget_tokens=thinking.budget_tokens,
        effort=effort,
        display=thinking.display,
    )


def _format(wanted: Format | None) -> OutputFormat | None:
    if wanted is None or wanted.type not in ("json_schema", "json_object"):
        return None
    schema = json_text(wanted.schema)
    if wanted.type == "json_object" or schema == b"null":
        return OutputFormat("json_object")
    return OutputFormat("json_schema", schema=schema, name=wanted.name or "")


def _session(metadata: msgspec.Raw) -> str:
    """The session in a user id: ``{"session_id": …}`` or ``user_…_account_…_session_…``."""
    found = _lenient(_METADATA, metadata)
    if found is None or found.user_id is None:
        return ""
    user_id = found.user_id
    if user_id.startswith("{"):
        inner = _lenient(_USER_ID, user_id.encode("utf-8"))
        return "" if inner is None else inner.session_id
    if user_id.startswith("user_"):
        return user_id.rpartition("_session_")[2] if "_session_" in user_id else ""
    return ""


def _lenient(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T | None:
    """The value, or None where it is absent or not of the expected shape."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
