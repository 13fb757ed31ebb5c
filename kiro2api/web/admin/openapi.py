# -*- test-case-name: tests.web.admin.test_openapi -*-
"""The OpenAPI document of all routes, and the route that serves it.

Must not know what the routes do; what is said of them is in the tables.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from klein import Klein

from kiro2api import __version__
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.openapi_accounts import OPERATIONS as OF_ACCOUNTS
from kiro2api.web.admin.openapi_models import OPERATIONS as OF_MODELS
from kiro2api.web.admin.openapi_operating import OPERATIONS as OF_OPERATING
from kiro2api.web.admin.openapi_operations import JSON, Operation
from kiro2api.web.gate import Gate
from kiro2api.web.reply import send_json
from kiro2api.web.sessions import COOKIE
from kiro2api.web.site import ApiRequest

OPERATIONS: Final = (*OF_MODELS, *OF_ACCOUNTS, *OF_OPERATING)

_ABOUT: Final = """\
Anthropic's and OpenAI's APIs in front of Kiro accounts, and the API of whoever runs the service.

Any path of the model APIs may begin with the name of a group of accounts: `/pro/v1/messages`.
Times are RFC 3339 in UTC, empty for none. Lists take `q` (search), `sort` (a field, after `-`
descending), `page` and `page_size` (1 to 500). A wrong field is named in `error.param`. Requests
with the session's cookie that change anything need its token in the header `X-CSRF-Token`."""

_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "param": {"type": "string"},
                "code": {"type": "string"},
            },
        },
        "request_id": {"type": "string"},
    },
}
_REF: Final = "#/components/schemas/{name}"
_ANYTHING: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}
_BY_KEY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"key": []}]
_SECURITY: Final[dict[str, list[dict[str, list[str]]]]] = {
    "none": [],
    "client": [*_BY_KEY, {"session": []}],
    "admin": [*_BY_KEY, {"session": []}],
}


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The whole document."""
    operations = tuple(operations)
    types = tuple(
        {
            each: None
            for operation in operations
            for each in (operation.body, operation.answer)
            if isinstance(each, type)
        }
    )
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _told(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "kiro2api", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _told(operation: Operation, known: dict[type, dict[str, Any]]) -> dict[str, Any]:
    def schema_of(shape: Any) -> dict[str, Any]:
        if shape is None:
            return _ANYTHING
        schema: dict[str, Any] = known[shape] if isinstance(shape, type) else shape
        return schema

    summary = operation.summary + (" (admin)" if operation.role == "admin" else "")
    success: dict[str, Any] = {"description": "As wanted"}
    if operation.status != 204:
        success["content"] = {
            media: {"schema": schema_of(operation.answer) if media == JSON else {"type": "string"}}
            for media in operation.media
        }
    # The model APIs know no sessions.
    model = operation.path.startswith("/v1/")
    told: dict[str, Any] = {
        "operationId": _id_of(operation),
        "summary": summary,
        "tags": [operation.tag],
        "security": _BY_KEY if model else _SECURITY[operation.role],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in operation.in_path
        ]
        + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in operation.query],
        "responses": {
            str(operation.status): success,
            "default": {
                "description": "A failure, in the shape of the route's own API",
                "content": {
                    JSON: {"schema": _ANYTHING if model else {"$ref": _REF.format(name="Error")}}
                },
            },
        },
    }
    if operation.body is not None:
        told["requestBody"] = {"content": {JSON: {"schema": schema_of(operation.body)}}}
    return told


def _id_of(operation: Operation) -> str:
    """Unique, and of letters only: generators of clients make names of functions from it."""
    words = operation.path.replace("{", "by_").replace("}", "")
    for mark in "/.-":
        words = words.replace(mark, "_")
    return "_".join(word for word in (operation.method.lower(), *words.split("_")) if word)


class OpenApi:
    """The route ``/api/openapi.json``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._body = msgspec.json.encode(document(OPERATIONS, __version__))

    @app.route("/api/openapi.json", methods=["GET"])
    def show(self, request: ApiRequest) -> bytes:
        """The document; any key may see it."""
        self._gate.identify(request)
        return send_json(request, self._body)
