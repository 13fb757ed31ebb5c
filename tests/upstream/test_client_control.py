"""Tests for kiro2api.upstream.client: the control plane."""

import msgspec
from twisted.internet.defer import CancelledError, Deferred

from kiro2api.accounts.quota import Quota
from kiro2api.errors import AccessRefused, ProtocolViolation, UpstreamUnavailable
from kiro2api.upstream.client import MAX_JSON_BODY, MAX_PAGES
from kiro2api.upstream.interfaces import OfferedModel
from kiro2api.upstream.listings import OfferedProfile
from tests.fakes.upstream import Asked, FakeResponse, an_account, its_credentials
from tests.upstream.test_client import ClientTestCase

HOST = b"https://q.eu-central-1.amazonaws.com"
ARN_IN_URL = b"arn%3Aaws%3Acodewhisperer%3Aeu-central-1%3A123456789012%3Aprofile%2FABCDEFGHIJKL"


def reply(asked: Asked, code: int = 200, **fields: object) -> None:
    """A JSON answer, whole."""
    body = msgspec.json.encode(fields)
    asked.respond(FakeResponse.whole(code, body, content_type="application/json"))


class UsageTests(ClientTestCase):
    """GetUsageLimits, and what all operations share."""

    def ask(self) -> Deferred[Quota]:
        return self.client.usage(self.account, self.credentials)

    def test_usage(self) -> None:
        """The request, its headers and the decoded answer."""
        asking = self.ask()
        asked = self.agent.last
        self.assertEqual((asked.method, asked.body), (b"GET", b""))
        self.assertEqual(
            asked.uri,
            HOST + b"/getUsageLimits?origin=AI_EDITOR&resourceType=AGENTIC_REQUEST"
            b"&isEmailRequired=true&profileArn=" + ARN_IN_URL,
        )
        self.assertEqual(asked.header("authorization"), "Bearer token-one")
        self.assertEqual(asked.header("accept"), "application/json")
        self.assertEqual(asked.header("accept-encoding"), "identity")
        self.assertEqual(asked.header("user-agent"), "kiro2api/1.2")
        self.assertIsNone(asked.header("content-type"))
        reply(asked, usageBreakdownList=[{"usageLimit": 50, "currentUsage": 8}])
        quota = self.successResultOf(asking)
        self.assertEqual((quota.used, quota.limit, quota.left), (8.0, 50.0, 42.0))

    def test_without_profile(self) -> None:
        """No profile is named where there is none, nor ever with an API key."""
        for account, credentials in (
            (self.account, its_credentials(profile_arn="")),
            (an_account("api_key"), self.credentials),
        ):
            asking = self.client.usage(account, credentials)
            self.assertNotIn(b"profileArn", self.agent.last.uri)
            reply(self.agent.last)
            self.successResultOf(asking)
        self.assertEqual(self.agent.last.header("tokentype"), "API_KEY")
        self.assertTrue(self.agent.last.uri.endswith(b"/getUsageLimits?origin=AI_EDITOR"))

    def test_profile_refused(self) -> None:
        """Who is refused with a profile is asked about without it, once."""
        asking = self.ask()
        reply(self.agent.last, 403, message="User is not authorized to make this call.")
        self.assertNotIn(b"profileArn", self.agent.last.uri)
        reply(self.agent.last, usageBreakdownList=[{"usageLimit": 50}])
        self.assertEqual(self.successResultOf(asking).limit, 50.0)
        asking = self.ask()
        reply(self.agent.last, 400, message="Invalid profileArn.")
        reply(self.agent.last, 403, message="User is not authorized to make this call.")
        self.failureResultOf(asking, AccessRefused)
        self.assertEqual(len(self.agent.asked), 4)

    def test_blocked(self) -> None:
        """A firewall's page is not about the profile."""
        asking = self.ask()
        self.agent.last.respond(FakeResponse.whole(403, b"<html>"))
        self.failureResultOf(asking, AccessRefused)
        self.assertEqual(len(self.agent.asked), 1)

    def test_no_object(self) -> None:
        """Anything but a JSON object is a fault without the body's text."""
        for body in (b"[1]", b"<html>secret</html>", b"", b"[" * 100_000, b'{"a":"\xff"}'):
            asking = self.ask()
            self.agent.last.respond(FakeResponse.whole(200, body))
            fault = self.failureResultOf(asking, ProtocolViolation).value
            self.assertNotIn("secret", str(fault))

    def test_refused(self) -> None:
        """Refusals are classified as elsewhere."""
        asking = self.ask()
        reply(self.agent.last, 403, message="no", reason="FEATURE_NOT_SUPPORTED")
        self.failureResultOf(asking, AccessRefused)
        self.assertEqual(len(self.agent.asked), 1)

    def test_redirect(self) -> None:
        """Redirects are not followed: credentials stay with their host."""
        asking = self.ask()
        self.agent.last.respond(FakeResponse.whole(302, b"", location="https://elsewhere/"))
        self.failureResultOf(asking, UpstreamUnavailable)
        self.assertEqual(len(self.agent.asked), 1)

    def test_no_cookies(self) -> None:
        """Cookies do not travel from one account to the next."""
        asking = self.ask()
        self.agent.last.respond(FakeResponse.whole(200, b"{}", set_cookie="a=b; Path=/"))
        self.successResultOf(asking)
        asking = self.ask()
        self.assertIsNone(self.agent.last.header("cookie"))
        reply(self.agent.last)
        self.successResultOf(asking)

    def test_time_limits(self) -> None:
        """The head and the body each have their limit."""
        asking = self.ask()
        self.clock.advance(15)
        self.fault(asking, "timeout")  # type: ignore[arg-type]
        asking = self.ask()
        response = self.agent.last.respond(FakeResponse(200))
        self.clock.advance(10)
        self.assertEqual(self.failureResultOf(asking, UpstreamUnavailable).value.code, "timeout")
        self.assertTrue(response.transport.stopped)

    def test_too_long(self) -> None:
        """A body beyond the bound is refused."""
        asking = self.ask()
        self.agent.last.respond(FakeResponse.whole(200, b" " * (MAX_JSON_BODY + 1)))
        self.failureResultOf(asking, ProtocolViolation)

    def test_cancel(self) -> None:
        """Cancelling before the head and within the body."""
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertTrue(self.agent.last.cancelled)
        asking = self.ask()
        response = self.agent.last.respond(FakeResponse(200))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertTrue(response.transport.stopped)

    def test_stale(self) -> None:
        """A stale connection is replaced once here too."""
        asking = self.ask()
        self.agent.last.go_stale()
        self.assertEqual(len(self.agent.asked), 2)
        reply(self.agent.last, usageBreakdown={"usageLimit": 5})
        self.assertEqual(self.successResultOf(asking).limit, 5.0)


