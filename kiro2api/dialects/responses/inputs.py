# -*- test-case-name: tests.dialects.responses.test_inputs -*-
"""The list of items that a response was asked with, in pages.

Wire: ``GET /v1/responses/{id}/input_items`` of OpenAI. Must not know where the items are held.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kiro2api.dialects.chat.shapes import NOTHING
from kiro2api.errors import RequestRejected

_MOST: Final = 100
_USUAL: Final = 20

_WITH_STATUS: Final = ("_call", "_output")

_ITEM: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_encode: Final = msgspec.json.Encoder().encode


def page(response_id: str, items: Sequence[bytes], query: Mapping[str, str]) -> bytes:
    """One page as JSON, newest first unless ``order=asc``; raises RequestRejected naming the
    parameter at fault.

    :param query: ``limit`` of 1 to 100, ``order``, ``after``: the id of the last item known.
    """
    limit = query.get("limit") or str(_USUAL)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MOST):
        raise RequestRejected(f"limit: must be a number from 1 to {_MOST}", param="limit")
    order = query.get("order") or "desc"
    if order not in ("asc", "desc"):
        raise RequestRejected("order: must be asc or desc", param="order")
    shown = [_shown(response_id, index, item) for index, item in enumerate(items)]
    if order == "desc":
        shown.reverse()
    names = [name for name, _ in shown]
    start = 0
    if after := query.get("after"):
        if after not in names:
            raise RequestRejected(f"after: there is no item {after!r}", param="after")
        start = names.index(after) + 1
    stop = start + int(limit)
    return _encode(
        {
            "object": "list",
            "data": [item for _, item in shown[start:stop]],
            # Clients declare both as texts.
            "first_id": names[start] if start < len(names) else "",
            "last_id": names[start:stop][-1] if start < len(names) else "",
            "has_more": stop < len(names),
        }
    )


def _shown(response_id: str, index: int, item: bytes) -> tuple[str, dict[str, object]]:
    """An item with what the client may leave out: an id, the kind, the list around a text."""
    if item[:1] == b'"':
        item = _encode({"role": "user", "content": _STRING.decode(item)})
    given = _ITEM.decode(item)
    raw = given.get("id", NOTHING)
    # One that is made up is the same whenever it is asked for, so that it can be gone on from.
    name = _text(raw) or f"msg_{response_id.removeprefix('resp_')}i{index:02x}"
    shown: dict[str, object] = {"type": "message", **given, "id": name}
    kind = _text(given.get("type", NOTHING)) or "message"
    if kind == "message" or kind.endswith(_WITH_STATUS):
        # Clients declare it, and need not send it.
        shown["status"] = _text(given.get("status", NOTHING)) or "completed"
    content = given.get("content", NOTHING)
    if "role" in given and bytes(content)[:1] == b'"':
        part: dict[str, object] = {"type": "input_text", "text": content}
        if _text(given["role"]) == "assistant":
            part = {"type": "output_text", "text": content, "annotations": []}
        shown["content"] = [part]
    return name, shown


def _text(raw: msgspec.Raw) -> str:
    return _STRING.decode(raw) if bytes(raw)[:1] == b'"' else ""
