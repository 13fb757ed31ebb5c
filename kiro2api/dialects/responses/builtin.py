# -*- test-case-name: tests.dialects.responses.test_builtin -*-
"""Tools that the dialect names by their type alone, and how the model is offered them.

The client runs these itself, so they are offered like any function, with a schema that leads to
the item which the client expects. Must not know items.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.conversation.question import ToolSpec
from kiro2api.dialects.chat.shapes import given
from kiro2api.dialects.responses.shapes import Tool, within
from kiro2api.errors import RequestRejected

Kind: TypeAlias = Literal[
    "function",
    "custom",
    "local_shell",
    "shell",
    "apply_patch",
    "computer",
    "computer_preview",
    "tool_search",
]

LOCAL_SHELL: Final = "local_shell"
SHELL: Final = "shell"
PATCH: Final = "apply_patch"
COMPUTER: Final = "computer"
TOOL_SEARCH: Final = "tool_search"
MCP: Final = "mcp"

_LOCAL_SHELL_SPEC: Final = ToolSpec(
    name=LOCAL_SHELL,
    description=(
        "Runs a program on the user's machine and gives back its output. The command is a list: "
        'the program and its arguments, for a shell line ["bash", "-lc", "the line"].'
    ),
    schema=(
        b'{"type":"object","properties":{'
        b'"command":{"type":"array","items":{"type":"string"},'
        b'"description":"The program and its arguments"},'
        b'"working_directory":{"type":"string","description":"Where to run it"},'
        b'"timeout_ms":{"type":"integer","description":"Milliseconds it may take"},'
        b'"env":{"type":"object","additionalProperties":{"type":"string"},'
        b'"description":"More environment variables"}},'
        b'"required":["command"]}'
    ),
)

_SHELL_SPEC: Final = ToolSpec(
    name=SHELL,
    description=(
        "Runs shell commands on the user's machine and gives back what each of them printed and "
        "how it ended. The commands of one call are independent of each other."
    ),
    schema=(
        b'{"type":"object","properties":{'
        b'"commands":{"type":"array","items":{"type":"string"},'
        b'"description":"The shell commands to run"},'
        b'"timeout_ms":{"type":"integer","description":"Milliseconds they may take"},'
        b'"max_output_length":{"type":"integer","description":"Characters of output to keep"}},'
        b'"required":["commands"]}'
    ),
)

_PATCH_SPEC: Final = ToolSpec(
    name=PATCH,
    description=(
        "Creates, changes or deletes one file. The diff of a new file holds every line of it with "
        "+ in front. The diff of a change holds sections, each begun by a line with @@ (and, where "
        "it helps, the class or function in which the section stands); in a section the lines that "
        "stay begin with a space, those that go with -, new ones with +. Give three lines that "
        "stay before and after a change. There are no line numbers and no file headers."
    ),
    schema=(
        b'{"type":"object","properties":{'
        b'"type":{"type":"string","enum":["create_file","update_file","delete_file"]},'
        b'"path":{"type":"string","description":"The file"},'
        b'"diff":{"type":"string","description":"What changes; not for delete_file"}},'
        b'"required":["type","path"]}'
    ),
)

_ACTION: Final = (
    b'{"type":"object","properties":{'
    b'"type":{"type":"string","enum":["screenshot","click","double_click","move","drag","scroll",'
    b'"type","keypress","wait"]},'
    b'"x":{"type":"integer","description":"Pixels from the left"},'
    b'"y":{"type":"integer","description":"Pixels from the top"},'
    b'"button":{"type":"string","enum":["left","right","wheel","back","forward"]},'
    b'"scroll_x":{"type":"integer","description":"Pixels to the right"},'
    b'"scroll_y":{"type":"integer","description":"Pixels down"},'
    b'"text":{"type":"string","description":"For type: what is typed"},'
    b'"keys":{"type":"array","items":{"type":"string"},"description":"For keypress: the keys '
    b'pressed together; for the mouse: keys held meanwhile"},'
    b'"path":{"type":"array","description":"For drag: the points passed",'
    b'"items":{"type":"object","properties":{"x":{"type":"integer"},"y":{"type":"integer"}},'
    b'"required":["x","y"]}}},'
    b'"required":["type"]}'
)
_SCREEN: Final = (
    "Uses the user's screen, mouse and keyboard. Each call gives back a picture of the screen, "
    "whose pixels the coordinates count from the upper left corner. Begin with a screenshot."
)

_SEARCH_SCHEMA: Final = (
    b'{"type":"object","properties":{"query":{"type":"string",'
    b'"description":"What the tool should do"}},"required":["query"]}'
)


class Builtin(msgspec.Struct, frozen=True):
    """What is made of one entry of ``tools``."""

    kind: Kind
    spec: ToolSpec


class _Labelled(msgspec.Struct, gc=False):
    server_label: str | None = None


class _Environment(msgspec.Struct, gc=False):
    type: str | None = None


_LABELLED: Final = msgspec.json.Decoder(_Labelled)
_ENVIRONMENT: Final = msgspec.json.Decoder(_Environment | None)


def builtin_of(tool: Tool, place: str) -> Builtin | None:
    """The tool as the model sees it, None if there is nothing to offer; raises RequestRejected
    for one that does not run on the client's side."""
    make = _MAKERS.get(tool.type or "")
    return None if make is None else make(tool, place)


