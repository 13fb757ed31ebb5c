# -*- test-case-name: tests.accounts.test_account -*-
"""An account and its credentials, as values.

Pure: the time comes in as an argument (epoch seconds). Must not know how tokens are fetched or
stored.
"""

import re
from typing import Final, Literal, TypeAlias

import msgspec

from kiro2api.redaction import Secret

Method: TypeAlias = Literal["social", "idc", "api_key"]

DEFAULT_GROUP = "default"
DEFAULT_REGION = "us-east-1"

RESERVED_GROUPS: Final = frozenset(
    {"v1", "api", "static", "assets", "health", "messages", "models", "chat", "emulator"}
)
"""A group is the first segment of a URL, so it must not be one of ours."""

_GROUP: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
# Wire: the published pattern of the member ``profileArn``.
_PROFILE_ARN: Final = re.compile(
    r"arn:aws:(codewhisperer|transform):[-.a-z0-9]{1,63}:[0-9]{12}:profile/[a-zA-Z0-9]{12}"
)


class Credentials(msgspec.Struct, frozen=True):
    """What proves an account to the upstream and renews that proof.

    ``access_token`` is empty until the first refresh; ``expires_at`` is in epoch seconds, 0 when
    unknown. An API key lives in ``access_token``, never expires and has no refresh token.
    ``client_id`` and ``client_secret`` belong to the IdC registration.
    """

    access_token: Secret
    refresh_token: Secret
    expires_at: float = 0.0
    client_id: str = ""
    client_secret: Secret = Secret("")
    profile_arn: str = ""


class Account(msgspec.Struct, frozen=True):
    """One account of the operator.

    ``fingerprint`` is a stable digest of the configured credential: it names the account's row
    in the store across restarts, also after its tokens were rotated. ``region`` is that of the
    login (IdC instance); the data plane's region follows from the profile ARN.
    ``max_in_flight`` (requests at once) and ``requests_per_minute`` are 0 where the group's limits
    hold.
    """

    fingerprint: str
    name: str
    method: Method
    group: str = DEFAULT_GROUP
    region: str = DEFAULT_REGION
    order: int = 0
    max_in_flight: int = 0
    requests_per_minute: int = 0


def usable(method: Method, credentials: Credentials, now: float, margin: float) -> bool:
    """Whether the access token may still be sent at ``now``, ``margin`` seconds early."""
    if not credentials.access_token:
        return False
    return method == "api_key" or credentials.expires_at - margin > now


def profile_region(profile_arn: str) -> str:
    """The region of the data plane: the fourth field of the ARN, else the default.

    Wire: https://q.{region}.amazonaws.com follows the profile, not the login.
    """
    fields = profile_arn.split(":")
    return fields[3] if len(fields) > 4 and fields[3] else DEFAULT_REGION


def is_profile_arn(text: str) -> bool:
    """Whether ``text`` matches the published pattern; anything else is never sent."""
    return _PROFILE_ARN.fullmatch(text) is not None


def is_group_name(text: str) -> bool:
    """Whether a group may be called so."""
    return _GROUP.fullmatch(text) is not None and text.lower() not in RESERVED_GROUPS


def is_region(text: str) -> bool:
    """Whether ``text`` is shaped like a region; it becomes part of a host name."""
    return _REGION.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Whether ``text`` can be a token or key: visible ASCII only, so that it fits a header."""
    return text != "" and text.isascii() and text.isprintable() and " " not in text
