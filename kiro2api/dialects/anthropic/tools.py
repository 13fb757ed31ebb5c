# -*- test-case-name: tests.dialects.anthropic.test_tools -*-
"""The client's tools and its choice among them.

Must not know what the upstream takes of names and schemas. Of the tools that a server has to run
itself only the web search is served; the model is told of the others, that there are none.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from kiro2api.conversation.question import ServerTool, ToolChoice, ToolSpec
from kiro2api.conversation.search import SEARCH_TOOL
from kiro2api.dialects.anthropic.decoding import decode, json_text
from kiro2api.errors import RequestRejected

_PLACEHOLDER: Final = "DeferredToolPlaceholder"
"""Stands for the tools that a server with tool search would load later."""

_WEB_SEARCH: Final = "web_search"

_NO_JSON: Final = msgspec.Raw(b"null")


class Tool(msgspec.Struct):
    """One entry of ``tools``; what is below the schema belongs to the web search."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = _NO_JSON
    max_uses: msgspec.Raw = _NO_JSON
    allowed_domains: msgspec.Raw = _NO_JSON
    blocked_domains: msgspec.Raw = _NO_JSON
    user_location: msgspec.Raw = _NO_JSON
    cache_control: msgspec.Raw = _NO_JSON
    display_width_px: msgspec.Raw = _NO_JSON
    display_height_px: msgspec.Raw = _NO_JSON


class Choice(msgspec.Struct):
    """The client's ``tool_choice``."""

    type: str = "auto"
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


# Tools whose schema the model provider knows and the client runs. The model behind the upstream
# is told what such a client takes; without this the tool would be lost.
_CLIENT_RUN: Final = {
    "bash_": ToolSpec(
        name="bash",
        description=(
            "Runs a command in a shell session that lasts for the whole conversation. "
            "With restart set, the session is started anew instead."
        ),
        schema=(
            b'{"type":"object","properties":{'
            b'"command":{"type":"string","description":"The command to run"},'
            b'"restart":{"type":"boolean","description":"Start the session anew"}}}'
        ),
    ),
    "text_editor_": ToolSpec(
        name="str_replace_based_edit_tool",
        description=(
            "Looks at and edits files. view shows a file or lists a directory; create writes a "
            "new file; str_replace replaces a text that occurs exactly once; insert adds text "
            "after a line."
        ),
        schema=(
            b'{"type":"object","properties":{'
            b'"command":{"type":"string","enum":["view","create","str_replace","insert"]},'
            b'"path":{"type":"string","description":"The file or directory"},'
            b'"view_range":{"type":"array","items":{"type":"integer"},'
            b'"description":"For view: first and last line, counted from 1; -1 is the end"},'
            b'"file_text":{"type":"string","description":"For create: the whole content"},'
            b'"old_str":{"type":"string","description":"For str_replace: the text to find"},'
            b'"new_str":{"type":"string","description":"For str_replace: its replacement"},'
            b'"insert_line":{"type":"integer","description":"For insert: 0 is the beginning"},'
            b'"insert_text":{"type":"string","description":"For insert: the text to add"}},'
            b'"required":["command","path"]}'
        ),
    ),
    "computer_": ToolSpec(
        name="computer",
        description=(
            "Uses a screen, its mouse and its keyboard, and gives back a picture where one is "
            "asked for. Coordinates are [x, y] in pixels from the upper left corner. Begin with a "
            "screenshot, and look again after what may have changed the screen."
        ),
        schema=(
            b'{"type":"object","properties":{"action":{"type":"string",'
            b'"enum":["screenshot","key","type","mouse_move","left_click","right_click",'
            b'"middle_click","double_click","triple_click","left_click_drag","left_mouse_down",'
            b'"left_mouse_up","scroll","hold_key","wait","cursor_position","zoom"]},'
            b'"coordinate":{"type":"array","items":{"type":"integer"},'
            b'"description":"Where; for left_click_drag: where it ends"},'
            b'"start_coordinate":{"type":"array","items":{"type":"integer"},'
            b'"description":"For left_click_drag: where it begins"},'
            b'"text":{"type":"string","description":"For type: the text; for key and hold_key: '
            b'keys such as ctrl+s; for clicks and scroll: a key held meanwhile"},'
            b'"scroll_direction":{"type":"string","enum":["up","down","left","right"]},'
            b'"scroll_amount":{"type":"integer","description":"For scroll: how many clicks"},'
            b'"duration":{"type":"number","description":"For hold_key and wait: seconds"},'
            b'"region":{"type":"array","items":{"type":"integer"},'
            b'"description":"For zoom: [x0, y0, x1, y1]"}},'
            b'"required":["action"]}'
        ),
    ),
    "code_execution_": ToolSpec(
        name="code_execution",
        description="Runs Python code and gives back what it printed.",
        schema=(
            b'{"type":"object","properties":{'
            b'"code":{"type":"string","description":"The code to run"}},"required":["code"]}'
        ),
    ),
    "memory_": ToolSpec(
        name="memory",
        description=(
            "Keeps notes in files below /memories that outlive the conversation: view, create, "
            "str_replace, insert, delete and rename."
        ),
        schema=(
            b'{"type":"object","properties":{"command":{"type":"string",'
            b'"enum":["view","create","str_replace","insert","delete","rename"]},'
            b'"path":{"type":"string","description":"A path below /memories"},'
            b'"view_range":{"type":"array","items":{"type":"integer"}},'
            b'"file_text":{"type":"string"},"old_str":{"type":"string"},'
            b'"new_str":{"type":"string"},"insert_line":{"type":"integer"},'
            b'"insert_text":{"type":"string"},'
            b'"old_path":{"type":"string","description":"For rename"},'
            b'"new_path":{"type":"string","description":"For rename"}},'
            b'"required":["command"]}'
        ),
    ),
}


