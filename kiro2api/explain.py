# -*- test-case-name: tests.test_explain -*-
"""What would become of a client's request, without sending it.

Runs the same translation as a real request and tells what it gave: the upstream's body, the model,
the accounts, what was repaired, or which rule it breaks. Must not know HTTP, leases or credentials.

Differences to a real request: attachments are taken as they came, earlier responses are not looked
up, and refusals that this process remembers are left out of account.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from kiro2api import __version__
from kiro2api.accounts.account import Account, Credentials
from kiro2api.conversation.question import Conversation
from kiro2api.conversation.tokens import estimate
from kiro2api.dialects.anthropic.dialect import ANTHROPIC
from kiro2api.dialects.chat.dialect import CHAT
from kiro2api.dialects.dialect import Asked, Dialect
from kiro2api.dialects.responses.dialect import ResponsesDialect
from kiro2api.dialects.responses.recall import wanted
from kiro2api.errors import RequestRejected
from kiro2api.exchange import Offers
from kiro2api.exchange_way import Way, find_way
from kiro2api.explain_repairs import repairs
from kiro2api.kiro.models import Catalogue, Model
from kiro2api.kiro.prepared import Prepared
from kiro2api.kiro.reasoning import Abilities
from kiro2api.kiro.request import conversation_key, prepare
from kiro2api.redaction import Secret
from kiro2api.upstream.headers import RequestHeaders
from kiro2api.websearch_tool import planned

DIALECTS: Final[Mapping[str, Dialect]] = {
    "anthropic": ANTHROPIC,
    "chat": CHAT,
    "responses": ResponsesDialect(),
}

_NOBODY: Final = Account(fingerprint="", name="", method="social")
_UNSIGNED_IN: Final = Credentials(access_token=Secret(""), refresh_token=Secret(""))
MOST_ACCOUNTS: Final = 20
"""Accounts of a group that are told of."""
_FIRST_MOMENT: Final = ("host", "content-length")
"""Headers that are only written with the request itself."""


class Explainer:
    """Explains requests.

    :param members: the accounts of a group; raises NotFound for an unknown one.
    :param new_id: gives a fresh UUID text.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        members: Callable[[str], Sequence[Account]],
        offers: Offers,
        *,
        default_group: str,
        tool_description_limit: int,
        new_id: Callable[[], str],
        replay_thinking: bool = True,
        enforce_max_tokens: bool = True,
    ) -> None:
        self._catalogue = catalogue
        self._members = members
        self._offers = offers
        self.default_group = default_group
        self._tool_description_limit = tool_description_limit
        self._new_id = new_id
        self._replay_thinking = replay_thinking
        self._enforce_max_tokens = enforce_max_tokens
        self._abilities = Abilities()
        self._headers = RequestHeaders(__version__, new_id)

    def explain(self, dialect_name: str, body: bytes, group: str = "") -> dict[str, Any]:
        """All that can be said of ``body``, as a value to encode as JSON.

        A request that would be refused is explained, too: ``error`` says why, and ``payload`` is
        null. Raises RequestRejected for an unknown dialect, NotFound for an unknown group.
        """
        dialect = DIALECTS.get(dialect_name)
        if dialect is None:
            raise RequestRejected(f"dialect: must be one of {', '.join(DIALECTS)}", param="dialect")
        group = group or self.default_group
        members = self._members(group)
        accounts, more = members[:MOST_ACCOUNTS], max(0, len(members) - MOST_ACCOUNTS)
        told: dict[str, Any] = {"dialect": dialect.name, "group": group, "payload": None}
        try:
            asked = dialect.parse(body)
        except RequestRejected as error:
            return {**told, "error": _error(error, dialect, "parse")}
        model = self._catalogue.resolve(asked.model)
        ways = [self._way(asked.conversation, model, account) for account in accounts]
        way = ways[0] if ways else self._way(asked.conversation, model, None)
        told |= {
            "model": _model(asked, model),
            "accounts": list(map(self._account, accounts, ways)),
            "tokens": {"estimate": estimate(asked.conversation), "window": way.window},
            "headers": self._header_names(accounts[0] if accounts else _NOBODY),
            "notes": _notes(asked, body, accounts, more),
        }
        try:
            prepared = self._prepared(asked.conversation, way)
        except RequestRejected as error:
            return {**told, "error": _error(error, dialect, "translation")}
        payload = prepared.body(way.model, "", way.fields, way.cache_points, way.point_tokens)
        sent = msgspec.json.decode(payload)
        told["payload"] = msgspec.Raw(payload)
        told["sizes"] = _sizes(payload, sent)
        told["repairs"] = repairs(
            asked.conversation,
            sent,
            prepared.names,
            enforce_max_tokens=self._enforce_max_tokens,
        )
        return {**told, "error": None}

    def _prepared(self, conversation: Conversation, way: Way) -> Prepared:
        plan = planned(conversation)
        return prepare(
            conversation if plan is None else plan.conversation,
            conversation_id=conversation_key(conversation),
            continuation_id=self._new_id(),
            tool_description_limit=self._tool_description_limit,
            replay_thinking=way.replay,
            preface=way.preface,
            documents=way.documents,
        )

    def _way(self, conversation: Conversation, model: Model, account: Account | None) -> Way:
        return find_way(
            model,
            None if account is None else self._offers.known(account),
            conversation,
            abilities=self._abilities,
            replay=self._replay_thinking,
        )

    def _account(self, account: Account, way: Way) -> dict[str, Any]:
        offered = self._offers.known(account)
        return {
            "id": account.fingerprint,
            "name": account.name,
            "upstream_model": way.model,
            # None: the account's list of models is not known yet.
            "offered": None if offered is None else way.model in {entry.id for entry in offered},
            "window": way.window,
            "max_output": way.max_output,
            "additional_fields": bool(way.fields),
            "thinking_tags": bool(way.preface),
            "replays_thinking": way.replay,
            "cache_points": way.cache_points,
            "documents": way.documents,
        }

    def _header_names(self, account: Account) -> list[str]:
        headers = self._headers.answering(account, _UNSIGNED_IN)
        self._headers.forget(account)
        names = {name.decode("ascii").lower() for name, _ in headers.getAllRawHeaders()}
        return sorted(names.union(_FIRST_MOMENT))


