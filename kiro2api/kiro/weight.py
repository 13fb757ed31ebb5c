# -*- test-case-name: tests.kiro.test_weight -*-
"""What makes a conversation large, in the client's terms: for the answer to one that is too
large. Must not know the upstream's shapes.
"""

from collections.abc import Iterator

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
    ToolUse,
)


def largest(conversation: Conversation, count: int = 3) -> str:
    """The largest contributors with their sizes, e.g. ``messages[4] 9.1 MB, tools 0.2 MB``."""
    ranked = sorted(_contributors(conversation), key=lambda pair: pair[1], reverse=True)
    return ", ".join(f"{name} {octets / 1e6:.1f} MB" for name, octets in ranked[:count] if octets)


def _contributors(conversation: Conversation) -> Iterator[tuple[str, int]]:
    yield "system", sum(map(_octets, conversation.system))
    for tool in conversation.tools:
        size = _octets(tool.description) + len(tool.schema)
        yield f"tools {tool.name[:64]!r}", size
    for index, turn in enumerate(conversation.turns):
        yield f"messages[{index}]", sum(map(_weight, turn.parts))


def _weight(part: Part) -> int:
    """Bytes of text; images count for nothing here, they have limits of their own."""
    if isinstance(part, (Text, Thinking)):
        return _octets(part.text)
    if isinstance(part, ToolUse):
        return len(part.input)
    if isinstance(part, ToolResult):
        return sum(map(_weight, part.parts))
    if isinstance(part, Reference):
        return _octets(part.target)
    if isinstance(part, Document):
        return _octets(part.text)
    assert isinstance(part, (Image, RedactedThinking))
    return 0


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
