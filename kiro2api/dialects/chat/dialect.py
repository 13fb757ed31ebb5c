# -*- test-case-name: tests.dialects.chat.test_dialect -*-
"""The chat completions dialect as one object; knows only what the web layer asks of it."""

from typing import Final

from kiro2api.dialects.chat import ask, errors
from kiro2api.dialects.chat.answer import ChunkWriter
from kiro2api.dialects.chat.choices import ChoicesCollector, ChoicesWriter
from kiro2api.dialects.chat.collect import CompletionCollector
from kiro2api.dialects.dialect import Asked, Collector, Dialect, Opening, StreamWriter
from kiro2api.errors import KiroError


class ChatDialect:
    """OpenAI chat completions."""

    name = "chat"
    id_header = "x-request-id"

    def parse(self, body: bytes) -> Asked:
        """Understand a request body; raises RequestRejected naming the bad field."""
        return ask.parse(body)

    def writer(self, opening: Opening) -> StreamWriter:
        """A writer for one streamed answer."""
        return ChunkWriter(opening) if opening.choices == 1 else ChoicesWriter(opening)

    def collector(self, opening: Opening) -> Collector:
        """A collector for one JSON answer."""
        return CompletionCollector(opening) if opening.choices == 1 else ChoicesCollector(opening)

    def status(self, error: KiroError) -> int:
        """The HTTP status of a failure that comes before the first byte."""
        return errors.status(error)

    def error_body(self, error: KiroError, request_id: str) -> bytes:
        """The JSON body of such a failure; this dialect shows the request id in a header only."""
        return errors.error_json(error)


CHAT: Final[Dialect] = ChatDialect()
