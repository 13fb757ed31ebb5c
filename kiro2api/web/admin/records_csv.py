# -*- test-case-name: tests.web.admin.test_records -*-
"""Records as CSV, page by page, as fast as the client takes them.

A cell that a spreadsheet would take for a formula is made a text. Must not know where records are
kept.
"""

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from kiro2api.metering import Record
from kiro2api.metering_search import RecordPage, StoredRecord

COLUMNS: Final = (
    "started",
    "request_id",
    "dialect",
    "model",
    "upstream_model",
    "group",
    "account",
    "key",
    "stream",
    "status",
    "outcome",
    "error",
    "queue_seconds",
    "first_event_seconds",
    "total_seconds",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "usage_provenance",
    "credits",
    "attempts",
    "searches",
    "upstream_request_id",
)
# The last four are what East Asian keyboards give for the first four, and some take as the same.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(value: object) -> object:
    """A value that no spreadsheet runs."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def lines(records: Sequence[StoredRecord], *, head: bool = False) -> bytes:
    """Records as lines; ``head``: after the names of the columns."""
    out = StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(COLUMNS)
    for stored in records:
        writer.writerow([cell(_value(stored.record, name)) for name in COLUMNS])
    return out.getvalue().encode("utf-8", "replace")


def _value(record: Record, name: str) -> object:
    if name == "started":
        return datetime.fromtimestamp(record.started, UTC).isoformat(timespec="milliseconds")
    value: object = getattr(record, name)
    return value


@implementer(IPushProducer)
class CsvExport:
    """One export; never holds more than a page."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._gone = False

    async def send(self, page: Callable[[int | None], Deferred[RecordPage]]) -> None:
        """Write all pages; ``page`` gives the one before a number."""
        request = self._request
        before: int | None = None
        head = True
        request.registerProducer(self, True)
        try:
            while not self._gone:
                found = await page(before)
                if self._gone:
                    return
                data = lines(found.items, head=head)
                head = False
                if data:
                    request.write(data)
                before = found.next
                if before is None:
                    return
                if self._paused:
                    self._waiting = Deferred()
                    await self._waiting
        finally:
            if request.channel is not None:
                request.unregisterProducer()

    def pauseProducing(self) -> None:
        """The client is slow."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The client has caught up."""
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:
        """The client has left."""
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)
