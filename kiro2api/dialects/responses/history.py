# -*- test-case-name: tests.dialects.responses.test_history -*-
"""Items of the input to turns of the neutral question.

Every item becomes a turn of its own where it stands: pairing calls with results and merging
neighbours is not this side's business. Items that only another server could have made, or could
use, are left out. Must not know the body around the items.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.conversation.question import Part, ResultPart, Text, ToolResult, ToolUse, Turn
from kiro2api.dialects.chat.ask import arguments_json
from kiro2api.dialects.chat.shapes import given
from kiro2api.dialects.chat.tools import input_text
from kiro2api.dialects.responses import searches
from kiro2api.dialects.responses.builtin import COMPUTER, LOCAL_SHELL, PATCH, SHELL, TOOL_SEARCH
from kiro2api.dialects.responses.parts import parts_of
from kiro2api.dialects.responses.sealed import unseal
from kiro2api.dialects.responses.shapes import CONTENT, TOOL, TOOLS, Item, known, within
from kiro2api.dialects.responses.tools import Toolbox
from kiro2api.errors import RequestRejected

Place: TypeAlias = str
Reader: TypeAlias = Callable[[Item, Place, Toolbox], Turn | None]

_ROLES: Final[Mapping[str | None, Literal["system", "assistant"]]] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
}
_SEARCH: Final = "web_search_call"
_SHELL_KEYS: Final = ("command", "working_directory", "timeout_ms", "env")
_STRING: Final = msgspec.json.Decoder(str)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Outcome(msgspec.Struct, gc=False):
    type: str | None = None
    exit_code: int | None = None


class _ShellOutput(msgspec.Struct, gc=False):
    stdout: str | None = None
    stderr: str | None = None
    outcome: _Outcome | None = None


_SHELL_OUTPUTS: Final = msgspec.json.Decoder(list[_ShellOutput] | str | None)


def turns_of(
    items: Iterable[tuple[Item | str, Place]], box: Toolbox
) -> tuple[tuple[str, ...], tuple[Turn, ...]]:
    """The leading system texts, and everything after them as turns; raises RequestRejected."""
    system: list[str] = []
    turns: list[Turn] = []
    for item, place in items:
        if isinstance(item, str):
            turns.append(Turn("user", (Text(item),)))
            continue
        turn = _READERS.get(item.type, _unknown)(item, place, box)
        if turn is None:
            continue
        texts = [part.text for part in turn.parts if isinstance(part, Text)]
        if turn.role == "system" and not turns and len(texts) == len(turn.parts):
            system.extend(texts)
        elif item.type == _SEARCH:
            turns.insert(_before_calls(turns), turn)
        else:
            turns.append(turn)
    if not turns and system:
        # A question there must be, so the last of the system texts is taken for it.
        turns.append(Turn("system", (Text(system.pop()),)))
    return tuple(system), tuple(turns)


def _before_calls(turns: list[Turn]) -> int:
    """Where a search has its place: before the calls whose results are yet to come, because these
    belong right after them and the search brings its own along."""
    place = len(turns)
    while place and isinstance(turns[place - 1].parts[-1], ToolUse):
        place -= 1
    return place


def result_parts(output: msgspec.Raw | bytes, place: Place) -> tuple[ResultPart, ...]:
    """What a call gave back: a text, parts, or any other JSON, which is shown as it is."""
    octets = given(msgspec.Raw(bytes(output)))
    if not octets:
        return ()
    if octets[:1] in b'["':
        try:
            content = within(CONTENT, octets, place)
        except RequestRejected:
            content = None
        if isinstance(content, str) or (
            isinstance(content, list)
            and all(isinstance(part, str) or part.type is not None for part in content)
        ):
            return tuple(parts_of(content))
    return (Text(octets.decode("utf-8")),)


def _message(item: Item, place: Place, box: Toolbox) -> Turn | None:
    parts: list[Part] = [*parts_of(within(CONTENT, item.content, f"{place}.content"))]
    return Turn(_ROLES.get(item.role, "user"), tuple(parts)) if parts else None


def _unknown(item: Item, place: Place, box: Toolbox) -> Turn | None:
    """A kind newer than this: what it says is kept if it is said like a message."""
    if item.role is None:
        return None
    try:
        return _message(item, place, box)
    except RequestRejected:
        return None


def _called(item: Item, place: Place, name: str, arguments: bytes) -> Turn:
    call = item.call_id or item.id or f"call_{place}"
    return Turn("assistant", (ToolUse(call, name, arguments),))


def _function_call(item: Item, place: Place, box: Toolbox) -> Turn:
    name = box.name_of(item.name or "", item.namespace or "")
    return _called(item, place, name, arguments_json(given(item.arguments)))


def _custom_call(item: Item, place: Place, box: Toolbox) -> Turn:
    name = box.name_of(item.name or "", item.namespace or "")
    written = given(item.input)
    if written[:1] == b'"':
        return _called(item, place, name, input_text(_STRING.decode(written)))
    return _called(item, place, name, input_text(written.decode("utf-8")))


def _local_shell_call(item: Item, place: Place, box: Toolbox) -> Turn:
    action = _object(item.action)
    kept = {key: action[key] for key in _SHELL_KEYS if key in action and given(action[key])}
    return _called(item, place, box.name_of(LOCAL_SHELL), msgspec.json.encode(kept))


def _shell_call(item: Item, place: Place, box: Toolbox) -> Turn:
    return _called(item, place, box.name_of(SHELL), msgspec.json.encode(_object(item.action)))


def _patch_call(item: Item, place: Place, box: Toolbox) -> Turn:
    operation = msgspec.json.encode(_object(item.operation))
    return _called(item, place, box.name_of(PATCH), operation)


def _computer_call(item: Item, place: Place, box: Toolbox) -> Turn:
    actions = given(item.actions)
    done = b'{"actions":%b}' % actions if actions else msgspec.json.encode(_object(item.action))
    return _called(item, place, box.name_of(COMPUTER), done)


def _computer_output(item: Item, place: Place, box: Toolbox) -> Turn:
    parts = tuple(parts_of(within(CONTENT, item.output, f"{place}.output")))
    return Turn("user", (ToolResult(item.call_id or item.id or "", parts),))


def _tool_search_call(item: Item, place: Place, box: Toolbox) -> Turn | None:
    """A search that the client has made; the server's own need no reply, and have none."""
    if not item.call_id:
        return None
    return _called(item, place, box.name_of(TOOL_SEARCH), arguments_json(given(item.arguments)))


