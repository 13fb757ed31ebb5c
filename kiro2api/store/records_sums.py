# -*- test-case-name: tests.store.test_records_sums -*-
"""The table ``record_sums``: what was summed up over records, by the hour, by the day, for ever.

Must not know what the numbers are shown as.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, func, select
from twisted.internet.defer import Deferred

from kiro2api.statistics import BREAKDOWNS, Found, StatisticsFilter
from kiro2api.statistics_durations import Classes, class_of, merge
from kiro2api.statistics_sums import (
    ACCOUNT,
    CLASSED,
    DAY,
    EVER,
    HOUR,
    KEY,
    SPANS,
    STATUS,
    SumKey,
    Sums,
    begin_of,
    pieces,
)
from kiro2api.store.database import Database
from kiro2api.store.database_portable import alone, is_postgres
from kiro2api.store.schema import RECORDS, SUMS

_C: Final = SUMS.c
_KEYS: Final = tuple(_C[name] for name in SumKey._fields)
_CLASSES: Final = ("first_event_classes", "total_classes")
_COUNTS: Final = tuple(name for name in Sums.__struct_fields__ if name not in _CLASSES)
_FACETS: Final = (ACCOUNT, KEY, STATUS)
_MOST_NAMES: Final = 1000
"""Entries of one breakdown; those with the most requests."""
_LATEST: Final = 5000
"""Requests of an account from which its durations are told."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Classes).decode


