# -*- test-case-name: tests.web.test_model_api -*-
"""The routes of the model APIs: messages, chat completions, token counts and model lists.

Each route is a few lines: what a request means is the dialects' and serving's business. Paths are
canonical already (see paths).
"""

from collections.abc import Callable

from klein import Klein

from kiro2api.conversation.tokens import estimate
from kiro2api.dialects.anthropic.ask import parse_count
from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.chat.dialect import CHAT
from kiro2api.web.gate import Caller, Gate
from kiro2api.web.listing import ModelShelf, query_of
from kiro2api.web.reply import dialect_of, id_of, install_error_pages, send_json, send_value
from kiro2api.web.serving import Serving
from kiro2api.web.site import ApiRequest


class ModelApi:
    """Routes for the APIs' clients."""

    app = Klein()
    install_error_pages(app)

    def __init__(self, gate: Gate, serving: Serving, shelf: ModelShelf) -> None:
        self._gate = gate
        self._serving = serving
        self._shelf = shelf

    @app.route("/v1/messages", methods=["POST"])
    async def messages(self, request: ApiRequest) -> bytes | None:
        """Anthropic Messages."""
        return await self._serving.serve(request, ANTHROPIC)

    @app.route("/v1/chat/completions", methods=["POST"])
    async def chat_completions(self, request: ApiRequest) -> bytes | None:
        """OpenAI Chat Completions."""
        return await self._serving.serve(request, CHAT)

    @app.route("/v1/messages/count_tokens", methods=["POST"])
    def count_tokens(self, request: ApiRequest) -> bytes:
        """Anthropic token counting; an estimate, and fast."""
        caller = self._admitted(request)
        request.setHeader(ANTHROPIC.id_header, id_of(request))
        model, conversation = parse_count(request.body)
        if model:
            self._gate.allow_model(caller, model)
        tokens = self._serving.estimated(model, estimate(conversation))
        return send_value(request, {"input_tokens": tokens})

    @app.route("/v1/models", methods=["GET"])
    def list_models(self, request: ApiRequest) -> bytes:
        """The models on offer, in the shape of whoever asks."""
        allowed = self._allowed(self._admitted(request))
        dialect = dialect_of(request)
        request.setHeader(dialect.id_header, id_of(request))
        page = self._shelf.page(request.group, dialect, query_of(request), allowed)
        return send_json(request, page)

    @app.route("/v1/models/<path:model_id>", methods=["GET"])
    def one_model(self, request: ApiRequest, model_id: str) -> bytes:
        """One model."""
        allowed = self._allowed(self._admitted(request))
        dialect = dialect_of(request)
        request.setHeader(dialect.id_header, id_of(request))
        return send_json(request, self._shelf.one(request.group, model_id, dialect, allowed))

    def _admitted(self, request: ApiRequest) -> Caller:
        """The caller, whose key is for the group of the path."""
        caller = self._gate.identify(request)
        self._gate.allow_group(caller, request.group or self._shelf.default_group)
        return caller

    def _allowed(self, caller: Caller) -> Callable[[str], bool]:
        return lambda model: self._gate.may_use(caller, model)
