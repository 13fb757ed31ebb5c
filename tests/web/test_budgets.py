"""What was spent today and this month."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.budgets import DAY_SECONDS, Budget, day_of, month_of, next_month


def at(text: str) -> float:
    """Epoch seconds in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class CalendarTests(SynchronousTestCase):
    """Days and months in UTC."""

    def test_months(self) -> None:
        """First days of months, also at the end of a year and in February."""
        for day, first, after in (
            ("2024-02-29", "2024-02-01", "2024-03-01"),
            ("2024-12-31", "2024-12-01", "2025-01-01"),
            ("2025-01-01", "2025-01-01", "2025-02-01"),
            ("2025-01-31", "2025-01-01", "2025-02-01"),
        ):
            number = day_of(at(day))
            self.assertEqual(month_of(number), day_of(at(first)))
            self.assertEqual(next_month(number), day_of(at(after)))

    def test_days(self) -> None:
        """A day ends at midnight."""
        self.assertEqual(day_of(at("2024-10-04T23:59:59.9")) + 1, day_of(at("2024-10-05")))


class BudgetTests(SynchronousTestCase):
    """The counts."""

    def test_day_and_month(self) -> None:
        """A new day begins at 0, a new month too."""
        budget = Budget()
        budget.add(1.0, at("2024-10-30T12:00"))
        budget.add(2.0, at("2024-10-31T23:59"))
        self.assertEqual((budget.today, budget.month), (2.0, 3.0))
        budget.roll(at("2024-11-01T00:00"))
        self.assertEqual((budget.today, budget.month), (0.0, 0.0))
        budget.add(0.5, at("2024-11-01T00:01"))
        self.assertEqual((budget.today, budget.month), (0.5, 0.5))

    def test_nothing(self) -> None:
        """What is no amount is not counted."""
        budget = Budget()
        for credits in (0.0, -1.0, float("nan")):
            budget.add(credits, 0.0)
        self.assertEqual((budget.today, budget.month, budget.underway()), (0.0, 0.0, {}))

    def test_with_the_store(self) -> None:
        """What others have spent counts; what is underway counts once, whatever becomes of it."""
        now = at("2024-10-04T12:00")
        day = day_of(now)
        budget = Budget()
        budget.add(1.0, now)
        self.assertEqual(budget.underway(), {day: 1.0})
        budget.add(2.0, now)
        self.assertEqual(budget.today, 3.0)
        budget.told({day: 11.0, day - 1: 5.0, month_of(day) - 1: 100.0})
        self.assertEqual((budget.today, budget.month), (13.0, 18.0))
        self.assertEqual(budget.underway(), {day: 2.0})
        budget.not_told()
        self.assertEqual((budget.today, budget.month), (13.0, 18.0))
        self.assertEqual(budget.underway(), {day: 2.0})
        budget.told({day: 13.0})
        self.assertEqual((budget.today, budget.underway()), (13.0, {}))

    @settings(max_examples=80, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("spend"), st.integers(0, 1), st.integers(1, 64)),
                st.tuples(st.just("settle"), st.integers(0, 1), st.booleans()),
                st.tuples(st.just("restart"), st.integers(0, 1), st.booleans()),
            ),
            max_size=40,
        )
    )
    def test_two_processes_lose_nothing(self, steps: list[tuple[str, int, int]]) -> None:
        """Whatever fails in between, in the end both know what both have spent."""
        store: dict[int, float] = {}
        budgets = [Budget(), Budget()]
        total = 0.0

        def settle(which: int, works: bool) -> None:
            budget = budgets[which]
            underway = dict(budget.underway())
            if not works:
                budget.not_told()
                return
            for day, credits in underway.items():
                store[day] = store.get(day, 0.0) + credits
            budget.told(dict(store))

        for step, which, value in steps:
            if step == "spend":
                budgets[which].add(value / 4, 5.0)
                total += value / 4
            elif step == "settle":
                settle(which, bool(value))
            else:
                settle(which, True)
                budgets[which] = Budget()
                settle(which, True)
        for _ in range(2):
            for which in (0, 1):
                settle(which, True)
        self.assertEqual(store.get(0, 0.0), total)
        for budget in budgets:
            budget.roll(DAY_SECONDS - 1.0)
            self.assertEqual(budget.today, total)