class ModelsTests(ClientTestCase):
    """ListAvailableModels."""

    def test_pages(self) -> None:
        """All pages are joined; each page's token goes into the next request, quoted."""
        asking = self.client.models(self.account, self.credentials)
        self.assertEqual(
            self.agent.last.uri,
            HOST + b"/ListAvailableModels?origin=AI_EDITOR&maxResults=50&profileArn=" + ARN_IN_URL,
        )
        reply(self.agent.last, models=[{"modelId": "a"}], nextToken="t+1/=")
        self.assertTrue(self.agent.last.uri.endswith(b"&nextToken=t%2B1%2F%3D"))
        reply(self.agent.last, models=[{"modelId": "b", "modelName": "B"}])
        self.assertEqual(self.successResultOf(asking), (OfferedModel("a"), OfferedModel("b", "B")))

    def test_endless(self) -> None:
        """Pages that never end do: after some, or when one repeats."""
        asking = self.client.models(self.account, self.credentials)
        for number in range(MAX_PAGES):
            reply(self.agent.last, models=[], nextToken=f"t{number}")
        self.assertEqual(self.successResultOf(asking), ())
        self.assertEqual(len(self.agent.asked), MAX_PAGES)
        asking = self.client.models(self.account, self.credentials)
        reply(self.agent.last, models=[], nextToken="same")
        reply(self.agent.last, models=[], nextToken="same")
        self.assertEqual(self.successResultOf(asking), ())


class ProfilesTests(ClientTestCase):
    """ListAvailableProfiles."""

    def test_pages(self) -> None:
        """The region is the caller's choice; the page's token goes into the body."""
        asking = self.client.profiles(self.account, self.credentials, "us-east-1")
        asked = self.agent.last
        self.assertEqual(asked.method, b"POST")
        self.assertEqual(asked.uri, b"https://q.us-east-1.amazonaws.com/ListAvailableProfiles")
        self.assertEqual(asked.header("content-type"), "application/json")
        self.assertEqual(asked.body, b'{"maxResults":10}')
        reply(asked, profiles=[{"arn": "arn:1"}], nextToken="n")
        self.assertEqual(self.agent.last.body, b'{"maxResults":10,"nextToken":"n"}')
        reply(
            self.agent.last,
            profiles=[
                {"arn": "arn:2", "profileName": "P", "profileType": "KIRO", "status": "ACTIVE"}
            ],
        )
        self.assertEqual(
            self.successResultOf(asking),
            (OfferedProfile("arn:1"), OfferedProfile("arn:2", "P", "KIRO", "ACTIVE")),
        )
