"""What an operator may ask for, field by field."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.registry_changes import (
    AccountPatch,
    GroupPatch,
    changed_policy,
    changes_of,
    keep_default,
    new_group_name,
    patched,
)
from kiro2api.errors import RequestRejected

ACCOUNT = Account("f" * 32, "first", "social")


class AccountPatchTests(SynchronousTestCase):
    """Changes of an account."""

    def test_nothing(self) -> None:
        """What is not given stays."""
        wish = patched(ACCOUNT, True, AccountPatch())
        self.assertEqual((wish.account, wish.enabled), (ACCOUNT, True))
        self.assertEqual(changes_of(ACCOUNT, True, wish), {})

    def test_everything(self) -> None:
        """Each field, and only what differs is a change."""
        patch = AccountPatch(
            name="a\t b ",
            group="pro",
            disabled=True,
            max_in_flight=1,
            requests_per_minute=2,
            order=3,
        )
        wish = patched(ACCOUNT, True, patch)
        self.assertEqual(
            changes_of(ACCOUNT, True, wish),
            {
                "name": "a b",
                "group": "pro",
                "order": 3,
                "max_in_flight": 1,
                "requests_per_minute": 2,
                "enabled": False,
            },
        )

    def test_limits(self) -> None:
        """No number below nothing or beyond sense, no name that is none."""
        wrong: tuple[tuple[str, Any], ...] = (
            ("max_in_flight", -1),
            ("max_in_flight", 10_001),
            ("requests_per_minute", 10**7),
            ("order", 10**10),
            ("name", ""),
            ("name", " "),
            ("name", "x" * 65),
            ("name", "a\x00b"),
        )
        for field, value in wrong:
            error = self.assertRaises(
                RequestRejected, patched, ACCOUNT, True, AccountPatch(**{field: value})
            )
            self.assertEqual(error.param, field)


class GroupPatchTests(SynchronousTestCase):
    """Changes of a group."""

    def test_changes(self) -> None:
        """What is given; an empty display name is one."""
        before = GroupPolicy("pro", display_name="Pro", max_in_flight=1)
        after = changed_policy(before, GroupPatch(display_name=" ", policy="round_robin"))
        self.assertEqual(after, GroupPolicy("pro", policy="round_robin", max_in_flight=1))

    def test_limits(self) -> None:
        """Numbers have bounds; what is no number has none to keep."""
        wrong: tuple[tuple[str, Any], ...] = (
            ("max_in_flight", -1),
            ("requests_per_minute", 10**7),
            ("cooldown_seconds", 90_000.0),
            ("cooldown_seconds", float("nan")),
            ("display_name", "x" * 65),
        )
        for field, value in wrong:
            error = self.assertRaises(
                RequestRejected, changed_policy, GroupPolicy("pro"), GroupPatch(**{field: value})
            )
            self.assertEqual(error.param, field)

    def test_half_a_second(self) -> None:
        """Seconds need not be whole."""
        after = changed_policy(GroupPolicy("pro"), GroupPatch(cooldown_seconds=0.5))
        self.assertEqual(after.cooldown_seconds, 0.5)

    def test_names(self) -> None:
        """Legal ones are given back, the default one is kept."""
        self.assertEqual(new_group_name("pro-1", "name"), "pro-1")
        self.assertRaises(RequestRejected, new_group_name, "static", "name")
        keep_default("pro", "removed")
        self.assertRaises(RequestRejected, keep_default, "default", "removed")
