# -*- test-case-name: tests.test_exchange_way -*-
"""One way to put a question to the upstream: to which of its models, with which extras.

Pure. What an account is offered and what earlier refusals taught come in as arguments. Must not
know leases, attempts or the clock.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kiro2api.conversation.question import Conversation, Text, Turn
from kiro2api.errors import UpstreamFault
from kiro2api.kiro.models import Model, choose_upstream_id
from kiro2api.kiro.reasoning import Abilities, request_fields, takes_tags
from kiro2api.kiro.request import Prepared
from kiro2api.kiro.thinking import preface
from kiro2api.kiro.unmet import Unmet
from kiro2api.kiro.wording import SILENT
from kiro2api.upstream.interfaces import OfferedModel

_SIGNATURE = "THINKING_SIGNATURE_INVALID"
_FIELDS = "additionalmodelrequestfields"
_POINT = "cachepoint"

CACHE_POINTS: Final = 4
"""How many a model takes that has a prompt cache and says no number."""


class Way(msgspec.Struct, frozen=True):
    """How a question is put.

    ``window`` and ``max_output`` are in tokens; ``sure`` whether the window is more than a guess.
    ``fields`` is the JSON text of the additional fields, ``preface`` what asks for reasoning where
    there are none; ``replay`` whether signed reasoning of earlier answers is sent back;
    ``cache_points`` how many points of a prompt cache may be set.
    """

    model: str
    window: int
    max_output: int
    sure: bool = False
    fields: bytes = b""
    preface: str = ""
    replay: bool = False
    cache_points: int = 0


class Question:
    """A conversation, prepared once for each form that it must have.

    :param write: the conversation as a body; called with ``replay`` and ``preface``.
    """

    def __init__(
        self, conversation: Conversation, write: Callable[[Conversation, bool, str], Prepared]
    ) -> None:
        self.conversation = conversation
        self._write = write
        self._written: dict[tuple[bool, str], Prepared] = {}

    def prepared(self, way: Way) -> Prepared:
        """For this way; raises RequestRejected."""
        key = (way.replay, way.preface)
        prepared = self._written.get(key)
        if prepared is None:
            prepared = self._written[key] = self._write(self.conversation, *key)
        return prepared

    def forget(self) -> None:
        """The bodies have been sent: they are large, and an answer may take its time."""
        self._written.clear()

    def repaired(self, unmet: Unmet) -> "Question":
        """The same with the answer that did not do, and what to do about it."""
        more = (
            Turn("assistant", (Text(unmet.said or SILENT),)),
            Turn("user", (Text(unmet.instruction),)),
        )
        turns = self.conversation.turns + more
        return Question(msgspec.structs.replace(self.conversation, turns=turns), self._write)


def find_way(
    model: Model,
    offered: tuple[OfferedModel, ...] | None,
    conversation: Conversation,
    *,
    abilities: Abilities,
    replay: bool,
    takes_fields: Callable[[str], bool],
    takes_points: Callable[[str], bool] = lambda id: True,
) -> Way:
    """The best way as far as it is known.

    :param offered: what the account is offered, None where that is unknown.
    :param takes_fields: False for an upstream id that has just refused its fields.
    :param takes_points: False for an upstream id that has just refused cache points.
    """
    by_id = {entry.id: entry for entry in offered or ()}
    chosen = choose_upstream_id(model, None if offered is None else by_id.keys())
    entry = by_id.get(chosen) or OfferedModel(chosen)
    ability = abilities.of(chosen, entry.fields_schema)
    way = Way(
        chosen,
        entry.max_input_tokens or model.window,
        entry.max_output_tokens or model.max_output,
        sure=model.known or entry.max_input_tokens > 0,
        # What signs nothing has no use for signatures, and may refuse them.
        replay=replay and bool(ability),
        cache_points=(entry.max_checkpoints or CACHE_POINTS)
        if entry.supports_caching and takes_points(chosen)
        else 0,
    )
    wanted = conversation.reasoning
    if wanted.mode is None and wanted.effort is None:
        return way
    if ability and takes_fields(chosen):
        return msgspec.structs.replace(way, fields=request_fields(wanted, ability))
    return without_fields(way, conversation)


def without_fields(way: Way, conversation: Conversation) -> Way:
    """The same without additional fields; reasoning is then asked for by tags, if at all."""
    tags = preface(conversation.reasoning) if takes_tags(way.model) else ""
    return msgspec.structs.replace(way, fields=b"", preface=tags)


def blames_fields(fault: UpstreamFault) -> bool:
    """Whether the upstream refuses the additional fields."""
    return _FIELDS in fault.message.lower()


def blames_cache_points(fault: UpstreamFault) -> bool:
    """Whether the upstream refuses points of a prompt cache."""
    return _POINT in fault.message.lower()


def blames_signature(fault: UpstreamFault) -> bool:
    """Whether the upstream refuses reasoning that was sent back."""
    return fault.code == _SIGNATURE
