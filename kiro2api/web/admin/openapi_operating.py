# -*- test-case-name: tests.web.admin.test_openapi -*-
"""The routes of keys, sessions, settings and of what has happened, for the OpenAPI document."""

from typing import Final

from kiro2api.web.admin.keys_shapes import KeyItem, KeyPatch, NewKey
from kiro2api.web.admin.openapi_operations import PAGING, Operation, page_of_items, ref
from kiro2api.web.admin.sessions import LogIn, SessionShown
from kiro2api.web.admin.settings import SettingsShown
from kiro2api.web.operator_api import ToExplain

_KEYS: Final = "Keys"
_SESSION: Final = "Session"
_SETTINGS: Final = "Settings"
_RECORDS: Final = "Records"
_SERVICE: Final = "Service"
_KEY: Final = "/api/keys/{key_id}"

_MADE: Final = {
    "allOf": [
        ref(KeyItem),
        {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}},
    ]
}
_VALUES: Final = {
    "type": "object",
    "description": "New values by the names of settings; null goes back to the default",
    "additionalProperties": {"type": ["boolean", "integer", "number", "string", "null"]},
}
_MINUTES: Final = {
    "type": "object",
    "properties": {"minutes": {"type": "number", "minimum": 0, "maximum": 60}},
}
_FILTER: Final = (
    "from",
    "to",
    "model",
    "account",
    "key",
    "group",
    "status",
    "outcome",
    "dialect",
    "q",
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET",
        "/api/keys",
        "The API keys, configured ones first",
        _KEYS,
        query=PAGING,
        answer=page_of_items(ref(KeyItem)),
    ),
    Operation(
        "POST",
        "/api/keys",
        "Make an API key; only this answer shows it",
        _KEYS,
        body=NewKey,
        answer=_MADE,
        status=201,
    ),
    Operation("GET", _KEY, "One API key", _KEYS, answer=KeyItem),
    Operation("PATCH", _KEY, "Change an API key's terms", _KEYS, body=KeyPatch, answer=KeyItem),
    Operation("DELETE", _KEY, "Delete an API key", _KEYS, status=204),
    Operation(
        "POST",
        "/api/session",
        "Log in: the answer sets a cookie that stands for the key",
        _SESSION,
        "none",
        body=LogIn,
        answer=SessionShown,
        status=201,
    ),
    Operation("GET", "/api/session", "Who is calling", _SESSION, "client", answer=SessionShown),
    Operation("DELETE", "/api/session", "Log out", _SESSION, "client", status=204),
    Operation(
        "GET",
        "/api/settings",
        "Every setting: its value, where that comes from, whether it may be changed now",
        _SETTINGS,
        answer=SettingsShown,
    ),
    Operation(
        "PATCH",
        "/api/settings",
        "Change settings while the service runs",
        _SETTINGS,
        body=_VALUES,
        answer=SettingsShown,
    ),
    Operation(
        "GET",
        "/api/audit",
        "What operators did",
        _RECORDS,
        query=("before", "page_size", "subject"),
    ),
    Operation(
        "GET",
        "/api/stats",
        "Totals, charts, breakdowns, the pool and the forecast of a period",
        _RECORDS,
        query=("period", "group", "account", "key", "model"),
    ),
    Operation(
        "GET", "/api/usage", "What the caller's own key has used", _RECORDS, "client", ("period",)
    ),
    Operation(
        "GET",
        "/api/requests",
        "The records of requests, newest first",
        _RECORDS,
        query=(*_FILTER, "before", "page_size"),
    ),
    Operation("GET", "/api/requests/{request_id}", "One request with its attempts", _RECORDS),
    Operation(
        "GET",
        "/api/requests.csv",
        "The records of requests as CSV",
        _RECORDS,
        query=_FILTER,
        media=("text/csv",),
    ),
    Operation("GET", "/api/live", "The requests that run at this moment", _RECORDS),
    Operation("POST", "/api/live/{request_id}/cancel", "End a running request", _RECORDS),
    Operation(
        "GET",
        "/api/events",
        "Everything that changes, as it changes",
        _RECORDS,
        media=("text/event-stream",),
    ),
    Operation("GET", "/api/captures", "The failed requests that were kept", _RECORDS),
    Operation(
        "POST", "/api/captures", "Keep failed requests for some minutes", _RECORDS, body=_MINUTES
    ),
    Operation("DELETE", "/api/captures", "Drop the failed requests that were kept", _RECORDS),
    Operation("GET", "/api/captures/{request_id}", "One failed request, redacted", _RECORDS),
    Operation("GET", "/metrics", "Numbers for Prometheus", _RECORDS, media=("text/plain",)),
    Operation("GET", "/", "What this is; the console for browsers", _SERVICE, "none"),
    Operation("GET", "/api/hello", "An empty object, for clients that warm up", _SERVICE, "none"),
    Operation("GET", "/health", "How the service is; 503 without its store", _SERVICE, "none"),
    Operation("GET", "/api/models", "The names of the models on offer", _SERVICE, "client"),
    Operation(
        "POST",
        "/api/explain",
        "What would be sent upstream for a client's request, and why",
        _SERVICE,
        query=("dialect", "group"),
        body=ToExplain,
    ),
    Operation("GET", "/api/openapi.json", "This document", _SERVICE, "client"),
)
