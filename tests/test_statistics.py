"""What the numbers mean."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.statistics import (
    PERIODS,
    StatisticsFilter,
    named,
    period_of,
    pool_of,
    series_of,
    success_rate,
    totals_of,
)
from kiro2api.statistics_sums import Sums
from tests.test_metering import record
from tests.web.test_operator_api import status

NOW = 1_700_000_123.0


class PeriodTests(SynchronousTestCase):
    """Periods and their points."""

    def test_periods(self) -> None:
        """They end now, begin with a whole hour and have the points they say."""
        for name, (hours, step) in PERIODS.items():
            period = period_of(name, NOW)
            self.assertEqual((period.start % 3600, period.end), (0, NOW))
            self.assertLessEqual(NOW - period.start, hours * 3600)
            points = series_of({}, period)
            self.assertIn(len(points), (hours // step, hours // step + 1))
            self.assertEqual({point.requests for point in points}, {0})
        self.assertRaises(KeyError, period_of, "1y", NOW)

    def test_series(self) -> None:
        """Hours are added up to the steps of the chart; none is lost."""
        period = period_of("14d", NOW)
        hours = {period.start + n * 3600: Sums(requests=1, credits=0.5) for n in range(14 * 24)}
        points = series_of(hours, period)
        self.assertEqual(sum(point.requests for point in points), 14 * 24)
        self.assertEqual(points[1].requests, 6)
        self.assertEqual(points[1].credits, 3.0)
        self.assertEqual(points[1].at - points[0].at, 6 * 3600)


class NumbersTests(SynchronousTestCase):
    """Totals as they are shown."""

    def test_rate(self) -> None:
        """Those who left do not count; nothing is told of nothing."""
        self.assertIsNone(success_rate(0, 0))
        self.assertEqual(success_rate(3, 1), 0.75)

    def test_totals(self) -> None:
        """Means are exact, percentiles near, credits without noise."""
        sums = Sums()
        for seconds in (1.0, 2.0, 3.0):
            sums.add(record(total_seconds=seconds, first_event_seconds=0.1, credits=0.1))
        totals = totals_of(sums)
        self.assertEqual((totals.requests, totals.success_rate, totals.credits), (3, 1.0, 0.3))
        self.assertEqual(totals.total_mean, 2.0)
        assert totals.total_p50 is not None and totals.total_p95 is not None
        self.assertLess(abs(totals.total_p50 - 2), 0.1)
        self.assertLess(abs(totals.total_p95 - 3), 0.15)
        self.assertIsNone(totals_of(Sums()).first_event_mean)

    def test_named(self) -> None:
        """The busiest first."""
        ranked = named({"b": Sums(requests=1), "a": Sums(requests=1), "c": Sums(requests=2)})
        self.assertEqual([one.name for one in ranked], ["c", "a", "b"])

    def test_pool(self) -> None:
        """Each state is there, also one that is new to us."""
        pool = pool_of([status("a"), status("b", "cooling"), status("c", "probing")])
        self.assertEqual((pool["ready"], pool["cooling"], pool["probing"]), (1, 1, 1))
        self.assertEqual((pool["disabled"], pool["total"], pool["in_flight"]), (0, 3, 3))
        self.assertEqual((pool["working"], pool_of([])["working"]), (3, 0))

    def test_facets(self) -> None:
        """Each filter is answered by sums that know it."""
        self.assertEqual(next(iter(StatisticsFilter().facets())), "status")
        self.assertEqual(list(StatisticsFilter(account="a").facets()), ["account"])
        self.assertEqual(list(StatisticsFilter(key="k", model="m").facets()), ["key"])
