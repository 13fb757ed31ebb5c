# -*- test-case-name: tests.test_explain_repairs -*-
"""What the translation of a question changed, found by comparing it with what came out.

Pure, and apart from the translation, which has better things to do than to keep a diary. What
cannot be seen from outside is not told.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Part,
    RedactedThinking,
    Reference,
    Text,
    Thinking,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from kiro2api.kiro.wording import (
    ACKNOWLEDGED,
    CONTINUE,
    INTERRUPTED,
    LOOK,
    OPENING,
    SILENT,
    TOOL_UNAVAILABLE,
)

Repair = dict[str, Any]

_PLACEHOLDERS: Final = (OPENING, CONTINUE, LOOK, SILENT, INTERRUPTED)
_NO_FIELD: Final = ("temperature", "top_p", "top_k")


def repairs(
    conversation: Conversation,
    sent: Any,
    names: Mapping[str, str],
    *,
    enforce_max_tokens: bool = True,
) -> list[Repair]:
    """What was changed: each has a ``what`` and the numbers or names that belong to it.

    :param sent: the decoded body.
    :param names: upstream's tool names to the client's.
    :param enforce_max_tokens: whether answers are cut where the client wishes.
    """
    state = sent["conversationState"]
    messages = [*state["history"], state["currentMessage"]]
    answered = [m["assistantResponseMessage"] for m in messages if "assistantResponseMessage" in m]
    given = list(_all_parts(conversation))
    return [
        *_tools(conversation, state, names),
        *_turns(conversation, messages),
        *_placeholders(given, messages),
        *_calls(given, messages, answered),
        *_left_out(given, messages, answered),
        *_cache(conversation, messages),
        *_elsewhere(conversation, sent, enforce_max_tokens),
    ]


def _tools(conversation: Conversation, state: Any, names: Mapping[str, str]) -> Iterator[Repair]:
    current = state["currentMessage"]["userInputMessage"]
    listed = (current.get("userInputMessageContext") or {}).get("tools") or ()
    specs = [tool["toolSpecification"] for tool in listed]
    by_name = {tool.name: tool for tool in conversation.tools}
    renamed = {theirs: ours for ours, theirs in names.items() if ours != theirs}
    if renamed:
        yield {"what": "tools renamed", "names": renamed}
    kept = {names.get(spec["name"], spec["name"]) for spec in specs}
    if gone := [tool.name for tool in conversation.tools if tool.name not in kept]:
        yield {"what": "tools left out", "names": gone}
    added = [
        s["name"]
        for s in specs
        if names.get(s["name"]) not in by_name and TOOL_UNAVAILABLE.startswith(s["description"])
    ]
    if added:
        yield {"what": "stand-ins listed for tools that were called earlier", "names": added}
    pairs = [(by_name.get(names.get(s["name"], s["name"])), s) for s in specs]
    offered = [(tool, spec) for tool, spec in pairs if tool is not None]
    if cut := [t.name for t, s in offered if len(s["description"]) < len(t.description)]:
        yield {"what": "long tool descriptions moved to the system text", "names": cut}
    if filled := [t.name for t, s in offered if not t.description.strip()]:
        yield {"what": "missing tool descriptions filled", "names": filled}
    if mended := [t.name for t, s in offered if _schema(t) != s["inputSchema"]["json"]]:
        yield {"what": "tool schemas changed", "names": mended}


def _schema(tool: ToolSpec) -> object:
    try:
        return msgspec.json.decode(tool.schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _turns(conversation: Conversation, messages: Sequence[Any]) -> Iterator[Repair]:
    pair = 0
    if len(messages) > 2:
        second = messages[1].get("assistantResponseMessage") or {}
        pair = 2 if second.get("content") == ACKNOWLEDGED else 0
    if pair:
        yield {"what": "system text sent as the first pair of messages"}
    given, count = len(conversation.turns), len(messages) - pair
    if given != count:
        yield {"what": "turns merged, split or added", "given": given, "sent": count}
    if systems := sum(turn.role == "system" for turn in conversation.turns):
        yield {"what": "system turns amid the messages sent as the user's", "count": systems}
    if conversation.turns and conversation.turns[-1].role == "assistant":
        yield {"what": "prefilled answer sent as an earlier turn"}


def _placeholders(given: Sequence[Part], messages: Sequence[Any]) -> Iterator[Repair]:
    own = {part.text for part in given if isinstance(part, Text)}
    used: dict[str, int] = {}
    for text in _texts(messages):
        if text in _PLACEHOLDERS and text not in own:
            used[text] = used.get(text, 0) + 1
    if used:
        yield {"what": "placeholders put in", "texts": used}


def _texts(messages: Sequence[Any]) -> Iterator[str]:
    for message in messages:
        for inner in message.values():
            yield inner["content"]
            for result in _results(inner):
                yield from (block.get("text", "") for block in result["content"])


def _results(message: Any) -> Sequence[Any]:
    return (message.get("userInputMessageContext") or {}).get("toolResults") or ()


def _calls(
    given: Sequence[Part], messages: Sequence[Any], answered: Sequence[Any]
) -> Iterator[Repair]:
    uses = [part.id for part in given if isinstance(part, ToolUse)]
    sent = {use["toolUseId"] for answer in answered for use in answer.get("toolUses") or ()}
    if changed := sorted(set(uses) - sent):
        yield {"what": "ids of tool calls changed, or calls told as text", "ids": changed}
    results = {part.id for part in given if isinstance(part, ToolResult)}
    arrived = {result["toolUseId"] for m in messages for i in m.values() for result in _results(i)}
    if orphans := sorted(results - arrived - set(changed)):
        yield {"what": "tool results told as text, for want of their call", "ids": orphans}
    if missing := sorted(arrived - results - (sent - set(uses))):
        yield {"what": "results added for calls that have none", "ids": missing}


def _left_out(
    given: Sequence[Part], messages: Sequence[Any], answered: Sequence[Any]
) -> Iterator[Repair]:
    images = sum(isinstance(part, Image) for part in given)
    shown = sum(len(inner.get("images") or ()) for m in messages for inner in m.values())
    if images != shown:
        yield {"what": "images left out", "given": images, "sent": shown}
    thoughts = sum(isinstance(part, (Thinking, RedactedThinking)) for part in given)
    replayed = sum("reasoningContent" in answer for answer in answered)
    if thoughts != replayed:
        yield {"what": "earlier reasoning left out", "given": thoughts, "sent": replayed}
    papers = sum(len(inner.get("documents") or ()) for m in messages for inner in m.values())
    if noted := sum(isinstance(part, (Document, Reference)) for part in given) - papers:
        yield {"what": "documents and addresses replaced by a note or read", "count": noted}


def _cache(conversation: Conversation, messages: Sequence[Any]) -> Iterator[Repair]:
    marks = conversation.cache_system + sum(turn.cache for turn in conversation.turns)
    points = sum("cachePoint" in inner for message in messages for inner in message.values())
    if marks != points:
        yield {"what": "cache points left out", "given": marks, "sent": points}


def _elsewhere(conversation: Conversation, sent: Any, enforce_max_tokens: bool) -> Iterator[Repair]:
    """What has no place in the body as the client meant it."""
    sampling = conversation.sampling
    if idle := [name for name in _NO_FIELD if getattr(sampling, name) is not None]:
        yield {"what": "no effect: the upstream has no field", "names": idle}
    enforced = [name for name in ("max_tokens", "stop") if getattr(sampling, name)]
    if sampling.max_tokens and not enforce_max_tokens:
        enforced.remove("max_tokens")
        yield {"what": "not enforced, as the settings say", "names": ["max_tokens"]}
    if not conversation.tool_choice.parallel:
        enforced.append("parallel tool calls")
    if enforced:
        yield {"what": "enforced here, on the answer", "names": enforced}
    told = ["tool_choice"] if conversation.tool_choice.mode in ("any", "named") else []
    if conversation.output_format is not None:
        told.append("output format")
    if told:
        yield {"what": "told to the model and checked", "names": told}
    reasoning = conversation.reasoning
    said = reasoning.mode is not None or reasoning.effort is not None
    if said and "additionalModelRequestFields" not in sent:
        yield {"what": "reasoning has no field for this model: asked for by tags, if at all"}
    if conversation.server_tools:
        yield {"what": "run here", "names": [tool.name for tool in conversation.server_tools]}


def _all_parts(conversation: Conversation) -> Iterator[Part]:
    for turn in conversation.turns:
        for part in turn.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.parts
