# -*- test-case-name: tests.store.test_records -*-
"""The table ``records``: written in batches, read in pages, pruned in small steps.

Must not know who wants to see records. A batch and what it adds to the sums are one transaction.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Connection,
    Select,
    delete,
    func,
    insert,
    or_,
    select,
)
from twisted.internet.defer import Deferred

from kiro2api.metering import Attempt, Record
from kiro2api.metering_search import Arrivals, RecordFilter, RecordPage, StoredRecord
from kiro2api.statistics_sums import Names, summed
from kiro2api.store.database import Database
from kiro2api.store.records_sums import add_sums, prune_sums
from kiro2api.store.schema import RECORDS

SCANNED: Final = 20_000
"""Records that are looked through for one page, at most."""
_STEP: Final = 2_000
# Octets of a row with its indexes, beside its detail; measured with SQLite.
_ROW: Final = 620

_C: Final = RECORDS.c
_NEWEST: Final = (_C.started.desc(), _C.id.desc())


class _Detail(msgspec.Struct, omit_defaults=True):
    """What of a record is kept as JSON."""

    attempts: int = 1
    tried: tuple[Attempt, ...] = ()
    repairs: tuple[str, ...] = ()
    searches: int = 0
    key_id: int = 0


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Detail).decode


class RecordRows:
    """Records of finished requests.

    :param scanned: records looked through for one page.
    """

    def __init__(self, database: Database, *, scanned: int = SCANNED) -> None:
        self._database = database
        self._scanned = scanned
        self._names = Names()

    def write(self, records: Sequence[Record]) -> Deferred[None]:
        """Fires when they are stored and summed up."""

        def put(connection: Connection) -> None:
            # Sums are added to by one transaction at a time: those come first, so that a number
            # becomes visible only after every smaller one, for ``since``.
            add_sums(connection, summed(records, self._names))
            connection.execute(insert(RECORDS), [_row(record) for record in records])

        return self._database.run(put)

    def page(
        self, wanted: RecordFilter, before: int | None = None, limit: int = 50
    ) -> Deferred[RecordPage]:
        """The newest records that are wanted, of those that come after ``before`` in that order.
        Empty if that record is gone: then all older ones are as well."""
        return self._database.run(lambda connection: self._page(connection, wanted, before, limit))

    def read(self, request_id: str) -> Deferred[StoredRecord | None]:
        """One record."""

        def look(connection: Connection) -> StoredRecord | None:
            found = connection.execute(
                select(RECORDS).where(_C.request_id == request_id).order_by(_C.id.desc()).limit(1)
            ).first()
            return None if found is None else _stored(found)

        return self._database.run(look)

    def since(self, latest: int | None, most: int = 20) -> Deferred[Arrivals]:
        """What came after the record of this number, the oldest first; with None nothing but the
        number of the latest one."""

        def look(connection: Connection) -> Arrivals:
            newest = connection.execute(select(func.max(_C.id))).scalar() or 0
            if latest is None or newest <= latest:
                return Arrivals(newest)
            rows = connection.execute(
                select(RECORDS).where(_C.id > latest).order_by(_C.id.desc()).limit(most)
            ).all()
            items = tuple(_stored(row) for row in reversed(rows))
            skipped = max(0, newest - latest - len(items))
            return Arrivals(newest, items, skipped)

        return self._database.run(look)

    def prune(self, before: float, sums_before: float, most_octets: int) -> Deferred[bool]:
        """One step of forgetting: records from before ``before``, the oldest beyond a size (0 for
        none), sums from before ``sums_before``. Fires with whether there is more to forget."""

        def step(connection: Connection) -> bool:
            old = select(_C.id).where(_C.started < before).order_by(_C.started).limit(_STEP)
            gone = connection.execute(delete(RECORDS).where(_C.id.in_(old.scalar_subquery())))
            more = bool(gone.rowcount >= _STEP)
            if most_octets and not more:
                more = _cap(connection, most_octets)
            return prune_sums(connection, sums_before) or more

        return self._database.run(step)

    def _page(
        self, connection: Connection, wanted: RecordFilter, before: int | None, limit: int
    ) -> RecordPage:
        lead, others = conditions(wanted)
        after: Edge | None = None
        if before is not None:
            started = connection.execute(select(_C.started).where(_C.id == before)).scalar()
            if started is None:
                return RecordPage()
            after = Edge(started, before)
        last: Edge | None = None
        if others:
            terms = [*lead, *times(wanted, after)]
            bound = connection.execute(bound_of(terms, self._scanned)).first()
            last = None if bound is None else Edge(bound.started, bound.id)
        terms = [*lead, *times(wanted, after, last), *others]
        rows = connection.execute(found_by(terms, limit + 1)).all()
        items = tuple(_stored(row) for row in rows[:limit])
        if len(rows) > limit:
            return RecordPage(items, items[-1].id)
        return RecordPage(items, None if last is None else last.id)


class Edge(msgspec.Struct, frozen=True):
    """A record's place in the order of records."""

    started: float
    id: int


