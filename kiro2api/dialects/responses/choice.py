# -*- test-case-name: tests.dialects.responses.test_choice -*-
"""Whether and which tool the client demands to be called. Must not know messages."""

from kiro2api.conversation.question import ToolChoice, ToolSpec
from kiro2api.dialects.responses.shapes import CHOICE, Body, Choice, within
from kiro2api.dialects.responses.tools import LOCAL_SHELL, Toolbox
from kiro2api.errors import RequestRejected


def choice_of(body: Body, box: Toolbox) -> tuple[tuple[ToolSpec, ...], ToolChoice]:
    """The tools that may be called, and the choice among them; raises RequestRejected."""
    parallel = body.parallel_tool_calls is not False
    choice = within(CHOICE, body.tool_choice, "tool_choice")
    if choice is None:
        choice = "auto"
    if isinstance(choice, str):
        return box.specs, _by_word(choice, box, box.specs, parallel)
    if choice.type == "allowed_tools":
        allowed = {_name(each, box) for each in choice.tools or ()}
        specs = tuple(spec for spec in box.specs if spec.name in allowed)
        return specs, _by_word(choice.mode or "auto", box, specs, parallel)
    if choice.type in (None, "function", "custom", LOCAL_SHELL):
        name = _name(choice, box)
        if not name:
            raise RequestRejected(
                "tool_choice: names a tool that is not among the tools", param="tool_choice"
            )
        return box.specs, ToolChoice("named", name, parallel)
    raise RequestRejected(
        f"tool_choice: tools of type {choice.type} are not served here", param="tool_choice"
    )


def _name(choice: Choice, box: Toolbox) -> str:
    """The model's name of the tool that is meant, "" if there is none.

    A namespace may be left out.
    """
    name = LOCAL_SHELL if choice.type == LOCAL_SHELL else choice.name or ""
    if choice.namespace:
        return box.names.get((choice.namespace, name), "")
    if ("", name) in box.names:
        return box.names["", name]
    return next((model for (_, own), model in box.names.items() if own == name), "")


def _by_word(word: str, box: Toolbox, specs: tuple[ToolSpec, ...], parallel: bool) -> ToolChoice:
    if word in ("required", "any"):
        if specs:
            return ToolChoice("any", parallel=parallel)
        if box.dropped:
            kinds = ", ".join(sorted(box.dropped))
            raise RequestRejected(
                f"tool_choice: demands a call, but tools of type {kinds} are not served here",
                param="tool_choice",
            )
    if word == "none" and specs:
        return ToolChoice("none", parallel=parallel)
    # Without tools there is nothing to choose.
    return ToolChoice(parallel=parallel) if specs else ToolChoice()
