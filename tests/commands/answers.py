"""Answers of the model APIs as their clients expect them."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

MESSAGE: Final[dict[str, Any]] = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "ready"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
COUNT: Final[dict[str, Any]] = {"input_tokens": 9}
COMPLETION: Final[dict[str, Any]] = {
    "object": "chat.completion",
    "choices": [{"message": {"content": "ready"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}
RESPONSE: Final[dict[str, Any]] = {
    "object": "response",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "ready"}]}],
    "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10},
}
MESSAGE_EVENTS: Final[list[dict[str, Any]]] = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ready"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
CHUNKS: Final[list[dict[str, Any]]] = [
    {"id": "c1", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "ready"}}]},
    {
        "id": "c1",
        "object": "chat.completion.chunk",
        "choices": [{"delta": {}, "finish_reason": "stop"}],
    },
    {
        "id": "c1",
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": COMPLETION["usage"],
    },
]
RESPONSE_EVENTS: Final[list[dict[str, Any]]] = [
    {"type": "response.created", "sequence_number": 0, "response": {}},
    {"type": "response.output_text.delta", "sequence_number": 1, "delta": "ready"},
    {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
]


def events(values: Iterable[dict[str, Any]]) -> bytes:
    """With their names."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (value["type"].encode(), msgspec.json.encode(value))
        for value in values
    )


def chunks(values: Iterable[dict[str, Any]]) -> bytes:
    """Without names, and their end."""
    return b"".join(b"data: %b\n\n" % msgspec.json.encode(each) for each in values) + (
        b"data: [DONE]\n\n"
    )
