# -*- test-case-name: tests.dialects.responses.test_choice -*-
"""Whether and which tool the client demands to be called. Must not know messages."""

import msgspec

from kiro2api.conversation.question import ServerTool, ToolChoice, ToolSpec
from kiro2api.dialects.chat.searching import is_kind
from kiro2api.dialects.responses.builtin import NAMES, model_name
from kiro2api.dialects.responses.shapes import CHOICE, Body, Choice, within
from kiro2api.dialects.responses.tools import Toolbox
from kiro2api.errors import RequestRejected


class Chosen(msgspec.Struct, frozen=True):
    """The tools that may be called, and the choice among them."""

    specs: tuple[ToolSpec, ...]
    server_tools: tuple[ServerTool, ...]
    choice: ToolChoice


def choice_of(body: Body, box: Toolbox) -> Chosen:
    """What the client lets the model choose from; raises RequestRejected."""
    auto = ToolChoice(parallel=body.parallel_tool_calls is not False)
    choice = within(CHOICE, body.tool_choice, "tool_choice")
    if choice is None:
        choice = "auto"
    if isinstance(choice, str):
        return _by_word(choice, box, Chosen(box.specs, box.server_tools, auto))
    if choice.type == "allowed_tools":
        listed = choice.tools or ()
        allowed = {_name(each, box) for each in listed}
        specs = tuple(spec for spec in box.specs if spec.name in allowed)
        searches = any(is_kind(each.type or "") for each in listed)
        server_tools = box.server_tools if searches else ()
        return _by_word(choice.mode or "auto", box, Chosen(specs, server_tools, auto))
    if choice.type in (None, "function", "custom") or choice.type in NAMES:
        name = _name(choice, box)
        if not name:
            raise _missing()
        named = ToolChoice("named", name, auto.parallel)
        return Chosen(box.specs, box.server_tools, named)
    if is_kind(choice.type):
        if not box.server_tools:
            raise _missing()
        # Whether a search helps is left to the model.
        return Chosen(box.specs, box.server_tools, auto)
    raise RequestRejected(
        f"tool_choice: tools of type {choice.type} are not served here", param="tool_choice"
    )


def _name(choice: Choice, box: Toolbox) -> str:
    """The model's name of the tool that is meant, "" if there is none.

    A namespace may be left out.
    """
    name = model_name(choice.type or "") or choice.name or ""
    if choice.namespace:
        return box.names.get((choice.namespace, name), "")
    if ("", name) in box.names:
        return box.names["", name]
    return next((model for (_, own), model in box.names.items() if own == name), "")


def _missing() -> RequestRejected:
    return RequestRejected(
        "tool_choice: names a tool that is not among the tools", param="tool_choice"
    )


def _by_word(word: str, box: Toolbox, chosen: Chosen) -> Chosen:
    """The choice in one word among what may be chosen."""
    some = chosen.specs or chosen.server_tools
    parallel = chosen.choice.parallel
    if word in ("required", "any"):
        if some:
            return _with(chosen, ToolChoice("any", parallel=parallel))
        if box.unserved:
            kinds = ", ".join(sorted(box.unserved))
            raise RequestRejected(
                f"tool_choice: demands a call, but these tools are not served here: {kinds}",
                param="tool_choice",
            )
    if word == "none" and some:
        return _with(chosen, ToolChoice("none", parallel=parallel))
    # Without tools there is nothing to choose.
    return chosen if some else _with(chosen, ToolChoice())


def _with(chosen: Chosen, choice: ToolChoice) -> Chosen:
    return msgspec.structs.replace(chosen, choice=choice)
