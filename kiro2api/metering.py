# -*- test-case-name: tests.test_metering -*-
"""One record per finished exchange: what was asked, who served it, how it went, what it cost.

Must not know how an exchange works. Records hold names of keys and accounts, never keys, tokens
or texts of a conversation.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping

import msgspec
import txaio.tx


class Attempt(msgspec.Struct, frozen=True):
    """One try with one account. ``outcome``: ``served``, or the code or kind of its failure;
    ``status`` is that of the upstream, 0 where there was none."""

    account: str
    upstream_model: str = ""
    outcome: str = ""
    status: int = 0
    seconds: float = 0.0


class Record(msgspec.Struct, frozen=True):
    """A finished exchange.

    ``outcome`` is one word: ``served``, ``failed``, ``abandoned`` (the client left), or ``refused``
    (the request itself was at fault). ``error`` is the code or
    kind of the failure, else empty. ``started`` is in epoch seconds; ``queue_seconds`` until an
    account was lent, ``first_event_seconds`` until the first event (None where there was none)
    and ``total_seconds`` all count from ``started``. ``usage_provenance``: who counted tokens.
    ``attempts_detail`` are its attempts, ``repairs`` the names of what was done to a request or an
    answer that would not have passed, ``searches`` how often the web was searched; ``key_id`` is
    that of a stored key, else 0.
    """

    request_id: str
    dialect: str
    model: str
    status: int
    outcome: str
    started: float
    total_seconds: float
    upstream_model: str = ""
    group: str = ""
    account: str = ""
    key: str = ""
    stream: bool = False
    error: str = ""
    queue_seconds: float = 0.0
    first_event_seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    usage_provenance: str = ""
    credits: float = 0.0
    attempts: int = 1
    upstream_request_id: str = ""
    attempts_detail: tuple[Attempt, ...] = ()
    repairs: tuple[str, ...] = ()
    searches: int = 0
    key_id: int = 0


class Totals(msgspec.Struct):
    """Sums over the records of one account and upstream model."""

    requests: int = 0
    failed: int = 0
    abandoned: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    credits: float = 0.0
    total_seconds: float = 0.0

    def add(self, record: Record) -> None:
        """Count one more."""
        self.requests += 1
        self.failed += record.outcome == "failed"
        self.abandoned += record.outcome == "abandoned"
        self.input_tokens += record.input_tokens
        self.output_tokens += record.output_tokens
        self.cache_read_tokens += record.cache_read_tokens
        self.cache_write_tokens += record.cache_write_tokens
        self.credits += record.credits
        self.total_seconds += record.total_seconds


OTHER = ("other", "other")


class Meter:
    """Keeps sums and the latest records, and writes one line for each.

    ``listeners`` are called with each record; they must be quick and must not fail.

    :param kept: how many records ``recent`` holds.
    :param pairs: how many pairs of account and model are summed apart; clients choose names of
        models, so what comes later is summed together under ``OTHER``.
    """

    log = txaio.tx.make_logger()

    def __init__(self, *, kept: int = 200, pairs: int = 1000) -> None:
        self._recent: deque[Record] = deque(maxlen=kept)
        self._pairs = pairs
        self._totals: dict[tuple[str, str], Totals] = {}
        self.listeners: list[Callable[[Record], None]] = []

    @property
    def totals(self) -> Mapping[tuple[str, str], Totals]:
        """Sums by account and upstream model."""
        return self._totals

    @property
    def recent(self) -> tuple[Record, ...]:
        """The latest records, newest last."""
        return tuple(self._recent)

    def finished(self, record: Record) -> None:
        """Take a record; called once per exchange, whatever its end."""
        pair = (record.account, record.upstream_model)
        if pair not in self._totals and len(self._totals) >= self._pairs:
            pair = OTHER
        totals = self._totals.get(pair)
        if totals is None:
            totals = self._totals[pair] = Totals()
        totals.add(record)
        self._recent.append(record)
        for listener in self.listeners:
            listener(record)
        self.log.info("{line}", line=Line(record), record=record)


class Line:
    """A record as the text of its log line, made only if somebody shows it."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    def __str__(self) -> str:
        return line_of(self._record)


def line_of(record: Record) -> str:
    """The record as ``name=value`` words in a fixed order; nothing is ``-``.

    Spelt out because it is made for every request; ``started`` is left out, since a log line has
    a time of its own.
    """
    r, word = record, _word
    return (
        f"request_id={word(r.request_id)} dialect={word(r.dialect)} model={word(r.model)}"
        f" status={r.status} outcome={word(r.outcome)} total_seconds={_number(r.total_seconds)}"
        f" upstream_model={word(r.upstream_model)} group={word(r.group)}"
        f" account={word(r.account)} key={word(r.key)} stream={'yes' if r.stream else 'no'}"
        f" error={word(r.error)} queue_seconds={_number(r.queue_seconds)}"
        f" first_event_seconds={_number(r.first_event_seconds)}"
        f" input_tokens={r.input_tokens} output_tokens={r.output_tokens}"
        f" cache_read_tokens={r.cache_read_tokens} cache_write_tokens={r.cache_write_tokens}"
        f" usage_provenance={word(r.usage_provenance)} credits={_number(r.credits)}"
        f" attempts={r.attempts} upstream_request_id={word(r.upstream_request_id)}"
    )


_PLAIN = re.compile(r"[!#-<>-~]+").fullmatch


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _word(text: str) -> str:
    if _PLAIN(text):
        return text
    if not text:
        return "-"
    if text.isprintable() and not any(mark in text for mark in ' "='):
        return text
    return msgspec.json.encode(text.encode("utf-8", "backslashreplace").decode()).decode()
