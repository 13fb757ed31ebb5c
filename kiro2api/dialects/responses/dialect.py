# -*- test-case-name: tests.dialects.responses.test_dialect -*-
"""The Responses dialect as one object; knows only what the web layer asks of it."""

from collections.abc import Callable

from kiro2api.conversation.held import NO_RECOLLECTION, Finished, Recollection
from kiro2api.dialects.chat import errors
from kiro2api.dialects.dialect import Asked, Collector, Opening, StreamWriter
from kiro2api.dialects.responses import ask
from kiro2api.dialects.responses.answer import ResponseWriter
from kiro2api.dialects.responses.collect import ResponseCollector
from kiro2api.errors import KiroError


class ResponsesDialect:
    """OpenAI Responses, for one request.

    :param recollection: what was found of the earlier responses that the request refers to.
    :param keep: puts the finished response away.
    """

    name = "responses"
    id_header = "x-request-id"

    def __init__(
        self,
        recollection: Recollection = NO_RECOLLECTION,
        keep: Callable[[Finished], None] | None = None,
    ) -> None:
        self._recollection = recollection
        self._keep = keep

    def parse(self, body: bytes) -> Asked:
        """Understand a request body; raises RequestRejected naming the bad field."""
        return ask.parse(body, self._recollection, self._keep)

    def writer(self, opening: Opening) -> StreamWriter:
        """A writer for one streamed answer."""
        return ResponseWriter(opening)

    def collector(self, opening: Opening) -> Collector:
        """A collector for one JSON answer."""
        return ResponseCollector(opening)

    def status(self, error: KiroError) -> int:
        """The HTTP status of a failure that comes before the first byte."""
        return errors.status(error)

    def error_body(self, error: KiroError, request_id: str) -> bytes:
        """The JSON body of such a failure; this dialect shows the request id in a header only."""
        return errors.error_json(error)
