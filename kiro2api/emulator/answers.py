# -*- test-case-name: tests.emulator.test_answers -*-
"""What the emulator says: the same answer for the same question.

Reads a checked body of GenerateAssistantResponse and decides on texts and tool calls. Must not
know frames, HTTP or scripts.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from kiro2api.emulator.instances import instance
from kiro2api.kiro.wording import ANY_JSON, ANY_TOOL, SCHEMA_JSON, named_tool

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.S)
_CALL = re.compile(r"^[ \t>`*-]*call[ \t]+([A-Za-z0-9_-]{1,64})[ \t]*(\{.*\})?[ \t`]*$", re.M)
_READ = re.compile(r"\bread\b", re.I)
_ORDER = re.compile(r"\W*(?:please |now |then )?read\b", re.I)
_FILE = re.compile(r"(?<![\w/.~-])(~?/?(?:[\w.-]+/)*[\w.-]*\w\.[A-Za-z]\w{0,7})(?![\w/])")
_DIRECTORY = re.compile(r"[Ww]orking directory: *(/\S*)")

_READERS = ("read", "read_file", "readfile", "fs_read", "view", "view_file", "open_file")
_SHELLS = ("bash", "shell", "execute_bash", "exec_command", "run_command", "run_shell_command")
_PATHS = ("file_path", "path", "filePath", "filename", "file", "target_file", "absolute_path")
_COMMANDS = ("command", "cmd", "script")
_QUOTED = 4000
_THOUGHT = "The question is clear, so the answer can be short. "
_THINKING_MODES = tuple(
    f"<thinking_mode>{mode}</thinking_mode>" for mode in ("enabled", "adaptive")
)
_ECHOED = 160


class Call(msgspec.Struct, frozen=True):
    """One call of an offered tool; ``input`` is JSON text."""

    name: str
    input: str


class Answer(msgspec.Struct, frozen=True):
    """Everything the model is to say."""

    text: str
    calls: tuple[Call, ...] = ()
    thinking: str = ""


def answer(body: Mapping[str, Any]) -> Answer:
    """The answer to a request that broke no rule."""
    state = body["conversationState"]
    message = state["currentMessage"]["userInputMessage"]
    context = message.get("userInputMessageContext") or {}
    question = _REMINDER.sub("", message["content"]).strip()
    results = context.get("toolResults") or ()
    tools = _offered(context)
    if results:
        said = Answer(_about_results(results))
    else:
        calls = (
            _ordered_calls(question, tools)
            or _reading_calls(question, tools, state)
            or _demanded_call(question, context)
        )
        shaped = _demanded_json(question)
        if calls:
            said = Answer("I will look into that with a tool.", calls)
        elif shaped:
            said = Answer(shaped)
        else:
            said = Answer(_echo(question, len(message.get("images") or ())))
    if _wants_thinking(body):
        said = msgspec.structs.replace(said, thinking=_THOUGHT)
    elif _is_asked_by_tags(state):
        text = f"<thinking>{_THOUGHT}</thinking>\n\n{said.text}"
        said = msgspec.structs.replace(said, text=text)
    return said


def digest(text: str) -> str:
    """A short mark of a text, by which a test knows that it arrived whole."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _offered(context: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Names of the tools offered, with the properties of their schemas."""
    offered = {}
    for tool in context.get("tools") or ():
        spec = tool.get("toolSpecification")
        if spec is not None:
            offered[spec["name"]] = spec["inputSchema"]["json"].get("properties") or {}
    return offered


def _wants_thinking(body: Mapping[str, Any]) -> bool:
    fields = body.get("additionalModelRequestFields") or {}
    thinking = fields.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    return kind in ("adaptive", "enabled") or "reasoning" in fields


def _demanded_call(question: str, context: Mapping[str, Any]) -> tuple[Call, ...]:
    """A call of the tool, or of any, that the last words of the question demand."""
    for tool in context.get("tools") or ():
        spec = tool.get("toolSpecification")
        if spec is not None and question.endswith((ANY_TOOL, named_tool(spec["name"]))):
            value = instance(spec["inputSchema"]["json"])
            return (_call(spec["name"], value if isinstance(value, dict) else {}),)
    return ()


