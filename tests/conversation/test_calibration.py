"""The estimate, corrected by what the upstream counts."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.calibration import LEAST, MODELS, MOST, WORTH, Calibration


class CalibrationTests(SynchronousTestCase):
    """Slow, robust, bounded."""

    def test_nothing_learnt(self) -> None:
        """The estimate stands as it is."""
        self.assertEqual(Calibration().corrected("m", 4321), 4321)

    def test_converges(self) -> None:
        """What is always seen is soon believed, by its own model only."""
        calibration = Calibration()
        for _ in range(30):
            calibration.learn("m", 10_000, 12_500)
            calibration.learn("n", 10_000, 9_000)
        self.assertEqual(calibration.corrected("m", 1000), 1250)
        self.assertEqual(calibration.corrected("n", 1000), 900)
        self.assertEqual(calibration.corrected("o", 1000), 1000)

    def test_slow(self) -> None:
        """One answer moves it a tenth at most, and later ones less."""
        calibration = Calibration()
        calibration.learn("m", 10_000, 17_000)
        self.assertEqual(calibration.corrected("m", 1000), 1100)
        for _ in range(300):
            calibration.learn("m", 10_000, 10_000)
        calibration.learn("m", 10_000, 17_000)
        self.assertEqual(calibration.corrected("m", 1000), 1005)

    def test_robust(self) -> None:
        """One odd answer in five leaves it at what the others say, within three percent."""
        calibration = Calibration()
        for _ in range(60):
            for exact in (11_900, 12_000, 12_000, 12_100, 90_000):
                calibration.learn("m", 10_000, exact)
        self.assertLess(abs(calibration.corrected("m", 1000) - 1200), 36)

    def test_too_small(self) -> None:
        """Small questions teach nothing: the upstream's own preamble dwarfs them. Nor does a
        count of nothing."""
        calibration = Calibration()
        calibration.learn("m", WORTH - 1, 9000)
        calibration.learn("m", 10_000, 0)
        self.assertEqual(calibration.corrected("m", 1000), 1000)

    def test_number_of_models(self) -> None:
        """The longest known goes."""
        calibration = Calibration()
        for number in range(MODELS + 1):
            calibration.learn(str(number), 10_000, 11_000)
        self.assertEqual(calibration.corrected("0", 1000), 1000)
        self.assertEqual(calibration.corrected("1", 1000), 1100)
        self.assertEqual(len(calibration._learnt), MODELS)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)), max_size=60))
    def test_bounds(self, lessons: list[tuple[int, int]]) -> None:
        """Whatever is told, the correction stays sane."""
        calibration = Calibration()
        for estimate, exact in lessons:
            calibration.learn("m", estimate, exact)
        self.assertLessEqual(LEAST * 10_000 - 1, calibration.corrected("m", 10_000))
        self.assertLessEqual(calibration.corrected("m", 10_000), MOST * 10_000 + 1)
