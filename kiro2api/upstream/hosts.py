# -*- test-case-name: tests.upstream.test_hosts -*-
"""Which host answers for which account.

Pure. Must not know paths, headers or how a connection is made. Regions come from configuration
and from profile ARNs, so they are checked before they become part of a host name.
"""

import re
from typing import Final

import msgspec

from kiro2api.accounts.account import DEFAULT_REGION, Account, Credentials, profile_region

SOCIAL_AUTH_URL: Final = "https://prod.us-east-1.auth.desktop.kiro.dev"
PROFILE_REGIONS: Final = ("us-east-1", "eu-central-1")
"""Wire: the only regions that host profiles."""

_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z0-9]{1,16}){1,4}", re.ASCII)


def checked_region(region: str) -> str:
    """``region`` if it looks like one, else the default: it must not choose another domain."""
    return region if len(region) <= 32 and _REGION.fullmatch(region) else DEFAULT_REGION


class Hosts(msgspec.Struct, frozen=True):
    """Base URLs without a trailing slash; a non-empty field overrides what the region gives."""

    upstream: str = ""
    social: str = ""
    oidc: str = ""

    def data_plane(self, account: Account, credentials: Credentials) -> str:
        """Where this account's answers, models and usage limits are asked for.

        Wire: the region is that of the profile, not of the login. An API key has no profile, so
        there the account's own region counts.
        """
        if account.method == "api_key":
            return self.regional(account.region)
        return self.regional(profile_region(credentials.profile_arn))

    def regional(self, region: str) -> str:
        """The data plane of one region."""
        return _plain(self.upstream) or f"https://q.{checked_region(region)}.amazonaws.com"

    def social_auth(self) -> str:
        """Where social logins are renewed; it has no region of its own."""
        return _plain(self.social) or SOCIAL_AUTH_URL

    def oidc_of(self, region: str) -> str:
        """Where IdC logins of this region are renewed.

        Wire: the region of the login instance, which may differ from that of the profile.
        """
        return _plain(self.oidc) or f"https://oidc.{checked_region(region)}.amazonaws.com"


def _plain(url: str) -> str:
    return url.strip().rstrip("/")
