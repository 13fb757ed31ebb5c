# -*- test-case-name: tests.store.test_records -*-
"""Which records somebody wants to see, and what he gets.

Pure values. Must not know where records are kept, or how a question travels.
"""

import msgspec

from kiro2api.metering import Record


class RecordFilter(msgspec.Struct, frozen=True):
    """What records must be like; empty or None: anything.

    ``start`` and ``end`` are epoch seconds, the end is excluded. ``model`` is the upstream's name.
    ``status`` is one status, ``status_class`` the first digit of many. ``text`` is a request's id,
    or part of a name, an error or an upstream's id.
    """

    start: float = 0.0
    end: float | None = None
    model: str = ""
    account: str = ""
    key: str = ""
    group: str = ""
    status: int | None = None
    status_class: int | None = None
    outcome: str = ""
    dialect: str = ""
    text: str = ""


class StoredRecord(msgspec.Struct, frozen=True):
    """A record and its number; numbers grow."""

    id: int
    record: Record


class RecordPage(msgspec.Struct, frozen=True):
    """Records, newest first. ``next``: ask for those before this number to go on; None at the
    end. A page may have fewer records than were asked for, or none, and yet a ``next``: no more
    than some thousands are looked through at a time."""

    items: tuple[StoredRecord, ...] = ()
    next: int | None = None


class Arrivals(msgspec.Struct, frozen=True):
    """Records that came since; ``skipped`` older ones of them are not included."""

    latest: int
    items: tuple[StoredRecord, ...] = ()
    skipped: int = 0
