"""Tests for kiro2api.accounts.tokensource."""

import json
from typing import Any, cast

import msgspec
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.loginservice import LoginAnswer
from kiro2api.accounts.tokensource import IdcTokenSource, SocialTokenSource, oidc_url
from kiro2api.errors import CredentialsRejected, UpstreamFault, UpstreamUnavailable
from kiro2api.redaction import Secret
from kiro2api.upstream.bodies import BytesBody
from tests.accounts.fakes import ScriptedHTTP
from tests.accounts.fixtures import ARN, OTHER_ARN, account

OLD = Credentials(
    access_token=Secret("aoa-old"),
    refresh_token=Secret("aor-old"),
    expires_at=5.0,
    client_id="client-1",
    client_secret=Secret("secret-1"),
    profile_arn=ARN,
)


class LoginResource(Resource):
    """A login service: keeps the question, gives one scripted answer."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[Request, bytes]] = []
        self.status = 200
        self.body: bytes | None = b""
        self.location = ""

    def render_POST(self, request: Request) -> object:
        self.questions.append((request, request.content.read()))  # type: ignore[union-attr]
        request.setResponseCode(self.status)
        if self.location:
            request.setHeader("location", self.location)
        if self.body is None:
            request.write(b"{")
            return NOT_DONE_YET
        return self.body

    def answer(self, **members: object) -> None:
        self.body = json.dumps(members).encode()


class Case(SynchronousTestCase):
    """A login service in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.login = LoginResource()
        self.treq = cast(Any, StubTreq(self.login))
        self.social = SocialTokenSource(
            self.treq, self.clock, url="https://login.test/refreshToken", user_agent="kiro2api/9"
        )

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def renewed(self) -> Credentials:
        """What a social refresh gives."""
        return self.successResultOf(self.social.refresh(account(1), OLD))

    def fault(self) -> UpstreamFault:
        """What a social refresh fails with."""
        value = self.failureResultOf(self.social.refresh(account(1), OLD), UpstreamFault).value
        assert isinstance(value, UpstreamFault)
        return value


class ValueTests(SynchronousTestCase):
    """An answer as a value."""

    def test_repr(self) -> None:
        """It holds tokens, which are not shown."""
        answer = LoginAnswer(200, {}, b'{"accessToken":"secret"}', 0.0)
        self.assertNotIn("secret", repr(answer))


class QuestionTests(Case):
    """What is sent."""

    def test_social(self) -> None:
        """The refresh token as JSON, without a bearer, under our own name."""
        self.login.answer(accessToken="aoa-new")
        self.renewed()
        ((request, body),) = self.login.questions
        self.assertEqual(json.loads(body), {"refreshToken": "aor-old"})
        self.assertEqual(request.uri, b"/refreshToken")
        self.assertEqual(request.getHeader("host"), "login.test")
        self.assertEqual(request.getHeader("content-type"), "application/json")
        self.assertEqual(request.getHeader("user-agent"), "kiro2api/9")
        self.assertIsNone(request.getHeader("authorization"))

    def test_idc(self) -> None:
        """Registration, grant type and token, to the region of the login."""
        self.login.answer(accessToken="aoa-new", expiresIn=28800)
        source = IdcTokenSource(self.treq, self.clock)
        who = msgspec.structs.replace(account(1, method="idc"), region="eu-west-1")
        found = self.successResultOf(source.refresh(who, OLD))
        ((request, body),) = self.login.questions
        self.assertEqual(request.uri, b"/token")
        self.assertEqual(request.getHeader("host"), "oidc.eu-west-1.amazonaws.com")
        self.assertEqual(
            json.loads(body),
            {
                "clientId": "client-1",
                "clientSecret": "secret-1",
                "grantType": "refresh_token",
                "refreshToken": "aor-old",
            },
        )
        self.assertEqual(found.expires_at, 1000 + 28800)
        self.assertEqual(found.client_secret, OLD.client_secret)

    def test_url(self) -> None:
        """The address follows the region."""
        self.assertEqual(oidc_url("us-east-1"), "https://oidc.us-east-1.amazonaws.com/token")

    def test_non_ascii(self) -> None:
        """JSON is sent as UTF-8."""
        self.login.answer(accessToken="aoa-new")
        odd = msgspec.structs.replace(OLD, client_id="naïve")
        source = IdcTokenSource(self.treq, self.clock)
        self.successResultOf(source.refresh(account(1, method="idc"), odd))
        self.assertIn("naïve".encode(), self.login.questions[0][1])


