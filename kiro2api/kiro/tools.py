# -*- test-case-name: tests.kiro.test_tools -*-
"""The tools on offer as the upstream wants them listed.

Must not know turns. Schemas are filled in last, as finished JSON: whoever checks the listing in
between sees a sound stand-in, since ``schema`` already gives what the upstream takes.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from kiro2api.conversation.question import ToolSpec
from kiro2api.kiro.constraints import MAX_DESCRIPTION
from kiro2api.kiro.naming import Names
from kiro2api.kiro.schema import repaired
from kiro2api.kiro.toolinput import too_deep
from kiro2api.kiro.wording import TOOL_UNAVAILABLE, tool_heading

_ANYTHING: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class SchemaCache:
    """Repaired schemas by the client's own bytes: a client sends the same ones on every turn.

    :param entries: schemas kept.
    :param octets: bytes kept, of the client's and the repaired schemas together.
    """

    def __init__(self, *, entries: int = 2048, octets: int = 16 * 1024 * 1024) -> None:
        self._entries = entries
        self._octets = octets
        self._held = 0
        self._schemas: dict[bytes, msgspec.Raw] = {}

    def __len__(self) -> int:
        return len(self._schemas)

    def repaired(self, schema: bytes) -> msgspec.Raw:
        """The schema as JSON that the upstream takes; any bytes give one."""
        found = self._schemas.pop(schema, None)
        if found is None:
            found = repaired_json(schema)
            self._held += len(schema) + len(bytes(found))
        # Put back at the end: the front is what was not used for longest.
        self._schemas[schema] = found
        while len(self._schemas) > self._entries or self._held > self._octets:
            oldest = next(iter(self._schemas))
            self._held -= len(oldest) + len(bytes(self._schemas.pop(oldest)))
        return found


def repaired_json(schema: bytes) -> msgspec.Raw:
    """One schema repaired; what is not JSON allows any object."""
    try:
        value = _decode(schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _ANYTHING
    if too_deep(schema, value):
        return _ANYTHING
    return msgspec.Raw(_encode(repaired(value)))


class Listing:
    """The ``tools`` of the current message.

    :param names: knows every tool name of the conversation.
    :param description_limit: characters beyond which a description moves to ``documents``.
    """

    def __init__(self, names: Names, schemas: SchemaCache, *, description_limit: int) -> None:
        self.specs: list[dict[str, Any]] = []
        self.documents: list[str] = []
        """The whole text of each description that was cut, under a heading."""
        self._names = names
        self._cache = schemas
        self._limit = min(description_limit, MAX_DESCRIPTION)
        self._offered: set[str] = set()
        self._schemas: list[tuple[dict[str, Any], msgspec.Raw]] = []

    def offer(self, tools: Iterable[ToolSpec]) -> None:
        """List the client's tools: nameless ones are skipped, repetitions listed once.

        Wire: ``TOOL_DUPLICATE``. Two different tools of one name both stay, the second one under
        a name of ours that leads back to the client's.
        """
        seen: set[ToolSpec] = set()
        for tool in tools:
            if is_nameless(tool) or tool in seen:
                continue
            seen.add(tool)
            name = self._names.upstream(tool.name)
            if name in self._offered:
                name = self._names.another(tool.name)
            self._list(name, self._described(name, tool), self._cache.repaired(tool.schema))

    def keep(self, called: Iterable[str]) -> None:
        """List a stand-in for each called tool (upstream name) that is not on offer any more.

        Wire: a tool that occurs in the history must be listed, else ``TOOL_CONFIG_MISSING``.
        """
        for name in called:
            if name not in self._offered:
                self._list(name, TOOL_UNAVAILABLE[: self._limit], _ANYTHING)

    def fill_schemas(self) -> None:
        """Put the finished schemas in the place of their stand-ins."""
        for place, schema in self._schemas:
            place["json"] = schema

    def _list(self, name: str, description: str, schema: msgspec.Raw) -> None:
        self._offered.add(name)
        place: dict[str, Any] = {"json": {"type": "object"}}
        self._schemas.append((place, schema))
        spec = {"name": name, "description": description, "inputSchema": place}
        self.specs.append({"toolSpecification": spec})

    def _described(self, name: str, tool: ToolSpec) -> str:
        """Wire: a description is 1 to 10,240 characters, an empty one is refused."""
        text = tool.description
        if not text or text.isspace():
            text = name
        if len(text) <= self._limit:
            return text
        self.documents.append(tool_heading(name, text))
        return text[: self._limit - 1] + "…"


def is_nameless(tool: ToolSpec) -> bool:
    """Whether a tool cannot be called for want of a name."""
    return not tool.name or tool.name.isspace()
