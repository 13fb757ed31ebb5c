"""Tests for kiro2api.accounts.account."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import (
    RESERVED_GROUPS,
    is_group_name,
    is_profile_arn,
    is_region,
    is_token,
    profile_region,
    usable,
)
from tests.accounts.fixtures import ARN, OTHER_ARN, credentials


class UsableTests(SynchronousTestCase):
    """When an access token may be sent."""

    def test_without_a_token(self) -> None:
        """Before the first refresh there is nothing to send."""
        self.assertFalse(usable("social", credentials(access="", expires_at=1e9), 0.0, 60.0))

    def test_margin(self) -> None:
        """A token counts as expired a margin early, to the second."""
        token = credentials(expires_at=1000.0)
        self.assertTrue(usable("idc", token, 939.9, 60.0))
        self.assertFalse(usable("idc", token, 940.0, 60.0))

    def test_api_key_never_expires(self) -> None:
        """An API key has no expiry."""
        self.assertTrue(usable("api_key", credentials(), 1e12, 60.0))


class ProfileTests(SynchronousTestCase):
    """Profile ARNs."""

    def test_region(self) -> None:
        """The data plane's region is the ARN's fourth field."""
        self.assertEqual(profile_region(OTHER_ARN), "eu-central-1")

    def test_region_unknown(self) -> None:
        """Without an ARN, or with an empty field, the default serves."""
        for arn in ("", "arn:aws:codewhisperer", "arn:aws:codewhisperer::1:profile/x"):
            self.assertEqual(profile_region(arn), "us-east-1")

    def test_pattern(self) -> None:
        """Only the published form is an ARN of ours, without anything around it."""
        self.assertTrue(is_profile_arn(ARN))
        for wrong in (ARN + "X", ARN + "\n", ARN.upper(), ARN.replace("codewhisperer", "q"), ""):
            self.assertFalse(is_profile_arn(wrong), wrong)


class NameTests(SynchronousTestCase):
    """What the operator may call things."""

    def test_groups(self) -> None:
        """Short URL-safe words are group names."""
        for good in ("default", "pro_2", "A-b", "x" * 64):
            self.assertTrue(is_group_name(good), good)
        for wrong in ("", "x" * 65, "a b", "a/b", "ü", "a.b", "pro\n"):
            self.assertFalse(is_group_name(wrong), wrong)

    def test_reserved(self) -> None:
        """The first segments of our own URLs are not, in any case."""
        for name in RESERVED_GROUPS:
            self.assertFalse(is_group_name(name), name)
            self.assertFalse(is_group_name(name.upper()), name)

    def test_regions(self) -> None:
        """A region becomes part of a host name, so nothing else may pass."""
        for good in ("us-east-1", "ap-southeast-12", "us-gov-west-1"):
            self.assertTrue(is_region(good), good)
        for wrong in ("", "useast1", "us-east-1.evil.example", "us-east-1/", "US-EAST-1"):
            self.assertFalse(is_region(wrong), wrong)

    def test_tokens(self) -> None:
        """A token must fit an HTTP header."""
        self.assertTrue(is_token("aoa-Az09:/+="))
        for wrong in ("", "a b", "a\nb", "a\x00b", "tökén", "a\tb"):
            self.assertFalse(is_token(wrong), wrong)
