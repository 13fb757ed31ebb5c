"""Tests for kiro2api.upstream.client: answers."""

from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, DNSLookupError
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed
from zope.interface.verify import verifyObject

from kiro2api.accounts.account import Account
from kiro2api.conversation.answer import Ended, StopReason, TextDelta
from kiro2api.errors import CredentialsRejected, Throttled, UpstreamFault, UpstreamUnavailable
from kiro2api.kiro.interpret import Interpreter
from kiro2api.upstream.agent import make_http
from kiro2api.upstream.client import MAX_ERROR_BODY, KiroClient, Timeouts
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient
from tests.fakes.upstream import (
    FakeAgent,
    FakeResponse,
    an_account,
    its_credentials,
    metered,
    said,
)
from tests.upstream.streaming import Sink


class ClientTestCase(SynchronousTestCase):
    """A client over two fake agents; nothing may be left on the clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.agent = FakeAgent()
        self.fresh = FakeAgent()
        ids = iter(range(10**6))
        self.client = KiroClient(
            self.agent,
            make_http(self.agent),
            Hosts(),
            self.clock,
            version="1.2",
            entropy=lambda: f"uuid-{next(ids)}",
            timeouts=Timeouts(answer=60, reply=15, silence=10, linger=5),
            fresh=self.fresh,
        )
        self.account = an_account()
        self.credentials = its_credentials()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def generate(self, account: Account | None = None) -> Deferred[AnswerStream]:
        interpreter = Interpreter(window=200_000, input_estimate=1, names={})
        return self.client.generate(
            account or self.account, self.credentials, b'{"q":1}', interpreter
        )

    def fault(self, deferred: Deferred[AnswerStream], code: str) -> UpstreamFault:
        """The fault, which must not carry a library's error along."""
        fault = self.failureResultOf(deferred, UpstreamUnavailable).value
        assert isinstance(fault, UpstreamFault)
        self.assertEqual(fault.code, code)
        self.assertIsNone(fault.__cause__)
        self.assertTrue(fault.__suppress_context__ or fault.__context__ is None)
        return fault


class RequestTests(ClientTestCase):
    """What is sent."""

    def tearDown(self) -> None:
        for asked in self.agent.asked:
            asked.respond(FakeResponse.whole(500, b""))
        super().tearDown()

    def test_interface(self) -> None:
        """The client is an IKiroClient."""
        verifyObject(IKiroClient, self.client)

    def send(self, account: Account | None = None) -> None:
        self.generate(account).addErrback(lambda _: None)

    def test_request(self) -> None:
        """Method, place, body and headers, and nothing that disguises us."""
        self.send()
        asked = self.agent.last
        self.assertEqual(asked.method, b"POST")
        self.assertEqual(
            asked.uri, b"https://q.eu-central-1.amazonaws.com/generateAssistantResponse"
        )
        self.assertEqual(asked.body, b'{"q":1}')
        sent = {
            name.decode().lower(): [value.decode() for value in values]
            for name, values in asked.headers.getAllRawHeaders()
        }
        self.assertEqual(
            sent,
            {
                "authorization": ["Bearer token-one"],
                "content-type": ["application/json"],
                "accept": ["application/vnd.amazon.eventstream"],
                "x-amzn-codewhisperer-optout": ["true"],
                "x-amzn-kiro-agent-mode": ["vibe"],
                "amz-sdk-invocation-id": ["uuid-0"],
                "amz-sdk-request": ["attempt=1; max=1"],
                "user-agent": ["kiro2api/1.2"],
                "x-amz-user-agent": ["kiro2api/1.2"],
            },
        )

    def test_api_key(self) -> None:
        """An API key says so and is served in the account's own region."""
        self.send(an_account("api_key"))
        self.assertEqual(self.agent.last.header("tokentype"), "API_KEY")
        self.assertTrue(self.agent.last.uri.startswith(b"https://q.us-east-1.amazonaws.com/"))

    def test_each_its_own(self) -> None:
        """Kept headers are not shared: each call has its id, a renewed token is used at once,
        and accounts do not mix."""
        self.send()
        self.send()
        self.credentials = its_credentials("token-two")
        self.send()
        self.send(an_account(name="other"))
        self.assertEqual(
            [
                (asked.header("authorization"), asked.header("amz-sdk-invocation-id"))
                for asked in self.agent.asked
            ],
            [
                ("Bearer token-one", "uuid-0"),
                ("Bearer token-one", "uuid-1"),
                ("Bearer token-two", "uuid-2"),
                ("Bearer token-two", "uuid-3"),
            ],
        )


