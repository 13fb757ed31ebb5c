# -*- test-case-name: tests.dialects.responses.test_ask -*-
"""A Responses request, understood.

Must not know how answers look, nor what the upstream accepts.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import msgspec

from kiro2api.conversation.held import NO_RECOLLECTION, Finished, Recollection
from kiro2api.conversation.question import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    ServerTool,
)
from kiro2api.dialects.chat.shapes import given
from kiro2api.dialects.dialect import Asked
from kiro2api.dialects.responses.choice import choice_of
from kiro2api.dialects.responses.echo import Echo, shown
from kiro2api.dialects.responses.history import KINDS, turns_of
from kiro2api.dialects.responses.mcp import LISTED
from kiro2api.dialects.responses.recall import referred
from kiro2api.dialects.responses.shapes import (
    ITEM,
    TEXT,
    Body,
    Item,
    TextFormat,
    decode,
    known,
    within,
)
from kiro2api.dialects.responses.tools import toolbox_of
from kiro2api.dialects.unserved import note
from kiro2api.errors import RequestRejected

_SEALED: Final = "reasoning.encrypted_content"
_SOURCES: Final = "web_search_call.action.sources"
_STRING: Final = msgspec.json.Decoder(str)
_COUNT: Final = msgspec.json.Decoder(int | None)
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])

Placed: TypeAlias = tuple[Item | str, str]


def parse(
    body: bytes,
    recollection: Recollection = NO_RECOLLECTION,
    keep: Callable[[Finished], None] | None = None,
) -> Asked:
    """Understand a request body; raises RequestRejected naming the field at fault.

    :param recollection: what was found of the ids that the body refers to.
    :param keep: puts the finished response away; not called if the client forbids it.
    """
    asked = decode(body)
    _refuse_what_is_kept_elsewhere(asked)
    if recollection.before is None:
        raise RequestRejected(
            f"previous_response_id: no response {asked.previous_response_id!r} is held for this "
            "key; send the whole input instead",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    own = _own_items(asked)
    items = [*_instructions(asked.instructions), *_items(recollection.before, "an earlier item")]
    found, replaced = _resolved(_items(own, "input"), own, recollection)
    items += found
    if not items:
        raise RequestRejected("input: is required", param="input")
    box = toolbox_of(_tool_lists(asked, items), _told_servers(items))
    system, turns = turns_of(items, box)
    chosen = choice_of(asked, box)
    text = within(TEXT, asked.text, "text")
    store = asked.store is not False
    summary = asked.reasoning and (asked.reasoning.summary or asked.reasoning.generate_summary)
    return Asked(
        Conversation(
            turns,
            system + note(box.unserved),
            chosen.specs,
            chosen.choice,
            _sampling(asked),
            _reasoning(asked),
            None if text is None or text.format is None else _output_format(text.format),
            asked.prompt_cache_key or "",
            _limited(asked, chosen.server_tools),
        ),
        asked.model,
        bool(asked.stream),
        echo=Echo(
            shown(asked),
            box,
            bool(summary) and summary != "none",
            not store or _SEALED in (asked.include or ()),
            keep if store else None,
            asked.previous_response_id or "",
            replaced if store else (),
            _SOURCES in (asked.include or ()),
        ),
    )


def _refuse_what_is_kept_elsewhere(asked: Body) -> None:
    """Ignoring these would answer without most of what the client takes for said."""
    if not asked.model:
        raise RequestRejected("model: must not be empty", param="model")
    if given(asked.conversation):
        raise RequestRejected(
            "conversation: conversations are not kept here; use previous_response_id or send "
            "the whole input",
            param="conversation",
        )
    if given(asked.prompt):
        raise RequestRejected(
            "prompt: prompts are not kept here; send instructions and input", param="prompt"
        )


def _own_items(asked: Body) -> list[bytes]:
    """The items of the request itself, as JSON; a string is a message of the user."""
    if isinstance(asked.input, str):
        if not asked.input:
            return []
        message = {"type": "message", "role": "user", "content": asked.input}
        return [msgspec.json.encode(message)]
    return [bytes(item) for item in asked.input or ()]


def _instructions(raw: msgspec.Raw) -> list[Placed]:
    """A text, or items as the response object shows them."""
    octets = given(raw)
    if not octets:
        return []
    if octets[:1] == b'"':
        text = _STRING.decode(octets)
        content = msgspec.Raw(octets)
        return [(Item("message", role="system", content=content), "instructions")] if text else []
    items = within(_RAWS, octets, "instructions")
    return list(_items(items, "instructions"))


def _items(raws: Iterable[bytes] | Iterable[msgspec.Raw], place: str) -> Iterator[Placed]:
    for index, raw in enumerate(raws):
        where = f"{place}[{index}]"
        item = known(ITEM, raw, where, KINDS)
        yield (Item("unknown") if item is None else item), where


def _resolved(
    items: Iterable[Placed], raws: list[bytes], recollection: Recollection
) -> tuple[list[Placed], tuple[bytes, ...]]:
    """The items with what they refer to in place of references; unknown ones are skipped."""
    found: list[Placed] = []
    replaced: list[bytes] = []
    for (item, place), raw in zip(items, raws, strict=True):
        name = referred(item)
        if not name:
            found.append((item, place))
            replaced.append(raw)
        elif (held := recollection.items.get(name)) is not None:
            found.append((within(ITEM, held, place), place))
            replaced.append(held)
    return found, tuple(replaced)


def _tool_lists(asked: Body, items: Iterable[Placed]) -> Iterator[tuple[msgspec.Raw, str]]:
    """Tools come beside the input and in it."""
    yield asked.tools, "tools"
    for item, place in items:
        if isinstance(item, Item) and item.type in ("additional_tools", "tool_search_output"):
            yield item.tools, f"{place}.tools"


def _told_servers(items: Iterable[Placed]) -> Iterator[str]:
    """The MCP servers of which an earlier answer has told, if it was one of ours."""
    return (
        item.server_label
        for item, _ in items
        if isinstance(item, Item) and item.type == LISTED and item.server_label
    )


def _sampling(asked: Body) -> Sampling:
    limit = asked.max_output_tokens or 0
    # Zero and less is how some clients say that they set no limit.
    return Sampling(int(limit) if limit >= 1 else None, asked.temperature, asked.top_p)


def _limited(asked: Body, tools: tuple[ServerTool, ...]) -> tuple[ServerTool, ...]:
    """The web search is the one tool of those that are limited together."""
    limit = within(_COUNT, asked.max_tool_calls, "max_tool_calls") if tools else None
    if limit is None:
        return tools
    return tuple(msgspec.structs.replace(tool, max_uses=max(0, limit)) for tool in tools)


def _reasoning(asked: Body) -> Reasoning:
    effort = asked.reasoning.effort if asked.reasoning is not None else None
    if not effort:
        return Reasoning()
    if effort == "none":
        return Reasoning("disabled")
    return Reasoning("adaptive", effort=effort)


def _output_format(wanted: TextFormat) -> OutputFormat | None:
    if wanted.type == "json_object":
        return OutputFormat("json_object")
    if wanted.type != "json_schema":
        return None
    schema = given(wanted.schema)
    if schema[:1] != b"{":
        place = "text.format.schema"
        raise RequestRejected(f"{place}: must be a JSON Schema object", param=place)
    return OutputFormat("json_schema", schema, wanted.name or "")
