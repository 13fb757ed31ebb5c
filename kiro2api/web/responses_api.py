# -*- test-case-name: tests.web.test_responses_api -*-
"""The routes of OpenAI Responses: asking, and what is held of earlier answers.

A response belongs to the key that asked for it. Paths are canonical already (see paths).
"""

from functools import partial

from klein import Klein

from kiro2api.dialects.responses.dialect import ResponsesDialect
from kiro2api.dialects.responses.inputs import page
from kiro2api.dialects.responses.recall import wanted
from kiro2api.errors import NotFound, RequestRejected
from kiro2api.web.gate import Gate
from kiro2api.web.held import HeldResponses
from kiro2api.web.listing import query_of
from kiro2api.web.reply import (
    dialect_of,
    id_of,
    install_error_pages,
    send_error,
    send_json,
    send_value,
)
from kiro2api.web.serving import Serving
from kiro2api.web.site import ApiRequest


class ResponsesApi:
    """Routes below ``/v1/responses``."""

    app = Klein()
    install_error_pages(app)

    def __init__(self, gate: Gate, serving: Serving, held: HeldResponses) -> None:
        self._gate = gate
        self._serving = serving
        self._held = held

    @app.route("/v1/responses", methods=["POST"])
    async def create(self, request: ApiRequest) -> bytes | None:
        """OpenAI Responses."""
        owner = self._gate.identify(request).owner
        recollection = await self._held.recollect(owner, wanted(request.body))
        dialect = ResponsesDialect(recollection, partial(self._held.keep, owner))
        return await self._serving.serve(request, dialect)

    @app.route("/v1/responses", methods=["GET"])
    def socket(self, request: ApiRequest) -> bytes:
        """There are no WebSockets here: told at once, so that clients turn to HTTP."""
        self._owner(request)
        request.setHeader(b"Upgrade", b"HTTP/1.1")
        answer = send_error(
            request,
            RequestRejected(
                "WebSockets are not spoken here: POST to this path instead",
                code="websocket_unsupported",
            ),
        )
        request.setResponseCode(426, b"Upgrade Required")
        return answer

    @app.route("/v1/responses/<response_id>", methods=["GET"])
    async def retrieve(self, request: ApiRequest, response_id: str) -> bytes:
        """A response that is still held."""
        owner = self._owner(request)
        if request.args.get(b"stream", [b""])[0].lower() in (b"true", b"1"):
            raise RequestRejected(
                "stream: a finished response is not streamed again", param="stream"
            )
        return send_json(request, await self._found(owner, response_id))

    @app.route("/v1/responses/<response_id>", methods=["DELETE"])
    async def delete(self, request: ApiRequest, response_id: str) -> bytes:
        """Forget a response."""
        if not await self._held.forget(self._owner(request), response_id):
            raise _not_held(response_id)
        return send_value(request, {"id": response_id, "object": "response", "deleted": True})

    @app.route("/v1/responses/<response_id>/cancel", methods=["POST"])
    async def cancel(self, request: ApiRequest, response_id: str) -> bytes:
        """What is held has ended already: it is shown as it is."""
        return send_json(request, await self._found(self._owner(request), response_id))

    @app.route("/v1/responses/<response_id>/input_items", methods=["GET"])
    async def input_items(self, request: ApiRequest, response_id: str) -> bytes:
        """What a response was asked with, in pages; earlier responses are a part of that."""
        items = await self._held.listed(self._owner(request), response_id)
        if items is None:
            raise _not_held(response_id)
        return send_json(request, page(response_id, items, query_of(request)))

    def _owner(self, request: ApiRequest) -> str:
        owner = self._gate.identify(request).owner
        request.setHeader(dialect_of(request).id_header, id_of(request))
        return owner

    async def _found(self, owner: str, response_id: str) -> bytes:
        found = await self._held.find(owner, response_id)
        if found is None:
            raise _not_held(response_id)
        return found


def _not_held(response_id: str) -> NotFound:
    return NotFound(f"no response {response_id!r} is held for this key")
