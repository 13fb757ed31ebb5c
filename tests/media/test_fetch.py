"""Fetching by address, without a network."""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS, ResponseDone, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IPolicyForHTTPS
from zope.interface import implementer

from kiro2api.media import fetch
from kiro2api.media.fetch import (
    AT_A_TIME,
    MAX_BYTES,
    SECONDS,
    Fetched,
    Fetcher,
    PinnedAgents,
    resolver,
)
from kiro2api.media.limits import Unreadable

NAMES = {
    "a.example": ["93.184.216.34"],
    "b.example": ["2606:4700::1111"],
    "inner.example": ["10.0.0.1"],
    "both.example": ["93.184.216.34", "169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "169.254.169.254": ["169.254.169.254"],
    "0x7f.1": ["127.0.0.1"],
}


class FakeTransport:
    """Remembers that it was closed."""

    closed = False

    def stopProducing(self) -> None:
        """Closed."""
        self.closed = True


class FakeResponse:
    """A response whose body the test delivers."""

    def __init__(
        self, code: int = 200, body: bytes = b"", length: object = UNKNOWN_LENGTH, **headers: str
    ) -> None:
        self.code = code
        self.length = length
        self.headers = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        self.transport = FakeTransport()
        self.protocol: Protocol | None = None
        self._body = body
        self.held = False

    def deliverBody(self, protocol: Protocol) -> None:
        """All at once, unless it is held."""
        self.protocol = protocol
        protocol.transport = self.transport  # type: ignore[assignment]
        protocol.connectionMade()
        if not self.held and not self.transport.closed:
            protocol.dataReceived(self._body)
            protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
class FakeAgent:
    """Answers with what the test says."""

    def __init__(self, case: "FetchTests", address: str) -> None:
        self._case = case
        self._address = address

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        """The next answer."""
        self._case.asked.append((self._address, uri.decode()))
        self._case.headers = headers
        answer = self._case.answers.pop(0)
        if isinstance(answer, Deferred):
            return answer
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class FetchTests(SynchronousTestCase):
    """From a URL to bytes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.resolved: list[str] = []
        self.headers: Any = None
        self.names: dict[str, Any] = dict(NAMES)
        self.fetcher = Fetcher(
            self.resolve, lambda address: FakeAgent(self, address), self.clock, "kiro2api/1"
        )

    def resolve(self, host: str) -> Deferred[list[str]]:
        """A table in place of the network."""
        self.resolved.append(host)
        found = self.names.get(host, [])
        return found if isinstance(found, Deferred) else succeed(found)

    def start(self, url: str = "https://a.example/x") -> Deferred[Fetched]:
        """Begin."""
        return Deferred.fromCoroutine(self.fetcher.fetch(url))

    def reason(self, url: str = "https://a.example/x", *answers: Any) -> str:
        """Why it cannot be had."""
        self.answers = list(answers)
        error = self.failureResultOf(self.start(url), Unreadable).value
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("example", error.reason)
        return str(error.reason)

    def test_body(self) -> None:
        """Asked at the checked address, as the host it is."""
        self.answers = [FakeResponse(body=b"hello", content_type="text/plain")]
        found = self.successResultOf(self.start("https://a.example/x?y"))
        self.assertEqual(found, Fetched("text/plain", b"hello"))
        self.assertEqual(self.asked, [("93.184.216.34", "https://a.example/x?y")])
        self.assertEqual(self.headers.getRawHeaders("accept-encoding"), ["identity"])
        self.assertFalse(self.headers.hasHeader("authorization"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_guard(self) -> None:
        """Inner hosts are not asked, by whatever name."""
        for host in ("inner.example", "both.example", "localhost", "169.254.169.254", "0x7f.1"):
            reason = self.reason(f"https://{host}/latest/meta-data")
            self.assertEqual(reason, "its host is not on the public network", host)
        self.assertEqual(self.reason("https://no.example/"), "its host is not known")
        self.assertEqual(self.reason("http://a.example/"), "only https addresses are fetched")
        self.assertEqual(self.asked, [])

    def test_redirects(self) -> None:
        """Each goes the same way; the connection before it is closed."""
        for code in (301, 302, 303, 307, 308):
            self.asked.clear()
            moved = FakeResponse(code, location="https://b.example/z")
            self.answers = [moved, FakeResponse(body=b"hello")]
            self.assertEqual(self.successResultOf(self.start()).data, b"hello")
            self.assertEqual(self.asked[1], ("2606:4700::1111", "https://b.example/z"))
            self.assertTrue(moved.transport.closed)

    def test_redirects_are_guarded(self) -> None:
        """A public host must not lead to an inner one, nor away from https."""
        for location, reason in (
            ("https://inner.example/", "its host is not on the public network"),
            ("https://169.254.169.254/latest", "its host is not on the public network"),
            ("//localhost/", "its host is not on the public network"),
            ("http://a.example/", "only https addresses are fetched"),
            ("file:///etc/passwd", "only https addresses are fetched"),
            ("https://a.example:6379/", "only port 443 is fetched from"),
        ):
            self.asked.clear()
            self.assertEqual(
                self.reason("https://a.example/x", FakeResponse(302, location=location)), reason
            )
            self.assertEqual(len(self.asked), 1)

    def test_names_are_resolved_anew(self) -> None:
        """A name that has changed since the redirect is checked again."""
        moved = FakeResponse(302, location="/again")
        waiting: Deferred[Any] = Deferred()
        self.answers = [waiting]
        done = self.start()
        self.names["a.example"] = ["127.0.0.1"]
        waiting.callback(moved)
        self.failureResultOf(done, Unreadable)
        self.assertEqual(self.resolved, ["a.example", "a.example"])

    def test_too_many_redirects(self) -> None:
        """Three, not four."""
        moved = [FakeResponse(302, location="/again") for _ in range(4)]
        self.assertEqual(
            self.reason("https://a.example/x", *moved), "it was moved more than 3 times"
        )
        self.answers = [*moved[:3], FakeResponse(body=b"x")]
        self.assertEqual(self.successResultOf(self.start()).data, b"x")

    def test_no_location(self) -> None:
        """A redirect to nowhere is one to the same place."""
        moved = [FakeResponse(302) for _ in range(4)]
        self.assertEqual(
            self.reason("https://a.example/x", *moved), "it was moved more than 3 times"
        )

    def test_status(self) -> None:
        """Anything but 200."""
        for code in (204, 206, 401, 404, 500):
            response = FakeResponse(code, body=b"secret")
            self.assertIn(f"status {code}", self.reason("https://a.example/x", response))
            self.assertTrue(response.transport.closed)

    def test_size(self) -> None:
        """Whether it is declared or not."""
        declared = FakeResponse(length=MAX_BYTES + 1)
        self.assertEqual(
            self.reason("https://a.example/x", declared), "it is longer than 10,485,760 bytes"
        )
        self.assertTrue(declared.transport.closed)
        undeclared = FakeResponse(body=bytes(MAX_BYTES + 1))
        self.assertIn("longer than", self.reason("https://a.example/x", undeclared))
        self.assertTrue(undeclared.transport.closed)

    def test_failures(self) -> None:
        """Whatever the network does."""
        for error in (
            ConnectionRefusedError(),
            ResponseNeverReceived([Failure(OSError())]),
            OSError(),
        ):
            self.assertEqual(
                self.reason("https://a.example/x", error), "the connection to its host failed"
            )

    def test_time(self) -> None:
        """All of it has one time: the name, the head, the body."""

        def name() -> None:
            self.names["a.example"] = Deferred()

        def head() -> None:
            self.answers = [Deferred()]

        def body() -> None:
            response = FakeResponse()
            response.held = True
            self.answers = [response]

        cases: tuple[Callable[[], None], ...] = (name, head, body)
        for slow in cases:
            self.names["a.example"] = NAMES["a.example"]
            slow()
            done = self.start()
            self.clock.advance(SECONDS - 0.1)
            self.assertNoResult(done)
            self.clock.advance(0.1)
            self.assertIn("within 15 seconds", self.failureResultOf(done, Unreadable).value.reason)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """Whoever does not wait any more closes the connection."""
        response = FakeResponse()
        response.held = True
        self.answers = [response]
        done = self.start()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(response.transport.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_request(self) -> None:
        """However the libraries say it."""
        for error in (
            ResponseNeverReceived([Failure(CancelledError())]),
            ConnectingCancelledError(IPv4Address("TCP", "1.1.1.1", 443)),
        ):
            self.answers = [error]
            self.failureResultOf(self.start(), CancelledError)

    def test_at_a_time(self) -> None:
        """Not too many at once; places are given back."""
        heads: list[Deferred[Any]] = [Deferred() for _ in range(AT_A_TIME + 1)]
        self.answers = list(heads)
        waiting = [self.start() for _ in heads]
        self.assertEqual(len(self.asked), AT_A_TIME)
        heads[0].callback(FakeResponse(404))
        self.failureResultOf(waiting[0], Unreadable)
        self.assertEqual(len(self.asked), AT_A_TIME + 1)
        for done in waiting[1:]:
            done.cancel()
            self.failureResultOf(done, CancelledError)


class ResolverTests(SynchronousTestCase):
    """Names by the reactor's own resolver."""

    def test_all_addresses(self) -> None:
        """All that there are."""

        class Names:
            nameResolver: Any = None

            def resolveHostName(self, receiver: Any, host: str) -> None:
                self.receiver = receiver

        names = Names()
        names.nameResolver = names
        found = resolver(names)("a.example")
        names.receiver.resolutionBegan(None)
        names.receiver.addressResolved(IPv4Address("TCP", "1.2.3.4", 0))
        names.receiver.addressResolved(IPv6Address("TCP", "::1", 0))
        self.assertNoResult(found)
        names.receiver.resolutionComplete()
        self.assertEqual(self.successResultOf(found), ["1.2.3.4", "::1"])
        late = resolver(names)("a.example")
        late.cancel()
        self.failureResultOf(late, CancelledError)
        names.receiver.resolutionComplete()


@implementer(IPolicyForHTTPS)
class RecordingPolicy:
    """Remembers for whom certificates are verified."""

    def __init__(self) -> None:
        self.verified: list[tuple[bytes, int]] = []

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        """As usual."""
        self.verified.append((hostname, port))
        return BrowserLikePolicyForHTTPS().creatorForNetloc(hostname, port)


class PinnedAgentsTests(SynchronousTestCase):
    """Connections go where they were told to."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.policy = RecordingPolicy()
        self.agents = PinnedAgents(self.reactor, self.policy)

    def test_address(self) -> None:
        """The name in the URL is not looked up, but it is whom the certificate is for."""
        for address in ("93.184.216.34", "2606:4700::1111"):
            done = self.agents.towards(address).request(b"GET", b"https://a.example/x")
            self.assertEqual(self.reactor.tcpClients[-1][:2], (address, 443))
            done.cancel()
            self.failureResultOf(done)
        self.assertEqual(self.policy.verified, [(b"a.example", 443)])

    def test_cancel(self) -> None:
        """A fetch that is cancelled while it connects is cancelled, and no failure."""
        fetcher = Fetcher(
            lambda host: succeed(["1.1.1.1"]), self.agents.towards, self.reactor, "kiro2api/1"
        )
        done = Deferred.fromCoroutine(fetcher.fetch("https://a.example/"))
        self.assertEqual(len(self.reactor.tcpClients), 1)
        done.cancel()
        self.failureResultOf(done, CancelledError)

    def test_creators_are_bounded(self) -> None:
        """What is kept per host does not grow for ever."""
        self.patch(fetch, "_REMEMBERED_HOSTS", 2)
        for number in range(5):
            uri = b"https://h%d.example/" % number
            self.agents.towards("93.184.216.34").request(b"GET", uri).addErrback(lambda _: None)
        self.assertLessEqual(len(self.agents._creators), 2)
