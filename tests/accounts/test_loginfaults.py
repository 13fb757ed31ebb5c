"""Tests for kiro2api.accounts.loginfaults."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.loginfaults import login_fault
from kiro2api.errors import (
    AccessRefused,
    CredentialsRejected,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)


def fault(status: int, body: object = b"", **headers: str) -> UpstreamFault:
    """The fault behind this answer; underscores in header names are dashes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return login_fault(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw)


class LoginFaultTests(SynchronousTestCase):
    """What the statuses and bodies of the login services mean."""

    def test_dead_logins(self) -> None:
        """OAuth names after which only a new login helps."""
        for status, code in (
            (400, "invalid_grant"),
            (401, "invalid_client"),
            (400, "unauthorized_client"),
            (400, "expired_token"),
        ):
            found = fault(status, {"error": code, "error_description": "canary"})
            self.assertIsInstance(found, CredentialsRejected)
            self.assertEqual((found.code, found.status), (code, status))
            self.assertNotIn("canary", found.message)

    def test_bare_401(self) -> None:
        """Whatever its body says, a 401 is a dead login."""
        for body in (b"", b"<html>", {"error": "weird"}, {"message": "Bad credentials"}):
            found = fault(401, body)
            self.assertIsInstance(found, CredentialsRejected)
            self.assertEqual(found.code, "invalid_grant")

    def test_other_spellings(self) -> None:
        """Exception names in header or body, and the social service's sentence, count as well."""
        for body, headers in (
            (b"", {"x_amzn_errortype": "InvalidGrantException"}),
            (b"", {"x_amzn_errortype": "InvalidGrantException:http://example.org/"}),
            ({"__type": "com.example#InvalidGrantException"}, {}),
            ({"message": "Invalid refresh token provided"}, {}),
            ({"error": {"code": "invalid_grant"}}, {}),
        ):
            found = fault(400, body, **headers)
            self.assertIsInstance(found, CredentialsRejected, body)
            self.assertEqual(found.code, "invalid_grant")

    def test_throttled(self) -> None:
        """Too many questions keep the token good."""
        self.assertIsInstance(fault(429), Throttled)
        self.assertIsInstance(fault(400, {"error": "slow_down"}), Throttled)
        self.assertIsInstance(fault(400, b"", x_amzn_errortype="SlowDownException"), Throttled)

    def test_retry_after(self) -> None:
        """Seconds are believed, dates and nonsense are not."""
        for text, seconds in (
            ("7", 7.0),
            ("soon", None),
            ("", None),
            ("-1", None),
            ("9" * 10, None),
        ):
            self.assertEqual(fault(429, b"", retry_after=text).retry_after, seconds)

    def test_refused(self) -> None:
        """A blocked account is not a dead login."""
        self.assertIsInstance(fault(400, {"error": "access_denied"}), AccessRefused)

    def test_everything_else(self) -> None:
        """The content network's 403, redirects, server errors and our own mistakes pass."""
        for status in (302, 403, 404, 500, 502, 503):
            found = fault(status, b"<html>invalid_grant</html>")
            self.assertIsInstance(found, UpstreamUnavailable)
            self.assertIn(str(status), found.message)
        found = fault(400, {"error": "invalid_request"})
        self.assertIsInstance(found, UpstreamUnavailable)
        self.assertEqual(found.code, "invalid_request")
        self.assertIsInstance(fault(403, {"error": "invalid_grant"}), UpstreamUnavailable)

    def test_unknown_code_is_not_repeated(self) -> None:
        """Only codes we know leave this module."""
        self.assertIsNone(fault(400, {"error": "canary"}).code)

    def test_request_id(self) -> None:
        """The service's own id is kept if it looks like one."""
        self.assertEqual(fault(500, b"", x_amzn_requestid="ab-1").request_id, "ab-1")
        for wrong in ("a b", "x" * 101, "a\nb"):
            self.assertIsNone(fault(500, b"", x_amzn_requestid=wrong).request_id)

    @given(st.integers(201, 599), st.binary(), st.text())
    def test_never_raises(self, status: int, body: bytes, header: str) -> None:
        """Any answer is some fault."""
        found = login_fault(status, {"x-amzn-errortype": header, "retry-after": header}, body)
        self.assertIsInstance(found, UpstreamFault)