def read_tools(tools: Sequence[Tool] | None) -> tuple[ToolSpec, ...]:
    """The tools that can be served; raises RequestRejected for one without a name."""
    found = []
    for index, tool in enumerate(tools or ()):
        spec = _spec(tool, f"tools[{index}]")
        if spec is not None:
            found.append(spec)
    return tuple(found)


_COUNT: Final = msgspec.json.Decoder(int | None)
_DOMAINS: Final = msgspec.json.Decoder(list[str] | None)


def read_server_tools(tools: Sequence[Tool] | None) -> tuple[ServerTool, ...]:
    """The web search, if there is one: of whatever date, and whatever its name.

    Raises RequestRejected for limits that cannot be read: an answer that goes beyond them would
    not be the one asked for.
    """
    for index, tool in enumerate(tools or ()):
        if is_web_search(tool):
            where = f"tools[{index}]"
            return (
                ServerTool(
                    kind="web_search",
                    name=tool.name or SEARCH_TOOL,
                    max_uses=decode(_COUNT, tool.max_uses, f"{where}.max_uses"),
                    allowed_domains=_domains(tool.allowed_domains, f"{where}.allowed_domains"),
                    blocked_domains=_domains(tool.blocked_domains, f"{where}.blocked_domains"),
                    user_location=_location(tool.user_location),
                ),
            )
    return ()


def unserved(tools: Sequence[Tool] | None) -> tuple[str, ...]:
    """What the model is to be told of: tools that a server would have to run, by their kinds.

    A search among tools is none of these: all tools are offered from the beginning.
    """
    return tuple(tool.type or "" for tool in tools or () if _unserved(tool))


def _unserved(tool: Tool) -> bool:
    kind = tool.type or "custom"
    return (
        kind != "custom"
        and not kind.startswith("tool_search_tool")
        and tool.name != _PLACEHOLDER
        and not is_web_search(tool)
        and _spec(tool, "") is None
    )


def is_web_search(tool: Tool) -> bool:
    """Whether the server is to run this; a tool with a schema is the client's own."""
    kind = tool.type or ""
    dated = kind == _WEB_SEARCH or kind.startswith(f"{_WEB_SEARCH}_")
    return dated and bytes(tool.input_schema) == b"null"


def _domains(raw: msgspec.Raw, where: str) -> tuple[str, ...]:
    return tuple(text for text in decode(_DOMAINS, raw, where) or () if text.strip())


def _location(raw: msgspec.Raw) -> bytes:
    data = json_text(raw)
    return data if data[:1] == b"{" else b""


def read_choice(
    choice: Choice | None,
    tools: Collection[ToolSpec],
    server_tools: Collection[ServerTool] = (),
    offered: Collection[Tool] | None = None,
) -> ToolChoice:
    """The choice, as far as it can be met by the tools that remain.

    Raises RequestRejected where it names one of the ``offered`` that only a server could run: no
    answer without that call is the one asked for.
    """
    if choice is None:
        return ToolChoice()
    parallel = not choice.disable_parallel_tool_use
    names = {tool.name for tool in tools} | {tool.name for tool in server_tools}
    match choice.type:
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "any" if names:
            return ToolChoice(mode="any", parallel=parallel)
        case "tool" if choice.name is not None and choice.name in names:
            return ToolChoice(mode="named", name=choice.name, parallel=parallel)
        case "tool" if choice.name in {t.name for t in offered or () if t.name and _unserved(t)}:
            raise RequestRejected(
                f"the tool {choice.name} is not served here", param="tool_choice.name"
            )
    return ToolChoice(parallel=parallel)


def _spec(tool: Tool, where: str) -> ToolSpec | None:
    if tool.name == _PLACEHOLDER:
        return None
    kind = tool.type or "custom"
    schema = json_text(tool.input_schema)
    if kind != "custom" and schema == b"null":
        return _client_run(kind, tool)
    if not tool.name:
        raise RequestRejected(f"{where}.name: this field is required", param=f"{where}.name")
    return ToolSpec(
        name=tool.name,
        description=tool.description or "",
        schema=b"{}" if schema == b"null" else schema,
    )


def _client_run(kind: str, tool: Tool) -> ToolSpec | None:
    for prefix, spec in _CLIENT_RUN.items():
        if kind.startswith(prefix):
            description = spec.description
            width, height = bytes(tool.display_width_px), bytes(tool.display_height_px)
            if width.isdigit() and height.isdigit():
                description += f" The screen is {int(width)} pixels wide and {int(height)} high."
            name = tool.name or spec.name
            return msgspec.structs.replace(spec, name=name, description=description)
    return None
