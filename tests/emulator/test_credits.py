"""Tests for kiro2api.emulator.credits and kiro2api.emulator.cast."""

import json
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.quota import parse_usage
from kiro2api.accounts.sources import parse_accounts
from kiro2api.emulator.accounts import DEMO
from kiro2api.emulator.cast import CAST, cast, entries
from kiro2api.emulator.credits import Bonus, Plan, QuotaOrder, usage_limits


class PlanTests(SynchronousTestCase):
    """What may be spent, and in what order."""

    def test_order(self) -> None:
        """The trial first, then active bonuses, then the plan."""
        plan = Plan(
            credits=10.0, trial=5.0, bonuses=(Bonus(limit=9.0, status="EXPIRED"), Bonus(limit=2.0))
        )
        plan = plan.spent(4.0)
        self.assertEqual((plan.trial_used, plan.used), (4.0, 0.0))
        plan = plan.spent(4.0)
        self.assertEqual([bonus.used for bonus in plan.bonuses], [0.0, 2.0])
        self.assertEqual((plan.trial_used, plan.used), (5.0, 1.0))
        self.assertEqual(plan.spent(3.0).used, 4.0)

    def test_expired_trial(self) -> None:
        """It pays for nothing."""
        plan = Plan(credits=1.0, used=1.0, trial=5.0, trial_active=False)
        self.assertEqual(plan.refusal, "MONTHLY_REQUEST_COUNT")
        self.assertEqual(plan.spent(2.0).used, 3.0)

    def test_refusal(self) -> None:
        """Once everything is spent, unless overage is enabled, and up to its cap."""
        spent = Plan(used=10.0, credits=10.0)
        for plan, reason in (
            (Plan(used=9.9, credits=10.0), ""),
            (spent, "MONTHLY_REQUEST_COUNT"),
            (Plan(used=10.0, credits=10.0, trial=1.0), ""),
            (Plan(used=10.0, credits=10.0, bonuses=(Bonus(limit=1.0),)), ""),
            (Plan(used=12.0, credits=10.0, overage=True, overage_cap=3.0), ""),
            (
                Plan(used=13.0, credits=10.0, overage=True, overage_cap=3.0),
                "OVERAGE_REQUEST_LIMIT_EXCEEDED",
            ),
        ):
            self.assertEqual(plan.refusal, reason, plan)

    def test_order_of_a_test(self) -> None:
        """What is given is changed, nothing else."""
        plan = QuotaOrder(account="x", used=3.0, overage=True).applied(Plan(email="a@b.c"))
        self.assertEqual(plan, Plan(used=3.0, overage=True, email="a@b.c"))


class UsageTests(SynchronousTestCase):
    """What is told, read as the service reads it."""

    def test_understood(self) -> None:
        """Everything that counts arrives."""
        plan = Plan(
            used=1200.5,
            credits=1000.0,
            trial=500.0,
            trial_used=3.25,
            bonuses=(Bonus(limit=10.0, used=1.0), Bonus(limit=99.0, status="EXHAUSTED")),
            overage=True,
            overage_cap=300.0,
            subscription="KIRO FREE",
        )
        quota = parse_usage(json.dumps(usage_limits(plan, "ada", email=True)).encode())
        self.assertEqual((quota.used, quota.limit), (1204.75, 1510.0))
        self.assertEqual(quota.left, 496.75 + 9.0 + 99.5)
        self.assertEqual(quota.email, "ada@example.invalid")
        self.assertEqual((quota.subscription, quota.overage), ("KIRO FREE", True))
        self.assertEqual([part.kind for part in quota.parts], ["plan", "trial", "bonus", "overage"])

    def test_agree(self) -> None:
        """Who is told that something is left is answered, and the other way round."""
        for account in CAST:
            plan = account.plan
            quota = parse_usage(json.dumps(usage_limits(plan, "x", email=False)).encode())
            self.assertEqual(quota.exhausted, bool(plan.refusal), account.name)
            self.assertEqual(quota.email, "")


class CastTests(SynchronousTestCase):
    """The accounts of a demonstration."""

    def test_cast(self) -> None:
        """One of each sort, all different, the demo's own first."""
        self.assertIs(CAST[0], DEMO)
        self.assertEqual({account.method for account in CAST}, {"social", "idc", "api_key"})
        self.assertEqual(len({account.name for account in CAST}), len(CAST))
        self.assertEqual(len({account.plan.email for account in CAST}), len(CAST))
        self.assertTrue(CAST[-1].plan.refusal)
        self.assertNotIn("secret", repr(CAST))

    def test_reset(self) -> None:
        """On the first of next month, also after December."""
        for today, reset in (
            (datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
            (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
            (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        ):
            found = {account.plan.reset_at for account in cast(today.timestamp())}
            self.assertEqual(found, {reset.timestamp()})

    def test_entries(self) -> None:
        """The service can be configured with all of them."""
        configured = parse_accounts(json.dumps(entries(CAST)))
        self.assertEqual(
            [(each.name, each.method) for each in configured.accounts],
            [(account.name, account.method) for account in CAST],
        )
        self.assertEqual(configured.warnings, ())
