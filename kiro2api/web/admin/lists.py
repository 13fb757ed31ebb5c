# -*- test-case-name: tests.web.admin.test_lists -*-
"""Lists of the operator's API: searched, sorted and in pages, as the query says.

For lists that are in memory. Must not know what is in them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kiro2api.errors import RequestRejected
from kiro2api.web.site import ApiRequest

PAGE_SIZE: Final = 50
LARGEST_PAGE: Final = 500
_LATEST: Final = 253402300799.0


def argument(request: ApiRequest, name: str) -> str:
    """The first value of a query parameter, empty if there is none."""
    value: bytes = request.args.get(name.encode("ascii"), [b""])[0]
    return value.decode("utf-8", "replace")


def whole(request: ApiRequest, name: str, default: int, largest: int) -> int:
    """A query parameter as a number from 1; raises RequestRejected."""
    text = argument(request, name)
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not 1 <= number <= largest:
        raise RequestRejected(f"this must be a whole number from 1 to {largest}", param=name)
    return number


def page_of(
    request: ApiRequest,
    items: Sequence[Mapping[str, Any]],
    *,
    sorts: Sequence[str],
    search: Callable[[Mapping[str, Any]], str],
) -> dict[str, Any]:
    """The page that the query asks for: ``q``, ``sort``, ``page``, ``page_size``.

    :param sorts: the fields by which may be sorted; equal ones stay in order.
    :param search: the text of an item in which ``q`` is looked for, in any case.
    :raises RequestRejected: naming the parameter.
    """
    size = whole(request, "page_size", PAGE_SIZE, LARGEST_PAGE)
    page = whole(request, "page", 1, 1_000_000)
    found = list(items)
    if wanted := argument(request, "q").casefold():
        found = [item for item in found if wanted in search(item).casefold()]
    if sort := argument(request, "sort"):
        field = sort.removeprefix("-")
        if field not in sorts:
            raise RequestRejected(f"lists are sorted by {', '.join(sorts)}", param="sort")
        found.sort(key=lambda item: _sortable(item[field]), reverse=sort.startswith("-"))
    start = (page - 1) * size
    return {
        "items": found[start : start + size],
        "total": len(found),
        "page": page,
        "page_size": size,
    }


def _sortable(value: object) -> tuple[bool, Any]:
    """Nothing comes first; texts in any case."""
    return value is not None, value.casefold() if isinstance(value, str) else value or 0


def read_moment(text: str, param: str) -> float:
    """Epoch seconds of an RFC 3339 text, in UTC if it names no zone; 0 for an empty text."""
    if not text.strip():
        return 0.0
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        epoch = moment.timestamp()
    except (ValueError, OverflowError):
        epoch = -1.0
    if not 0 <= epoch <= _LATEST:
        raise RequestRejected("this must be a time like 2030-01-31T12:00:00Z", param=param)
    return epoch
