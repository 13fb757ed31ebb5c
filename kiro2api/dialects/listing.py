# -*- test-case-name: tests.dialects.test_listing -*-
"""The list of models, as Anthropic and as OpenAI clients expect it.

Must not know where the models come from.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

_MOST: Final = 1000

_encode: Final = msgspec.json.Encoder().encode


class ListedModel(msgspec.Struct, frozen=True):
    """One model: ``created`` is in epoch seconds."""

    id: str
    display_name: str
    created: int
    owned_by: str


def anthropic_models(
    entries: Sequence[ListedModel],
    limit: int | None = None,
    after_id: str | None = None,
    before_id: str | None = None,
) -> bytes:
    """One page of the list: all of it without a limit, nothing beside an id that is not in it."""
    size = _MOST if limit is None else min(max(limit, 1), _MOST)
    positions = {entry.id: index for index, entry in enumerate(entries)}
    if after_id:
        start = positions.get(after_id, len(entries)) + 1
        page, more = entries[start : start + size], start + size < len(entries)
    elif before_id:
        stop = positions.get(before_id, 0)
        start = max(stop - size, 0)
        page, more = entries[start:stop], start > 0
    else:
        page, more = entries[:size], size < len(entries)
    return _encode(
        {
            "data": [_anthropic(entry) for entry in page],
            "has_more": more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


def anthropic_model(entry: ListedModel) -> bytes:
    """One model."""
    return _encode(_anthropic(entry))


def openai_models(entries: Sequence[ListedModel]) -> bytes:
    """The whole list: clients of this dialect know no pages."""
    return _encode({"object": "list", "data": [_openai(entry) for entry in entries]})


def openai_model(entry: ListedModel) -> bytes:
    """One model."""
    return _encode(_openai(entry))


def _anthropic(entry: ListedModel) -> dict[str, object]:
    return {
        "type": "model",
        "id": entry.id,
        "display_name": entry.display_name,
        "created_at": datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _openai(entry: ListedModel) -> dict[str, object]:
    return {
        "id": entry.id,
        "object": "model",
        "created": entry.created,
        "owned_by": entry.owned_by,
    }
