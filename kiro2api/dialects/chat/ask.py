# -*- test-case-name: tests.dialects.chat.test_ask -*-
"""A chat completions request, understood.

Must not know how answers look, nor what the upstream accepts: roles stay where they are, calls
and results are not paired here.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Part,
    Reasoning,
    Sampling,
    Text,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.dialects.chat.parts import parts_of, result_parts
from kiro2api.dialects.chat.searching import Echo, server_tools_of
from kiro2api.dialects.chat.shapes import (
    Body,
    Called,
    JsonSchema,
    Message,
    ToolCall,
    decode,
    given,
    json_text,
)
from kiro2api.dialects.chat.tools import choice_of, input_text, tools_of, unserved
from kiro2api.dialects.dialect import Asked
from kiro2api.dialects.unserved import note
from kiro2api.errors import RequestRejected

_Speaker: TypeAlias = Literal["system", "user", "assistant", "tool", "function"]

_SPEAKERS: Final[dict[str | None, _Speaker]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "function",
}


MOST_CHOICES: Final = 8
"""Answers to one request, at most."""

_STRING: Final = msgspec.json.Decoder(str)


def parse(body: bytes) -> Asked:
    """Understand a request body; raises RequestRejected naming the field at fault."""
    asked = decode(body)
    if not asked.model:
        raise RequestRejected("model: must not be empty", param="model")
    if not asked.messages:
        raise RequestRejected("messages: must hold at least one message", param="messages")
    try:
        system, turns = _turns(asked.messages)
    except RecursionError:
        # Results can hold results; the decoder bears more of that than what follows it.
        raise RequestRejected("messages: content is nested too deeply", param="messages") from None
    tools = tools_of(asked)
    server_tools = server_tools_of(asked)
    options = asked.stream_options
    return Asked(
        Conversation(
            turns,
            system + note(unserved(asked)),
            tools,
            choice_of(asked, tools),
            _sampling(asked),
            _reasoning(asked.reasoning_effort),
            _output_format(asked),
            asked.prompt_cache_key or "",
            server_tools,
        ),
        asked.model,
        bool(asked.stream),
        options is not None and bool(options.include_usage),
        Echo() if server_tools else None,
        _choices(asked),
    )


# ── messages ─────────────────────────────────────────────────────────────────


def _turns(messages: list[Message]) -> tuple[tuple[str, ...], tuple[Turn, ...]]:
    """The leading system texts, and everything after them as turns."""
    system: list[str] = []
    turns: list[Turn] = []
    nameless: dict[str, str] = {}
    for position, message in enumerate(messages):
        speaker = _SPEAKERS.get(message.role, "user")
        if speaker == "assistant":
            turns.append(Turn("assistant", _said(message, position, nameless)))
        elif speaker == "tool":
            result = ToolResult(message.tool_call_id or "", result_parts(message.content))
            turns.append(Turn("user", (result,)))
        elif speaker == "function":
            # Results of the legacy kind name the function instead of the call.
            name = message.name or ""
            call = nameless.get(name, f"call_{name}")
            turns.append(Turn("user", (ToolResult(call, result_parts(message.content)),)))
        else:
            parts = _named(message.name, parts_of(message.content))
            texts = [part.text for part in parts if isinstance(part, Text)]
            if speaker == "system" and not turns and len(texts) == len(parts):
                system.extend(texts)
            else:
                turns.append(Turn(speaker, tuple(parts)))
    if not turns:
        # A question there must be, so the last of the system texts is taken for it.
        turns.append(Turn("system", (Text(system.pop()),) if system else ()))
    return tuple(system), tuple(turns)


def _named(name: str | None, parts: list[Part]) -> list[Part]:
    """Show who speaks where a client tells several participants apart."""
    if not name:
        return parts
    first = parts[0] if parts else None
    if isinstance(first, Text):
        return [Text(f"{name}: {first.text}"), *parts[1:]]
    return [Text(f"{name}:"), *parts]


def _said(message: Message, position: int, nameless: dict[str, str]) -> tuple[Part, ...]:
    """An assistant's message; ``nameless`` learns the ids made up for calls of the legacy kind.

    Its unsigned ``reasoning_content`` is not even decoded: the upstream takes none back.
    """
    parts = parts_of(message.content)
    if message.refusal:
        parts.append(Text(message.refusal))
    known = {part.id for part in parts if isinstance(part, ToolUse)}
    for index, call in enumerate(message.tool_calls or ()):
        # Some clients give a call twice: as a block of the content and here.
        use = _tool_use(call, f"call_{position}_{index}")
        if use is not None and use.id not in known:
            parts.append(use)
    if message.function_call is not None:
        legacy = _function_use(message.function_call, f"call_{position}")
        nameless[legacy.name] = legacy.id
        parts.append(legacy)
    return tuple(parts)


def _tool_use(call: ToolCall, spare_id: str) -> ToolUse | None:
    if call.function is not None:
        return _function_use(call.function, call.id or spare_id)
    if call.custom is not None:
        return ToolUse(
            call.id or spare_id, call.custom.name or "", input_text(call.custom.input or "")
        )
    return None


def _function_use(called: Called, call_id: str) -> ToolUse:
    return ToolUse(call_id, called.name or "", arguments_json(given(called.arguments)))


def arguments_json(written: bytes) -> bytes:
    """The JSON text of a call's arguments, which come as a string that should hold JSON."""
    if written[:1] != b'"':
        return written or b"{}"
    text = _STRING.decode(written)
    if not text.strip():
        return b"{}"
    # What the model once wrote wrongly stays visible to it, as a JSON string.
    return json_text(text) or written


# ── the rest ─────────────────────────────────────────────────────────────────


def _choices(body: Body) -> int:
    """How many answers are wanted: each is a call of the upstream, and is paid like one."""
    wanted = 1 if body.n is None else body.n
    if not 1 <= wanted <= MOST_CHOICES:
        raise RequestRejected(f"n: must be from 1 to {MOST_CHOICES}", param="n")
    return wanted


def _sampling(body: Body) -> Sampling:
    limit = body.max_completion_tokens or body.max_tokens or 0
    stop = (body.stop,) if isinstance(body.stop, str) else body.stop or ()
    return Sampling(
        # Zero and less is how some clients say that they set no limit.
        int(limit) if limit >= 1 else None,
        body.temperature,
        body.top_p,
        body.top_k,
        tuple(text for text in stop if text),
    )


def _reasoning(effort: str | None) -> Reasoning:
    if not effort:
        return Reasoning()
    if effort == "none":
        return Reasoning("disabled")
    return Reasoning("adaptive", effort=effort)


def _output_format(body: Body) -> OutputFormat | None:
    wanted = body.response_format
    if wanted is None or wanted.type not in ("json_object", "json_schema"):
        return None
    if wanted.type == "json_object":
        return OutputFormat("json_object")
    described = wanted.json_schema or JsonSchema()
    schema = given(described.schema)
    if schema[:1] != b"{":
        place = "response_format.json_schema.schema"
        raise RequestRejected(f"{place}: must be a JSON Schema object", param=place)
    return OutputFormat("json_schema", schema, described.name or "")