class AnswerTests(Case):
    """What is made of a success."""

    def test_everything(self) -> None:
        """All that is given is taken."""
        self.login.answer(
            accessToken="aoa-new",
            refreshToken="aor-new",
            expiresIn=600,
            profileArn=OTHER_ARN,
            extra={"x": 1},
        )
        self.assertEqual(
            self.renewed(),
            msgspec.structs.replace(
                OLD,
                access_token=Secret("aoa-new"),
                refresh_token=Secret("aor-new"),
                expires_at=1600.0,
                profile_arn=OTHER_ARN,
            ),
        )

    def test_only_the_access_token(self) -> None:
        """What is missing or null stays as it was; an hour is the default."""
        for members in ({}, {"refreshToken": None, "expiresIn": None, "profileArn": None}):
            self.login.answer(accessToken="aoa-new", **members)
            self.assertEqual(
                self.renewed(),
                msgspec.structs.replace(
                    OLD, access_token=Secret("aoa-new"), expires_at=1000 + 3600.0
                ),
            )

    def test_strange_members(self) -> None:
        """One strange member does not cost the others, least of all the rotated token."""
        for strange in (
            {"expiresIn": "x"},
            {"expiresIn": True},
            {"expiresIn": -1},
            {"expiresIn": 1e18},
        ):
            self.login.answer(
                accessToken="aoa-new", refreshToken="aor-new", profileArn=7, **strange
            )
            found = self.renewed()
            self.assertEqual(found.refresh_token, Secret("aor-new"))
            self.assertEqual(found.expires_at, 4600.0)
            self.assertEqual(found.profile_arn, ARN)

    def test_strange_arn(self) -> None:
        """An ARN of another form is not taken."""
        self.login.answer(accessToken="aoa-new", profileArn="arn:aws:evil")
        self.assertEqual(self.renewed().profile_arn, ARN)

    def test_strange_refresh_token(self) -> None:
        """A refresh token that is none leaves the old one in place."""
        for strange in ("", 5, "a b"):
            self.login.answer(accessToken="aoa-new", refreshToken=strange)
            self.assertEqual(self.renewed().refresh_token, Secret("aor-old"))

    def test_nonsense(self) -> None:
        """A success without a usable token is a passing failure."""
        for body in (b"", b"{", b"[]", b"{}", b'{"accessToken": 5}', b'{"accessToken": "a\\nb"}'):
            self.login.body = body
            found = self.fault()
            self.assertIsInstance(found, UpstreamUnavailable)
            self.assertEqual(found.code, "bad_answer")

    def test_too_long(self) -> None:
        """An endless answer is cut off."""
        self.login.body = b'{"accessToken": "' + b"a" * 70_000 + b'"}'
        self.assertEqual(self.fault().code, "bad_answer")