def _model(asked: Asked, model: Model) -> dict[str, Any]:
    return {
        "asked": asked.model,
        "name": model.name,
        "known": model.known,
        "candidates": model.candidates,
        "window": model.window,
        "max_output": model.max_output,
        "images": model.images,
    }


def _error(error: RequestRejected, dialect: Dialect, stage: str) -> dict[str, Any]:
    return {
        "stage": stage,
        "status": dialect.status(error),
        "message": error.message,
        "param": error.param,
        "code": error.code,
        "rule": error.details.get("rule"),
        "path": error.details.get("path"),
    }


def _notes(asked: Asked, body: bytes, accounts: Sequence[Account], more: int) -> list[str]:
    notes = []
    if more:
        notes.append(f"the group has {more} more accounts, which are not shown")
    if len(accounts) > 1:
        notes.append("the payload is that for the first account")
    if not accounts or accounts[0].method != "api_key":
        notes.append("profileArn, where the account has one, is added when it is sent")
    if asked.conversation.server_tools:
        notes.append("the web search is carried out here, in further rounds that are not shown")
    if wanted(body).previous:
        notes.append("previous_response_id is not looked up: the turns before are not shown")
    return notes


class _Context(msgspec.Struct, frozen=True):
    tools: msgspec.Raw = msgspec.Raw(b"")
    toolResults: msgspec.Raw = msgspec.Raw(b"")


class _Current(msgspec.Struct):
    userInputMessageContext: _Context = _Context()


class _CurrentMessage(msgspec.Struct):
    userInputMessage: msgspec.Raw


class _State(msgspec.Struct):
    history: msgspec.Raw
    currentMessage: _CurrentMessage


class _Payload(msgspec.Struct):
    conversationState: _State
    additionalModelRequestFields: msgspec.Raw = msgspec.Raw(b"")


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_CURRENT: Final = msgspec.json.Decoder(_Current)


def _sizes(payload: bytes, sent: Any) -> dict[str, int]:
    """Bytes of JSON by part. Tools and results are part of the current message, images (in base64)
    of their messages. Counted in the text itself: not every number in it could be written again."""
    parts = _PAYLOAD.decode(payload)
    state = parts.conversationState
    current = state.currentMessage.userInputMessage
    context = _CURRENT.decode(current).userInputMessageContext
    sizes = {
        "total": payload,
        "history": state.history,
        "current_message": current,
        "tools": context.tools,
        "tool_results": context.toolResults,
        "additional_fields": parts.additionalModelRequestFields,
    }
    messages = [*sent["conversationState"]["history"], sent["conversationState"]["currentMessage"]]
    images = (image for m in messages for i in m.values() for image in i.get("images") or ())
    return {
        **{name: len(bytes(part)) for name, part in sizes.items()},
        "images": sum(len(image["source"]["bytes"]) for image in images),
    }
