# -*- test-case-name: tests.accounts.test_loginfaults -*-
"""What an unsuccessful answer of a login service means.

Pure. Must not know which service it was or what it was asked. Its own words never reach a
message: only our sentences and known error codes do.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from kiro2api.accounts.account import is_token
from kiro2api.accounts.penalties import DEAD_LOGINS
from kiro2api.errors import (
    AccessRefused,
    CredentialsRejected,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)

# Wire: the error type header of SSO OIDC carries the exception, its body the OAuth name.
_EXCEPTIONS: Final[Mapping[str, str]] = {
    "AuthorizationPendingException": "authorization_pending",
    "InvalidGrantException": "invalid_grant",
    "InvalidClientException": "invalid_client",
    "UnauthorizedClientException": "unauthorized_client",
    "ExpiredTokenException": "expired_token",
    "SlowDownException": "slow_down",
    "AccessDeniedException": "access_denied",
    "ThrottlingException": "slow_down",
    "InvalidRequestException": "invalid_request",
    "InvalidRequestRegionException": "invalid_request",
}
_KNOWN: Final = frozenset(
    {
        *_EXCEPTIONS.values(),
        "invalid_scope",
        "unsupported_grant_type",
        "server_error",
    }
)


class _Complaint(msgspec.Struct):
    """An unsuccessful answer, as far as it is understood."""

    error: object = None
    type: object = msgspec.field(default=None, name="__type")
    message: object = None
    error_description: object = None


_COMPLAINTS: Final = msgspec.json.Decoder(_Complaint)


def login_fault(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """The fault behind a status other than 200; header names are lower-case.

    Wire: every OAuth error is a 400 except invalid_client (401) and server_error (500); a 403 is
    the content network's, not the login's.
    """
    code = error_code(headers, body)
    said = headers.get("x-amzn-requestid", "")
    request_id = said if is_token(said) and len(said) <= 100 else None
    if status == 401 or (status == 400 and code in DEAD_LOGINS):
        return CredentialsRejected(
            "The account needs a new login.",
            code=code if code in DEAD_LOGINS else "invalid_grant",
            status=status,
            request_id=request_id,
        )
    if status == 429 or code == "slow_down":
        return Throttled(
            "The login service is asked too often.",
            retry_after=_seconds(headers.get("retry-after", "")),
            code=code or None,
            status=status,
            request_id=request_id,
        )
    if status == 400 and code == "access_denied":
        return AccessRefused(
            "The login service refuses this account.",
            code=code,
            status=status,
            request_id=request_id,
        )
    return UpstreamUnavailable(
        f"The login service answered with status {status}.",
        code=code or None,
        status=status,
        request_id=request_id,
    )


def error_code(headers: Mapping[str, str], body: bytes) -> str:
    """The OAuth name of the error where it is one we know, else empty; header names are
    lower-case."""
    try:
        complaint = _COMPLAINTS.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        complaint = _Complaint()
    if isinstance(complaint.error, str) and complaint.error in _KNOWN:
        return complaint.error
    for said in (headers.get("x-amzn-errortype"), complaint.type):
        if isinstance(said, str):
            name = said.rpartition("#")[2].partition(":")[0]
            if name in _EXCEPTIONS:
                return _EXCEPTIONS[name]
    words = f"{complaint.error} {complaint.message} {complaint.error_description}".lower()
    if "invalid_grant" in words or "invalid refresh token" in words:
        return "invalid_grant"
    return ""


def _seconds(text: str) -> float | None:
    """Delta seconds of a Retry-After; dates are not worth a calendar here."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
