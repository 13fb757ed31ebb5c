"""Tests for kiro2api.accounts.loginsteps."""

import json
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.loginservice import LoginAnswer, LoginService
from kiro2api.accounts.loginsteps import (
    Grant,
    LoginEnded,
    OidcDevice,
    SocialDevice,
    Wait,
)
from kiro2api.errors import RequestRejected, Throttled, UpstreamUnavailable
from kiro2api.redaction import Secret
from tests.accounts.fixtures import ARN

BASE = "https://login.test"
CLIENT: dict[str, Any] = {"clientId": "c-1", "clientSecret": "s-1"}
CODE: dict[str, Any] = {
    "deviceCode": "d-1",
    "userCode": "ABCD-EFGH",
    "verificationUri": "https://device.test/",
    "verificationUriComplete": "https://device.test/?user_code=ABCD-EFGH",
    "expiresIn": 300,
    "interval": 2,
}
TOKENS: dict[str, Any] = {"accessToken": "aoa-1", "refreshToken": "aor-1", "expiresIn": 100}


class ScriptedService:
    """Gives one answer after the other."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answers: list[LoginAnswer] = []

    def answer(self, status: int = 200, error: str = "", /, **members: Any) -> None:
        headers = {"x-amzn-errortype": error} if error else {}
        body = json.dumps(members).encode()
        self.answers.append(LoginAnswer(status, headers, body, 1000.0))

    async def ask(self, url: str, question: object) -> LoginAnswer:
        self.asked.append((url, question))
        return self.answers.pop(0)


class Case(SynchronousTestCase):
    """One flow of each service."""

    base = BASE

    def setUp(self) -> None:
        self.service = ScriptedService()
        service = cast(LoginService, self.service)
        self.oidc = OidcDevice(service, self.base, "eu-west-1", "https://d-1.awsapps.com/start")
        self.social = SocialDevice(service, self.base, "Google")

    def begun(self, **changes: object) -> Grant:
        """What an authorization gives."""
        self.service.answer(**CLIENT)
        self.service.answer(**{**CODE, **changes})
        return self.successResultOf(Deferred.fromCoroutine(self.oidc.begin()))

    def polled(self, flow: OidcDevice | SocialDevice, grant: Grant) -> Credentials | Wait:
        return self.successResultOf(Deferred.fromCoroutine(flow.poll(grant)))

    def ended(self, flow: OidcDevice | SocialDevice, grant: Grant) -> LoginEnded:
        failure = self.failureResultOf(Deferred.fromCoroutine(flow.poll(grant)), LoginEnded)
        assert isinstance(failure.value, LoginEnded)
        return failure.value


class BeginTests(Case):
    """Asking for a code."""

    def test_oidc(self) -> None:
        """A client is registered under our own name, then the device authorized."""
        grant = self.begun()
        (first, registration), (second, authorization) = self.service.asked
        self.assertEqual(first, f"{BASE}/client/register")
        self.assertEqual(
            (registration["clientName"], registration["clientType"]), ("kiro2api", "public")
        )
        self.assertNotIn("sso:account:access", registration["scopes"])
        self.assertEqual(second, f"{BASE}/device_authorization")
        self.assertEqual(authorization, {**CLIENT, "startUrl": "https://d-1.awsapps.com/start"})
        self.assertEqual(grant.user_code, "ABCD-EFGH")
        self.assertEqual(grant.verification_uri_complete, CODE["verificationUriComplete"])
        self.assertEqual((grant.interval, grant.lifetime), (2.0, 300.0))
        self.assertNotIn("d-1", repr(grant))
        self.assertNotIn("s-1", repr(vars(self.oidc)))

    def test_social(self) -> None:
        """One question; its durations are in milliseconds."""
        self.service.answer(
            **{
                **CODE,
                "interval": None,
                "expiresIn": None,
                "intervalInMilliseconds": 4000,
                "expiresInMilliseconds": 60_000,
            }
        )
        grant = self.successResultOf(Deferred.fromCoroutine(self.social.begin()))
        self.assertEqual(
            self.service.asked,
            [
                (
                    f"{BASE}/oauth/device/authorization",
                    {"clientId": "kiro-cli", "loginProvider": "Google"},
                )
            ],
        )
        self.assertEqual((grant.interval, grant.lifetime), (4.0, 60.0))

    def test_durations(self) -> None:
        """Odd ones become sensible ones."""
        for interval, expected in ((0, 5.0), (0.1, 1.0), (999, 60.0), ("1", 5.0), (True, 5.0)):
            self.assertEqual(self.begun(interval=interval).interval, expected, interval)
        self.assertEqual(self.begun(expiresIn=10**8).lifetime, 3600.0)
        self.assertEqual(self.begun(expiresIn=None).lifetime, 600.0)

    def test_address(self) -> None:
        """Nobody is sent to an address that is not https."""
        for address in (
            "http://device.test/",
            "http://127.0.0.1/device",
            "javascript:alert(1)",
            "https:///x",
            "https://[::1",
            "https://x y/",
            "https://device.test/" + "x" * 2048,
            "",
        ):
            self.service.answer(**CLIENT)
            self.service.answer(**{**CODE, "verificationUri": address})
            asking = Deferred.fromCoroutine(self.oidc.begin())
            self.failureResultOf(asking, UpstreamUnavailable)
            self.assertEqual(
                self.begun(verificationUriComplete=address or None).verification_uri_complete, ""
            )

    def test_nonsense(self) -> None:
        """Answers that do not hold what is needed."""
        for answers in (
            ({},),
            ({"clientId": "", "clientSecret": "s"},),
            ({"clientId": "c", "clientSecret": "s t"},),
            (CLIENT, {}),
            (CLIENT, {**CODE, "userCode": "A" * 65}),
            (CLIENT, {**CODE, "deviceCode": 7}),
        ):
            for answer in answers:
                self.service.answer(**cast(Any, answer))
            asking = Deferred.fromCoroutine(self.oidc.begin())
            fault = self.failureResultOf(asking, UpstreamUnavailable).value
            self.assertEqual(fault.code, "bad_answer")

    def test_start_url(self) -> None:
        """A start URL that the region does not know is the operator's mistake."""
        self.service.answer(**CLIENT)
        self.service.answer(400, "InvalidRequestException", error_description="secret")
        asking = Deferred.fromCoroutine(self.oidc.begin())
        rejected = self.failureResultOf(asking, RequestRejected).value
        self.assertEqual(rejected.param, "start_url")
        self.assertNotIn("secret", str(rejected))

    def test_refused(self) -> None:
        """Everything else is the service's fault."""
        self.service.answer(429)
        self.failureResultOf(Deferred.fromCoroutine(self.oidc.begin()), Throttled)
        self.service.answer(500)
        self.failureResultOf(Deferred.fromCoroutine(self.social.begin()), UpstreamUnavailable)


