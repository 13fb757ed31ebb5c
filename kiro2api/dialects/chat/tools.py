# -*- test-case-name: tests.dialects.chat.test_tools -*-
"""What a request offers the model to call, and what it demands to be called.

Must not know messages, nor what names and schemas the upstream accepts.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from kiro2api.conversation.question import ToolChoice, ToolSpec
from kiro2api.dialects.chat.searching import is_web_search
from kiro2api.dialects.chat.shapes import Body, Choice, Custom, Function, Tool, given
from kiro2api.errors import RequestRejected

FREEFORM_SCHEMA: Final = (
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}'
)


def tools_of(body: Body) -> tuple[ToolSpec, ...]:
    """The tools that can be served, in order; a choice of allowed tools leaves only those."""
    offered = [
        spec
        for index, tool in enumerate(body.tools or ())
        if (spec := _spec(tool, f"tools[{index}]")) is not None
    ]
    offered.extend(
        _function(function, f"functions[{index}]")
        for index, function in enumerate(body.functions or ())
    )
    choice = body.tool_choice
    if isinstance(choice, Choice) and choice.allowed_tools is not None:
        allowed = frozenset(_names(choice.allowed_tools.tools or ()))
        offered = [spec for spec in offered if spec.name in allowed]
    return tuple(offered)


def unserved(body: Body) -> tuple[str, ...]:
    """The kinds of tools that only their vendor can serve."""
    return tuple(tool.type or "" for tool in body.tools or () if _unserved(tool))


def _unserved(tool: Tool) -> bool:
    return bool(tool.type) and _vendors(tool) and not is_web_search(tool)


def _vendors(tool: Tool) -> bool:
    plain = tool.function is None and tool.custom is None
    return plain and (tool.type or "function") not in ("function", "custom")


def choice_of(body: Body, tools: tuple[ToolSpec, ...]) -> ToolChoice:
    """Whether and which of ``tools`` must be called; without tools there is nothing to choose.
    Raises RequestRejected for a tool that is not among them."""
    if isinstance(body.tool_choice, Choice):
        _refuse_unserved(body.tool_choice, body, tools)
    if not tools:
        return ToolChoice()
    parallel = body.parallel_tool_calls is not False
    if body.tool_choice is not None:
        return _choice(body.tool_choice, "tool_choice", tools, parallel)
    if body.function_call is not None:
        return _choice(body.function_call, "function_call", tools, parallel)
    return ToolChoice(parallel=parallel)


def _spec(tool: Tool, place: str) -> ToolSpec | None:
    """A tool in any of its forms; None for a kind that only its vendor can serve."""
    if tool.function is not None:
        return _function(tool.function, f"{place}.function")
    if tool.custom is not None:
        return freeform_spec(tool.custom, f"{place}.custom")
    if _vendors(tool):
        return None
    schema = given(tool.parameters) or given(tool.input_schema)
    if tool.type == "custom" and not schema:
        return freeform_spec(Custom(tool.name, tool.description), place)
    return _function(Function(tool.name, tool.description, msgspec.Raw(schema)), place)


def _function(function: Function, place: str) -> ToolSpec:
    schema = given(function.parameters) or b"{}"
    if schema[:1] != b"{":
        raise RequestRejected(
            f"{place}.parameters: must be a JSON Schema object", param=f"{place}.parameters"
        )
    return ToolSpec(_required(function.name, place), function.description or "", schema)


def freeform_spec(custom: Custom, place: str) -> ToolSpec:
    """A tool that takes raw text: the upstream knows only objects, so the text gets a key."""
    lines = [custom.description] if custom.description else []
    lines.append("Put the whole input of this tool, as plain text, into `input`.")
    grammar = custom.format.grammar if custom.format is not None else None
    if grammar is not None and grammar.definition:
        lines.append(
            f"The text must follow this {grammar.syntax or ''} grammar:".replace("  ", " ")
        )
        lines.append(grammar.definition)
    return ToolSpec(_required(custom.name, place), "\n".join(lines), FREEFORM_SCHEMA, True)


def _required(name: str | None, place: str) -> str:
    if not name:
        raise RequestRejected(f"{place}.name: is required", param=f"{place}.name")
    return name


def _names(tools: list[Tool] | tuple[()]) -> Iterator[str]:
    for tool in tools:
        name = (tool.function or tool.custom or tool).name
        if name:
            yield name


def _choice(
    choice: Choice | str, place: str, tools: tuple[ToolSpec, ...], parallel: bool
) -> ToolChoice:
    if isinstance(choice, str):
        return _by_word(choice, parallel)
    if choice.allowed_tools is not None:
        return _by_word(choice.allowed_tools.mode or "auto", parallel)
    name = (choice.function or choice.custom or choice).name
    if not name:
        return _by_word(choice.type or "auto", parallel)
    if all(spec.name != name for spec in tools):
        raise RequestRejected(f"{place}: names a tool that is not among the tools", param=place)
    return ToolChoice("named", name, parallel)


def _refuse_unserved(choice: Choice, body: Body, tools: tuple[ToolSpec, ...]) -> None:
    """A call that nobody here can make must not seem to be granted. Tools of vendors are meant by
    their kind, or by their name if they have one."""
    name = (choice.function or choice.custom or choice).name or choice.type
    if not name or any(spec.name == name for spec in tools):
        return
    if any(name in (tool.name, tool.type) for tool in body.tools or () if _unserved(tool)):
        raise RequestRejected(
            f"tool_choice: the tool {name} is not served here", param="tool_choice"
        )


def _by_word(word: str, parallel: bool) -> ToolChoice:
    if word == "none":
        return ToolChoice("none", parallel=parallel)
    if word in ("required", "any"):
        return ToolChoice("any", parallel=parallel)
    return ToolChoice(parallel=parallel)


def input_text(text: str) -> bytes:
    """The input of a freeform tool's call as the object that its schema describes."""
    return msgspec.json.encode({"input": text})
