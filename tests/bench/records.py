# -*- test-case-name: tests.bench.test_records -*-
"""``python -m tests.bench.records``: how long the request log and the statistics take when there
are a million requests, and what a request pays for being written down.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from kiro2api.metering import Attempt, Meter, Record
from kiro2api.metering_search import RecordFilter
from kiro2api.metering_writer import RecordWriter
from kiro2api.statistics import PERIODS, StatisticsFilter, period_of
from kiro2api.store.database import Database
from kiro2api.store.records import RecordRows
from kiro2api.store.records_sums import SumRows
from tests.store.pumped import PumpedReactor

NOW = 1_700_000_000.0
DAYS = 30


class NoSink:
    """Takes everything and keeps nothing."""

    def write(self, records: Sequence[Record]) -> Deferred[None]:
        """Done."""
        return succeed(None)

    def prune(self, before: float, sums_before: float, most_octets: int) -> Deferred[bool]:
        """Nothing to forget."""
        return succeed(False)


def invented(number: int, total: int, dice: random.Random) -> Record:
    """One of so many requests of a month: of a hundred accounts, twenty keys and five models."""
    failed = dice.random() < 0.03
    account = f"account-{dice.randrange(100)}"
    return Record(
        request_id=f"req_{number:024x}",
        dialect=dice.choice(("anthropic", "anthropic", "chat", "responses")),
        model="claude-sonnet-4-5-20250929",
        status=dice.choice((400, 429, 500, 503)) if failed else 200,
        outcome="failed" if failed else "served",
        started=NOW - DAYS * 86400 + number * (DAYS * 86400 / total),
        total_seconds=dice.lognormvariate(2, 1),
        upstream_model=f"claude-model-{dice.randrange(5)}",
        group="pro" if account.endswith("7") else "default",
        account=account,
        key=f"key-{dice.randrange(20)}",
        stream=True,
        error="throttled" if failed else "",
        first_event_seconds=dice.lognormvariate(0.5, 0.7),
        input_tokens=dice.randrange(200_000),
        output_tokens=dice.randrange(5_000),
        usage_provenance="derived",
        credits=dice.random(),
        upstream_request_id="0123456789abcdef0123456789abcdef",
        attempts_detail=(Attempt(account, "claude-model", "served", 200, 1.5),),
    )


def timed(reactor: PumpedReactor, ask: Callable[[], "Deferred[Any]"], rounds: int = 5) -> float:
    """Milliseconds of the middle one."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        reactor.result_of(ask())
        taken.append((time.perf_counter() - begin) * 1000)
    return median(taken)


def cost_of_finished(rounds: int) -> tuple[float, float]:
    """Microseconds of ``Meter.finished`` without and with a writer."""
    dice = random.Random(1)
    record = invented(1, 1, dice)
    best = [float("inf"), float("inf")]
    for turn in range(10):
        with_writer = turn % 2
        meter = Meter()
        if with_writer:
            meter.listeners.append(RecordWriter(NoSink(), Clock(), batch=10**9).take)
        begin = time.perf_counter()
        for _ in range(rounds):
            meter.finished(record)
        best[with_writer] = min(best[with_writer], (time.perf_counter() - begin) / rounds * 1e6)
    return best[0], best[1]


def main(words: Sequence[str] | None = None) -> int:
    """Run it; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.records", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many requests (1000000)")
    parser.add_argument("--rounds", type=int, default=20_000, help="records written down (20000)")
    options = parser.parse_args(words)
    without, with_writer = cost_of_finished(options.rounds)
    print(f"Meter.finished: {without:.2f} us, with the writer {with_writer:.2f} us")
    with tempfile.TemporaryDirectory(prefix="kiro2api-bench-") as folder:
        path = Path(folder) / "records.db"
        reactor = PumpedReactor()
        database = Database(str(path), reactor)
        reactor.result_of(database.start())
        rows, sums = RecordRows(database), SumRows(database)
        dice = random.Random(7)
        begin = time.perf_counter()
        for first in range(0, options.rows, 500):
            batch = [
                invented(first + n, options.rows, dice)
                for n in range(min(500, options.rows - first))
            ]
            reactor.result_of(rows.write(batch))
        taken = time.perf_counter() - begin
        size = sum(one.stat().st_size for one in Path(folder).iterdir())
        print(
            f"{options.rows} records written in {taken:.0f} s,"
            f" {taken / options.rows * 1e6:.0f} us each, {size / options.rows:.0f} octets each"
        )
        for name, wanted in (
            ("newest", RecordFilter()),
            ("account", RecordFilter(account="account-7")),
            ("account + status", RecordFilter(account="account-7", status=500)),
            ("key + model", RecordFilter(key="key-3", model="claude-model-2")),
            ("failed", RecordFilter(outcome="failed")),
            ("5xx", RecordFilter(status_class=5)),
            ("dialect that is never used", RecordFilter(dialect="none")),
            ("text found nowhere", RecordFilter(text="nowhere")),
            ("one id", RecordFilter(text=f"req_{options.rows // 2:024x}")),
        ):
            taken = timed(reactor, lambda wanted=wanted: rows.page(wanted))  # type: ignore[misc]
            print(f"page, {name}: {taken:.1f} ms")
        middle = options.rows // 2
        taken = timed(reactor, lambda: rows.page(RecordFilter(), middle))
        print(f"page, from the middle on: {taken:.1f} ms")
        for period in PERIODS:
            start = period_of(period, NOW).start
            for name, asked in (
                ("all", StatisticsFilter()),
                ("one account", StatisticsFilter(account="account-7")),
                ("one key", StatisticsFilter(key="key-3")),
                ("one group", StatisticsFilter(group="pro")),
            ):
                taken = timed(
                    reactor,
                    lambda start=start, asked=asked: sums.found(start, asked),  # type: ignore[misc]
                    3,
                )
                print(f"statistics, {period}, {name}: {taken:.1f} ms")
        print(f"for ever: {timed(reactor, sums.ever, 3):.1f} ms")
        spent = timed(reactor, lambda: sums.spent_by_key(NOW - 30 * 86400), 3)
        print(f"credits by key of a month: {spent:.1f} ms")
        reactor.result_of(database.stop())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
