# -*- test-case-name: tests.test_statistics_sums -*-
"""What is summed up over requests, and the shape in which it is kept.

Three facets tell the requests of a time apart: by account, by key, and by status and dialect; each
also by model and group. All of them at once would be as many rows as there are requests. Each is
kept by the hour, by the day and for ever. Pure; must not know where sums are kept.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from kiro2api.metering import Record
from kiro2api.statistics_durations import Classes, class_of, merge

EVER: Final = 0
HOUR: Final = 3600
DAY: Final = 86400
SPANS: Final = (HOUR, DAY, EVER)

ACCOUNT: Final = "account"
KEY: Final = "key"
STATUS: Final = "status"
CLASSED: Final = (KEY, STATUS)
"""The facets that know durations by class. There may be thousands of accounts, whose sums must
cost no more than an addition; the durations of one are found in its latest records."""

OTHER: Final = "other"


class Sums(msgspec.Struct):
    """Sums over requests; this is what the numbers mean wherever they are shown.

    ``served`` were answered to their end, ``failed`` got an error (in the middle of a stream as
    well), ``abandoned`` were left by their client, ``refused`` were at fault themselves; together
    they are ``requests``. Tokens and
    credits are those of all of them. ``first_event_*`` is the time until the answer began, of
    those where it did; ``total_*`` the time until it was complete, of those that were served.
    """

    requests: int = 0
    served: int = 0
    failed: int = 0
    abandoned: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    credits: float = 0.0
    first_events: int = 0
    first_event_seconds: float = 0.0
    total_seconds: float = 0.0
    first_event_classes: Classes = {}
    total_classes: Classes = {}

    @property
    def refused(self) -> int:
        """Those that are neither of the others."""
        return self.requests - self.served - self.failed - self.abandoned

    def add(self, record: Record, *, classed: bool = True) -> None:
        """Count one more request; ``classed``: its durations by class as well."""
        self.requests += 1
        if record.outcome == "served":
            self.served += 1
            self.total_seconds += record.total_seconds
            if classed:
                number = class_of(record.total_seconds)
                self.total_classes[number] = self.total_classes.get(number, 0) + 1
        elif record.outcome == "abandoned":
            self.abandoned += 1
        elif record.outcome == "failed":
            self.failed += 1
        self.input_tokens += record.input_tokens
        self.output_tokens += record.output_tokens
        self.cache_read_tokens += record.cache_read_tokens
        self.cache_write_tokens += record.cache_write_tokens
        self.credits += record.credits
        if record.first_event_seconds is not None:
            self.first_events += 1
            self.first_event_seconds += record.first_event_seconds
            if classed:
                number = class_of(record.first_event_seconds)
                self.first_event_classes[number] = self.first_event_classes.get(number, 0) + 1

    def merge(self, more: "Sums") -> None:
        """Count all of the others as well."""
        self.requests += more.requests
        self.served += more.served
        self.failed += more.failed
        self.abandoned += more.abandoned
        self.input_tokens += more.input_tokens
        self.output_tokens += more.output_tokens
        self.cache_read_tokens += more.cache_read_tokens
        self.cache_write_tokens += more.cache_write_tokens
        self.credits += more.credits
        self.first_events += more.first_events
        self.first_event_seconds += more.first_event_seconds
        self.total_seconds += more.total_seconds
        merge(self.first_event_classes, more.first_event_classes)
        merge(self.total_classes, more.total_classes)


class SumKey(NamedTuple):
    """Which requests were summed up; what the facet does not tell apart is empty."""

    span: int
    facet: str
    at: int
    upstream_model: str
    account: str
    key_name: str
    group_name: str
    dialect: str
    status: int


class Names:
    """Bounds how many different names are told apart: clients choose the names of models.

    :param most: later names are ``OTHER``.
    """

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """The name, if there is room for it."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name


def begin_of(moment: float, span: int) -> int:
    """The epoch second at which the span begins that a moment belongs to."""
    return int(moment // span) * span if span else 0


def summed(records: Iterable[Record], model_name: Names) -> dict[SumKey, Sums]:
    """What these records add to the sums that are kept."""
    # Added up by the hour first: days, and all time, are sums of hours.
    hours: dict[SumKey, Sums] = {}
    for record in records:
        model, group = model_name(record.upstream_model), record.group
        at = begin_of(record.started, HOUR)
        for key in (
            SumKey(HOUR, ACCOUNT, at, model, record.account, "", group, "", 0),
            SumKey(HOUR, KEY, at, model, "", record.key, group, "", 0),
            SumKey(HOUR, STATUS, at, model, "", "", group, record.dialect, record.status),
        ):
            known = hours.get(key)
            if known is None:
                known = hours[key] = Sums()
            known.add(record, classed=key.facet in CLASSED)
    found = dict(hours)
    for hour, sums in hours.items():
        for span in (DAY, EVER):
            longer = hour._replace(span=span, at=begin_of(hour.at, span))
            found.setdefault(longer, Sums()).merge(sums)
    return found


def pieces(start: int) -> tuple[tuple[int, int, int | None], ...]:
    """What to add up for all since ``start``, the begin of an hour: ``(span, from, before)``.

    Hours until the next midnight (UTC), whole days from then on.
    """
    midnight = begin_of(start, DAY)
    if midnight == start:
        return ((DAY, start, None),)
    return ((HOUR, start, midnight + DAY), (DAY, midnight + DAY, None))
