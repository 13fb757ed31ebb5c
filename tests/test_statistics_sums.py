"""What is summed up, and how time is put together."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.statistics_sums import (
    DAY,
    EVER,
    HOUR,
    OTHER,
    SPANS,
    Names,
    Sums,
    begin_of,
    pieces,
    summed,
)
from tests.test_metering import record


class SumsTests(SynchronousTestCase):
    """Sums over records."""

    def test_add(self) -> None:
        """Each number counts what it says; durations only where they mean something."""
        sums = Sums()
        sums.add(record(first_event_seconds=0.5, credits=0.25, input_tokens=7, cache_read_tokens=3))
        sums.add(record(outcome="failed", status=500, output_tokens=2, cache_write_tokens=1))
        sums.add(record(outcome="abandoned", first_event_seconds=0.5))
        sums.add(record(outcome="refused", status=400))
        self.assertEqual((sums.requests, sums.served, sums.failed, sums.abandoned), (4, 1, 1, 1))
        self.assertEqual(sums.refused, 1)
        self.assertEqual((sums.input_tokens, sums.output_tokens, sums.credits), (7, 2, 0.25))
        self.assertEqual((sums.cache_read_tokens, sums.cache_write_tokens), (3, 1))
        self.assertEqual((sums.first_events, sums.first_event_seconds), (2, 1.0))
        self.assertEqual(sum(sums.first_event_classes.values()), 2)
        self.assertEqual((sums.total_seconds, sum(sums.total_classes.values())), (2.5, 1))

    def test_add_without_classes(self) -> None:
        """Durations are summed, and told apart by nobody."""
        sums = Sums()
        sums.add(record(first_event_seconds=0.5, total_seconds=2.0), classed=False)
        self.assertEqual((sums.first_event_seconds, sums.total_seconds), (0.5, 2.0))
        self.assertEqual((sums.first_event_classes, sums.total_classes), ({}, {}))

    def test_merge(self) -> None:
        """Sums of sums are the sums of all."""
        records = [record(first_event_seconds=0.1 * n, total_seconds=n + 1) for n in range(9)]
        whole, one, other = Sums(), Sums(), Sums()
        for number, each in enumerate(records):
            whole.add(each)
            (one if number % 2 else other).add(each)
        one.merge(other)
        self.assertAlmostEqual(one.first_event_seconds, whole.first_event_seconds)
        one.first_event_seconds = whole.first_event_seconds
        self.assertEqual(one, whole)

    def test_facets(self) -> None:
        """Each facet of each span has every request once."""
        names = Names()
        found = summed([record(request_id=str(n), status=200 + n) for n in range(5)], names)
        for span in SPANS:
            for facet in ("account", "key", "status"):
                rows = [s for key, s in found.items() if key[:2] == (span, facet)]
                self.assertEqual(sum(s.requests for s in rows), 5)
                self.assertEqual(len(rows), 5 if facet == "status" else 1)

    def test_names_are_bounded(self) -> None:
        """Invented models are summed together."""
        names = Names(2)
        self.assertEqual([names(n) for n in "abcab"], ["a", "b", OTHER, "a", "b"])


class TimeTests(SynchronousTestCase):
    """Hours and days."""

    def test_begin(self) -> None:
        """Whole hours and days in UTC; ever begins at nought."""
        self.assertEqual(begin_of(7300.5, HOUR), 7200)
        self.assertEqual(begin_of(7300.5, DAY), 0)
        self.assertEqual(begin_of(7300.5, EVER), 0)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 2000), st.integers(0, 2000))
    def test_pieces(self, start: int, hour: int) -> None:
        """Each hour from the start on is in exactly one piece, none before is in any."""
        at = hour * HOUR
        hits = 0
        for span, begin, end in pieces(start * HOUR):
            row = begin_of(at, span)
            hits += row >= begin and (end is None or row < end)
        self.assertEqual(hits, hour >= start)
