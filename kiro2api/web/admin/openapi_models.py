# -*- test-case-name: tests.web.admin.test_openapi -*-
"""The routes of the model APIs for the OpenAPI document.

Their bodies are those of Anthropic's and OpenAI's own APIs, whose documents say more.
"""

from typing import Any, Final

from kiro2api.web.admin.openapi_operations import JSON, STREAM, Operation

_ANTHROPIC: Final = "Anthropic"
_OPENAI: Final = "OpenAI"
_ASKED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["model"],
    "properties": {"model": {"type": "string"}, "stream": {"type": "boolean"}},
    "additionalProperties": True,
}
_COUNTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"input_tokens": {"type": "integer"}},
}
_BOTH: Final = (JSON, STREAM)
_HELD: Final = "/v1/responses/{response_id}"

OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/messages",
        "Ask a model in the shape of Anthropic's Messages API",
        _ANTHROPIC,
        "client",
        body=_ASKED,
        media=_BOTH,
    ),
    Operation(
        "POST",
        "/v1/messages/count_tokens",
        "Estimate the tokens of a request",
        _ANTHROPIC,
        "client",
        body=_ASKED,
        answer=_COUNTED,
    ),
    Operation(
        "POST",
        "/v1/chat/completions",
        "Ask a model in the shape of OpenAI's Chat Completions API",
        _OPENAI,
        "client",
        body=_ASKED,
        media=_BOTH,
    ),
    Operation(
        "POST",
        "/v1/responses",
        "Ask a model in the shape of OpenAI's Responses API",
        _OPENAI,
        "client",
        body=_ASKED,
        media=_BOTH,
    ),
    Operation(
        "GET",
        "/v1/responses",
        "Always 426: there are no WebSockets here",
        _OPENAI,
        "client",
        status=426,
    ),
    Operation("GET", _HELD, "A response that is still held", _OPENAI, "client"),
    Operation("DELETE", _HELD, "Forget a response", _OPENAI, "client"),
    Operation(
        "POST", f"{_HELD}/cancel", "A response as it is; it has ended already", _OPENAI, "client"
    ),
    Operation(
        "GET",
        f"{_HELD}/input_items",
        "What a response was asked with",
        _OPENAI,
        "client",
        query=("after", "limit", "order"),
    ),
    Operation(
        "GET",
        "/v1/models",
        "The models that the key may use, in the shape of whoever asks",
        _OPENAI,
        "client",
        query=("limit", "after_id", "before_id"),
    ),
    Operation("GET", "/v1/models/{model_id}", "One model", _OPENAI, "client"),
)
