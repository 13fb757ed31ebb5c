# -*- test-case-name: tests.dialects.responses.test_echo -*-
"""What the answer needs of the request: tools, wishes, and the fields that are shown back.

Must not know how an answer comes about.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kiro2api.conversation.held import Finished
from kiro2api.dialects.chat.shapes import given
from kiro2api.dialects.responses.shapes import Body, compact
from kiro2api.dialects.responses.tools import Toolbox

LONGEST_SHOWN: Final = 8192
"""Octets up to which a field is shown back. A response is told three times in a stream, each time
in one line, and some tunnels hold back lines of 32 KiB and more; clients know what they asked."""

_encode: Final = msgspec.json.Encoder().encode


class Echo(msgspec.Struct, frozen=True):
    """``fields``: members of the response object that the request decides, as JSON without
    braces. ``summary``: reasoning is shown in words; ``sealed``: it is given in a form that can
    be sent back. ``keep`` is told of the finished response, None if it is not to be kept;
    ``previous`` and ``given`` are for it. ``sources``: a search tells the addresses it found.
    """

    fields: bytes
    box: Toolbox = Toolbox()
    summary: bool = False
    sealed: bool = False
    keep: Callable[[Finished], None] | None = None
    previous: str = ""
    given: tuple[bytes, ...] = ()
    sources: bool = False


def shown(body: Body) -> bytes:
    """The fields of the response object that repeat the request, without braces."""
    reasoning = body.reasoning
    fields: dict[str, object] = {
        "background": False,
        "instructions": _field(body.instructions),
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": _field(body.max_tool_calls),
        "metadata": _field(body.metadata, b"{}"),
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": {
            "effort": None if reasoning is None else reasoning.effort,
            "summary": None if reasoning is None else reasoning.summary,
        },
        "safety_identifier": _field(body.safety_identifier),
        "service_tier": _field(body.service_tier, b'"default"'),
        "store": body.store is not False,
        "temperature": body.temperature,
        "text": _field(body.text, b'{"format":{"type":"text"}}'),
        "tool_choice": _field(body.tool_choice, b'"auto"'),
        "tools": _field(body.tools, b"[]"),
        "top_logprobs": _field(body.top_logprobs),
        "top_p": body.top_p,
        "truncation": _field(body.truncation, b'"disabled"'),
        "user": _field(body.user),
    }
    return _encode(fields)[1:-1]


def _field(raw: msgspec.Raw, otherwise: bytes = b"null") -> msgspec.Raw:
    """A client's JSON in one line; ``otherwise`` where there is none or too much of it."""
    octets = given(raw)
    if not octets or len(octets) > LONGEST_SHOWN:
        return msgspec.Raw(otherwise)
    return msgspec.Raw(compact(octets))


NO_ECHO: Final = Echo(shown(Body("")))
