"""Tests for kiro2api.accounts.quota."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.quota import (
    Part,
    Quota,
    decode_quota,
    encode_quota,
    masked,
    parse_usage,
)
from kiro2api.errors import ProtocolViolation

PLAN: dict[str, Any] = {
    "resourceType": "CREDIT",
    "displayName": "Credit",
    "currentUsage": 280,
    "currentUsageWithPrecision": 280.59,
    "usageLimit": 1000,
    "usageLimitWithPrecision": 1000.0,
    "nextDateReset": 1.780272e9,
}


def usage(plan: dict[str, Any] | None = None, **members: Any) -> Quota:
    """What an answer with this breakdown tells."""
    breakdown = {**PLAN, **(plan or {})}
    return parse_usage(json.dumps({"usageBreakdownList": [breakdown], **members}).encode())


class PartsTests(SynchronousTestCase):
    """What is added up."""

    def test_plan(self) -> None:
        """The precise numbers count, and the reset is an epoch in any spelling."""
        quota = usage(subscriptionInfo={"subscriptionTitle": "KIRO PRO"})
        self.assertEqual((quota.used, quota.limit), (280.59, 1000.0))
        self.assertAlmostEqual(quota.left or 0.0, 719.41)
        self.assertEqual(quota.reset_at, 1_780_272_000.0)
        self.assertEqual(quota.subscription, "KIRO PRO")
        self.assertFalse(quota.exhausted)

    def test_rough_numbers(self) -> None:
        """Without precise numbers the others do; a missing usage is none."""
        quota = usage(
            {
                "currentUsage": 3,
                "currentUsageWithPrecision": None,
                "usageLimitWithPrecision": "much",
            }
        )
        self.assertEqual((quota.used, quota.limit), (3.0, 1000.0))
        quota = usage({"currentUsage": -1, "currentUsageWithPrecision": True})
        self.assertEqual(quota.used, 0.0)

    def test_trial(self) -> None:
        """A trial counts while it is active."""
        trial = {
            "freeTrialStatus": "ACTIVE",
            "freeTrialExpiry": 1.780272e9,
            "currentUsage": 3,
            "currentUsageWithPrecision": 3.5,
            "usageLimit": 500,
        }
        quota = usage({"freeTrialInfo": trial})
        self.assertEqual((round(quota.used, 2), quota.limit), (284.09, 1500.0))
        self.assertEqual(quota.parts[1], Part("trial", "", 3.5, 500.0, 1_780_272_000.0))
        quota = usage({"freeTrialInfo": {**trial, "freeTrialStatus": "EXPIRED"}})
        self.assertEqual(quota.limit, 1000.0)

    def test_bonuses(self) -> None:
        """Of the bonuses, those that are active; an empty one is none."""
        quota = usage(
            {
                "bonuses": [
                    {"status": "ACTIVE", "bonusCode": "B", "currentUsage": 1, "usageLimit": 10},
                    {"status": "ACTIVE", "displayName": "Gift", "bonusCode": "C"},
                    {"status": "EXPIRED", "currentUsage": 1, "usageLimit": 100},
                    {"status": "EXHAUSTED", "currentUsage": 100, "usageLimit": 100},
                    "odd",
                ]
            }
        )
        self.assertEqual(quota.limit, 1010.0)
        self.assertEqual([part.name for part in quota.parts], ["Credit", "B", "Gift"])

    def test_spent(self) -> None:
        """What was used beyond the plan takes nothing from a trial."""
        trial = {"freeTrialStatus": "ACTIVE", "currentUsage": 100, "usageLimit": 500}
        quota = usage({"currentUsageWithPrecision": 1000.5, "freeTrialInfo": trial})
        self.assertEqual(quota.left, 400.0)
        quota = usage({"currentUsageWithPrecision": 1000.5})
        self.assertEqual(quota.left, 0.0)
        self.assertTrue(quota.exhausted)

    def test_overage(self) -> None:
        """With overage enabled, an account goes on up to the cap."""
        beyond = {
            "currentUsageWithPrecision": 1280.59,
            "currentOverages": 280,
            "currentOveragesWithPrecision": 280.59,
            "overageCap": 10_000,
        }
        enabled = {"overageStatus": "ENABLED"}
        quota = usage(beyond, overageConfiguration=enabled)
        self.assertEqual((quota.limit, quota.overage), (1000.0, True))
        self.assertAlmostEqual(quota.left or 0.0, 9719.41)
        self.assertEqual(quota.parts[-1].kind, "overage")
        self.assertTrue(usage(beyond, overageConfiguration={"overageStatus": "DISABLED"}).exhausted)
        quota = usage({**beyond, "overageCap": 280}, overageConfiguration=enabled)
        self.assertTrue(quota.exhausted)

    def test_overage_without_a_cap(self) -> None:
        """Then no bound is known, and so the account is not exhausted."""
        quota = usage(
            {"currentUsageWithPrecision": 2000.0},
            overageConfiguration={"overageStatus": "ENABLED"},
        )
        self.assertIsNone(quota.left)
        self.assertFalse(quota.exhausted)


class ChoiceTests(SynchronousTestCase):
    """Which breakdown counts."""

    def limit(self, **members: Any) -> float:
        return parse_usage(json.dumps(members).encode()).limit

    def test_credits_first(self) -> None:
        """Credits, then requests, then whatever is there."""
        vibe = {"resourceType": "VIBE", "usageLimit": 1}
        requests = {"resourceType": "AGENTIC_REQUEST", "usageLimit": 2}
        credit = {"resourceType": "CREDIT", "usageLimit": 3}
        spec = {"resourceType": "SPEC", "usageLimit": 4}
        self.assertEqual(self.limit(usageBreakdownList=[vibe, requests, credit]), 3.0)
        self.assertEqual(self.limit(usageBreakdownList=[vibe, requests]), 2.0)
        self.assertEqual(self.limit(usageBreakdownList=[spec]), 4.0)
        self.assertEqual(self.limit(usageBreakdownList=[vibe], usageBreakdown=credit), 3.0)

    def test_older_answers(self) -> None:
        """A list of limits, of which that of requests counts."""
        limits = [
            {"type": "TRANSFORM", "currentUsage": 1, "totalUsageLimit": 9},
            {"type": "AGENTIC_REQUEST", "currentUsage": 5, "totalUsageLimit": 50},
        ]
        quota = parse_usage(json.dumps({"limits": limits, "nextDateReset": 1780272000}).encode())
        self.assertEqual((quota.used, quota.limit, quota.left), (5.0, 50.0, 45.0))
        self.assertEqual(quota.reset_at, 1_780_272_000.0)
        self.assertIsNone(parse_usage(b'{"limits":[{"type":"TRANSFORM"}]}').left)

    def test_nothing(self) -> None:
        """An answer that tells no limit leaves everything unknown."""
        self.assertEqual(parse_usage(b"{}"), Quota())
        self.assertEqual(parse_usage(b'{"usageBreakdownList":[{"usageLimit":"x"}]}'), Quota())


class StrangeTests(SynchronousTestCase):
    """Answers that are not as published."""

    def test_no_object(self) -> None:
        """Anything but an object is a fault, without its text."""
        for body in (b"[1]", b"<html>secret</html>", b"", b"[" * 100_000, b'{"a":"\xff"}'):
            fault = self.assertRaises(ProtocolViolation, parse_usage, body)
            self.assertNotIn("secret", str(fault))

    def test_odd_members(self) -> None:
        """Members of the wrong kind count as missing."""
        quota = usage(
            {"nextDateReset": "soon", "displayName": 7, "freeTrialInfo": [], "bonuses": {}},
            userInfo={"email": "a\nb@example.com"},
            subscriptionInfo="PRO",
            nextDateReset=10**400,
        )
        self.assertEqual((quota.email, quota.subscription, quota.reset_at), ("", "", 0.0))
        self.assertEqual(quota.limit, 1000.0)

    @settings(max_examples=100)
    @given(
        st.recursive(
            # JSON has neither NaN nor infinity.
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [*PLAN, "freeTrialInfo", "bonuses", "usageBreakdownList", "limits"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=20,
        )
    )
    def test_anything(self, value: object) -> None:
        """Whatever is sent, the amounts make sense."""
        quota = parse_usage(json.dumps({"usageBreakdownList": value, "limits": value}).encode())
        self.assertGreaterEqual(quota.used, 0.0)
        self.assertTrue(quota.left is None or quota.left >= 0.0)


class StoredTests(SynchronousTestCase):
    """In the store, and before eyes."""

    def test_round_trip(self) -> None:
        """What is written is read."""
        quota = usage(userInfo={"email": "a@example.com"})
        self.assertEqual(decode_quota(encode_quota(quota)), quota)
        self.assertEqual(decode_quota(encode_quota(Quota())), Quota())

    def test_nothing_stored(self) -> None:
        """No text and strange text are no quota."""
        for text in ("", "[]", "{"):
            self.assertIsNone(decode_quota(text))

    def test_repr(self) -> None:
        """The address is not shown."""
        quota = usage(userInfo={"email": "ada@example.com"})
        self.assertEqual(quota.email, "ada@example.com")
        self.assertNotIn("ada", repr(quota))

    def test_masked(self) -> None:
        """By the first letter and the domain."""
        self.assertEqual(masked("ada@example.com"), "a***@example.com")
        self.assertEqual(masked(""), "")
        self.assertEqual(masked("nobody"), "***")
        self.assertEqual(masked("@x"), "***")
