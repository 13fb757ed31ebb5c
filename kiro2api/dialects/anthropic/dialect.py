# -*- test-case-name: tests.dialects.anthropic.test_dialect -*-
"""The Messages dialect as one object.

Must not know routes or connections.
"""

from typing import Final

from kiro2api.dialects.anthropic import ask, errors
from kiro2api.dialects.anthropic.answer import AnthropicStreamWriter
from kiro2api.dialects.anthropic.collect import AnthropicCollector
from kiro2api.dialects.dialect import Asked, Collector, Dialect, Opening, StreamWriter
from kiro2api.errors import KiroError


class AnthropicDialect:
    """Binds the modules of this package to the interface that the web layer knows."""

    @property
    def name(self) -> str:
        return "anthropic"

    @property
    def id_header(self) -> str:
        return "request-id"

    def parse(self, body: bytes) -> Asked:
        return ask.parse(body)

    def writer(self, opening: Opening) -> StreamWriter:
        return AnthropicStreamWriter(opening)

    def collector(self, opening: Opening) -> Collector:
        return AnthropicCollector(opening)

    def status(self, error: KiroError) -> int:
        return errors.status(error)

    def error_body(self, error: KiroError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)


ANTHROPIC: Final[Dialect] = AnthropicDialect()
