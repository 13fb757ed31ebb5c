# -*- test-case-name: tests.upstream.test_listings -*-
"""The answers of the upstream's control plane as values.

Pure. Must not know how they were fetched. Wire: unknown keys come and go and an entry may be odd;
an entry that cannot be understood is left out, a page that cannot is a ProtocolViolation.
"""

from typing import Final, TypeVar

import msgspec

from kiro2api.errors import ProtocolViolation
from kiro2api.upstream.interfaces import OfferedModel

_T = TypeVar("_T")


class OfferedProfile(msgspec.Struct, frozen=True):
    """One profile of an account; ``kind`` is KIRO, Q_DEVELOPER or CODEWHISPERER."""

    arn: str
    name: str = ""
    kind: str = ""
    status: str = ""


class _Limits(msgspec.Struct):
    maxInputTokens: float | None = None
    maxOutputTokens: float | None = None


class _Caching(msgspec.Struct):
    supportsPromptCaching: bool = False
    maximumCacheCheckpointsPerRequest: float | None = None
    minimumTokensPerCacheCheckpoint: float | None = None


class _Model(msgspec.Struct):
    modelId: str
    modelName: str | None = None
    tokenLimits: _Limits | None = None
    supportedInputTypes: tuple[str, ...] | None = None
    additionalModelRequestFieldsSchema: msgspec.Raw = msgspec.Raw(b"null")
    promptCaching: _Caching | None = None


class _ModelsPage(msgspec.Struct):
    models: list[msgspec.Raw] | None = None
    nextToken: str | None = None


class _Profile(msgspec.Struct):
    arn: str
    profileName: str | None = None
    profileType: str | None = None
    status: str | None = None


class _ProfilesPage(msgspec.Struct):
    profiles: list[msgspec.Raw] | None = None
    nextToken: str | None = None


MAX_SCHEMA: Final = 64 * 1024
"""Bytes of a schema that are kept with a model."""

_UNLIMITED: Final = _Limits()
_UNCACHED: Final = _Caching()
_MODELS: Final = msgspec.json.Decoder(_ModelsPage)
_MODEL: Final = msgspec.json.Decoder(_Model)
_PROFILES: Final = msgspec.json.Decoder(_ProfilesPage)
_PROFILE: Final = msgspec.json.Decoder(_Profile)


def parse_models(body: bytes) -> tuple[list[OfferedModel], str]:
    """One page of ListAvailableModels and the token of the next page ("" on the last)."""
    page = _decoded(_MODELS, body)
    models = [
        OfferedModel(
            id=entry.modelId,
            name=entry.modelName or "",
            max_input_tokens=_count((entry.tokenLimits or _UNLIMITED).maxInputTokens),
            max_output_tokens=_count((entry.tokenLimits or _UNLIMITED).maxOutputTokens),
            input_types=entry.supportedInputTypes or (),
            fields_schema=_object(entry.additionalModelRequestFieldsSchema),
            supports_caching=(entry.promptCaching or _UNCACHED).supportsPromptCaching,
            max_checkpoints=_count(
                (entry.promptCaching or _UNCACHED).maximumCacheCheckpointsPerRequest
            ),
            min_checkpoint_tokens=_count(
                (entry.promptCaching or _UNCACHED).minimumTokensPerCacheCheckpoint
            ),
        )
        for entry in _entries(_MODEL, page.models)
        if entry.modelId
    ]
    return models, page.nextToken or ""


def parse_profiles(body: bytes) -> tuple[list[OfferedProfile], str]:
    """One page of ListAvailableProfiles and the token of the next page ("" on the last)."""
    page = _decoded(_PROFILES, body)
    profiles = [
        OfferedProfile(
            entry.arn, entry.profileName or "", entry.profileType or "", entry.status or ""
        )
        for entry in _entries(_PROFILE, page.profiles)
        if entry.arn
    ]
    return profiles, page.nextToken or ""


def _decoded(decoder: "msgspec.json.Decoder[_T]", body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without the library's text, which may quote the body.
        raise ProtocolViolation(
            "the upstream's answer is not the expected JSON", code="unexpected_json"
        ) from None


def _entries(decoder: "msgspec.json.Decoder[_T]", raws: list[msgspec.Raw] | None) -> list[_T]:
    entries = []
    for raw in raws or ():
        try:
            entries.append(decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return entries


def _object(raw: msgspec.Raw) -> bytes:
    """A schema, unless it is none or so large that something is wrong with it."""
    data = bytes(raw)
    return data if data[:1] == b"{" and len(data) <= MAX_SCHEMA else b""


def _count(value: float | None) -> int:
    return int(value) if value is not None and 0 < value < 2**53 else 0
