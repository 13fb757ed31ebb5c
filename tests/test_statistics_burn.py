"""When credits will be gone."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.statistics_burn import Balance, burn_of
from kiro2api.statistics_sums import HOUR, Sums

NOW = 1_700_000_000.0


def spent(credits: float, hours: int = 24) -> dict[int, Sums]:
    """As much in each of the last hours."""
    first = int(NOW) - (hours * HOUR)
    return {first + n * HOUR: Sums(requests=1, credits=credits) for n in range(hours)}


class BurnTests(SynchronousTestCase):
    """The forecast."""

    def test_straight_line(self) -> None:
        """What is left, divided by what an hour costs; for each account and for all."""
        burn = burn_of(
            spent(2.0),
            {"a": Sums(credits=24.0), "b": Sums(credits=24.0)},
            [Balance("1", "a", 10.0), Balance("2", "b", 30.0)],
            NOW,
        )
        self.assertEqual((burn.credits_per_hour, burn.credits_left), (2.0, 40.0))
        self.assertEqual(burn.exhausted_at, NOW + 20 * HOUR)
        self.assertEqual([one.credits_per_hour for one in burn.accounts], [1.0, 1.0])
        self.assertEqual(
            [one.exhausted_at for one in burn.accounts], [NOW + 10 * HOUR, NOW + 30 * HOUR]
        )

    def test_reset_comes_first(self) -> None:
        """No end is told that will not come; the first reset is that of all."""
        soon, late = NOW + 5 * HOUR, NOW + 500 * HOUR
        balances = [Balance("1", "a", 10.0, soon), Balance("2", "b", 1.0, late)]
        by_account = {"a": Sums(credits=24.0), "b": Sums(credits=24.0)}
        burn = burn_of(spent(2.0), by_account, balances, NOW)
        self.assertEqual([one.exhausted_at for one in burn.accounts], [0.0, NOW + HOUR])
        self.assertEqual((burn.resets_at, burn.exhausted_at), (soon, 0.0))

    def test_nothing_known(self) -> None:
        """Unknown credits are not taken for none; idle accounts last; empty ones are empty now."""
        balances = [Balance("1", "a"), Balance("2", "b", 5.0), Balance("3", "c", 0.0)]
        burn = burn_of({}, {}, balances, NOW)
        self.assertEqual([one.exhausted_at for one in burn.accounts], [0.0, 0.0, NOW])
        self.assertEqual((burn.unknown, burn.credits_left, burn.exhausted_at), (1, 5.0, 0.0))
        self.assertIsNone(burn_of({}, {}, balances[:1], NOW).credits_left)

    def test_young_service(self) -> None:
        """Two hours of work are not spread over a day."""
        burn = burn_of(spent(3.0, 2), {}, [], NOW)
        self.assertEqual(burn.credits_per_hour, 3.0)
        just_now = {int(NOW) - 60: Sums(requests=1, credits=3.0)}
        self.assertEqual(burn_of(just_now, {}, [], NOW).credits_per_hour, 3.0)