class AnswerTests(ClientTestCase):
    """What comes back."""

    def test_stream(self) -> None:
        """At the head the stream is there, connected, with the upstream's id; its events flow."""
        opening = self.generate()
        self.assertNoResult(opening)
        response = self.agent.last.respond(FakeResponse.stream("4f-a"))
        stream = self.successResultOf(opening)
        self.assertEqual(stream.request_id, "4f-a")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        sink = Sink()
        response.give(said("a") + metered())
        stream.flow(sink)
        self.clock.advance(5)
        self.assertEqual((sink.all[0], sink.endings), (TextDelta("a"), [None]))
        self.assertEqual(sink.all[-1], Ended(StopReason.END_TURN))

    def test_unusable_request_id(self) -> None:
        """An id that could do harm in a log or header is dropped."""
        for value in ("", "a b", "x" * 65, "a\u00e9", "{secret}"):
            opening = self.generate()
            self.agent.last.respond(FakeResponse.stream(value))
            stream = self.successResultOf(opening)
            self.assertEqual(stream.request_id, "")
            stream.abandon()

    def test_content_types(self) -> None:
        """Parameters and case do not matter, and no content type at all is believed."""
        for headers in (
            {"content-type": "Application/Vnd.Amazon.EventStream; v=1"},
            {},
        ):
            opening = self.generate()
            self.agent.last.respond(FakeResponse(200, headers))
            self.successResultOf(opening).abandon()

    def test_not_a_stream(self) -> None:
        """A good status with something else is a fault, and its body is not left alone."""
        opening = self.generate()
        response = FakeResponse.whole(
            200, b"<html>secret</html>", content_type="text/html", x_amzn_requestid="7"
        )
        self.agent.last.respond(response)
        fault = self.fault(opening, "not_an_event_stream")
        self.assertEqual((fault.status, fault.request_id), (200, "7"))
        self.assertNotIn("secret", str(fault))
        self.assertIsNotNone(response.protocol)


class RefusalTests(ClientTestCase):
    """Statuses other than 200."""

    def test_classified(self) -> None:
        """Status, headers and body tell together what it means; nothing stays open."""
        opening = self.generate()
        self.agent.last.respond(
            FakeResponse.whole(
                429,
                b'{"message":"Too many requests","reason":null}',
                Retry_After="7",
                x_amzn_requestid="9-9",
            )
        )
        fault = self.failureResultOf(opening, Throttled).value
        self.assertEqual((fault.status, fault.retry_after, fault.request_id), (429, 7.0, "9-9"))

    def test_token(self) -> None:
        """A refused token is one that a refresh may mend."""
        opening = self.generate()
        body = b'{"message":"The bearer token included in the request is invalid."}'
        self.agent.last.respond(FakeResponse.whole(403, body))
        self.failureResultOf(opening, CredentialsRejected)

    def test_long_body(self) -> None:
        """A body beyond the bound is cut, not awaited; its beginning still tells."""
        opening = self.generate()
        response = self.agent.last.respond(FakeResponse(500))
        response.give(b"MONTHLY_REQUEST_COUNT ")
        self.assertNoResult(opening)
        response.give(b"x" * MAX_ERROR_BODY)
        fault = self.failureResultOf(opening, UpstreamFault).value
        self.assertEqual(fault.kind.value, "quota_exhausted")
        self.assertTrue(response.transport.stopped)

    def test_silent_body(self) -> None:
        """A body that never ends counts as empty: the status is known."""
        opening = self.generate()
        response = self.agent.last.respond(FakeResponse(429))
        self.clock.advance(9)
        self.assertNoResult(opening)
        self.clock.advance(1)
        self.failureResultOf(opening, Throttled)
        self.assertTrue(response.transport.stopped)

    def test_cut_body(self) -> None:
        """So does one that breaks off."""
        opening = self.generate()
        self.agent.last.respond(FakeResponse(503)).cut()
        self.failureResultOf(opening, UpstreamUnavailable)

    def test_cancel_in_body(self) -> None:
        """Cancelling while the refusal is read closes the connection."""
        opening = self.generate()
        response = self.agent.last.respond(FakeResponse(500))
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(response.transport.stopped)


