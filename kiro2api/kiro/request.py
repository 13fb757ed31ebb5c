# -*- test-case-name: tests.kiro.test_request -*-
"""A conversation to the body of GenerateAssistantResponse.

Pure: ids come in as arguments. Everything is built and encoded once. Must not know accounts,
headers or how the body is sent.

Wire: ``tools`` and ``modelId`` stand on the current message only, ``profileArn`` at the root.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Text,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from kiro2api.errors import Kind, RequestRejected
from kiro2api.kiro.constraints import TOO_LONG
from kiro2api.kiro.history import History, Message, instructed
from kiro2api.kiro.instructions import choice_instruction, format_instruction
from kiro2api.kiro.naming import Names
from kiro2api.kiro.papers import fit_papers
from kiro2api.kiro.pictures import fit_pictures
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.rules import Violation, check
from kiro2api.kiro.tools import Listing, SchemaCache, is_nameless
from kiro2api.kiro.turns import Side, alternating
from kiro2api.kiro.weight import largest
from kiro2api.kiro.wording import LONG_DESCRIPTIONS

__all__ = ["MAX_TEXT_BYTES", "Prepared", "conversation_key", "prepare"]

MAX_TEXT_BYTES: Final = 10_000_000
"""Encoded bytes of a body without its images."""

_BILLING: Final = "x-anthropic-billing-header"
_encode = msgspec.json.Encoder().encode


def prepare(
    conversation: Conversation,
    *,
    conversation_id: str,
    continuation_id: str,
    tool_description_limit: int,
    replay_thinking: bool = False,
    schemas: SchemaCache | None = None,
    preface: str = "",
    documents: bool = False,
) -> Prepared:
    """Translate a question, whatever its turns look like; no text of it is lost.

    :param conversation_id: stable in one conversation (``conversation_key``), else the
        upstream's prompt cache never hits; at most 128 characters.
    :param continuation_id: a new UUID per request.
    :param tool_description_limit: characters; longer descriptions go into the system text.
    :param replay_thinking: see ``History``.
    :param schemas: kept by the caller, so that schemas are not repaired on every turn.
    :param preface: goes before the system text.
    :param documents: send documents as such.
    :raises RequestRejected: what the upstream would refuse and cannot be repaired.
    """
    # A tool choice of "none" is kept by not offering any.
    tools = () if conversation.tool_choice.mode == "none" else conversation.tools
    sides = alternating(conversation.turns)
    left_out = fit_pictures(sides)
    if documents:
        fit_papers(sides)
    names = Names(_mentioned(tools, sides))
    history = History(names, replay_thinking=replay_thinking)
    messages = history.written(sides)
    cache = SchemaCache() if schemas is None else schemas
    listing = Listing(names, cache, description_limit=tool_description_limit)
    listing.offer(tools)
    instructions = [
        choice_instruction(conversation.tool_choice, bool(listing.specs), names),
        format_instruction(conversation.output_format),
    ]
    offered = len(listing.specs)
    listing.keep(history.called)
    repairs = _repairs(conversation, sides, names)
    repairs += [*history.repairs]
    if left_out:
        repairs.append("images.left_out")
    if listing.documents:
        repairs.append("tools.moved")
    if len(listing.specs) > offered:
        repairs.append("tools.stand_ins")

    current = messages.pop()["userInputMessage"]
    _append(current, instructions)
    if listing.specs:
        current.setdefault("userInputMessageContext", {})["tools"] = listing.specs
    system = _system(conversation.system, listing.documents)
    if preface:
        system = f"{preface}\n{system}" if system else preface
    cached = history.cached
    system_marked = bool(system) and conversation.cache_system
    if system:
        pair = instructed(system)
        messages = pair + messages
        if system_marked:
            cached = [(pair[0]["userInputMessage"], 0), *cached]
    state: Message = {
        "conversationState": {
            "conversationId": conversation_id,
            "agentContinuationId": continuation_id,
            "agentTaskType": "vibe",
            "chatTriggerType": "MANUAL",
            "history": messages,
            # Invariant: last, so that the model id can be joined in just before the end.
            "currentMessage": {"userInputMessage": current},
        }
    }
    if violations := check(state):
        raise _rejection(violations[0], conversation)
    history.fill_inputs()
    listing.fill_schemas()
    # Nobody else can have written an id that is new, so each place is found again in the text.
    place = {"type": continuation_id}
    for message, _ in cached:
        message["cachePoint"] = place
    encoded = _encoded(state)
    size = len(encoded) - history.picture_bytes
    if size > MAX_TEXT_BYTES:
        raise _too_large(f"{size:,} bytes of text, {MAX_TEXT_BYTES:,} allowed", conversation)
    mark = b',"cachePoint":' + _encode(place) if cached else b""
    weight = sum(len(tool.description) + len(tool.schema) for tool in tools) if cached else 0
    return Prepared(
        encoded,
        names.clients,
        mark=mark,
        system_marked=system_marked,
        apart=[weight - pictures for _, pictures in cached],
        declared={names.upstream(tool.name): tool.schema for tool in tools if tool.name in names},
        repairs=tuple(repairs),
        salt=continuation_id,
    )


def conversation_key(conversation: Conversation) -> str:
    """A UUID-shaped key that stays the same from turn to turn of one conversation.

    Made from the client's own session key, else from what does not change while a conversation
    grows: its system text and the first user turn.
    """
    digest = sha256()
    if conversation.session:
        _feed(digest, "session", [conversation.session])
    else:
        _feed(digest, "system", _system_texts(conversation.system))
        _feed(digest, "user", _first_words(conversation))
    digits = digest.hexdigest()
    # Version 8 of RFC 9562: a UUID by a method of one's own.
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _feed(digest: Any, name: str, texts: Iterable[str]) -> None:
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)


def _first_words(conversation: Conversation) -> Iterator[str]:
    first = next((turn for turn in conversation.turns if turn.role == "user"), None)
    for part in () if first is None else first.parts:
        if isinstance(part, (Text, Document)):
            yield part.text
        elif isinstance(part, Image):
            yield part.data
        elif isinstance(part, ToolResult):
            yield part.id


def _system_texts(system: Iterable[str]) -> Iterator[str]:
    """The system texts without a client's billing line, which changes with every request."""
    for text in system:
        if text.startswith(_BILLING):
            text = text.partition("\n")[2]
        if text and not text.isspace():
            yield text


