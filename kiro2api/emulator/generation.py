# -*- test-case-name: tests.emulator.test_generation -*-
"""GenerateAssistantResponse without HTTP: who may ask what, and what the answer consists of.

As strict as the upstream is known to be, so that whoever gets past the emulator gets past it too.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kiro2api.emulator.accounts import Accounts, Member
from kiro2api.emulator.answers import answer
from kiro2api.emulator.listings import checkpoints, fields_schema, offered, rate, window
from kiro2api.emulator.performance import Part, Performance
from kiro2api.emulator.replies import Refused, denied, invalid, refusal
from kiro2api.emulator.script import Script
from kiro2api.kiro.rules import check

_CHARS_PER_TOKEN = 4


class Generation:
    """Checks requests and composes answers. ``seed`` makes the signatures this emulator's own."""

    def __init__(self, accounts: Accounts, seed: int) -> None:
        self._accounts = accounts
        self._seed = seed

    def admit(self, body: Mapping[str, Any], member: Member, size: int) -> None:
        """Raise Refused if the upstream would not answer this body of ``size`` bytes."""
        violations = check(body)
        if violations:
            first = violations[0]
            where = f"{first.path}: {first.message}"
            raise invalid(f"Improperly formed request. ({where})", first.reason)
        profile(body.get("profileArn"), member)
        model = _model(body)
        if model not in offered(member.account):
            raise invalid(f"Model {model} is not available.", "INVALID_MODEL_ID")
        _extra_fields(body, model)
        _cache_points(body, model)
        self._signatures(body, member)
        if _percent(body, model, size) > 100:
            raise invalid("Input is too long.", "CONTENT_LENGTH_EXCEEDS_THRESHOLD")
        if reason := member.plan.refusal:
            message = "You have reached the limit for this month."
            raise Refused(refusal("ServiceQuotaExceededException", message, reason))

    def compose(self, body: Any, member: Member, script: Script, size: int) -> Performance:
        """What will be answered; charges the account for it."""
        model = _model(body)
        said = answer(body)
        text = said.text if script.text is None else script.text
        thinking = script.thinking or said.thinking
        if script.calls is None:
            calls = [(call.name, call.input, "") for call in said.calls]
        else:
            calls = [
                (call.name, bytes(call.input).decode(), call.id)
                if call.raw_input is None
                else (call.name, call.raw_input, call.id)
                for call in script.calls
            ]
        ids = [id or self._accounts.made("tooluse_") for _, _, id in calls]
        if script.same_ids:
            ids = ids[:1] * len(ids)
        percent = _percent(body, model, size)
        cost = rate(model) * (0.005 + size / 4_000_000)
        credits = cost if script.credits is None else script.credits
        member.charge(credits)
        return Performance(
            model=model,
            text=text,
            parts=tuple(
                Part(id, name, json) for id, (name, json, _) in zip(ids, calls, strict=True)
            ),
            thinking=thinking,
            signature=script.signature or (self.signature(member, thinking) if thinking else ""),
            redacted=script.redacted,
            context_percent=percent if script.context_percent is None else script.context_percent,
            credits=credits,
        )

    def signature(self, member: Member, thinking: str) -> str:
        """Proof that this emulator gave this reasoning to this account."""
        text = f"{self._seed}:{member.name}:{thinking}"
        return base64.b64encode(hashlib.sha256(text.encode()).digest() * 3).decode()

    def _signatures(self, body: Mapping[str, Any], member: Member) -> None:
        for turn in _history(body):
            reasoning = (turn.get("assistantResponseMessage") or {}).get("reasoningContent") or {}
            shown = reasoning.get("reasoningText") or {}
            given = shown.get("signature")
            if given and given != self.signature(member, shown["text"]):
                message = "Invalid `signature` in `thinking` block"
                raise invalid(message, "THINKING_SIGNATURE_INVALID")


def profile(arn: object, member: Member) -> None:
    """Raise Refused unless the account may be used with this profile ARN (None: with none).

    Wire: API keys are refused with any, others with a foreign one.
    """
    account = member.account
    if account.method == "api_key":
        if arn is not None:
            raise denied("User is not authorized to make this call.")
    elif arn is None:
        if account.profile == "required":
            raise invalid("profileArn is required for this request.", None)
    elif arn != account.profile_arn:
        raise denied("User is not authorized to make this call.")


def _message(body: Mapping[str, Any]) -> Mapping[str, Any]:
    message: Mapping[str, Any] = body["conversationState"]["currentMessage"]["userInputMessage"]
    return message


def _history(body: Mapping[str, Any]) -> list[Any]:
    return body["conversationState"].get("history") or []


def _model(body: Mapping[str, Any]) -> str:
    return _message(body).get("modelId") or "auto"


def _cache_points(body: Mapping[str, Any], model: str) -> None:
    """Wire: a point belongs to a message. One among the tools was seen to be refused."""
    tools = (_message(body).get("userInputMessageContext") or {}).get("tools") or ()
    if any("cachePoint" in tool for tool in tools):
        raise invalid("cachePoint is not supported in tools", "REQUEST_BODY_INVALID")
    turns = (*_history(body), {"userInputMessage": _message(body)})
    points = sum("cachePoint" in (message or {}) for turn in turns for message in turn.values())
    most = checkpoints(model)
    if points and not most:
        raise invalid("cachePoint is not supported for this model", "REQUEST_BODY_INVALID")
    if points > most:
        raise invalid(f"At most {most} cachePoint blocks are allowed", "REQUEST_BODY_INVALID")


def _extra_fields(body: Mapping[str, Any], model: str) -> None:
    """Wire: the fields are checked against the schema of the model; each maker has its own."""
    fields = body.get("additionalModelRequestFields")
    if not fields:
        return
    schema = fields_schema(model)
    if schema is None:
        message = "additionalModelRequestFields is not supported for this model"
        raise invalid(message, "REQUEST_BODY_INVALID")
    if message := _against(schema, fields):
        message = f"Invalid additionalModelRequestFields: {message}"
        raise invalid(message, "REQUEST_BODY_INVALID")


def _against(schema: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """What a value has against a schema of the few keywords that occur."""
    for key, value in fields.items():
        inner = schema["properties"].get(key)
        if inner is None:
            return f"property '{key}' is not defined in the schema"
        if inner["type"] == "object":
            if message := _against(inner, value):
                return message
        elif value not in inner["enum"]:
            return f"'{value}' is not one of {inner['enum']}"
    return ""


def _percent(body: Mapping[str, Any], model: str, size: int) -> float:
    """Share of the context window, in percent; images count nothing here."""
    images = sum(len(image["source"]["bytes"]) for image in _images(body))
    return round((size - images) / _CHARS_PER_TOKEN / window(model) * 100, 4)


def _images(body: Mapping[str, Any]) -> Iterator[Any]:
    for turn in (*_history(body), {"userInputMessage": _message(body)}):
        yield from (turn.get("userInputMessage") or {}).get("images") or ()


def decoded(raw: bytes) -> Any:
    """The JSON of a body, None where it is none."""
    try:
        return msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
