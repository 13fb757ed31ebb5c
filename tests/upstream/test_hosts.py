"""Tests for kiro2api.upstream.hosts."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.upstream.hosts import SOCIAL_AUTH_URL, Hosts, checked_region
from tests.fakes.upstream import an_account, its_credentials


class HostsTests(SynchronousTestCase):
    """Base URLs."""

    def test_profile_decides(self) -> None:
        """The data plane follows the profile, not the login; without one it is the default."""
        account = an_account(region="ap-southeast-2")
        self.assertEqual(
            Hosts().data_plane(account, its_credentials()),
            "https://q.eu-central-1.amazonaws.com",
        )
        self.assertEqual(
            Hosts().data_plane(account, its_credentials(profile_arn="")),
            "https://q.us-east-1.amazonaws.com",
        )

    def test_api_key(self) -> None:
        """An API key is served where its account says."""
        account = an_account("api_key", region="eu-central-1")
        self.assertEqual(
            Hosts().data_plane(account, its_credentials(profile_arn="")),
            "https://q.eu-central-1.amazonaws.com",
        )

    def test_login_services(self) -> None:
        """The social service has one host, OIDC one per region."""
        self.assertEqual(Hosts().social_auth(), SOCIAL_AUTH_URL)
        self.assertEqual(
            Hosts().oidc_of("ap-southeast-2"), "https://oidc.ap-southeast-2.amazonaws.com"
        )

    def test_overrides(self) -> None:
        """A configured URL is used for every region, without its trailing slash."""
        hosts = Hosts(" http://127.0.0.1:9100/ ", "http://social/", "http://oidc/base/")
        self.assertEqual(hosts.data_plane(an_account(), its_credentials()), "http://127.0.0.1:9100")
        self.assertEqual(hosts.regional("eu-central-1"), "http://127.0.0.1:9100")
        self.assertEqual(hosts.social_auth(), "http://social")
        self.assertEqual(hosts.oidc_of("us-east-1"), "http://oidc/base")


class RegionTests(SynchronousTestCase):
    """A region becomes part of a host name."""

    def test_good(self) -> None:
        """Regions as they are."""
        for region in ("us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-2"):
            self.assertEqual(checked_region(region), region)

    def test_bad(self) -> None:
        """Whatever could lead elsewhere, or is no region, becomes the default."""
        for region in (
            "",
            "evil.example/",
            "us-east-1.evil.example#",
            "us-east-1\n",
            "US-EAST-1",
            "us_east_1",
            "us-\u0661",
            "us" + "-abcdefghijklmnop" * 3,
        ):
            self.assertEqual(checked_region(region), "us-east-1", region)
