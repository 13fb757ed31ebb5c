# -*- test-case-name: tests.media.test_fetch -*-
"""Fetches what a client gave by URL, from public machines only.

Strategy: a name is resolved here, each of its addresses is checked, and the connection goes to a
checked address, without another look at the name. Each redirect goes the same way. Must not know
what is done with the bytes.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from kiro2api.errors import UpstreamFault
from kiro2api.media.addresses import Place, chosen, place_of
from kiro2api.media.limits import Unreadable
from kiro2api.upstream.bodies import BodyTooLong, discard, read_bounded

MAX_BYTES: Final = 10 * 1024 * 1024
SECONDS: Final = 15.0
REDIRECTS: Final = 3
AT_A_TIME: Final = 8
_REMEMBERED_HOSTS: Final = 64
_NEVER: Final = 2 * SECONDS
"""Of silence: the whole is bounded already."""

Resolve: TypeAlias = Callable[[str], Deferred[list[str]]]
"""All addresses of a host name or of a literal address, none where it is not known."""
Towards: TypeAlias = Callable[[str], IAgent]
"""An agent whose connections all go to this address, whatever host a URL names."""

_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_FAILURES: Final = (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    TLSError,
    VerificationError,
    OSError,
    UpstreamFault,
)


class Fetched(NamedTuple):
    """A whole body; ``content_type`` as the server says it."""

    content_type: str
    data: bytes


class Fetcher:
    """Fetches; each call is bounded in size and time, and so is how many there are at a time."""

    def __init__(
        self, resolve: Resolve, towards: Towards, clock: IReactorTime, user_agent: str
    ) -> None:
        self._resolve = resolve
        self._towards = towards
        self._clock = clock
        self._headers = Headers(
            {
                b"user-agent": [user_agent.encode("ascii")],
                b"accept": [b"*/*"],
                # A small body must not unfold beyond its bound.
                b"accept-encoding": [b"identity"],
            }
        )
        self._places = DeferredSemaphore(AT_A_TIME)

    async def fetch(self, url: str) -> Fetched:
        """The body at ``url``; cancelling closes the connection.

        :raises Unreadable: it may not or cannot be had; the reason never repeats the address.
        """
        await self._places.acquire()
        try:
            walking = Deferred.fromCoroutine(self._walk(url))
            return await walking.addTimeout(SECONDS, self._clock)
        except OutOfTime:
            raise Unreadable(f"it did not come within {SECONDS:g} seconds") from None
        finally:
            self._places.release()

    async def _walk(self, url: str) -> Fetched:
        place = place_of(url)
        for _ in range(REDIRECTS + 1):
            address = chosen(await self._resolve(place.host))
            try:
                response = await self._towards(address).request(
                    b"GET", place.url.encode("ascii"), self._headers.copy()
                )
                if response.code not in _MOVED:
                    return await self._body(response)
            except BodyTooLong:
                raise _too_long() from None
            except _FAILURES as error:
                if _was_cancelled(error):
                    raise CancelledError from None
                # Without the chain: these texts may hold addresses.
                raise Unreadable("the connection to its host failed") from None
            place = self._next(response, place)
        raise Unreadable(f"it was moved more than {REDIRECTS} times")

    def _next(self, response: IResponse, place: Place) -> Place:
        discard(response)
        location = response.headers.getRawHeaders(b"location") or [b""]
        return place_of(location[0].decode("utf-8", "replace"), place.url)

    async def _body(self, response: IResponse) -> Fetched:
        if response.code != 200:
            discard(response)
            raise Unreadable(f"its host answered with status {response.code}")
        if isinstance(response.length, int) and response.length > MAX_BYTES:
            discard(response)
            raise _too_long()
        said = response.headers.getRawHeaders(b"content-type") or [b""]
        data = await read_bounded(response, MAX_BYTES, self._clock, _NEVER)
        return Fetched(said[-1].decode("latin-1"), data)


def _too_long() -> Unreadable:
    return Unreadable(f"it is longer than {MAX_BYTES:,} bytes")


def _was_cancelled(error: BaseException) -> bool:
    """Whether a request failed because it was cancelled, in whatever the libraries wrap that."""
    if isinstance(error, ConnectingCancelledError):
        return True
    inner = getattr(error, "reasons", None) or ()
    return any(failure.check(CancelledError, ConnectingCancelledError) for failure in inner)


# ── over the network ─────────────────────────────────────────────────────────


@implementer(IResolutionReceiver)
class _Addresses:
    def __init__(self) -> None:
        self._found: list[str] = []
        self.all: Deferred[list[str]] = Deferred(lambda _: None)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing to do."""

    def addressResolved(self, address: IAddress) -> None:
        """One more."""
        self._found.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """There are no more."""
        if not self.all.called:
            self.all.callback(self._found)


def resolver(reactor: Any) -> Resolve:
    """Resolves as everything on this machine does."""

    def resolve(host: str) -> Deferred[list[str]]:
        receiver = _Addresses()
        reactor.nameResolver.resolveHostName(receiver, host)
        return receiver.all

    return resolve


@implementer(IAgentEndpointFactory)
class _Pinned:
    """Endpoints to one address; certificates are verified for the host that the URL names."""

    def __init__(self, agents: "PinnedAgents", address: str) -> None:
        self._agents = agents
        self._address = address

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``."""
        return self._agents.endpoint(self._address, uri)


class PinnedAgents:
    """Agents for one request each, which follow no redirects and keep no connections."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None = None) -> None:
        self._reactor = reactor
        self._policy = policy or BrowserLikePolicyForHTTPS()
        self._pool = HTTPConnectionPool(reactor, persistent=False)
        # Making one reads the whole trust store.
        self._creators: dict[bytes, IOpenSSLClientConnectionCreator] = {}

    def towards(self, address: str) -> IAgent:
        """See ``Towards``."""
        endpoints = _Pinned(self, address)
        agent: IAgent = Agent.usingEndpointFactory(self._reactor, endpoints, self._pool)
        return agent

    def endpoint(self, address: str, uri: URI) -> IStreamClientEndpoint:
        """A TLS connection to ``address``, for the host of ``uri``."""
        creator = self._creators.get(uri.host)
        if creator is None:
            if len(self._creators) >= _REMEMBERED_HOSTS:
                self._creators.clear()
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            self._creators[uri.host] = creator
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        return wrapClientTLS(creator, kind(self._reactor, address, uri.port, timeout=SECONDS))