class LocalTests(Case):
    """A login service on this machine, as the emulator is."""

    base = "http://127.0.0.1:8765"

    def test_address(self) -> None:
        """It may send somebody to itself, in clear text."""
        self.assertEqual(
            self.begun(verificationUri="http://127.0.0.1:8765/device").verification_uri,
            "http://127.0.0.1:8765/device",
        )
        self.service.answer(**CLIENT)
        self.service.answer(**{**CODE, "verificationUri": "http://device.test/"})
        self.failureResultOf(Deferred.fromCoroutine(self.oidc.begin()), UpstreamUnavailable)


class PollTests(Case):
    """Looking whether it was approved."""

    def test_oidc(self) -> None:
        """The credentials bring the registration with them."""
        grant = self.begun()
        self.service.answer(**TOKENS)
        found = self.polled(self.oidc, grant)
        assert isinstance(found, Credentials)
        self.assertEqual(found.client_id, "c-1")
        self.assertEqual(found.client_secret, Secret("s-1"))
        self.assertEqual(found.refresh_token, Secret("aor-1"))
        self.assertEqual(found.expires_at, 1100.0)
        url, question = self.service.asked[-1]
        self.assertEqual(url, f"{BASE}/token")
        self.assertEqual(question["deviceCode"], "d-1")
        self.assertEqual(question["grantType"], "urn:ietf:params:oauth:grant-type:device_code")

    def test_social(self) -> None:
        """A status until there are tokens."""
        grant = self.begun()
        for status, expected in (
            ("authorization_pending", Wait.PENDING),
            ("something new", Wait.PENDING),
            ("slow_down", Wait.SLOWER),
            (None, Wait.PENDING),
        ):
            self.service.answer(status=status)
            self.assertIs(self.polled(self.social, grant), expected)
        self.service.answer(**TOKENS, profileArn=ARN)
        found = self.polled(self.social, grant)
        assert isinstance(found, Credentials)
        self.assertEqual((found.profile_arn, found.client_id), (ARN, ""))
        self.assertEqual(
            self.service.asked[-1],
            (f"{BASE}/oauth/device/poll", {"clientId": "kiro-cli", "deviceCode": "d-1"}),
        )

    def test_social_ended(self) -> None:
        """Declined, or too late."""
        grant = self.begun()
        self.service.answer(status="access_denied")
        self.assertFalse(self.ended(self.social, grant).expired)
        self.service.answer(status="expired_token")
        self.assertTrue(self.ended(self.social, grant).expired)
        self.service.answers.append(LoginAnswer(200, {}, b"[", 0.0))
        asking = Deferred.fromCoroutine(self.social.poll(grant))
        self.failureResultOf(asking, UpstreamUnavailable)

    def test_waiting(self) -> None:
        """The exceptions that say to come back; also where only the body names them."""
        grant = self.begun()
        self.service.answer(400, "AuthorizationPendingException")
        self.assertIs(self.polled(self.oidc, grant), Wait.PENDING)
        self.service.answers.append(LoginAnswer(400, {}, b'{"error":"slow_down"}', 0.0))
        self.assertIs(self.polled(self.oidc, grant), Wait.SLOWER)
        self.service.answer(400, "SlowDownException")
        self.assertIs(self.polled(self.social, grant), Wait.SLOWER)

    def test_ended(self) -> None:
        """The exceptions that end a login."""
        grant = self.begun()
        for error, expired in (
            ("ExpiredTokenException", True),
            ("AccessDeniedException", False),
            ("InvalidGrantException", False),
            ("InvalidClientException", False),
            ("InvalidRequestException", False),
        ):
            self.service.answer(400, error)
            self.assertEqual(self.ended(self.oidc, grant).expired, expired, error)
        self.service.answer(401)
        self.assertFalse(self.ended(self.oidc, grant).expired)

    def test_trouble(self) -> None:
        """What says nothing about the login does not end it."""
        grant = self.begun()
        for status, body in (
            (500, b'{"error":"server_error"}'),
            (503, b""),
            (403, b"<html>"),
            (400, b"{}"),
        ):
            self.service.answers.append(LoginAnswer(status, {}, body, 0.0))
            asking = Deferred.fromCoroutine(self.oidc.poll(grant))
            self.failureResultOf(asking, UpstreamUnavailable)

    def test_without_a_refresh_token(self) -> None:
        """Such an account would last an hour."""
        grant = self.begun()
        self.service.answer(accessToken="aoa-1")
        self.assertIn("refresh token", str(self.ended(self.oidc, grant)))
