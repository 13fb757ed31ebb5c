# -*- test-case-name: tests.test_exchange_way -*-
"""One way to put a question to the upstream: to which of its models, with which extras.

Pure. What an account is offered and what earlier refusals taught come in as arguments. Must not
know leases, attempts or the clock.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kiro2api.conversation.question import Conversation, Document, Text, Turn
from kiro2api.errors import UpstreamFault
from kiro2api.kiro.models import AUTO, Model, choose_upstream_id
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.reasoning import Abilities, request_fields, takes_tags
from kiro2api.kiro.thinking import preface
from kiro2api.kiro.unmet import Unmet
from kiro2api.kiro.wording import SILENT
from kiro2api.upstream.interfaces import OfferedModel

_SIGNATURE = "THINKING_SIGNATURE_INVALID"
_FIELDS = "additionalmodelrequestfields"
_POINT = "cachepoint"
_DOCUMENT = "DOCUMENT_"
_DOCUMENTS = "DOCUMENT"

CACHE_POINTS: Final = 4
"""How many a model takes that has a prompt cache and says no number."""


class Way(msgspec.Struct, frozen=True):
    """How a question is put.

    ``window`` and ``max_output`` are in tokens; ``sure`` whether the window is more than a guess.
    ``fields`` is the JSON text of the additional fields, ``preface`` what asks for reasoning where
    there are none; ``replay`` whether signed reasoning of earlier answers is sent back;
    ``cache_points`` how many points of a prompt cache may be set, none of them before
    ``point_tokens`` tokens; ``documents`` whether documents are sent as such. ``listed``: whether
    the account is offered the model, None where its list is not known or does not matter.
    """

    model: str
    window: int
    max_output: int
    sure: bool = False
    fields: bytes = b""
    preface: str = ""
    replay: bool = False
    cache_points: int = 0
    point_tokens: int = 0
    documents: bool = False
    listed: bool | None = None


class Question:
    """A conversation, prepared once for each form that it must have.

    :param write: the conversation as a body; of the way, only ``replay``, ``preface`` and
        ``documents`` count.
    """

    def __init__(
        self, conversation: Conversation, write: Callable[[Conversation, Way], Prepared]
    ) -> None:
        self.conversation = conversation
        self._write = write
        self._written: dict[tuple[bool, str, bool], Prepared] = {}

    def prepared(self, way: Way) -> Prepared:
        """For this way; raises RequestRejected."""
        key = (way.replay, way.preface, way.documents)
        prepared = self._written.get(key)
        if prepared is None:
            prepared = self._written[key] = self._write(self.conversation, way)
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
    takes: Callable[[str, str], bool] = lambda what, id: True,
) -> Way:
    """The best way as far as it is known.

    :param offered: what the account is offered, None where that is unknown.
    :param takes: False for what an upstream id has just refused: ``fields``, ``cache_points`` or
        ``documents``.
    """
    by_id = {entry.id: entry for entry in offered or ()}
    chosen = choose_upstream_id(model, None if offered is None else by_id.keys())
    entry = by_id.get(chosen) or OfferedModel(chosen)
    ability = abilities.of(chosen, entry.fields_schema)
    points = entry.supports_caching and takes("cache_points", chosen)
    way = Way(
        chosen,
        entry.max_input_tokens or model.window,
        entry.max_output_tokens or model.max_output,
        sure=model.known or entry.max_input_tokens > 0,
        # What signs nothing has no use for signatures, and may refuse them.
        replay=replay and bool(ability),
        cache_points=(entry.max_checkpoints or CACHE_POINTS) if points else 0,
        point_tokens=entry.min_checkpoint_tokens,
        documents=_DOCUMENTS in entry.input_types
        and takes("documents", chosen)
        and has_documents(conversation),
        # Everybody has the one that stands for all, also where it is not listed.
        listed=None if offered is None or chosen == AUTO else chosen in by_id,
    )
    wanted = conversation.reasoning
    if wanted.mode is None and wanted.effort is None:
        return way
    if ability and takes("fields", chosen):
        return msgspec.structs.replace(way, fields=request_fields(wanted, ability))
    return without_fields(way, conversation)


def has_documents(conversation: Conversation) -> bool:
    """Whether a turn holds a document; those inside of tool results are told as text anyway."""
    return any(type(part) is Document for turn in conversation.turns for part in turn.parts)


def without_fields(way: Way, conversation: Conversation) -> Way:
    """The same without additional fields; reasoning is then asked for by tags, if at all."""
    tags = preface(conversation.reasoning) if takes_tags(way.model) else ""
    return msgspec.structs.replace(way, fields=b"", preface=tags)


def other_way(fault: UpstreamFault, way: Way, conversation: Conversation) -> tuple[str, Way] | None:
    """What the upstream has just refused, and the way without it; None if it is none of that.

    Wire: the refusals of fields and cache points are known by their words only.
    """
    said = fault.message.lower()
    if way.fields and _FIELDS in said:
        return "fields", without_fields(way, conversation)
    if way.cache_points and _POINT in said:
        return "cache_points", msgspec.structs.replace(way, cache_points=0)
    if way.replay and fault.code == _SIGNATURE:
        return "signature", msgspec.structs.replace(way, replay=False)
    if way.documents and (fault.code or "").startswith(_DOCUMENT):
        return "documents", msgspec.structs.replace(way, documents=False)
    return None
