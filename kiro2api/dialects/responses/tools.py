# -*- test-case-name: tests.dialects.responses.test_tools -*-
"""What a request offers the model to call, and under which names.

The dialect groups tools in namespaces and has kinds of its own; the model knows one flat list.
``Toolbox`` leads from one to the other and back. Must not know messages.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.conversation.question import ServerTool, ToolSpec
from kiro2api.dialects.chat.searching import domains_of, is_kind, place_of
from kiro2api.dialects.chat.shapes import Custom, Format, given
from kiro2api.dialects.chat.tools import freeform_spec
from kiro2api.dialects.responses.shapes import FILTERS, TOOL, TOOLS, Filters, Tool, known, within
from kiro2api.errors import RequestRejected

Kind: TypeAlias = Literal["function", "custom", "local_shell"]

LOCAL_SHELL: Final = "local_shell"

_SERVED: Final = frozenset({None, "function", "custom", "namespace", LOCAL_SHELL})

_SHELL_SPEC: Final = ToolSpec(
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


class Callee(msgspec.Struct, frozen=True):
    """A tool in the client's own terms."""

    kind: Kind
    name: str
    namespace: str = ""


class Toolbox(msgspec.Struct, frozen=True):
    """The tools of one request.

    ``callees`` leads from the name that the model sees to the client's tool, ``names`` from
    namespace and name of the client's tool to what the model sees. ``dropped`` are the kinds
    that were offered and cannot be served, ``server_tools`` the web search, at most one.
    """

    specs: tuple[ToolSpec, ...] = ()
    callees: dict[str, Callee] = {}
    names: dict[tuple[str, str], str] = {}
    dropped: frozenset[str] = frozenset()
    server_tools: tuple[ServerTool, ...] = ()

    def callee(self, name: str) -> Callee:
        """The client's tool of this name; a name that was not offered is a function's."""
        return self.callees.get(name) or Callee("function", name)

    def name_of(self, name: str, namespace: str = "") -> str:
        """What the model calls the client's tool, offered in this request or not."""
        return self.names.get((namespace, name), name)


class _Offer(msgspec.Struct, frozen=True):
    callee: Callee
    spec: ToolSpec


def toolbox_of(lists: Iterable[tuple[msgspec.Raw, str]]) -> Toolbox:
    """The tools of some lists, each with its path; raises RequestRejected for a nameless one."""
    offers: list[_Offer] = []
    dropped: set[str] = set()
    searches: list[ServerTool] = []
    for raw, place in lists:
        _collect(raw, place, "", offers, dropped, searches)
    times: dict[str, set[str]] = {}
    for offer in offers:
        times.setdefault(offer.callee.name, set()).add(offer.callee.namespace)
    box = Toolbox(dropped=frozenset(dropped), server_tools=tuple(searches[:1]))
    specs: dict[ToolSpec, None] = {}
    for offer in offers:
        callee = offer.callee
        name = callee.name
        if callee.namespace and len(times[name]) > 1:
            # The same name in several namespaces: the model sees which one it is.
            name = f"{callee.namespace}__{name}"
        while name in box.callees and _differ(box.callees[name], callee):
            name += "_"
        box.callees[name] = callee
        box.names[callee.namespace, callee.name] = name
        specs[msgspec.structs.replace(offer.spec, name=name)] = None
    return msgspec.structs.replace(box, specs=tuple(specs))


def _differ(one: Callee, other: Callee) -> bool:
    return (one.namespace, one.name) != (other.namespace, other.name)


def _collect(
    raw: msgspec.Raw,
    place: str,
    namespace: str,
    offers: list[_Offer],
    dropped: set[str],
    searches: list[ServerTool],
) -> None:
    for index, each in enumerate(within(TOOLS, raw, place) or ()):
        where = f"{place}[{index}]"
        tool = known(TOOL, each, where, _SERVED)
        kind = "unknown" if tool is None else tool.type or "function"
        if tool is not None and is_kind(kind):
            searches.append(_search(tool, where))
        elif tool is None or kind not in _SERVED:
            dropped.add(kind)
        elif kind == "namespace" and not namespace:
            inner = _named(tool, where)
            _collect(tool.tools, f"{where}.tools", inner, offers, dropped, searches)
        elif kind == LOCAL_SHELL:
            offers.append(_Offer(Callee("local_shell", LOCAL_SHELL, namespace), _SHELL_SPEC))
        elif kind == "custom":
            name = _named(tool, where)
            grammar = None if tool.format is None else Format("grammar", tool.format)
            spec = freeform_spec(Custom(name, tool.description, grammar), where)
            offers.append(_Offer(Callee("custom", name, namespace), spec))
        elif kind == "function":
            offers.append(_function(tool, where, namespace))


def _function(tool: Tool, place: str, namespace: str) -> _Offer:
    schema = given(tool.parameters) or b"{}"
    if schema[:1] != b"{":
        where = f"{place}.parameters"
        raise RequestRejected(f"{where}: must be a JSON Schema object", param=where)
    name = _named(tool, place)
    spec = ToolSpec(name, tool.description or "", schema)
    return _Offer(Callee("function", name, namespace), spec)


def _search(tool: Tool, place: str) -> ServerTool:
    """How much of the pages is to be read, and whether they may be fetched anew, is not decided
    here: the provider gives excerpts of what it has."""
    filters = within(FILTERS, tool.filters, f"{place}.filters") or Filters()
    return ServerTool(
        kind="web_search",
        allowed_domains=domains_of(filters.allowed_domains),
        blocked_domains=domains_of(filters.blocked_domains),
        user_location=place_of(given(tool.user_location)),
    )


def _named(tool: Tool, place: str) -> str:
    if not tool.name:
        raise RequestRejected(f"{place}.name: is required", param=f"{place}.name")
    return tool.name