def _system(system: Iterable[str], documents: Sequence[str]) -> str:
    texts = list(_system_texts(system))
    if documents:
        texts += (LONG_DESCRIPTIONS, *documents)
    return "\n\n".join(texts)


def _mentioned(tools: Iterable[ToolSpec], sides: Iterable[Side]) -> Iterator[str]:
    for tool in tools:
        if not is_nameless(tool):
            yield tool.name
    for side in sides:
        if side.assistant:
            for group in side.groups:
                for piece in group:
                    if isinstance(piece, ToolUse):
                        yield piece.name


def _repairs(conversation: Conversation, sides: Sequence[Side], names: Names) -> list[str]:
    """What the order of the turns and the names of the tools led to."""
    turns = conversation.turns
    repairs = []
    if sum(len(side.groups) for side in sides) > len(sides):
        repairs.append("history.merged")
    if turns and turns[0].role == "assistant":
        repairs.append("history.opened")
    if turns and turns[-1].role == "assistant":
        repairs.append("prefill.moved")
    if any(ours != theirs for ours, theirs in names.clients.items()):
        repairs.append("tools.renamed")
    return repairs


def _append(message: Message, instructions: Iterable[str]) -> None:
    texts = [message["content"], *instructions]
    message["content"] = "\n\n".join(filter(None, texts))


# ── what cannot be sent ──────────────────────────────────────────────────────


def _rejection(violation: Violation, conversation: Conversation) -> RequestRejected:
    what = f"{_place(violation.path)}: {violation.message}"
    if violation.reason == TOO_LONG:
        return _too_large(what, conversation)
    return RequestRejected(
        f"The upstream would refuse this request. {what}.",
        code=violation.reason,
        details={"rule": violation.rule, "path": violation.path},
    )


def _too_large(what: str, conversation: Conversation) -> RequestRejected:
    return RequestRejected(
        f"The request is too large. {what}. Largest parts: {largest(conversation)}.",
        kind=Kind.TOO_LARGE,
        code=TOO_LONG,
    )


def _place(path: str) -> str:
    """An upstream path in the client's terms."""
    if ".tools[" in path:
        return "a tool definition"
    where = "an earlier message" if ".history[" in path else "the last message"
    if ".toolResults[" in path:
        return f"a tool result in {where}"
    if "Message" not in path:
        return path
    return where


# ── encoding ─────────────────────────────────────────────────────────────────


def _encoded(state: Message) -> bytes:
    try:
        return _encode(state)
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8: clients that cut texts in the middle of an emoji
        # send it. Rare, so only then is everything walked.
        return _encode(_whole(state))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return value
