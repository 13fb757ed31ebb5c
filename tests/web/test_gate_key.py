"""A stored key in use."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Forbidden, Kind, Unauthorized
from kiro2api.store.keys import StoredKey
from kiro2api.web.gate_key import BudgetSpent, KeyUse, LimitReached
from kiro2api.web.gate_models import PlainNaming

NOON = 20_000 * 86_400.0 + 43_200.0
"""2024-10-04T12:00:00Z."""
PLAIN = StoredKey(1, "laptop", b"digest", "client", 0.0)


def in_use(workers: int = 1, **terms: object) -> KeyUse:
    """A key with these terms."""
    return KeyUse(msgspec.structs.replace(PLAIN, **terms), PlainNaming(), workers)


class KeyUseTests(SynchronousTestCase):
    """What a key may, and has had."""

    def test_without_terms(self) -> None:
        """Everything is allowed."""
        use = in_use()
        use.present(NOON)
        use.allow_group("any")
        self.assertTrue(use.may_use("any"))
        for _ in range(1000):
            use.enter(NOON)
        self.assertEqual((use.in_flight, use.last_used), (1000, NOON))

    def test_no_longer_good(self) -> None:
        """Off, or past its time, and why; neither counts as a use."""
        error = self.assertRaises(Unauthorized, in_use(enabled=False).present, NOON)
        self.assertIn("switched off", error.message)
        use = in_use(expires_at=NOON)
        error = self.assertRaises(Unauthorized, use.present, NOON)
        self.assertIn("expired", error.message)
        self.assertEqual(use.last_used, 0.0)
        use.present(NOON - 0.1)
        self.assertEqual(use.last_used, NOON - 0.1)

    def test_groups(self) -> None:
        """Only those named, and the default group is one like any other."""
        use = in_use(groups=("pro",))
        use.allow_group("pro")
        error = self.assertRaises(Forbidden, use.allow_group, "default")
        self.assertIn("'default'", error.message)

    def test_in_flight(self) -> None:
        """Only so many at once; who leaves makes room."""
        use = in_use(max_in_flight=2)
        use.enter(NOON)
        use.enter(NOON)
        error = self.assertRaises(LimitReached, use.enter, NOON)
        self.assertEqual((error.kind, error.retry_after), (Kind.RATE_LIMITED, 1.0))
        use.leave()
        use.enter(NOON)
        self.assertEqual(use.in_flight, 2)

    def test_rate(self) -> None:
        """A refusal tells when to come back; who is refused elsewhere takes no token."""
        use = in_use(requests_per_minute=2, max_in_flight=1)
        use.enter(NOON)
        for _ in range(5):
            self.assertRaises(LimitReached, use.enter, NOON)
        use.leave()
        use.enter(NOON)
        use.leave()
        error = self.assertRaises(LimitReached, use.enter, NOON)
        self.assertEqual((error.code, error.retry_after), ("key_rate", 30.0))
        self.assertEqual(use.in_flight, 0)
        use.enter(NOON + 30.0)

    def test_day(self) -> None:
        """A spent day ends at midnight, and the refusal says so."""
        use = in_use(credits_per_day=1.0)
        use.budget.add(0.9, NOON)
        use.enter(NOON)
        use.leave()
        use.budget.add(0.1, NOON)
        error = self.assertRaises(BudgetSpent, use.enter, NOON)
        self.assertEqual((error.kind, error.retry_after), (Kind.QUOTA_EXHAUSTED, 43_200.0))
        self.assertIn("1 credits per day", error.message)
        self.assertIn("12 h", error.message)
        use.enter(NOON + 43_200.0)

    def test_month(self) -> None:
        """A spent month lasts longer than a spent day."""
        use = in_use(credits_per_day=1.0, credits_per_month=1.0)
        use.budget.add(2.0, NOON)
        error = self.assertRaises(BudgetSpent, use.enter, NOON)
        self.assertEqual(error.code, "key_budget_month")
        self.assertEqual(error.retry_after, 27.5 * 86_400.0)
        self.assertIn("28 days", error.message)
        self.assertRaises(BudgetSpent, use.enter, NOON + 27.4 * 86_400.0)
        use.enter(NOON + 27.5 * 86_400.0)

    def test_other_terms(self) -> None:
        """What was had counts on."""
        use = in_use(max_in_flight=1, models=("a",))
        use.enter(NOON)
        use.renew(msgspec.structs.replace(PLAIN, max_in_flight=2, models=("b",)))
        use.enter(NOON)
        self.assertRaises(LimitReached, use.enter, NOON)
        self.assertEqual((use.may_use("a"), use.may_use("b")), (False, True))

    def test_shared(self) -> None:
        """Several processes divide the limits, upwards."""
        use = in_use(4, max_in_flight=5, requests_per_minute=8)
        use.enter(NOON)
        use.enter(NOON)
        self.assertRaises(LimitReached, use.enter, NOON)
        use.leave()
        error = self.assertRaises(LimitReached, use.enter, NOON)
        self.assertEqual(error.code, "key_rate")
        self.assertIn("8 requests", error.message)

    @settings(max_examples=80, deadline=None)
    @given(
        st.integers(1, 40),
        st.integers(1, 40),
        st.integers(1, 6),
        st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 30_000)), max_size=60),
    )
    def test_budgets_hold(
        self, day: int, month: int, most: int, steps: list[tuple[bool, int, int]]
    ) -> None:
        """No day and no month costs more than its budget and what was running when it was
        reached; whoever is refused has indeed spent it."""
        use = in_use(credits_per_day=day, credits_per_month=month, max_in_flight=most)
        now = NOON
        running: list[int] = []
        days: dict[int, float] = {}

        def spend(cost: int) -> None:
            number = int(now // 86_400)
            days[number] = days.get(number, 0.0) + cost
            use.leave()
            use.budget.add(cost, now)

        for enters, cost, pause in steps:
            now += pause
            today = int(now // 86_400)
            if enters:
                try:
                    use.enter(now)
                    running.append(cost)
                    # The month of these steps has 28 days to go.
                    self.assertTrue(days.get(today, 0.0) < day and sum(days.values()) < month)
                except LimitReached:
                    self.assertEqual(len(running), most)
                except BudgetSpent:
                    self.assertTrue(days.get(today, 0.0) >= day or sum(days.values()) >= month)
            elif running:
                spend(running.pop(0))
        while running:
            spend(running.pop(0))
        for number, spent in days.items():
            # Those who were let in before the last credit, the last of which may cost 12.
            self.assertLess(spent, day + 12 * most, number)
        self.assertLess(sum(days.values()), month + 12 * most)
