# -*- test-case-name: tests.test_websearch_tool -*-
"""The web search as a tool of ours: how the model is offered it, what its calls mean, which of the
pages found it is given.

Pure. Must not know how a search is made, nor when.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kiro2api.conversation.question import Conversation, ServerTool, ToolChoice, ToolSpec
from kiro2api.conversation.search import SEARCH_TOOL, SearchError, SearchHit
from kiro2api.errors import Kind, UpstreamFault
from kiro2api.upstream.searches import INVALID_QUERY

MAX_QUERY: Final = 1000
"""Characters of a query."""

_SCHEMA: Final = (
    b'{"type":"object","properties":{'
    b'"query":{"type":"string","description":"What to search for, in a few words"},'
    b'"allowed_domains":{"type":"array","items":{"type":"string"},'
    b'"description":"Give back only pages of these domains"},'
    b'"blocked_domains":{"type":"array","items":{"type":"string"},'
    b'"description":"Give back no pages of these domains"}},'
    b'"required":["query"]}'
)
_DESCRIPTION: Final = (
    "Searches the web and gives back pages with their titles, addresses and excerpts. Use it for "
    "what may have changed since your training and for what you are not sure of. Name the "
    "addresses of the pages that you rely on."
)


class SearchPlan(msgspec.Struct, frozen=True):
    """A conversation that offers the tool; ``name`` is what the model calls it."""

    conversation: Conversation
    tool: ServerTool
    name: str


class SearchInput(msgspec.Struct, frozen=True):
    """A call's input. The domains are the model's own, besides those of the client."""

    query: str
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()


class BadInput(Exception):
    """A call that cannot be carried out. ``query`` as far as it could be read."""

    def __init__(self, code: SearchError, query: str = "") -> None:
        super().__init__(code)
        self.code: SearchError = code
        self.query = query


def planned(conversation: Conversation) -> SearchPlan | None:
    """How to answer this with searches; None where the client declared no search, or forbids
    calls."""
    tool = next((tool for tool in conversation.server_tools if tool.kind == "web_search"), None)
    choice = conversation.tool_choice
    if tool is None or choice.mode == "none":
        return None
    clients = {spec.name for spec in conversation.tools}
    name = SEARCH_TOOL
    number = 2
    while name in clients:
        name, number = f"{SEARCH_TOOL}_{number}", number + 1
    if choice.mode == "named" and choice.name == tool.name and choice.name not in clients:
        choice = ToolChoice("named", name, choice.parallel)
    spec = ToolSpec(name, _description(tool), _SCHEMA)
    offered = msgspec.structs.replace(
        conversation, tools=(*conversation.tools, spec), tool_choice=choice
    )
    return SearchPlan(offered, tool, name)


def _description(tool: ServerTool) -> str:
    lines = [_DESCRIPTION]
    if tool.allowed_domains:
        lines.append(f"Only pages of {', '.join(tool.allowed_domains)} are given back.")
    if tool.blocked_domains:
        lines.append(f"Pages of {', '.join(tool.blocked_domains)} are not given back.")
    if place := _place(tool.user_location):
        lines.append(f"The user is here: {place}.")
    return " ".join(lines)


class _Location(msgspec.Struct):
    city: str | None = None
    region: str | None = None
    country: str | None = None
    timezone: str | None = None


def _place(location: bytes) -> str:
    try:
        found = msgspec.json.decode(location, type=_Location)
    except msgspec.DecodeError:
        return ""
    return ", ".join(filter(None, msgspec.structs.astuple(found)))


# ── calls ────────────────────────────────────────────────────────────────────


class _Input(msgspec.Struct):
    """Models that know other tools of this kind write other keys than ours now and then."""

    query: object = None
    q: object = None
    search_query: object = None
    search_term: object = None
    queries: object = None
    allowed_domains: object = None
    blocked_domains: object = None


_INPUT: Final = msgspec.json.Decoder(_Input)


def read_input(data: bytes) -> SearchInput:
    """What is to be searched; raises BadInput."""
    try:
        given = _INPUT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("invalid_tool_input") from None
    for value in (given.query, given.q, given.search_query, given.search_term, given.queries):
        text = value[0] if isinstance(value, list) and value else value
        if isinstance(text, str) and text.strip():
            break
    else:
        raise BadInput("invalid_tool_input")
    query = text.strip()
    if len(query) > MAX_QUERY:
        raise BadInput("query_too_long", query[:MAX_QUERY])
    return SearchInput(query, _texts(given.allowed_domains), _texts(given.blocked_domains))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(text for text in value if isinstance(text, str) and text.strip())


def error_code(fault: UpstreamFault) -> SearchError:
    """What a failed search looks like to the model and the client."""
    if fault.kind in (Kind.RATE_LIMITED, Kind.QUOTA_EXHAUSTED):
        return "too_many_requests"
    return "invalid_tool_input" if fault.code == INVALID_QUERY else "unavailable"


# ── pages ────────────────────────────────────────────────────────────────────


def permitted(
    hits: Iterable[SearchHit], tool: ServerTool, given: SearchInput
) -> tuple[SearchHit, ...]:
    """The pages that both the client and the model want to see.

    Wire: the upstream's search knows no domains, so they can only be sorted out afterwards.
    """
    lists = (
        (tool.allowed_domains, tool.blocked_domains),
        (given.allowed_domains, given.blocked_domains),
    )
    return tuple(
        hit
        for hit in hits
        if all(
            (not allowed or within(hit.url, allowed)) and not within(hit.url, blocked)
            for allowed, blocked in lists
        )
    )


def within(url: str, domains: Sequence[str]) -> bool:
    """Whether a page is of one of these domains, or of a subdomain of theirs.

    A domain may go on with a path, which is then the beginning of the page's; a ``*`` in it stands
    for anything.
    """
    if not domains:
        return False
    host, path = _split(url)
    for domain in domains:
        wanted, below = _split(domain)
        below = below.rstrip("*").rstrip("/")
        if not wanted or not f".{host}".endswith(f".{wanted}"):
            continue
        if not below or path == below or path.startswith(f"{below}/"):
            return True
        if "*" in below and fnmatchcase(path, f"{below}*"):
            return True
    return False


def _split(address: str) -> tuple[str, str]:
    """Host and path; an address need not have a scheme."""
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return host.removeprefix("*.").removeprefix("www.").rstrip("."), parts.path
