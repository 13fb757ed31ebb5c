# -*- test-case-name: tests.emulator.test_generation -*-
"""What the emulator's control plane lists: models and profiles.

Must not know HTTP. Wire: shapes as the runtime service publishes them, values invented.
"""

from typing import Any, Final

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.kiro.models import BUILT_IN, Model

# The provider's list grows faster than the gateway's table: this one is in no table.
_NEWER = Model("claude-opus-5.5", ("claude-opus-5-5",), ("claude-opus-5.5",), 1_000_000, 128_000)
MODELS: Final = {model.name: model for model in (*BUILT_IN, _NEWER)}

_REASONING_CLAUDES: Final = (
    "claude-opus-5",
    "claude-fable-5",
    "claude-sonnet-5",
    "claude-opus-4.8",
    "claude-opus-4.7",
    "claude-opus-4.6",
    "claude-sonnet-4.6",
)
ORIGINS: Final = frozenset(
    {
        *("AI_EDITOR", "CHATBOT", "CLI", "CONSOLE", "DOCUMENTATION", "GITLAB", "IDE"),
        *("INLINE_CHAT", "KIRO_CLI", "KIRO_WEB", "MARKETING", "MD", "MD_CE", "MD_IDE", "MOBILE"),
        *("OPENSEARCH_DASHBOARD", "Q_DEV_BEXT", "SAGE_MAKER", "SERVICE_INTERNAL"),
        *("SM_AI_STUDIO_IDE", "UNIFIED_SEARCH", "UNKNOWN"),
    }
)
RESOURCES: Final = frozenset({"AGENTIC_REQUEST", "CREDIT", "SPEC", "VIBE"})

CHECKPOINTS: Final = 4
"""Points of the prompt cache in one request, for the models that have one."""

_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")

_RATES = {"opus": 2.2, "haiku": 0.4, "sonnet": 1.3}


def offered(account: EmulatedAccount) -> tuple[str, ...]:
    """The model ids that an account may use."""
    return account.models or tuple(MODELS)


def window(model_id: str) -> int:
    """Tokens of context of a model."""
    return MODELS.get(model_id, MODELS["auto"]).window


def rate(model_id: str) -> float:
    """How many credits a model costs relative to the cheapest way."""
    return next((rate for word, rate in _RATES.items() if word in model_id), 1.0)


def models(account: EmulatedAccount, first: int, size: int) -> dict[str, Any]:
    """One page of ListAvailableModels, from the entry number ``first`` on."""
    ids = offered(account)
    page: dict[str, Any] = {
        "models": [_model(id) for id in ids[first : first + size]],
        "defaultModel": {"modelId": "auto" if "auto" in ids else ids[0]},
    }
    if first + size < len(ids):
        page["nextToken"] = str(first + size)
    return page


def fields_schema(id: str) -> dict[str, Any] | None:
    """What a model takes as additional request fields; None for an older one, which takes none."""
    if id.startswith("gpt-"):
        return _object(reasoning=_object(effort=_one_of("none", *_EFFORTS)))
    if not id.startswith(_REASONING_CLAUDES):
        return None
    thinking = {"type": _one_of("adaptive", "disabled")}
    efforts: tuple[str, ...] = _EFFORTS
    if id.endswith("-4.6"):
        efforts = tuple(effort for effort in efforts if effort != "xhigh")
    else:
        thinking["display"] = _one_of("summarized", "omitted")
    return _object(thinking=_object(**thinking), output_config=_object(effort=_one_of(*efforts)))


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _model(id: str) -> dict[str, Any]:
    model = MODELS.get(id) or Model(id, (), (id,))
    schema = fields_schema(id)
    more = {} if schema is None else {"additionalModelRequestFieldsSchema": schema}
    return {
        **more,
        "modelId": id,
        "modelName": model.display or id,
        "description": "A model of the emulator",
        "rateMultiplier": rate(id),
        "rateUnit": "Credit",
        "supportedInputTypes": ["TEXT", "IMAGE"] if model.images else ["TEXT"],
        "tokenLimits": {"maxInputTokens": model.window, "maxOutputTokens": model.max_output},
        "promptCaching": _caching(id),
    }


def checkpoints(id: str) -> int:
    """How many points of a prompt cache a model takes; 0 for one without such a cache."""
    return CHECKPOINTS if id.startswith(_REASONING_CLAUDES) else 0


def _caching(id: str) -> dict[str, Any]:
    points = checkpoints(id)
    if not points:
        return {"supportsPromptCaching": False}
    return {
        "supportsPromptCaching": True,
        "maximumCacheCheckpointsPerRequest": points,
        "minimumTokensPerCacheCheckpoint": 4096,
    }


def profiles(account: EmulatedAccount) -> dict[str, Any]:
    """ListAvailableProfiles."""
    if not account.profile_arn:
        return {"profiles": []}
    profile = {
        "arn": account.profile_arn,
        "profileName": "EmulatedProfile",
        "profileType": "KIRO",
        "status": "ACTIVE",
    }
    return {"profiles": [profile]}
