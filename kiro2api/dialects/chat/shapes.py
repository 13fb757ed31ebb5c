# -*- test-case-name: tests.dialects.chat.test_shapes -*-
"""The shapes of a chat completions request, and their decoding straight from bytes.

Tolerant on purpose: unknown keys are skipped unread, every optional key may be null, and the
blocks that some clients bring along from another dialect have their keys here too. Must not know
what any of it means.
"""

import re
from typing import Final, TypeAlias, TypeVar

import msgspec

from kiro2api.errors import RequestRejected

T = TypeVar("T")

NOTHING: Final = msgspec.Raw(b"")


# No value decoded from JSON can be part of a reference cycle, so none is given to the garbage
# collector to watch: a long history holds thousands of them.


class ImageUrl(msgspec.Struct, gc=False):
    """``image_url`` of an image part."""

    url: str | None = None


class File(msgspec.Struct, gc=False):
    """``file`` of a file part."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None


class Audio(msgspec.Struct, gc=False):
    """``input_audio``; its data is not read."""

    format: str | None = None


class Source(msgspec.Struct, gc=False):
    """``source`` of a foreign image or document block."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: "str | list[Part | str] | Part | None" = None


class Part(msgspec.Struct, gc=False):
    """Any content part: the union of the keys of all kinds, since the kind may be unknown."""

    type: str | None = None
    text: str | None = None
    image_url: ImageUrl | str | None = None
    file: File | None = None
    input_audio: Audio | None = None
    refusal: str | None = None
    source: Source | str | None = None
    title: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NOTHING
    tool_use_id: str | None = None
    content: "str | list[Part | str] | Part | None" = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


Content: TypeAlias = str | list[Part | str] | Part | None


class Called(msgspec.Struct, gc=False):
    """``function`` of a tool call; ``arguments`` should be a string, but is not always."""

    name: str | None = None
    arguments: msgspec.Raw = NOTHING


class CustomCalled(msgspec.Struct, gc=False):
    """``custom`` of a tool call, with raw text as input."""

    name: str | None = None
    input: str | None = None


class ToolCall(msgspec.Struct, gc=False):
    """One of an assistant message's ``tool_calls``."""

    id: str | None = None
    function: Called | None = None
    custom: CustomCalled | None = None


class Message(msgspec.Struct, gc=False):
    """One of ``messages``."""

    role: str | None = None
    content: Content = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Called | None = None


class Function(msgspec.Struct, gc=False):
    """``function`` of a tool, and the legacy ``functions`` entry."""

    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NOTHING


class Grammar(msgspec.Struct, gc=False):
    """The grammar that a custom tool's input follows."""

    syntax: str | None = None
    definition: str | None = None


class Format(msgspec.Struct, gc=False):
    """``format`` of a custom tool."""

    type: str | None = None
    grammar: Grammar | None = None


class Custom(msgspec.Struct, gc=False):
    """``custom`` of a tool."""

    name: str | None = None
    description: str | None = None
    format: Format | None = None


class Tool(msgspec.Struct, gc=False):
    """One of ``tools``: nested, or flat as some clients send it. The last keys are those of a
    search that the server is to run."""

    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    input_schema: msgspec.Raw = NOTHING
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    user_location: msgspec.Raw = NOTHING


class Named(msgspec.Struct, gc=False):
    """Something that is named."""

    name: str | None = None


class Allowed(msgspec.Struct, gc=False):
    """``allowed_tools`` of a tool choice."""

    mode: str | None = None
    tools: list[Tool] | None = None


class Choice(msgspec.Struct, gc=False):
    """``tool_choice`` as an object, and the legacy ``function_call``."""

    type: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: Allowed | None = None
    name: str | None = None


class JsonSchema(msgspec.Struct, gc=False):
    """``json_schema`` of a response format."""

    name: str | None = None
    schema: msgspec.Raw = NOTHING


class ResponseFormat(msgspec.Struct, gc=False):
    """``response_format``."""

    type: str | None = None
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct, gc=False):
    """``stream_options``."""

    include_usage: bool | None = None


class SearchOptions(msgspec.Struct, gc=False):
    """``web_search_options``; that they are there is what matters."""

    user_location: msgspec.Raw = NOTHING


class Body(msgspec.Struct, gc=False):
    """The whole request."""

    model: str
    messages: list[Message]
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    functions: list[Function] | None = None
    tool_choice: Choice | str | None = None
    function_call: Choice | str | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    prompt_cache_key: str | None = None
    web_search_options: SearchOptions | None = None


_DECODER: Final = msgspec.json.Decoder(Body)
_SKIPPER: Final = msgspec.json.Decoder(msgspec.Raw)

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

_PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


def decode(body: bytes) -> Body:
    """Decode a request body; raises RequestRejected naming the field at fault."""
    return decoded(_DECODER, body)


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """What ``decoder`` makes of a body; raises RequestRejected naming the field at fault."""
    try:
        if not body.isascii():
            # The decoder skips over what is not asked for without looking at its encoding, but
            # schemas and tool inputs are passed on unread.
            body.decode("utf-8")
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return decoder.decode(mend_surrogates(body))
    except msgspec.ValidationError as error:
        raise misshapen(error) from None
    except RecursionError:
        raise RequestRejected("the request body is nested too deeply") from None
    except ValueError:
        raise RequestRejected("the request body is not valid JSON") from None


def given(raw: msgspec.Raw) -> bytes:
    """The JSON text of a key that is passed on unread; empty if absent or null."""
    octets = bytes(raw)
    return b"" if octets == b"null" else octets


def mend_surrogates(text: bytes) -> bytes:
    """Replace each escaped half of a surrogate pair in JSON text by the replacement character.

    Clients that cut a text between the halves of an emoji send such bodies for the rest of the
    session, and no JSON decoder of ours accepts them.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], text)


def json_text(text: str) -> bytes | None:
    """The bytes of ``text`` if it is one JSON value, else None."""
    octets = text.encode("utf-8")
    try:
        try:
            return bytes(_SKIPPER.decode(octets))
        except msgspec.DecodeError:
            return bytes(_SKIPPER.decode(mend_surrogates(octets)))
    except (msgspec.DecodeError, RecursionError):
        return None


def misshapen(error: msgspec.ValidationError, below: str = "") -> RequestRejected:
    """What the decoder says of a value of the wrong shape, as a path and a sentence of ours.

    :param below: the path of the value that was decoded, where that was not the whole body.
    """
    found = _PLACE.match(str(error))
    assert found is not None  # the pattern matches any text
    place, what = found["place"] or "", found["what"].replace("`", "")
    if below:
        place = below + (place if place.startswith("[") else f".{place}" if place else "")
    missing = _MISSING.search(str(error))
    if missing is not None:
        place = f"{place}.{missing[1]}" if place else missing[1]
        what = "is required"
    else:
        what = what[:1].lower() + what[1:]
    return RequestRejected(f"{place or 'the request body'}: {what}", param=place or None)
