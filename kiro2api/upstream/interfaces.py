# -*- test-case-name: tests.upstream.test_interfaces -*-
"""The seams of the upstream side: who opens an answer, who receives its events."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import Interface

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.quota import Quota
from kiro2api.conversation.answer import StreamEvent
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import UpstreamFault


class OfferedModel(msgspec.Struct, frozen=True):
    """One entry of ListAvailableModels; token limits are 0 where the upstream gives none.

    ``fields_schema``: JSON text of the schema of additional request fields, empty without one.
    ``supports_caching``: takes cache points, ``max_checkpoints`` of them, 0 where it is not said;
    none before ``min_checkpoint_tokens`` tokens.
    """

    id: str
    name: str = ""
    max_input_tokens: int = 0
    max_output_tokens: int = 0
    input_types: tuple[str, ...] = ()
    fields_schema: bytes = b""
    supports_caching: bool = False
    max_checkpoints: int = 0
    min_checkpoint_tokens: int = 0


class IEventSink(Interface):
    """Receives the events of one answer."""

    def events(batch: Sequence[StreamEvent]) -> None:
        """The events of one read from the network, in order, at least one."""

    def ended(fault: UpstreamFault | None) -> None:
        """Once, last: None after a complete answer (whose last event was ``Ended``)."""


class AnswerStream(Protocol):
    """An answer under way. Holds events until a sink is attached."""

    @property
    def last_read(self) -> float:
        """Reactor seconds of the latest read from the network."""

    @property
    def request_id(self) -> str:
        """The upstream's own id of the call, for its support."""

    def first(self) -> Deferred[None]:
        """Fires when the first event is held, fails with the fault that came instead.
        Cancelling it abandons the stream."""

    def flow(self, sink: IEventSink) -> None:
        """Deliver what is held, then everything as it arrives."""

    def pause(self) -> None:
        """Stop reading; up to one network read may still be delivered."""

    def resume(self) -> None:
        """Read on."""

    def abandon(self) -> None:
        """Close the connection at once; the sink hears nothing more. Idempotent."""


class IKiroClient(Interface):
    """One attempt at the upstream's operations."""

    def generate(
        account: Account,
        credentials: Credentials,
        body: bytes,
        interpreter: object,
    ) -> Deferred[AnswerStream]:
        """Open an answer. Fires at the response head (status 200) and fails with an
        UpstreamFault otherwise. ``interpreter`` turns its frames into events. Cancellable."""

    def models(account: Account, credentials: Credentials) -> Deferred[tuple[OfferedModel, ...]]:
        """The models offered to this account."""

    def usage(account: Account, credentials: Credentials) -> Deferred[Quota]:
        """What this account may still spend. Cancellable."""

    def search(
        account: Account, credentials: Credentials, query: str
    ) -> Deferred[tuple[SearchHit, ...]]:
        """What a web search finds; no page at all is an answer, too. Cancellable."""
