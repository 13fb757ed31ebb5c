# -*- test-case-name: tests.dialects.responses.test_shapes -*-
"""The shapes of a Responses request, and their decoding straight from bytes.

Tolerant on purpose: unknown keys are skipped unread and every optional key may be null. The items
of the input are decoded one by one, because a strange one must not spoil the rest. Must not know
what any of it means.
"""

from collections.abc import Container
from typing import Final, TypeAlias, TypeVar

import msgspec

from kiro2api.dialects.chat.shapes import NOTHING, Grammar, decoded, misshapen
from kiro2api.errors import RequestRejected

T = TypeVar("T")

# As in the chat dialect: no value from JSON can be part of a reference cycle.


class ImageUrl(msgspec.Struct, gc=False):
    """An image's URL in the chat dialect's form."""

    url: str | None = None


class Part(msgspec.Struct, gc=False):
    """Any content part: the union of the keys of all kinds."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


Content: TypeAlias = str | list[Part | str] | Part | None


class Item(msgspec.Struct, gc=False):
    """Any item of the input. What differs from kind to kind stays JSON until its kind is known."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: msgspec.Raw = NOTHING
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING
    status: msgspec.Raw = NOTHING
    action: msgspec.Raw = NOTHING
    results: msgspec.Raw = NOTHING
    actions: msgspec.Raw = NOTHING
    operation: msgspec.Raw = NOTHING
    encrypted_content: str | None = None
    tools: msgspec.Raw = NOTHING
    server_label: str | None = None


class Tool(msgspec.Struct, gc=False):
    """One of ``tools``, flat; ``format`` for a custom one, ``tools`` for a namespace, ``filters``
    and ``user_location`` for the web search, the rest for what the client runs itself."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    format: Grammar | None = None
    tools: msgspec.Raw = NOTHING
    filters: msgspec.Raw = NOTHING
    user_location: msgspec.Raw = NOTHING
    environment: msgspec.Raw = NOTHING
    execution: str | None = None
    display_width: msgspec.Raw = NOTHING
    display_height: msgspec.Raw = NOTHING


class Filters(msgspec.Struct, gc=False):
    """``filters`` of the web search."""

    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class Choice(msgspec.Struct, gc=False):
    """``tool_choice`` as an object."""

    type: str | None = None
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None
    tools: "list[Choice] | None" = None


class TextFormat(msgspec.Struct, gc=False):
    """``text.format``."""

    type: str | None = None
    name: str | None = None
    schema: msgspec.Raw = NOTHING


class TextOptions(msgspec.Struct, gc=False):
    """``text``."""

    format: TextFormat | None = None


class ReasoningOptions(msgspec.Struct, gc=False):
    """``reasoning``; ``generate_summary`` is the older name of ``summary``."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class Body(msgspec.Struct, gc=False):
    """The whole request. What is only shown back in the answer stays JSON."""

    model: str
    input: str | list[msgspec.Raw] | None = None
    instructions: msgspec.Raw = NOTHING
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    tool_choice: msgspec.Raw = NOTHING
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | float | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: ReasoningOptions | None = None
    text: msgspec.Raw = NOTHING
    include: list[str] | None = None
    prompt_cache_key: str | None = None
    metadata: msgspec.Raw = NOTHING
    truncation: msgspec.Raw = NOTHING
    service_tier: msgspec.Raw = NOTHING
    safety_identifier: msgspec.Raw = NOTHING
    user: msgspec.Raw = NOTHING
    max_tool_calls: msgspec.Raw = NOTHING
    top_logprobs: msgspec.Raw = NOTHING


class References(msgspec.Struct, gc=False):
    """What a request says of earlier ones."""

    previous_response_id: str | None = None
    input: str | list[msgspec.Raw] | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str | None = None


BODY: Final = msgspec.json.Decoder(Body)
REFERENCES: Final = msgspec.json.Decoder(References)
ITEM: Final = msgspec.json.Decoder(Item | str)
CONTENT: Final = msgspec.json.Decoder(Content)
TOOLS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
TOOL: Final = msgspec.json.Decoder(Tool)
FILTERS: Final = msgspec.json.Decoder(Filters | None)
CHOICE: Final = msgspec.json.Decoder(Choice | str | None)
TEXT: Final = msgspec.json.Decoder(TextOptions | None)
_KIND: Final = msgspec.json.Decoder(_Kind)


def decode(body: bytes) -> Body:
    """Decode a request body; raises RequestRejected naming the field at fault."""
    return decoded(BODY, body)


def within(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw | bytes, place: str) -> T:
    """Decode a part of the body; raises RequestRejected with the path below ``place``."""
    try:
        # Sound JSON: skipping over it has checked its grammar, and it was mended where need be.
        return decoder.decode(bytes(raw) or b"null")
    except msgspec.ValidationError as error:
        raise misshapen(error, place) from None
    except RecursionError:
        raise RequestRejected(f"{place}: is nested too deeply", param=place) from None


def known(
    decoder: msgspec.json.Decoder[T],
    raw: msgspec.Raw | bytes,
    place: str,
    kinds: Container[str | None],
) -> T | None:
    """As within, but None for a misshapen value whose ``type`` is none of ``kinds``."""
    try:
        return within(decoder, raw, place)
    except RequestRejected:
        try:
            kind = _KIND.decode(raw).type
        except (msgspec.ValidationError, RecursionError):
            raise RequestRejected(f"{place}: is not understood", param=place) from None
        if kind in kinds:
            raise
        return None


def type_of(raw: msgspec.Raw | bytes) -> str:
    """``type`` of a value that ``known`` has looked at."""
    return _KIND.decode(raw).type or ""


def compact(raw: msgspec.Raw | bytes) -> bytes:
    """JSON without line breaks between its tokens."""
    return msgspec.json.format(bytes(raw), indent=-1)
