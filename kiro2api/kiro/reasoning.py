# -*- test-case-name: tests.kiro.test_reasoning -*-
"""What a client said about thinking, as the request fields that the model at hand takes.

Must not know accounts or bodies: which model it is, and its own schema, come in as arguments.

Wire: ``additionalModelRequestFields`` is checked against a schema per model, which
ListAvailableModels delivers with some models; each maker's models refuse the other's fields, and
older ones refuse all.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kiro2api.conversation.question import Reasoning

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All efforts that clients or models know, the least first."""

# From how many tokens of budget on a client that thinks in budgets means which effort.
_BUDGETS: Final = ((64_000, "max"), (32_001, "xhigh"), (16_000, "high"), (4_096, "medium"))


class Ability(msgspec.Struct, frozen=True):
    """The fields that a model takes; an empty tuple: not at all.

    ``thinking`` and ``displays`` are values of ``thinking.type`` and ``thinking.display``,
    ``budget`` whether ``thinking.budget_tokens`` exists; ``efforts`` are those of
    ``output_config.effort``, ``reasoning`` those of ``reasoning.effort``.
    """

    thinking: tuple[str, ...] = ()
    displays: tuple[str, ...] = ()
    budget: bool = False
    efforts: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.thinking or self.efforts or self.reasoning)


_NOTHING: Final = Ability()
_KINDS: Final = ("adaptive", "disabled")
_FOUR: Final = ("low", "medium", "high", "max")
_FIVE: Final = ("low", "medium", "high", "xhigh", "max")
_CLAUDE: Final = Ability(thinking=_KINDS, displays=("summarized", "omitted"), efforts=_FIVE)
_CLAUDE_4_6: Final = Ability(thinking=_KINDS, efforts=_FOUR)
_GPT: Final = Ability(reasoning=("none", "low", "medium", "high", "xhigh", "max"))

_CLAUDE_NAME: Final = re.compile(r"claude-[a-z]+-(\d+)(?:\.(\d+))?(?![\d.])")
_GPT_NAME: Final = re.compile(r"gpt-(\d+)(?:\.(\d+))?")

_encode = msgspec.json.Encoder().encode


def ability_of(model_id: str, schema: bytes = b"") -> Ability:
    """What this model takes: by its own schema, else by its family.

    :param model_id: the upstream's id.
    :param schema: JSON text of its ``additionalModelRequestFieldsSchema``, empty if it has none.
    """
    if schema:
        try:
            return _told(msgspec.json.decode(schema))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _by_family(model_id.lower())


class Abilities:
    """``ability_of``, remembered: schemas are few and the same for every question."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._known: dict[tuple[str, bytes], Ability] = {}

    def of(self, model_id: str, schema: bytes) -> Ability:
        """See ``ability_of``."""
        key = (model_id, schema)
        ability = self._known.get(key)
        if ability is None:
            if len(self._known) >= self._capacity:
                self._known.clear()
            ability = self._known[key] = ability_of(model_id, schema)
        return ability


def takes_tags(model_id: str) -> bool:
    """Whether a model without such fields may be asked by tags: they are Claude's own."""
    return model_id == "auto" or "claude" in model_id.lower()


def request_fields(wanted: Reasoning, ability: Ability) -> bytes:
    """JSON text of the fields; empty where nothing was said or nothing can be passed on."""
    if wanted.mode is None and wanted.effort is None:
        return b""
    fields = _openai(wanted, ability) if ability.reasoning else _anthropic(wanted, ability)
    return _encode(fields) if fields else b""


def _openai(wanted: Reasoning, ability: Ability) -> dict[str, Any]:
    effort = "none" if wanted.mode == "disabled" else _effort(wanted) or "medium"
    if effort == "none" and "none" not in ability.reasoning:
        return {}
    clamped = nearest(effort, ability.reasoning)
    return {"reasoning": {"effort": clamped}} if clamped else {}


def _anthropic(wanted: Reasoning, ability: Ability) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    thinking: dict[str, Any] = {}
    if wanted.mode == "disabled":
        if "disabled" in ability.thinking:
            thinking["type"] = "disabled"
    elif wanted.mode is not None:
        if "adaptive" in ability.thinking:
            thinking["type"] = "adaptive"
        elif "enabled" in ability.thinking:
            thinking["type"] = "enabled"
            if ability.budget and wanted.budget_tokens is not None:
                thinking["budget_tokens"] = wanted.budget_tokens
        # Whoever asks for reasoning wants to see it unless they say otherwise.
        display = wanted.display or "summarized"
        if thinking and display in ability.displays:
            thinking["display"] = display
    if thinking:
        fields["thinking"] = thinking
    effort = wanted.effort if wanted.mode in (None, "disabled") else _effort(wanted)
    if effort is not None and (clamped := nearest(effort, ability.efforts)):
        fields["output_config"] = {"effort": clamped}
    return fields


def _effort(wanted: Reasoning) -> str | None:
    if wanted.effort is not None or wanted.budget_tokens is None:
        return wanted.effort
    for least, effort in _BUDGETS:
        if wanted.budget_tokens >= least:
            return effort
    return "low"


def nearest(effort: str, known: Sequence[str]) -> str:
    """The effort among ``known`` that comes closest, the higher of two; "" for a word that is
    none. No effort at all is only ever ``none``."""
    effort = effort.lower()
    if effort in known:
        return effort
    if effort not in EFFORTS:
        return ""
    wanted = EFFORTS.index(effort)
    ranks = [EFFORTS.index(name) for name in known if name in EFFORTS and name != "none"]
    ranks.sort(key=lambda rank: (abs(rank - wanted), -rank))
    return EFFORTS[ranks[0]] if ranks else ""


def _by_family(name: str) -> Ability:
    if found := _CLAUDE_NAME.search(name):
        version = _version(found)
        if version >= (4, 7):
            return _CLAUDE
        return _CLAUDE_4_6 if version >= (4, 6) else _NOTHING
    if found := _GPT_NAME.match(name):
        return _GPT if _version(found) >= (5, 6) else _NOTHING
    return _NOTHING


def _version(found: re.Match[str]) -> tuple[int, int]:
    return int(found[1]), int(found[2] or 0)


def _told(schema: object) -> Ability:
    return Ability(
        thinking=_values(schema, "thinking", "type"),
        displays=_values(schema, "thinking", "display"),
        budget=_property(schema, "thinking", "budget_tokens") is not None,
        efforts=_values(schema, "output_config", "effort"),
        reasoning=_values(schema, "reasoning", "effort"),
    )


def _property(schema: object, *path: str) -> dict[str, Any] | None:
    for name in path:
        properties = schema.get("properties") if isinstance(schema, dict) else None
        schema = properties.get(name) if isinstance(properties, dict) else None
    return schema if isinstance(schema, dict) else None


def _values(schema: object, *path: str) -> tuple[str, ...]:
    place = _property(schema, *path) or {}
    values = place.get("enum")
    if not isinstance(values, list):
        values = [place["const"]] if "const" in place else []
    return tuple(value for value in values if isinstance(value, str))