def _demanded_json(question: str) -> str:
    """JSON of the shape that the last words of the question demand."""
    if question.endswith(ANY_JSON):
        return '{"answer":"text"}'
    _, demanded, schema = question.rpartition(SCHEMA_JSON)
    try:
        value = instance(msgspec.json.decode(schema)) if demanded else None
    except msgspec.DecodeError:
        return ""
    return msgspec.json.encode(value).decode() if demanded else ""


def _is_asked_by_tags(state: Mapping[str, Any]) -> bool:
    """Wire: older models think aloud, in tags, when the system text tells them so."""
    for turn in (state.get("history") or ())[:1]:
        content: str = (turn.get("userInputMessage") or {}).get("content") or ""
        return content.startswith(_THINKING_MODES)
    return False


def _about_results(results: list[Any]) -> str:
    parts = []
    for result in results:
        verb = "failed with" if result.get("status") == "error" else "returned"
        texts = [
            block["text"] if "text" in block else msgspec.json.encode(block["json"]).decode()
            for block in result["content"]
        ]
        text = "\n".join(texts)
        cut = " …" if len(text) > _QUOTED else ""
        parts.append(f"The tool {verb}:\n\n{text[:_QUOTED]}{cut}")
    return "\n\n".join(parts)


def _ordered_calls(question: str, tools: Mapping[str, Any]) -> tuple[Call, ...]:
    """Lines like ``call NAME {"a": 1}`` of the question."""
    calls = []
    for name, text in _CALL.findall(question):
        if name not in tools:
            continue
        text = text or "{}"
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            continue
        calls.append(Call(name, text))
    return tuple(calls)


def _reading_calls(
    question: str, tools: Mapping[str, Any], state: Mapping[str, Any]
) -> tuple[Call, ...]:
    """A file that the question asks to read, if a tool can do that."""
    path = _file_to_read(question)
    if path is None:
        return ()
    by_name = {name.lower(): name for name in tools}
    for known in _READERS:
        name = by_name.get(known)
        key = _key(tools[name], _PATHS) if name is not None else None
        if name is not None and key is not None:
            return (_call(name, {key: _absolute(path, state)}),)
    for known in _SHELLS:
        name = by_name.get(known)
        key = _key(tools[name], _COMMANDS) if name is not None else None
        if name is not None and key is not None:
            listed = tools[name][key].get("type") == "array"
            command = ["cat", path] if listed else f"cat {path}"
            return (_call(name, {key: command}),)
    return ()


def _file_to_read(question: str) -> str | None:
    """The file named in the last line that orders to read, or else that speaks of reading."""
    lines = question.splitlines()[::-1]
    for line in sorted(lines, key=lambda line: _ORDER.match(line) is None):
        if _READ.search(line):
            found = _FILE.search(line)
            if found is not None:
                return found.group(1)
    return None


def _absolute(path: str, state: Mapping[str, Any]) -> str:
    """The path below the directory that the system prompt names, if it names one."""
    if path.startswith(("/", "~")):
        return path
    for turn in (state.get("history") or ())[:1]:
        found = _DIRECTORY.search(turn["userInputMessage"]["content"])
        if found is not None:
            return f"{found.group(1).rstrip('/')}/{path}"
    return path


def _key(properties: Mapping[str, Any], known: tuple[str, ...]) -> str | None:
    return next((key for key in known if key in properties), None)


def _call(name: str, value: dict[str, object]) -> Call:
    return Call(name, msgspec.json.encode(value).decode())


def _echo(question: str, images: int) -> str:
    shown = " ".join(question[: _ECHOED * 2].split())[:_ECHOED]
    more = " …" if len(question) > len(shown) else ""
    seen = f" I was shown {images} image{'s' if images > 1 else ''}." if images else ""
    return (
        f"Hello from the emulator! You wrote: “{shown}{more}”.{seen}"
        f" That is {len(question)} characters with the digest {digest(question)}."
    )
