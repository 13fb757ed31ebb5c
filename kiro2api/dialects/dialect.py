# -*- test-case-name: tests.dialects -*-
"""What every client dialect offers, so that the web layer needs no branch per dialect.

Must not know the upstream, Twisted or the clock: ids and times come in as arguments.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from kiro2api.conversation.answer import StreamEvent
from kiro2api.conversation.question import Conversation
from kiro2api.errors import KiroError


class Asked(msgspec.Struct, frozen=True):
    """A client's request, understood: ``model`` is the name exactly as the client wrote it.

    ``echo`` is the dialect's own: whatever its writers need of the request; nobody else looks.
    ``choices`` is how many answers are wanted.
    """

    conversation: Conversation
    model: str
    stream: bool = False
    include_usage: bool = False
    echo: object | None = None
    choices: int = 1


class Opening(msgspec.Struct, frozen=True):
    """What a writer must know before the first event.

    ``id`` is the bare unique part (hex), which the dialect prefixes; ``created`` is in epoch
    seconds; ``input_tokens`` is the estimate shown until the upstream reports; ``freeform`` names
    the tools whose input the client wants as raw text; ``echo`` is that of the request. Where
    there are several ``choices``, their events come as ``OfChoice``.
    """

    id: str
    model: str
    created: int
    input_tokens: int
    include_usage: bool = False
    request_id: str = ""
    freeform: frozenset[str] = frozenset()
    echo: object | None = None
    choices: int = 1


class OfChoice(msgspec.Struct, gc=False):
    """Events of one of several answers. The last of all answers is followed by the ``Usage`` of
    all of them and an ``Ended``."""

    index: int
    events: Sequence[StreamEvent]


class StreamWriter(Protocol):
    """Events to the bytes of one streamed answer. Every method may be called in any state."""

    def begin(self) -> bytes:
        """What precedes the first event; empty if already begun."""

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """The bytes of these events; begins by itself; empty after the end or a failure."""

    def ping(self) -> bytes:
        """A keep-alive; empty after the end or a failure."""

    def fail(self, error: KiroError) -> bytes:
        """The in-band error, after closing what is open; empty after the end or a failure."""


class Collector(Protocol):
    """Events to one JSON answer."""

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take more events."""

    def reply(self) -> bytes:
        """The JSON body; meaningful once ``Ended`` was added."""


class Dialect(Protocol):
    """One client language."""

    @property
    def name(self) -> str:
        """A short name for logs: ``anthropic``, ``chat`` or ``responses``."""

    @property
    def id_header(self) -> str:
        """The response header that carries the request id."""

    def parse(self, body: bytes) -> Asked:
        """Understand a request body; raises RequestRejected naming the bad field."""

    def writer(self, opening: Opening) -> StreamWriter:
        """A writer for one streamed answer."""

    def collector(self, opening: Opening) -> Collector:
        """A collector for one JSON answer."""

    def status(self, error: KiroError) -> int:
        """The HTTP status of a failure that comes before the first byte."""

    def error_body(self, error: KiroError, request_id: str) -> bytes:
        """The JSON body of such a failure."""
