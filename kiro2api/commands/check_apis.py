# -*- test-case-name: tests.commands.test_check_apis -*-
"""What the answers of the three model APIs must look like, whoever gives them.

Pure: answers come in, a sentence on what is wrong comes out, empty if nothing is. Must not know
how they were asked for.

Wire: Anthropic's Messages API, OpenAI's Chat Completions and Responses, as their documents say.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from kiro2api.commands.calling import Answer
from kiro2api.wire.sse import SSEDecoder

QUESTION: Final = "Answer with the single word: ready"
TOKENS: Final = 64

Event = tuple[str, Any]
"""The name of a server-sent event, empty without one, and its data; text if that is no JSON."""


class ModelApi(NamedTuple):
    """One API. ``events``: judges a stream; None where there are none."""

    name: str
    path: str
    family: Literal["anthropic", "openai"]
    question: Callable[[str], dict[str, Any]]
    whole: Callable[[Any], str]
    events: Callable[[list[Event]], str] | None = None


# ── refusals ─────────────────────────────────────────────────────────────────


def refusal(api: ModelApi, answer: Answer, status: int, kind: str) -> str:
    """Whether a request was refused as the API's clients expect. ``kind``: Anthropic's type."""
    if answer.status != status:
        return f"HTTP {answer.status} instead of {status}"
    body = _decoded(answer.content)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return f"HTTP {status} without error.message"
    if api.family == "openai":
        missing = {"type", "param", "code"} - set(error)
        return f"an error without {', '.join(sorted(missing))}" if missing else ""
    if body.get("type") != "error" or error.get("type") != kind:
        return f"error.type is {error.get('type')!r} instead of {kind!r}"
    return ""


# ── answers ──────────────────────────────────────────────────────────────────


def whole(api: ModelApi, answer: Answer) -> str:
    """An answer in one piece."""
    if answer.status != 200:
        return _refused(answer)
    body = _decoded(answer.content)
    return api.whole(body) if isinstance(body, dict) else "the answer is not a JSON object"


def streamed(api: ModelApi, answer: Answer) -> str:
    """An answer in events."""
    if answer.status != 200:
        return _refused(answer)
    if not answer.content_type.startswith("text/event-stream"):
        return f"content-type is {answer.content_type!r} instead of 'text/event-stream'"
    events = events_of(answer.content)
    if failed := next((data for name, data in events if _is_error(name, data)), None):
        return f"the stream ends in an error: {msgspec.json.encode(failed).decode()[:200]}"
    assert api.events is not None
    return api.events(events) if events else "there is no event"


def events_of(content: bytes) -> list[Event]:
    """The server-sent events of a whole stream; comments are left out."""
    try:
        read = SSEDecoder().feed(content)
    except UnicodeDecodeError:
        return []
    return [(name or "", _value(data)) for name, data in read]


def _value(data: bytes) -> Any:
    value = _decoded(data)
    return data.decode("utf-8", "replace") if value is None else value


def _refused(answer: Answer) -> str:
    body = _decoded(answer.content)
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return f"HTTP {answer.status}" + (f": {message}" if message else "")


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_error(name: str, data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    kind = data.get("type")
    return name == "error" or kind in ("error", "response.failed") or bool(data.get("error"))


def _misnamed(events: list[Event]) -> str:
    for name, data in events:
        if not isinstance(data, dict) or data.get("type") != name:
            return f"data.type is not that of its event {name!r}"
    return ""


def _counted(usage: Any, *names: str) -> str:
    if not isinstance(usage, dict):
        return "there is no usage"
    wrong = [name for name in names if not isinstance(usage.get(name), int) or usage[name] < 0]
    return f"usage lacks {', '.join(wrong)}" if wrong else ""


# ── Anthropic Messages ───────────────────────────────────────────────────────


def _message(body: Any) -> str:
    if body.get("type") != "message" or body.get("role") != "assistant":
        return "it is no message of the assistant"
    if not any(_text(block) for block in body.get("content") or ()):
        return "there is no text in it"
    if not body.get("stop_reason"):
        return "there is no stop_reason"
    return _counted(body.get("usage"), "input_tokens", "output_tokens")


def _text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and bool(block.get("text"))


def _message_events(events: list[Event]) -> str:
    kinds = [name for name, _ in events if name != "ping"]
    if wrong := _misnamed(events):
        return wrong
    if not kinds or kinds[0] != "message_start":
        return f"the first event is not message_start but {kinds[:1]}"
    if kinds[-2:] != ["message_delta", "message_stop"]:
        return f"the last events are {kinds[-2:]} instead of message_delta, message_stop"
    opened = kinds.count("content_block_start")
    if not opened or opened != kinds.count("content_block_stop"):
        return "content blocks are not opened and closed in pairs"
    last = next(data for name, data in reversed(events) if name == "message_delta")
    if not (last.get("delta") or {}).get("stop_reason"):
        return "there is no stop_reason"
    return _counted(last.get("usage"), "output_tokens")


def _count(body: Any) -> str:
    return "" if _positive(body.get("input_tokens")) else "input_tokens is no positive number"


def _positive(value: object) -> bool:
    return isinstance(value, int) and value > 0


# ── OpenAI Chat Completions ──────────────────────────────────────────────────


def _completion(body: Any) -> str:
    if body.get("object") != "chat.completion":
        return "object is not chat.completion"
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    if not (first.get("message") or {}).get("content"):
        return "there is no text in it"
    if not first.get("finish_reason"):
        return "there is no finish_reason"
    return _counted(body.get("usage"), "prompt_tokens", "completion_tokens", "total_tokens")


def _chunks(events: list[Event]) -> str:
    *chunks, last = [data for _, data in events]
    if last != "[DONE]":
        return "the last line is not [DONE]"
    if any(not isinstance(c, dict) or c.get("object") != "chat.completion.chunk" for c in chunks):
        return "there is something else than chunks"
    if len({chunk.get("id") for chunk in chunks}) != 1:
        return "the chunks have different ids"
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    if not any((choice.get("delta") or {}).get("content") for choice in choices):
        return "there is no text in it"
    if [choice.get("finish_reason") for choice in choices if choice.get("finish_reason")] == []:
        return "there is no finish_reason"
    # It was asked for with stream_options.
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return _counted(chunks[-1].get("usage"), *names)


# ── OpenAI Responses ─────────────────────────────────────────────────────────


def _response(body: Any) -> str:
    if body.get("object") != "response":
        return "object is not response"
    if body.get("status") not in ("completed", "incomplete"):
        return f"status is {body.get('status')!r}"
    items = [item for item in body.get("output") or () if item.get("type") == "message"]
    parts = [part for item in items for part in item.get("content") or ()]
    if not any(part.get("type") == "output_text" and part.get("text") for part in parts):
        return "there is no text in it"
    return _counted(body.get("usage"), "input_tokens", "output_tokens", "total_tokens")


def _response_events(events: list[Event]) -> str:
    if wrong := _misnamed(events):
        return wrong
    kinds = [name for name, _ in events]
    if kinds[0] != "response.created":
        return f"the first event is not response.created but {kinds[0]}"
    if kinds[-1] not in ("response.completed", "response.incomplete"):
        return f"the last event is {kinds[-1]} instead of response.completed"
    if [data.get("sequence_number") for _, data in events] != list(range(len(events))):
        return "sequence_number does not count from 0"
    if "response.output_text.delta" not in kinds:
        return "there is no text in it"
    return _response(events[-1][1].get("response") or {})


# ── all of them ──────────────────────────────────────────────────────────────

_TURN: Final = ({"role": "user", "content": QUESTION},)

APIS: Final = (
    ModelApi(
        "Anthropic Messages",
        "/v1/messages",
        "anthropic",
        lambda model: {"model": model, "max_tokens": TOKENS, "messages": _TURN},
        _message,
        _message_events,
    ),
    ModelApi(
        "Anthropic count_tokens",
        "/v1/messages/count_tokens",
        "anthropic",
        lambda model: {"model": model, "messages": _TURN},
        _count,
    ),
    ModelApi(
        "OpenAI Chat Completions",
        "/v1/chat/completions",
        "openai",
        lambda model: {"model": model, "max_tokens": TOKENS, "messages": _TURN},
        _completion,
        _chunks,
    ),
    ModelApi(
        "OpenAI Responses",
        "/v1/responses",
        "openai",
        lambda model: {
            "model": model,
            "max_output_tokens": TOKENS,
            "input": QUESTION,
            "store": False,
        },
        _response,
        _response_events,
    ),
)


def streaming(api: ModelApi, question: dict[str, Any]) -> dict[str, Any]:
    """The question for an answer in events."""
    asked = {**question, "stream": True}
    if api.path == "/v1/chat/completions":
        asked["stream_options"] = {"include_usage": True}
    return asked
