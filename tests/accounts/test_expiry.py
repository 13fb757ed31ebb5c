"""Tests for kiro2api.accounts.expiry."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.expiry import parse_expiry

MOMENT = datetime(2026, 5, 8, 2, 44, 55, tzinfo=UTC).timestamp()


class ParseExpiryTests(SynchronousTestCase):
    """Every way in which other tools write a time."""

    def test_unknown(self) -> None:
        """Nothing given is "unknown"."""
        self.assertEqual(parse_expiry(None), 0.0)
        self.assertEqual(parse_expiry(""), 0.0)

    def test_fractions(self) -> None:
        """Any number of fractional digits from none to nine is understood."""
        digits = "883569423"
        for count in range(10):
            point = "." if count else ""
            text = f"2026-05-08T02:44:55{point}{digits[:count]}Z"
            expected = MOMENT + int((digits[:count] + "000000")[:6]) / 1e6
            self.assertAlmostEqual(parse_expiry(text), expected, places=5, msg=text)

    def test_offsets(self) -> None:
        """Offsets count, a missing one means UTC, lower case is the same."""
        for text in (
            "2026-05-08T04:44:55+02:00",
            "2026-05-07T21:44:55.000-05:00",
            "2026-05-08T02:44:55",
            "2026-05-08t02:44:55z",
            "2026-05-08 02:44:55Z",
        ):
            self.assertEqual(parse_expiry(text), MOMENT, text)

    @given(st.integers(0, 10**10))
    def test_numbers(self, seconds: int) -> None:
        """Seconds and milliseconds are told apart by size, as numbers and as text."""
        self.assertEqual(parse_expiry(seconds), seconds)
        self.assertEqual(parse_expiry(str(seconds)), seconds)
        milliseconds = (seconds + 10**9) * 1000
        self.assertEqual(parse_expiry(milliseconds), seconds + 10**9)
        self.assertEqual(parse_expiry(f"{milliseconds}.0"), seconds + 10**9)

    def test_nonsense(self) -> None:
        """Anything else is refused without being repeated."""
        nonsense: list[object] = ["soon", "2026-13-01T00:00:00Z", "-5", "nan", True, [], {}, -1]
        for value in [*nonsense, float("inf")]:
            error = self.assertRaises(ValueError, parse_expiry, value)
            self.assertNotIn(str(value), str(error))

    def test_zero_time(self) -> None:
        """The zero time, which tools written in Go put for "none", is "unknown"."""
        self.assertEqual(parse_expiry("0001-01-01T00:00:00Z"), 0.0)
        self.assertEqual(parse_expiry("0001-01-01T00:00:00+14:00"), 0.0)
