# -*- test-case-name: tests.kiro.test_rules -*-
"""The upstream's rules as a validator: names the broken rule before anything is sent.

The upstream itself often answers "Improperly formed request." without saying which rule broke.
Runs on every request, so a message's text is never walked in Python and paths are only written
out for what is broken. Must not know how a body is built, and repairs nothing. The emulator
refuses by the same rules.

Wire: shapes in ``constraints``; the order of turns, the pairing of tool uses with results and
the shape of tool schemas as the first-party clients enforce them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from kiro2api.kiro.constraints import (
    INVALID,
    REQUEST,
    Blob,
    Flag,
    Json,
    Many,
    Rule,
    Shape,
    Text,
    Whole,
)
from kiro2api.kiro.media import sniff

MISMATCH: Final = "TOOL_USE_RESULT_MISMATCH"
SCHEMA_INVALID: Final = "TOOL_SCHEMA_INVALID"

_JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_COMBINATORS = ("anyOf", "allOf", "oneOf")


class Violation(msgspec.Struct, frozen=True):
    """One broken rule.

    ``path`` leads to the offending place in the upstream body, ``reason`` is the reason that the
    upstream's ValidationException would carry. ``message`` holds no text of the conversation.
    """

    rule: str
    path: str
    message: str
    reason: str = INVALID


Found: TypeAlias = list[Violation]
# A path is (parent, key), written out only when something is broken there.
Path: TypeAlias = Any


def check(body: Mapping[str, object]) -> list[Violation]:
    """What the upstream would refuse in a decoded body of GenerateAssistantResponse.

    The rules on turns and tools presuppose sound shapes, so they are only looked at once the
    shapes are in order.
    """
    found: Found = []
    _shape(REQUEST, body, None, found)
    if not found:
        _Talk(body["conversationState"], found).check()
    return found


def _written(path: Path) -> str:
    keys: list[str] = []
    while path is not None:
        path, key = path
        keys.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(keys)).removeprefix(".")


# ── shapes ───────────────────────────────────────────────────────────────────


def _broken(found: Found, rule: str, path: Path, message: str, reason: str = INVALID) -> None:
    found.append(Violation(rule, _written(path), message, reason))


# The exact types come first in these checks: they run for each part of each request.


def _shape(shape: Shape, value: object, path: Path, found: Found) -> None:
    if type(value) is not dict and not isinstance(value, Mapping):
        return _broken(found, "type", path, f"{shape.name} must be an object")
    members = shape.members
    for key, inner in value.items():
        rule = members.get(key)
        if rule is None:
            _broken(found, "unknown_member", (path, key), f"{shape.name} has no such member")
        elif inner is not None:
            _CHECKS.get(type(rule), _scalar)(rule, inner, (path, key), found)
    for key in shape.required:
        if value.get(key) is None:
            _broken(found, "required", (path, key), f"{shape.name} needs it")
    if shape.union and sum(inner is not None for inner in value.values()) != 1:
        names = ", ".join(members)
        _broken(found, "union", path, f"{shape.name} must hold exactly one of: {names}")
    return None


def _many(rule: Many, value: object, path: Path, found: Found) -> None:
    if type(value) is not list and not isinstance(value, list):
        return _broken(found, "type", path, "must be a list")
    if rule.high and len(value) > rule.high:
        message = f"{len(value)} elements, {rule.high} allowed"
        _broken(found, "count", path, message, rule.reason)
    check = _CHECKS.get(type(rule.of), _scalar)
    for index, inner in enumerate(value):
        check(rule.of, inner, (path, index), found)
    return None


def _text(rule: Text, value: object, path: Path, found: Found) -> None:
    if type(value) is not str and not isinstance(value, str):
        return _broken(found, "type", path, "must be a string", rule.reason)
    size = len(value)
    if rule.high and size > rule.high:
        message = f"{size} characters, {rule.high} allowed"
        return _broken(found, "length", path, message, rule.reason_long)
    if size < rule.low:
        return _broken(found, "length", path, f"{size} characters, {rule.low} needed", rule.reason)
    if rule.choices and value not in rule.choices:
        message = "must be one of: " + ", ".join(sorted(rule.choices))
        return _broken(found, "enum", path, message, rule.reason)
    if rule.pattern is not None and rule.pattern.fullmatch(value) is None:
        message = f"must match {rule.pattern.pattern}"
        return _broken(found, "pattern", path, message, rule.reason)
    return None


def _blob(rule: Blob, value: object, path: Path, found: Found) -> None:
    if not isinstance(value, str) or len(value) % 4 or not value.isascii():
        return _broken(found, "base64", path, "must be base64 text")
    size = len(value) // 4 * 3 - value[-2:].count("=")
    if size < rule.low or (rule.high and size > rule.high):
        limits = f"{rule.low} to {rule.high or 'any number of'}"
        return _broken(found, "length", path, f"{size} bytes, {limits} allowed", rule.reason)
    return None


def _scalar(rule: Rule, value: object, path: Path, found: Found) -> None:
    if isinstance(rule, Whole):
        if not isinstance(value, int) or isinstance(value, bool):
            _broken(found, "type", path, "must be an integer")
        elif not rule.low <= value <= rule.high:
            _broken(found, "range", path, f"must be within {rule.low} to {rule.high}")
    elif isinstance(rule, Flag):
        if not isinstance(value, bool):
            _broken(found, "type", path, "must be true or false")
    elif isinstance(rule, Json) and rule.object_only and not isinstance(value, Mapping):
        _broken(found, "type", path, "must be an object")


# Whatever is not here is a scalar.
_CHECKS: Final[dict[type, Callable[[Any, object, Path, Found], None]]] = {
    Text: _text,
    Shape: _shape,
    Many: _many,
    Blob: _blob,
}


# ── turns and tools ──────────────────────────────────────────────────────────


class _Talk:
    """One conversation state with sound shapes, checked turn by turn."""

    def __init__(self, state: Any, found: Found) -> None:
        self.history: list[Any] = state.get("history") or []
        self.current: Any = state["currentMessage"]
        self.found = found
        self.root: Path = (None, "conversationState")
        self.tools = self.offered()

    def broken(self, rule: str, path: Path, message: str, reason: str = INVALID) -> None:
        _broken(self.found, rule, path, message, reason)

    def turns(self) -> Iterator[tuple[Path, Any, Any]]:
        """Path, user part or None, assistant part or None; the current message is last."""
        history = (self.root, "history")
        for index, turn in enumerate(self.history):
            yield (
                (history, index),
                turn.get("userInputMessage"),
                turn.get("assistantResponseMessage"),
            )
        yield (
            (self.root, "currentMessage"),
            self.current.get("userInputMessage"),
            self.current.get("assistantResponseMessage"),
        )

    def check(self) -> None:
        last = len(self.history)
        pending: list[Any] = []
        previous_was_user: bool | None = None
        for index, (path, user, assistant) in enumerate(self.turns()):
            if user is not None:
                path = (path, "userInputMessage")
                if previous_was_user:
                    self.broken("alternating", path, "two user turns in a row")
                self.user(path, user, pending, current=index == last)
                pending = []
                previous_was_user = True
                continue
            path = (path, "assistantResponseMessage")
            if previous_was_user is None and index < last:
                self.broken("starts_with_user", path, "the first turn must be the user's")
            elif previous_was_user is False:
                self.broken("alternating", path, "two assistant turns in a row")
            if index == last:
                self.broken("ends_with_user", path, "the current message must be the user's")
            self.unanswered(pending)
            pending = self.assistant(path, assistant)
            previous_was_user = False
        self.unanswered(pending)

    def assistant(self, path: Path, turn: Any) -> list[Any]:
        """Checks the turn; gives (path, id) of each tool use that is now to be answered."""
        if not turn["content"]:
            self.broken("assistant_content_empty", (path, "content"), "must not be empty")
        pending: list[Any] = []
        seen: set[str] = set()
        uses = (path, "toolUses")
        for index, use in enumerate(turn.get("toolUses") or ()):
            id = use["toolUseId"]
            here = (uses, index)
            if id in seen:
                self.broken(
                    "tool_id_duplicate", (here, "toolUseId"), "used twice in one turn", MISMATCH
                )
                continue
            seen.add(id)
            pending.append((here, id))
            if use["name"] not in self.tools:
                self.broken(
                    "tool_config_missing",
                    (here, "name"),
                    "the current message offers no such tool",
                    "TOOL_CONFIG_MISSING",
                )
        return pending

    def user(self, path: Path, turn: Any, pending: list[Any], *, current: bool) -> None:
        context = turn.get("userInputMessageContext") or {}
        results = context.get("toolResults") or ()
        content = turn["content"]
        if not results and (not content or (current and content.isspace())):
            message = "must not be blank without tool results"
            self.broken("user_content_empty", (path, "content"), message)
        for index, image in enumerate(turn.get("images") or ()):
            self.image((((path, "images"), index)), image)
        listed = ((path, "userInputMessageContext"), "toolResults")
        asked = {id: here for here, id in pending}
        answered: set[str] = set()
        for index, result in enumerate(results):
            id = result["toolUseId"]
            here = ((listed, index), "toolUseId")
            if id in answered:
                self.broken("tool_id_duplicate", here, "answered twice in one turn", MISMATCH)
            elif id not in asked:
                message = "no tool use of the turn before has this id"
                self.broken("tool_result_orphan", here, message, MISMATCH)
            answered.add(id)
        self.unanswered([entry for entry in pending if entry[1] not in answered])

    def unanswered(self, pending: list[Any]) -> None:
        for here, _id in pending:
            message = "the next user turn holds no result for this tool use"
            self.broken("tool_use_unanswered", here, message, MISMATCH)

    def image(self, path: Path, image: Any) -> None:
        kind = sniff(image["source"]["bytes"])
        if kind is None:
            message = "the bytes are no gif, jpeg, png or webp image"
            self.broken("image_format", path, message, "IMAGE_FORMAT_UNSUPPORTED")
        elif kind != image["format"]:
            message = f"the bytes are a {kind} image"
            self.broken("image_format", path, message, "IMAGE_MIME_MISMATCH")

    def offered(self) -> frozenset[str]:
        """The names of the tools of the current message; checks their names and schemas."""
        user = self.current.get("userInputMessage") or {}
        tools = (user.get("userInputMessageContext") or {}).get("tools") or ()
        path: Path = (self.root, "currentMessage")
        for key in ("userInputMessage", "userInputMessageContext", "tools"):
            path = (path, key)
        names: set[str] = set()
        for index, tool in enumerate(tools):
            spec = tool.get("toolSpecification")
            if spec is None:
                continue
            here = ((path, index), "toolSpecification")
            if spec["name"] in names:
                self.broken(
                    "tool_name_duplicate", (here, "name"), "offered twice", "TOOL_DUPLICATE"
                )
            names.add(spec["name"])
            at = ((here, "inputSchema"), "json")
            _schema(spec["inputSchema"].get("json"), at, self.found)
        return frozenset(names)


# ── tool schemas ─────────────────────────────────────────────────────────────


def _schema(schema: Any, path: Path, found: Found) -> None:
    """Wire: the top must be an object schema without combinators, and no keyword that has a
    shape may have another one (null properties, null required, upper-case types)."""
    if not isinstance(schema, Mapping):
        return _broken(found, "tool_schema", path, "must be an object", SCHEMA_INVALID)
    if schema.get("type") != "object":
        at = (path, "type")
        _broken(found, "tool_schema", at, 'must be "object"', SCHEMA_INVALID)
    for key in _COMBINATORS:
        if key in schema:
            message = "not allowed at the top of a schema"
            _broken(found, "tool_schema", (path, key), message, SCHEMA_INVALID)
    waiting: list[tuple[Any, Path]] = [(schema, path)]
    while waiting:
        node, here = waiting.pop()
        if not isinstance(node, Mapping):
            _broken(found, "tool_schema", here, "must be an object", SCHEMA_INVALID)
            continue
        _keywords(node, here, found)
        properties = node.get("properties")
        if isinstance(properties, Mapping):
            at = (here, "properties")
            waiting.extend((inner, (at, name)) for name, inner in properties.items())
        items = node.get("items")
        if isinstance(items, Mapping):
            waiting.append((items, (here, "items")))
        for key in _COMBINATORS:
            options = node.get(key)
            if isinstance(options, list):
                at = (here, key)
                waiting.extend((inner, (at, index)) for index, inner in enumerate(options))
    return None


def _keywords(node: Mapping[str, Any], path: Path, found: Found) -> None:
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "type" in node and not all(isinstance(one, str) and one in _JSON_TYPES for one in kinds):
        message = "must name JSON Schema types in lower case"
        _broken(found, "tool_schema", (path, "type"), message, SCHEMA_INVALID)
    if "properties" in node and not isinstance(node["properties"], Mapping):
        _broken(found, "tool_schema", (path, "properties"), "must be an object", SCHEMA_INVALID)
    if "required" in node:
        names = node["required"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            message = "must be a list of strings"
            _broken(found, "tool_schema", (path, "required"), message, SCHEMA_INVALID)