def times(wanted: RecordFilter, after: Edge | None, last: Edge | None = None) -> list[Any]:
    """The span of time that is looked through, as one range of an index: of several conditions on
    the same column only one would be used to find its begin or its end.

    :param after: only what comes after it.
    :param last: nothing that comes after it.
    """
    terms: list[Any] = []
    if last is None:
        terms.append(_C.started >= wanted.start)
    else:
        terms += (
            _C.started >= last.started,
            or_(_C.started > last.started, _C.id >= last.id),
        )
    if after is not None and (wanted.end is None or after.started < wanted.end):
        terms += (
            _C.started <= after.started,
            or_(_C.started < after.started, _C.id < after.id),
        )
    elif wanted.end is not None:
        terms.append(_C.started < wanted.end)
    return terms


def conditions(wanted: RecordFilter) -> tuple[list[Any], list[Any]]:
    """The condition that an index answers, if there is one, and the others; without times."""
    if wanted.text.startswith("req_"):
        return [_C.request_id == wanted.text], []
    by_index: list[Any] = [
        column == value
        # What is likely to be rare comes first.
        for column, value in (
            (_C.account, wanted.account),
            (_C.key_name, wanted.key),
            (_C.status, wanted.status),
            (_C.outcome, wanted.outcome),
            (_C.upstream_model, wanted.model),
            (_C.group_name, wanted.group),
        )
        if value
    ]
    others = by_index[1:]
    if wanted.dialect:
        others.append(_C.dialect == wanted.dialect)
    if wanted.status_class is not None:
        # Not a range of the index of statuses, which would have to be sorted by time.
        others.append((_C.status + 0).between(least := wanted.status_class * 100, least + 99))
    if wanted.text:
        others.append(
            or_(
                *(
                    column.icontains(wanted.text, autoescape=True)
                    for column in (
                        _C.model,
                        _C.upstream_model,
                        _C.account,
                        _C.key_name,
                        _C.error,
                        _C.upstream_request_id,
                    )
                )
            )
        )
    return by_index[:1], others


def found_by(terms: Sequence[Any], limit: int) -> Select[Any]:
    """The newest records that fulfil all of these."""
    return select(RECORDS).where(*terms).order_by(*_NEWEST).limit(limit)


def bound_of(lead: Sequence[Any], scanned: int) -> Select[Any]:
    """The last of the records that one page may look through; from the index alone."""
    return select(_C.id, _C.started).where(*lead).order_by(*_NEWEST).offset(scanned - 1).limit(1)


def _cap(connection: Connection, most_octets: int) -> bool:
    """Forget some of the oldest if there are too many; whether there are still."""
    low, high = connection.execute(select(func.min(_C.id), func.max(_C.id))).one()
    if low is None:
        return False
    # Numbers have few gaps, so that nothing has to be counted.
    count = high - low + 1
    latest = select(func.length(_C.detail).label("octets")).where(_C.id > high - 200).subquery()
    detail = connection.execute(select(func.avg(latest.c.octets))).scalar() or 0
    excess = count - int(most_octets / (_ROW + float(detail)))
    if excess <= 0:
        return False
    connection.execute(delete(RECORDS).where(_C.id < low + min(excess, _STEP)))
    return bool(excess > _STEP)


def _row(record: Record) -> dict[str, object]:
    detail = _Detail(
        record.attempts, record.attempts_detail, record.repairs, record.searches, record.key_id
    )
    return {
        "request_id": record.request_id,
        "started": record.started,
        "dialect": record.dialect,
        "model": storable(record.model),
        "upstream_model": storable(record.upstream_model),
        "group_name": record.group,
        "account": record.account,
        "key_name": record.key,
        "stream": record.stream,
        "status": record.status,
        "outcome": record.outcome,
        "error": storable(record.error),
        "queue_seconds": record.queue_seconds,
        "first_event_seconds": record.first_event_seconds,
        "total_seconds": record.total_seconds,
        "input_tokens": record.input_tokens,
        "output_tokens": record.output_tokens,
        "cache_read_tokens": record.cache_read_tokens,
        "cache_write_tokens": record.cache_write_tokens,
        "usage_provenance": record.usage_provenance,
        "credits": record.credits,
        "upstream_request_id": storable(record.upstream_request_id),
        "detail": _encode(detail).decode(),
    }


def storable(text: str) -> str:
    """A text that somebody else chose, as any database takes it, and not for ever long."""
    if text.isascii() and len(text) <= 200 and "\0" not in text:
        return text
    return text[:200].replace("\0", "").encode("utf-8", "replace").decode()


def _stored(row: Any) -> StoredRecord:
    detail = _decode(row.detail)
    record = Record(
        request_id=row.request_id,
        dialect=row.dialect,
        model=row.model,
        status=row.status,
        outcome=row.outcome,
        started=row.started,
        total_seconds=row.total_seconds,
        upstream_model=row.upstream_model,
        group=row.group_name,
        account=row.account,
        key=row.key_name,
        stream=row.stream,
        error=row.error,
        queue_seconds=row.queue_seconds,
        first_event_seconds=row.first_event_seconds,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        usage_provenance=row.usage_provenance,
        credits=row.credits,
        attempts=detail.attempts,
        upstream_request_id=row.upstream_request_id,
        attempts_detail=detail.tried,
        repairs=detail.repairs,
        searches=detail.searches,
        key_id=detail.key_id,
    )
    return StoredRecord(row.id, record)