class WayTests(ClientTestCase):
    """Failures before any head."""

    def test_timeout(self) -> None:
        """Our timer strikes whatever the libraries wait for, and cancels the request."""
        opening = self.generate()
        self.clock.advance(59)
        self.assertNoResult(opening)
        self.clock.advance(1)
        self.fault(opening, "timeout")
        self.assertTrue(self.agent.last.cancelled)

    def test_timeout_wrapped(self) -> None:
        """The library may answer our cancelling with errors of its own; it stays a timeout."""
        opening = self.generate()
        asked = self.agent.last
        asked._cancel = lambda answer: asked.fail(CancelledError())  # type: ignore[method-assign]
        asked.answer._canceller = asked._cancel
        self.clock.advance(60)
        self.fault(opening, "timeout")

    def test_cancel(self) -> None:
        """Cancelling cancels the request and is not mistaken for a fault, wrapped or not."""
        opening = self.generate()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(self.agent.last.cancelled)
        opening = self.generate()
        self.agent.last.fail(CancelledError())
        self.failureResultOf(opening, CancelledError)

    def test_failures(self) -> None:
        """Each failure of the way has its code; none carries the library's words."""
        for error, code in (
            (Refused(), "connect_failed"),
            (DNSLookupError("secret.host"), "connect_failed"),
            (TLSError([("ssl", "", "certificate verify failed")]), "tls_failed"),
            (ConnectionLost("10.0.0.1"), "connection_lost"),
            (ResponseFailed([]), "connection_lost"),
            (OSError(24, "too many open files"), "connection_lost"),
        ):
            opening = self.generate()
            self.agent.last.answer.errback(error)
            fault = self.fault(opening, code)
            self.assertNotIn("10.0.0.1", str(fault))
            self.assertNotIn("secret", str(fault))

    def test_our_own_bug(self) -> None:
        """An error that is no failure of the way is not disguised as one."""
        opening = self.generate()
        self.agent.last.answer.errback(ZeroDivisionError())
        self.failureResultOf(opening, ZeroDivisionError)


class StaleTests(ClientTestCase):
    """A kept connection that the other side had given up."""

    def test_retried_once(self) -> None:
        """The same request goes out once more, at once, on a fresh connection."""
        for error in (ConnectionDone(), ConnectionLost()):
            opening = self.generate()
            first = self.agent.last
            first.fail(error)
            second = self.fresh.last
            self.assertEqual((second.uri, second.body), (first.uri, first.body))
            self.assertEqual(
                second.header("amz-sdk-invocation-id"), first.header("amz-sdk-invocation-id")
            )
            second.respond(FakeResponse.stream())
            self.successResultOf(opening).abandon()

    def test_not_twice(self) -> None:
        """If that fails as well, it is a fault."""
        opening = self.generate()
        self.agent.last.go_stale()
        self.fresh.last.go_stale()
        self.fault(opening, "connection_lost")
        self.assertEqual((len(self.agent.asked), len(self.fresh.asked)), (1, 1))

    def test_one_time_limit(self) -> None:
        """Both tries share one time limit, and cancelling reaches the second."""
        opening = self.generate()
        self.clock.advance(59)
        self.agent.last.go_stale()
        self.clock.advance(1)
        self.fault(opening, "timeout")
        self.assertTrue(self.fresh.last.cancelled)
        opening = self.generate()
        self.agent.last.go_stale()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(self.fresh.last.cancelled)

    def test_other_failures(self) -> None:
        """Nothing else is tried again: never received does not mean never sent."""
        for reasons in (
            [TLSError([])],
            [ConnectionDone(), TLSError([])],
            [Refused()],
            [],
        ):
            opening = self.generate()
            self.agent.last.fail(*reasons)
            self.failureResultOf(opening, UpstreamUnavailable)
        opening = self.generate()
        self.agent.last.answer.errback(ConnectionDone())
        self.failureResultOf(opening, UpstreamUnavailable)
        self.assertEqual(self.fresh.asked, [])

    def test_without_a_second_agent(self) -> None:
        """By default the retry uses the same agent."""
        client = KiroClient(
            self.agent,
            make_http(self.agent),
            Hosts(),
            self.clock,
            version="1",
            entropy=lambda: "u",
        )
        opening = client.generate(self.account, self.credentials, b"", object())
        self.agent.last.go_stale()
        self.assertEqual(len(self.agent.asked), 2)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