class FaultTests(Case):
    """What is made of a failure."""

    def test_status(self) -> None:
        """Other statuses are classified by status and body."""
        self.login.status = 400
        self.login.answer(error="invalid_grant", error_description="canary")
        found = self.fault()
        self.assertIsInstance(found, CredentialsRejected)
        self.assertEqual(found.code, "invalid_grant")
        self.assertNotIn("canary", str(found))

    def test_long_page(self) -> None:
        """A long page of a content network is told by its status."""
        self.login.status = 403
        self.login.body = b"<p>" * 50_000
        self.assertEqual(self.fault().status, 403)

    def test_redirect(self) -> None:
        """A secret never follows a redirect."""
        self.login.status = 307
        self.login.location = "https://elsewhere.test/"
        self.login.body = b""
        self.assertEqual(self.fault().status, 307)
        self.assertEqual(len(self.login.questions), 1)

    def test_silent_before_the_head(self) -> None:
        """One timer covers connecting and waiting; the request is cancelled."""
        http = ScriptedHTTP()
        source = SocialTokenSource(http, self.clock, timeout=20.0)
        refreshing = source.refresh(account(1), OLD)
        self.clock.advance(19.9)
        self.assertNoResult(refreshing)
        self.clock.advance(0.1)
        fault = self.failureResultOf(refreshing, UpstreamUnavailable).value
        self.assertEqual(fault.code, "timeout")
        self.assertTrue(http.open[0].called)

    def test_silent_in_the_body(self) -> None:
        """The same timer covers the body."""
        self.login.body = None
        refreshing = self.social.refresh(account(1), OLD)
        self.treq.flush()
        self.clock.advance(19.9)
        self.assertNoResult(refreshing)
        self.clock.advance(0.1)
        fault = self.failureResultOf(refreshing, UpstreamUnavailable).value
        self.assertEqual(fault.code, "timeout")

    def test_trickling_body(self) -> None:
        """A body that trickles without end does not outlive the timer."""
        self.login.body = None
        refreshing = self.social.refresh(account(1), OLD)
        for _ in range(21):
            self.assertNoResult(refreshing)
            self.login.questions[0][0].write(b" ")
            self.treq.flush()
            self.clock.advance(1)
            if refreshing.called:
                break
        self.assertEqual(
            self.failureResultOf(refreshing, UpstreamUnavailable).value.code, "timeout"
        )
        self.assertEqual(self.clock.seconds(), 1020.0)

    def test_unreachable(self) -> None:
        """Failures of the network pass, and their words stay here."""
        for error in (
            ConnectionRefusedError("canary"),
            DNSLookupError("canary"),
            ConnectionLost("canary"),
            ResponseNeverReceived([Failure(ConnectionLost("canary"))]),
        ):
            http = ScriptedHTTP()
            refreshing = SocialTokenSource(http, self.clock).refresh(account(1), OLD)
            http.open[0].errback(error)
            fault = self.failureResultOf(refreshing, UpstreamUnavailable).value
            self.assertEqual(fault.code, "unreachable")
            self.assertNotIn("canary", str(fault))

    def test_cancelled(self) -> None:
        """Whoever cancels a refresh ends the request."""
        self.login.body = None
        refreshing = self.social.refresh(account(1), OLD)
        refreshing.addErrback(lambda f: None)
        refreshing.cancel()
        self.successResultOf(refreshing)


@implementer(IAgent)
class MuteAgent:
    """Keeps what it is asked; fails when cancelled as the real one does."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes, Any]] = []
        self.cancelled = 0

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        def cancelled(d: Deferred[Any]) -> None:
            self.cancelled += 1
            d.errback(ResponseNeverReceived([Failure(CancelledError())]))

        self.requests.append((method, uri, bodyProducer))
        return Deferred(cancelled)


class RealClientTests(SynchronousTestCase):
    """With treq's real client over an agent."""

    def test_timeout(self) -> None:
        """The agent's own way of failing when cancelled still is a timeout, and the request is
        gone."""
        clock, agent = Clock(), MuteAgent()
        http = HTTPClient(agent, data_to_body_producer=BytesBody)
        refreshing = SocialTokenSource(http, clock).refresh(account(1), OLD)
        self.assertEqual(
            agent.requests[0][:2],
            (b"POST", b"https://prod.us-east-1.auth.desktop.kiro.dev/refreshToken"),
        )
        self.assertIsInstance(agent.requests[0][2], BytesBody)
        clock.advance(20)
        fault = self.failureResultOf(refreshing, UpstreamUnavailable).value
        self.assertEqual(fault.code, "timeout")
        self.assertEqual(agent.cancelled, 1)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_failure_at_once(self) -> None:
        """A failure at once is a fault like any other."""

        @implementer(IAgent)
        class Refusing:
            def request(
                self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
            ) -> Deferred[Any]:
                return fail(ConnectionRefusedError())

        http = HTTPClient(Refusing(), data_to_body_producer=BytesBody)
        refreshing = SocialTokenSource(http, Clock()).refresh(account(1), OLD)
        self.failureResultOf(refreshing, UpstreamUnavailable)
