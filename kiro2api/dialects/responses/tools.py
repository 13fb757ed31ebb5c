# -*- test-case-name: tests.dialects.responses.test_tools -*-
"""What a request offers the model to call, and under which names.

The dialect groups tools in namespaces and has kinds of its own; the model knows one flat list.
``Toolbox`` leads from one to the other and back. Must not know messages.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from kiro2api.conversation.question import ServerTool, ToolSpec
from kiro2api.dialects.chat.searching import domains_of, is_kind, place_of
from kiro2api.dialects.chat.shapes import Custom, Format, given
from kiro2api.dialects.chat.tools import freeform_spec
from kiro2api.dialects.responses.builtin import MCP, NAMES, Kind, builtin_of, label_of
from kiro2api.dialects.responses.shapes import (
    FILTERS,
    TOOL,
    TOOLS,
    Filters,
    Tool,
    known,
    type_of,
    within,
)
from kiro2api.errors import RequestRejected

_NAMED: Final = frozenset({None, "function", "custom", "namespace"})
_SERVED: Final = _NAMED | frozenset(NAMES)

_ELSEWHERE: Final = frozenset({"file_search", "code_interpreter"})
"""Kinds that work on what only their vendor keeps: an answer without them is not what was asked."""


class Callee(msgspec.Struct, frozen=True):
    """A tool in the client's own terms."""

    kind: Kind
    name: str
    namespace: str = ""


class Toolbox(msgspec.Struct, frozen=True):
    """The tools of one request.

    ``callees`` leads from the name that the model sees to the client's tool, ``names`` from
    namespace and name of the client's tool to what the model sees. ``dropped`` are the kinds
    that were offered and cannot be served, ``server_tools`` the web search, at most one,
    ``servers`` the labels of MCP servers, ``untold`` those that the client is yet to be told of.
    """

    specs: tuple[ToolSpec, ...] = ()
    callees: dict[str, Callee] = {}
    names: dict[tuple[str, str], str] = {}
    dropped: frozenset[str] = frozenset()
    server_tools: tuple[ServerTool, ...] = ()
    servers: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def unserved(self) -> tuple[str, ...]:
        """What cannot be used, in words."""
        return (*self.dropped, *(f"MCP server {label}" for label in self.servers))

    def callee(self, name: str) -> Callee:
        """The client's tool of this name; a name that was not offered is a function's."""
        return self.callees.get(name) or Callee("function", name)

    def name_of(self, name: str, namespace: str = "") -> str:
        """What the model calls the client's tool, offered in this request or not."""
        return self.names.get((namespace, name), name)


class _Offer(msgspec.Struct, frozen=True):
    callee: Callee
    spec: ToolSpec


class _Found(msgspec.Struct):
    offers: list[_Offer] = []
    dropped: set[str] = set()
    searches: list[ServerTool] = []
    servers: list[str] = []


def toolbox_of(lists: Iterable[tuple[msgspec.Raw, str]], told: Iterable[str] = ()) -> Toolbox:
    """The tools of some lists, each with its path; raises RequestRejected for a nameless one.

    :param told: the labels of MCP servers that the client was told of already.
    """
    found = _Found()
    for raw, place in lists:
        _collect(raw, place, "", found)
    known_servers = frozenset(told)
    times: dict[str, set[str]] = {}
    for offer in found.offers:
        times.setdefault(offer.callee.name, set()).add(offer.callee.namespace)
    box = Toolbox(
        dropped=frozenset(found.dropped),
        server_tools=tuple(found.searches[:1]),
        servers=tuple(found.servers),
        untold=tuple(label for label in found.servers if label not in known_servers),
    )
    specs: dict[ToolSpec, None] = {}
    for offer in found.offers:
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


def _collect(raw: msgspec.Raw, place: str, namespace: str, found: _Found) -> None:
    for index, each in enumerate(within(TOOLS, raw, place) or ()):
        where = f"{place}[{index}]"
        tool = known(TOOL, each, where, _SERVED)
        kind = type_of(each) if tool is None else tool.type or "function"
        if tool is not None and is_kind(kind):
            found.searches.append(_search(tool, where))
        elif kind in _ELSEWHERE:
            raise RequestRejected(
                f"{where}.type: tools of type {kind} are run by their vendor and are not served "
                "here",
                param=f"{where}.type",
            )
        elif kind == MCP:
            if (label := label_of(each)) not in found.servers:
                found.servers.append(label)
        elif tool is None or kind not in _SERVED:
            found.dropped.add(kind)
        elif kind == "namespace" and not namespace:
            inner = _named(tool, where)
            _collect(tool.tools, f"{where}.tools", inner, found)
        elif kind == "custom":
            name = _named(tool, where)
            grammar = None if tool.format is None else Format("grammar", tool.format)
            spec = freeform_spec(Custom(name, tool.description, grammar), where)
            found.offers.append(_Offer(Callee("custom", name, namespace), spec))
        elif kind == "function":
            found.offers.append(_function(tool, where, namespace))
        elif (builtin := builtin_of(tool, where)) is not None:
            callee = Callee(builtin.kind, builtin.spec.name, namespace)
            found.offers.append(_Offer(callee, builtin.spec))


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