class SumRows:
    """Sums over records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def found(self, start: int, wanted: StatisticsFilter) -> Deferred[Found]:
        """All since ``start``, the begin of an hour."""
        return self._database.run(lambda connection: _found(connection, start, wanted))

    def ever(self) -> Deferred[Found]:
        """All that was ever summed up, of pruned records as well; without a series."""
        return self._database.run(lambda connection: _found(connection, None, StatisticsFilter()))

    def spent_by_key(self, since: float) -> Deferred[dict[str, float]]:
        """Credits by name of a key, from the begin of the hour of ``since`` on."""
        start = begin_of(since, HOUR)

        def look(connection: Connection) -> dict[str, float]:
            spent: dict[str, float] = {}
            for span, begin, end in pieces(start):
                rows = connection.execute(
                    select(_C.key_name, func.sum(_C.credits))
                    .where(*_within(span, KEY, begin, end))
                    .group_by(_C.key_name)
                )
                for name, credits in rows:
                    spent[name] = spent.get(name, 0.0) + credits
            return spent

        return self._database.run(look)


def add_sums(connection: Connection, more: Mapping[SumKey, Sums]) -> None:
    """Add these, which must be some of each facet, to what is there, in this transaction."""
    # Two who read the same row would each add to what was there before.
    alone(connection, "record_sums")
    statements = _statements(is_postgres(connection))
    whole = {key: sums for key, sums in more.items() if key.facet in CLASSED}
    for span in SPANS:
        for facet in CLASSED:
            keys = [key for key in whole if key.span == span and key.facet == facet]
            found = connection.execute(
                statements.look,
                {
                    "span": span,
                    "facet": facet,
                    "times": list({key.at for key in keys}),
                    "models": list({key.upstream_model for key in keys}),
                    "names": list({key.key_name for key in keys}),
                },
            )
            for row in found:
                known = whole.get(SumKey(*row[: len(_KEYS)]))
                if known is not None:
                    known.merge(_sums(row))
    connection.execute(statements.put, [_row(key, sums) for key, sums in whole.items()])
    connection.execute(
        statements.add,
        [_row(key, sums) for key, sums in more.items() if key.facet not in CLASSED],
    )


class _Statements(NamedTuple):
    look: Any
    put: Any
    add: Any


@cache
def _statements(postgres: bool) -> _Statements:
    """What every batch runs, made once: to make them costs more than to run them.

    ``look``: rows by what the primary key begins with; more than is needed, but few.
    """
    insert: Any
    if postgres:
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    put = insert(SUMS)
    look = select(SUMS).where(
        _C.span == bindparam("span"),
        _C.facet == bindparam("facet"),
        _C.at.in_(bindparam("times", expanding=True)),
        _C.upstream_model.in_(bindparam("models", expanding=True)),
        _C.key_name.in_(bindparam("names", expanding=True)),
    )
    known_now = {name: put.excluded[name] for name in (*_COUNTS, *_CLASSES)}
    added = {name: _C[name] + put.excluded[name] for name in _COUNTS}
    return _Statements(
        look,
        put.on_conflict_do_update(index_elements=list(_KEYS), set_=known_now),
        put.on_conflict_do_update(index_elements=list(_KEYS), set_=added),
    )


def prune_sums(connection: Connection, before: float) -> bool:
    """Forget some of the hours and days from before; whether there are more of them."""
    more = False
    for span in (HOUR, DAY):
        for facet in _FACETS:
            here = (_C.span == span, _C.facet == facet)
            first = connection.execute(select(func.min(_C.at)).where(*here)).scalar()
            if first is not None and first + span <= before:
                connection.execute(delete(SUMS).where(*here, _C.at <= first))
                more = True
    return more


def _found(connection: Connection, start: int | None, wanted: StatisticsFilter) -> Found:
    found = Found()
    times: tuple[tuple[int, int, int | None], ...] = ((EVER, 0, None),)
    if start is not None:
        times = pieces(start)
    main = ""
    for facet, names in wanted.facets().items():
        main = main or facet
        for span, begin, end in times:
            terms = [*_within(span, facet, begin, end), *_matching(wanted)]
            if facet != main and names == ("account",):
                # There may be very many: added up where they are, less their classes.
                _take(found.by["account"], connection.execute(_counted(_C.account, terms)))
                continue
            totals = found.totals if facet == main else Sums()
            parts = [(found.by[name], BREAKDOWNS[name]) for name in names]
            for row in connection.execute(select(SUMS).where(*terms)):
                sums = _sums(row)
                totals.merge(sums)
                for by_name, column in parts:
                    by_name.setdefault(str(getattr(row, column)), Sums()).merge(sums)
    if wanted.account:
        _durations(connection, found.totals, start or 0, wanted)
    if start is not None:
        terms = [*_within(HOUR, main, start, None), *_matching(wanted)]
        series: dict[str, Sums] = {}
        _take(series, connection.execute(_counted(_C.at, terms, most=None)))
        found.series = {int(at): sums for at, sums in series.items()}
    return found


def _durations(connection: Connection, totals: Sums, start: int, wanted: StatisticsFilter) -> None:
    """How long the latest requests of an account took."""
    c = RECORDS.c
    latest = (
        select(c.first_event_seconds, c.total_seconds, c.outcome)
        .where(c.account == wanted.account, c.started >= start)
        .order_by(c.started.desc())
        .limit(_LATEST)
    )
    if wanted.group:
        latest = latest.where(c.group_name == wanted.group)
    if wanted.model:
        latest = latest.where(c.upstream_model == wanted.model)
    for first, total, outcome in connection.execute(latest):
        if first is not None:
            merge(totals.first_event_classes, {class_of(first): 1})
        if outcome == "served":
            merge(totals.total_classes, {class_of(total): 1})


def _counted(column: Any, terms: list[Any], most: int | None = _MOST_NAMES) -> Select[Any]:
    """Sums by the values of a column, added up by the database; without classes."""
    return (
        select(column.label("name"), *(func.sum(_C[name]).label(name) for name in _COUNTS))
        .where(*terms)
        .group_by(column)
        .order_by(func.sum(_C.requests).desc())
        .limit(most)
    )


def _take(into: dict[str, Sums], rows: Any) -> None:
    for row in rows:
        sums = Sums(**{name: getattr(row, name) for name in _COUNTS})
        known = into.get(str(row.name))
        if known is None:
            into[str(row.name)] = sums
        else:
            known.merge(sums)


def _within(span: int, facet: str, begin: int, end: int | None) -> list[Any]:
    terms: list[Any] = [_C.span == span, _C.facet == facet, _C.at >= begin]
    if end is not None:
        terms.append(_C.at < end)
    return terms


def _matching(wanted: StatisticsFilter) -> list[Any]:
    return [
        column == value
        for column, value in (
            (_C.group_name, wanted.group),
            (_C.account, wanted.account),
            (_C.key_name, wanted.key),
            (_C.upstream_model, wanted.model),
        )
        if value
    ]


def _row(key: SumKey, sums: Sums) -> dict[str, object]:
    row: dict[str, object] = {**key._asdict()}
    for name in _COUNTS:
        row[name] = getattr(sums, name)
    for name in _CLASSES:
        row[name] = _encode(getattr(sums, name)).decode()
    return row


def _sums(row: Any) -> Sums:
    sums = Sums(**{name: getattr(row, name) for name in _COUNTS})
    sums.first_event_classes = _decode(row.first_event_classes)
    sums.total_classes = _decode(row.total_classes)
    return sums