def model_name(kind: str) -> str:
    """What the model calls the tool that is named by this type, "" for other types."""
    return NAMES.get(kind, "")


def label_of(tool: msgspec.Raw) -> str:
    """The label of an MCP server among the tools."""
    try:
        return _LABELLED.decode(tool).server_label or MCP
    except (msgspec.DecodeError, RecursionError):
        return MCP


def _shell(tool: Tool, place: str) -> Builtin:
    environment = within(_ENVIRONMENT, tool.environment, f"{place}.environment")
    kind = "local" if environment is None else environment.type or "local"
    if kind != "local":
        where = f"{place}.environment.type"
        raise RequestRejected(
            f"{where}: shells in containers ({kind}) are not served here; use a local one",
            param=where,
        )
    return Builtin("shell", _SHELL_SPEC)


def _computer(tool: Tool, place: str) -> Builtin:
    schema = b'{"type":"object","properties":{"actions":{"type":"array","items":%b}},' % _ACTION
    schema += b'"required":["actions"]}'
    description = f"{_SCREEN} The actions of one call are carried out one after the other."
    return Builtin("computer", ToolSpec(COMPUTER, description, schema))


def _computer_preview(tool: Tool, place: str) -> Builtin:
    width, height = given(tool.display_width), given(tool.display_height)
    description = _SCREEN
    if width.isdigit() and height.isdigit():
        description += f" The screen is {int(width)} pixels wide and {int(height)} high."
    return Builtin("computer_preview", ToolSpec(COMPUTER, description, _ACTION))


def _tool_search(tool: Tool, place: str) -> Builtin | None:
    """A search by the server is among tools that are all offered here from the beginning."""
    if tool.execution != "client":
        return None
    schema = given(tool.parameters)
    description = tool.description or "Finds more tools, which can be called from then on."
    schema = schema if schema[:1] == b"{" else _SEARCH_SCHEMA
    return Builtin("tool_search", ToolSpec(TOOL_SEARCH, description, schema))


_MAKERS: Final[Mapping[str, Callable[[Tool, str], Builtin | None]]] = {
    LOCAL_SHELL: lambda tool, place: Builtin("local_shell", _LOCAL_SHELL_SPEC),
    SHELL: _shell,
    PATCH: lambda tool, place: Builtin("apply_patch", _PATCH_SPEC),
    COMPUTER: _computer,
    "computer_use": _computer_preview,
    "computer_use_preview": _computer_preview,
    TOOL_SEARCH: _tool_search,
}

NAMES: Final[Mapping[str, str]] = {
    kind: COMPUTER if kind.startswith(COMPUTER) else kind for kind in _MAKERS
}
"""What the model calls the tool of each type."""
