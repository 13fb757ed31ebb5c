# -*- test-case-name: tests.conversation.test_tokens -*-
"""How many tokens a text or a question is likely to be.

An estimate by character class, for ``count_tokens`` and for usage the upstream does not report.
One linear formula in two lengths, so the parts of a text add up to the whole, longer never counts
less, and nothing loops over characters. Must not know any dialect or the upstream.

There is deliberately no cache of repeated texts: finding a text in one means hashing it, which
costs more than counting it here.
"""

from collections.abc import Iterable
from typing import Final

from kiro2api.conversation.question import (
    Conversation,
    Document,
    Image,
    Part,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)

# In hundredths of a token. ASCII: 0.27, so 3.7 characters per token (prose has more, code and
# JSON fewer). Every octet beyond one per character adds 0.42: a Chinese character (3 octets)
# comes to 1.11 tokens, a Cyrillic or accented letter (2) to 0.69, an emoji (4) to 1.53.
_PER_CHAR: Final = 27
_PER_EXTRA_OCTET: Final = 42

_REQUEST: Final = 3
_TURN: Final = 4
_TOOLS: Final = 320
"""The model provider's own instructions about tools, present once there is any."""
_TOOL: Final = 12
_SERVER_TOOL: Final = 160
_CALL: Final = 12
_IMAGE: Final = 1500
_DOCUMENT: Final = 1500
_REFERENCE: Final = 20
_DOCUMENT_OCTETS_PER_TOKEN: Final = 100
_REDACTED_OCTETS_PER_TOKEN: Final = 6


def estimate_counts(chars: int, octets: int) -> int:
    """The estimate for a text of so many characters that is so many octets long in UTF-8."""
    return -(-(chars * _PER_CHAR + (octets - chars) * _PER_EXTRA_OCTET) // 100)


def estimate_text(text: str) -> int:
    """The estimate for one text; at least 1 unless it is empty."""
    chars = len(text)
    if text.isascii():
        return estimate_counts(chars, chars)
    return estimate_counts(chars, len(text.encode("utf-8", "surrogatepass")))


def estimate(conversation: Conversation) -> int:
    """The estimate for a whole question: system, turns, tools and what frames them."""
    total = _REQUEST
    for text in conversation.system:
        total += estimate_text(text)
    for turn in conversation.turns:
        total += _TURN + _parts(turn.parts)
    if conversation.tools or conversation.server_tools:
        total += _TOOLS
    total += _SERVER_TOOL * len(conversation.server_tools)
    for tool in conversation.tools:
        total += _TOOL + estimate_text(tool.name) + estimate_text(tool.description)
        total += _json(tool.schema)
    if conversation.output_format is not None:
        total += _json(conversation.output_format.schema)
    return total


def _json(data: bytes) -> int:
    """JSON text is counted as it stands."""
    octets = len(data)
    if data.isascii():
        return estimate_counts(octets, octets)
    return estimate_counts(len(data.decode("utf-8", "replace")), octets)


def _parts(parts: Iterable[Part]) -> int:
    total = 0
    for part in parts:
        match part:
            case Text() | Thinking():
                total += estimate_text(part.text)
            case ToolUse():
                total += _CALL + estimate_text(part.name) + _json(part.input)
            case ToolResult():
                total += _CALL + _parts(part.parts)
            case Image():
                total += _IMAGE
            case Document() if part.text:
                total += estimate_text(part.text)
            case Document():
                total += _DOCUMENT + len(part.data) // _DOCUMENT_OCTETS_PER_TOKEN
            case RedactedThinking():
                total += len(part.data) // _REDACTED_OCTETS_PER_TOKEN
            case _:  # a Reference, by elimination
                total += _REFERENCE + estimate_text(part.target)
    return total