def _tool_search_output(item: Item, place: Place, box: Toolbox) -> Turn | None:
    """The tools themselves are offered with all others."""
    if not item.call_id:
        return None
    names = list(_tool_names(item.tools, place))
    text = f"Found, and can be called now: {', '.join(names)}" if names else "Found no tools."
    return Turn("user", (ToolResult(item.call_id, (Text(text),)),))


def _tool_names(raw: msgspec.Raw, place: Place) -> Iterator[str]:
    for each in within(TOOLS, raw, f"{place}.tools") or ():
        tool = known(TOOL, each, place, ())
        if tool is not None and tool.type == "namespace":
            yield from _tool_names(tool.tools, place)
        elif tool is not None and tool.name:
            yield tool.name


def _object(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return within(_OBJECT, raw, "")
    except RequestRejected:
        return {}


def _output(item: Item, place: Place, box: Toolbox) -> Turn:
    parts = result_parts(item.output, f"{place}.output")
    failed = bytes(item.status) == b'"failed"'
    return Turn("user", (ToolResult(item.call_id or item.id or "", parts, failed),))


def _shell_output(item: Item, place: Place, box: Toolbox) -> Turn:
    try:
        outputs = within(_SHELL_OUTPUTS, item.output, place)
    except RequestRejected:
        return _output(item, place, box)
    if outputs is None or isinstance(outputs, str):
        return _output(item, place, box)
    texts = tuple(Text(text) for each in outputs if (text := _shell_text(each)))
    return Turn("user", (ToolResult(item.call_id or item.id or "", texts),))


def _shell_text(output: _ShellOutput) -> str:
    lines = [text for text in (output.stdout, output.stderr) if text]
    outcome = output.outcome or _Outcome()
    if outcome.exit_code is not None:
        lines.append(f"[exit code {outcome.exit_code}]")
    elif outcome.type is not None:
        lines.append(f"[{outcome.type}]")
    return "\n".join(lines)


def _search(item: Item, place: Place, box: Toolbox) -> Turn | None:
    parts = searches.parts_of(item, place, bool(box.server_tools))
    return Turn("assistant", parts) if parts else None


def _reasoning(item: Item, place: Place, box: Toolbox) -> Turn | None:
    """Only what the upstream signed is of use to it, so a mere summary is not kept."""
    reasoning = unseal(item.encrypted_content or "")
    return None if reasoning is None else Turn("assistant", (reasoning,))


_READERS: Final[Mapping[str | None, Reader]] = {
    None: _message,
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "local_shell_call": _local_shell_call,
    "local_shell_call_output": _output,
    "shell_call": _shell_call,
    "shell_call_output": _shell_output,
    "apply_patch_call": _patch_call,
    "apply_patch_call_output": _output,
    "computer_call": _computer_call,
    "computer_call_output": _computer_output,
    "tool_search_call": _tool_search_call,
    "tool_search_output": _tool_search_output,
    "reasoning": _reasoning,
    _SEARCH: _search,
}

KINDS: Final = frozenset({*_READERS, "item_reference", "additional_tools"} - {_SEARCH})
"""Kinds whose misshapen fields are worth a refusal."""
