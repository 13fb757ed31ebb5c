"""Durations by class."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.statistics_durations import Classes, class_of, merge, middle_of, quantile

DURATIONS = st.lists(st.floats(0.001, 10_000), min_size=1, max_size=60)


def classes_of(durations: list[float]) -> Classes:
    """Counted."""
    counted: Classes = {}
    for seconds in durations:
        merge(counted, {class_of(seconds): 1})
    return counted


class ClassTests(SynchronousTestCase):
    """Classes, sums and percentiles."""

    @settings(max_examples=100, deadline=None)
    @given(DURATIONS, st.sampled_from([0.5, 0.95]))
    def test_error(self, durations: list[float], share: float) -> None:
        """A percentile is less than 5 % away from the true one."""
        ranked = sorted(durations)
        rank = next(n for n in range(1, len(ranked) + 1) if n >= share * len(ranked))
        told = quantile(classes_of(durations), share)
        assert told is not None
        self.assertLess(abs(told / ranked[rank - 1] - 1), 0.05)

    @settings(max_examples=50, deadline=None)
    @given(DURATIONS, DURATIONS)
    def test_merged(self, one: list[float], other: list[float]) -> None:
        """Sums of classes are the classes of both."""
        both = classes_of(one)
        merge(both, classes_of(other))
        self.assertEqual(both, classes_of(one + other))

    def test_ends(self) -> None:
        """Nothing is told of nothing; what takes no time is in the first class."""
        self.assertIsNone(quantile({}, 0.5))
        self.assertEqual((class_of(0.0), class_of(-1.0), class_of(0.001)), (0, 0, 0))
        self.assertEqual(class_of(0.0021), 8)
        self.assertAlmostEqual(middle_of(8), 0.002 * 2 ** (1 / 16))
