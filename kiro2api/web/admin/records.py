# -*- test-case-name: tests.web.admin.test_records -*-
"""The routes of the request log: a page, one request, all as CSV.

Must not know where records are kept.
"""

from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from klein import Klein
from twisted.internet.defer import Deferred

from kiro2api.errors import NotFound, RequestRejected
from kiro2api.metering_search import RecordFilter, RecordPage, StoredRecord
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.lists import PAGE_SIZE, argument, read_moment, whole
from kiro2api.web.admin.records_csv import CsvExport
from kiro2api.web.gate import Gate
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

_OUTCOMES: Final = ("served", "failed", "abandoned", "refused")
_MOST: Final = 500


class RecordSource(Protocol):
    """Where records are kept."""

    def page(
        self, wanted: RecordFilter, before: int | None = None, limit: int = 50
    ) -> Deferred[RecordPage]:
        """The newest records that are wanted, from before a number."""

    def read(self, request_id: str) -> Deferred[StoredRecord | None]:
        """One record."""


class RecordsApi:
    """``/api/requests``, also as CSV."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, rows: RecordSource) -> None:
        self._gate = gate
        self._rows = rows

    @app.route("/api/requests", methods=["GET"])
    async def page(self, request: ApiRequest) -> bytes:
        """One page, the newest first; ``next`` is what to send as ``before`` for the next one."""
        wanted = self._wanted(request)
        before = whole(request, "before", 0, 999_999_999) or None
        limit = whole(request, "page_size", PAGE_SIZE, _MOST)
        page = await self._rows.page(wanted, before, limit)
        return send_value(
            request,
            {
                "items": [shown(stored) for stored in page.items],
                "next": page.next,
                "page_size": limit,
            },
        )

    @app.route("/api/requests/<request_id>", methods=["GET"])
    async def one(self, request: ApiRequest, request_id: str) -> bytes:
        """One request with its attempts."""
        caller = self._gate.identify_admin(request)
        stored = await self._rows.read(request_id)
        if stored is None:
            raise NotFound("there is no record of such a request; old ones are dropped")
        self._gate.allow_group(caller, stored.record.group)
        return send_value(request, shown(stored))

    @app.route("/api/requests.csv", methods=["GET"])
    async def csv(self, request: ApiRequest) -> None:
        """All that match, the newest first."""
        wanted = self._wanted(request)
        request.setHeader(b"Content-Type", b"text/csv; charset=utf-8")
        request.setHeader(b"Content-Disposition", b'attachment; filename="requests.csv"')
        request.setHeader(b"Cache-Control", b"no-store")
        await CsvExport(request).send(lambda before: self._rows.page(wanted, before, _MOST))

    def _wanted(self, request: ApiRequest) -> RecordFilter:
        """What an administrator asks for, of the groups that his key is for."""
        caller = self._gate.identify_admin(request)
        wanted = filter_of(request)
        group = self._gate.group_seen(caller, wanted.group)
        return msgspec.structs.replace(wanted, group=group)


def shown(stored: StoredRecord) -> dict[str, Any]:
    """A record as it is shown."""
    fields = msgspec.structs.asdict(stored.record)
    fields["attempts_detail"] = list(stored.record.attempts_detail)
    return {**fields, "id": stored.id, "started": precise(stored.record.started)}


def precise(epoch: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")


def filter_of(request: ApiRequest) -> RecordFilter:
    """What the query asks for; raises RequestRejected."""
    status, status_class = _status(argument(request, "status"))
    outcome = argument(request, "outcome")
    if outcome and outcome not in _OUTCOMES:
        raise RequestRejected(f"outcome must be one of {', '.join(_OUTCOMES)}", param="outcome")
    return RecordFilter(
        start=read_moment(_unescaped(argument(request, "from").strip()), "from"),
        end=_end(request),
        model=argument(request, "model"),
        account=argument(request, "account"),
        key=argument(request, "key"),
        group=argument(request, "group"),
        status=status,
        status_class=status_class,
        outcome=outcome,
        dialect=argument(request, "dialect"),
        text=argument(request, "q").strip()[:200],
    )


def _status(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    if len(text) == 3 and text.isdecimal():
        return int(text), None
    if len(text) == 3 and text[0] in "12345" and text[1:].lower() == "xx":
        return None, int(text[0])
    raise RequestRejected("status must be a number such as 429, or 4xx", param="status")


def _end(request: ApiRequest) -> float | None:
    text = argument(request, "to").strip()
    # A day is meant with all of its hours.
    day = 86400.0 if len(text) == len("2026-01-31") else 0.0
    return read_moment(_unescaped(text), "to") + day if text else None


def _unescaped(text: str) -> str:
    """A plus sign that was not escaped has become a blank."""
    return text.replace(" ", "+") if "T" in text else text
