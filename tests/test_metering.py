"""What is kept and told of finished exchanges."""

from io import StringIO
from typing import cast

import msgspec
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.logs import line_observer
from kiro2api.metering import OTHER, Meter, Record, Totals, line_of


def record(**more: object) -> Record:
    """A served exchange, with differences."""
    fields: dict[str, object] = {
        "request_id": "r1",
        "dialect": "anthropic",
        "model": "claude-x",
        "status": 200,
        "outcome": "served",
        "started": 1000.5,
        "total_seconds": 2.5,
        "upstream_model": "claude-x.1",
        "account": "main",
    }
    return Record(**(fields | more))  # type: ignore[arg-type]


class MeterTests(SynchronousTestCase):
    """Sums and latest records."""

    def setUp(self) -> None:
        self.events: list[dict[str, object]] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_totals(self) -> None:
        """Records are summed by account and upstream model."""
        meter = Meter()
        for more in (
            {"input_tokens": 10, "output_tokens": 2, "credits": 0.5, "cache_read_tokens": 4},
            {"input_tokens": 1, "outcome": "failed", "cache_write_tokens": 3},
            {"outcome": "abandoned"},
            {"account": "other one"},
        ):
            meter.finished(record(**more))
        self.assertEqual(
            meter.totals,
            {
                ("main", "claude-x.1"): Totals(
                    requests=3,
                    failed=1,
                    abandoned=1,
                    input_tokens=11,
                    output_tokens=2,
                    cache_read_tokens=4,
                    cache_write_tokens=3,
                    credits=0.5,
                    total_seconds=7.5,
                ),
                ("other one", "claude-x.1"): Totals(requests=1, total_seconds=2.5),
            },
        )

    def test_bounded(self) -> None:
        """Neither records nor invented models fill the memory; no record is lost in the sums."""
        meter = Meter(kept=3, pairs=2)
        for number in range(10):
            meter.finished(record(request_id=f"r{number}", upstream_model=f"m{number}"))
        meter.finished(record(request_id="r10", upstream_model="m1"))
        self.assertEqual([one.request_id for one in meter.recent], ["r8", "r9", "r10"])
        sums = {pair: totals.requests for pair, totals in meter.totals.items()}
        self.assertEqual(sums, {("main", "m0"): 1, ("main", "m1"): 2, OTHER: 8})

    def test_one_event(self) -> None:
        """Each record is one event at info, whose fields are scalars."""
        Meter().finished(record(first_event_seconds=0.25))
        (event,) = self.events
        self.assertEqual(event["log_level"].name, "info")  # type: ignore[attr-defined]
        self.assertEqual(event["log_namespace"], "kiro2api.metering.Meter")
        self.assertEqual(event["log_format"], "{line}")
        self.assertEqual(str(event["line"]), line_of(record(first_event_seconds=0.25)))
        self.assertEqual(event["record"], record(first_event_seconds=0.25))

    def test_json_lines_show_its_fields(self) -> None:
        """Each scalar of the record is a member of the line."""
        Meter().finished(record())
        stream = StringIO()
        line_observer(stream, "info", "json")(self.events[0])
        shown = msgspec.json.decode(stream.getvalue())
        self.assertEqual((shown["account"], shown["status"]), ("main", 200))
        hidden = set(Record.__struct_fields__) - set(shown)
        self.assertEqual(hidden, {"attempts_detail", "repairs"})

    def test_listeners(self) -> None:
        """Each is told of each record."""
        meter, told = Meter(), list[Record]()
        meter.listeners += [told.append, told.append]
        meter.finished(record())
        self.assertEqual(told, [record(), record()])


class LineTests(SynchronousTestCase):
    """The line of a record."""

    def test_whole_line(self) -> None:
        """Everything but the start, in a fixed order."""
        self.assertEqual(
            line_of(
                record(
                    stream=True,
                    first_event_seconds=0.25,
                    credits=0.00004,
                    queue_seconds=0.12345,
                    input_tokens=100,
                    usage_provenance="exact",
                )
            ),
            "request_id=r1 dialect=anthropic model=claude-x status=200 outcome=served"
            " total_seconds=2.5 upstream_model=claude-x.1 group=- account=main key=- stream=yes"
            " error=- queue_seconds=0.1235 first_event_seconds=0.25 input_tokens=100"
            " output_tokens=0 cache_read_tokens=0 cache_write_tokens=0 usage_provenance=exact"
            " credits=0 attempts=1 upstream_request_id=-",
        )

    def test_nothing_can_forge_a_word(self) -> None:
        """A name with blanks, marks or line ends is quoted, so that words stay words."""
        for name, word in {
            "My Account": '"My Account"',
            "x status=500": '"x status=500"',
            'a"b': '"a\\"b"',
            "a\nb": '"a\\nb"',
            "a\ud800": '"a\\\\ud800"',
            "模型": "模型",
        }.items():
            line = line_of(record(model=name, first_event_seconds=None))
            self.assertIn(f" model={word} status=200 ", line)
            self.assertIn(" first_event_seconds=- ", line)
