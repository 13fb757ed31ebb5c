# -*- test-case-name: tests.upstream.test_agent -*-
"""The configured HTTP client: connections, TLS, idle connections, proxy.

Must not know operations, accounts or credentials. Two kinds: ``own`` is our HTTP/1.1 client, made
for streams of many small chunks; ``twisted`` is Twisted's Agent, to fall back on. Both connect
through the same endpoints and always verify certificates.
"""

from collections.abc import Callable, Hashable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Literal, TypeAlias
from weakref import WeakSet

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from kiro2api.upstream.bodies import BytesBody
from kiro2api.upstream.failures import went_stale
from kiro2api.upstream.tunnel import TunnelEndpoint, parse_proxy, proxy_for

AgentKind: TypeAlias = Literal["own", "twisted"]
Plain: TypeAlias = Callable[[str, int], IStreamClientEndpoint]

_REMEMBERED_HOSTS: Final = 64


@implementer(IAgentEndpointFactory)
class Endpoints:
    """A TCP or TLS endpoint per URI.

    Strategy: TLS contexts are kept per host, because making one reads the whole trust store.

    ``made`` counts the endpoints given out.

    :param plain: gives the TCP endpoint of a host and port, through a proxy where there is one.
    """

    def __init__(self, plain: Plain, policy: IPolicyForHTTPS) -> None:
        self._plain = plain
        self._policy = policy
        self._creators: dict[tuple[bytes, int], IOpenSSLClientConnectionCreator] = {}
        self.made = 0

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The endpoint; raises SchemeNotSupported for anything but http and https."""
        self.made += 1
        endpoint = self._plain(uri.host.decode("ascii"), uri.port)
        if uri.scheme == b"http":
            return endpoint
        if uri.scheme != b"https":
            raise SchemeNotSupported("only http and https are supported")
        key = (uri.host, uri.port)
        creator = self._creators.get(key)
        if creator is None:
            if len(self._creators) >= _REMEMBERED_HOSTS:
                self._creators.clear()
            creator = self._creators[key] = self._policy.creatorForNetloc(uri.host, uri.port)
        return wrapClientTLS(creator, endpoint)


@implementer(IAgent)
class IdentityAgent:
    """Asks for bodies as they are: treq adds ``gzip`` by itself, which holds streams back and
    would let a small body unfold beyond its bound."""

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        headers = Headers() if headers is None else headers.copy()
        headers.setRawHeaders(b"accept-encoding", [b"identity"])
        return self._agent.request(method, uri, headers, bodyProducer)


@implementer(IAgent)
class UpstreamAgent:
    """An agent with its owner's duties.

    ``fresh`` is an agent with the same endpoints that never reuses a connection.
    """

    def __init__(self, agent: IAgent, fresh: IAgent, close: Callable[[], Deferred[None]]) -> None:
        self._agent = agent
        self._close = close
        self.fresh = fresh

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        return self._agent.request(method, uri, headers, bodyProducer)

    def close(self) -> Deferred[None]:
        """Close idle connections; connections in use end with their users."""
        return self._close()


class _FirstUse:
    """A new connection, for its first request: being closed without an answer is then a failure
    of the upstream, not of a connection that grew old."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def request(self, request: Any) -> Deferred[IResponse]:
        """See ``HTTP11ClientProtocol``."""
        answer: Deferred[IResponse] = self._connection.request(request)
        return answer.addErrback(_not_stale)


@implementer(IAgent)
class _NewOrReused:
    """Our own agent, whose failures tell a new connection from a reused one: only for a new one
    it asks for an endpoint."""

    def __init__(self, agent: IAgent, endpoints: Endpoints) -> None:
        self._agent = agent
        self._endpoints = endpoints

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        made = self._endpoints.made
        answer = self._agent.request(method, uri, headers, bodyProducer)
        if self._endpoints.made != made:
            answer.addErrback(_not_stale)
        return answer


def _not_stale(failure: Failure) -> Failure:
    if failure.value is not None and went_stale(failure.value):
        raise ConnectionLost() from None
    return failure


class KeptConnections(HTTPConnectionPool):
    """Twisted's pool, which lets a new connection and a reused one be told apart."""

    def __init__(self, reactor: Any, max_idle: int, idle_timeout: float) -> None:
        super().__init__(reactor)
        self.maxPersistentPerHost = max_idle
        self.cachedConnectionTimeout = idle_timeout  # type: ignore[assignment]
        # It would repeat some requests only, and without a limit of time.
        self.retryAutomatically = False
        self._used: WeakSet[Any] = WeakSet()

    def getConnection(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        """See ``HTTPConnectionPool``."""
        return super().getConnection(key, endpoint).addCallback(self._lend)

    def _lend(self, connection: Any) -> Any:
        if connection in self._used:
            return connection
        self._used.add(connection)
        return _FirstUse(connection)


def make_agent(
    reactor: Any,
    *,
    kind: AgentKind = "own",
    connect_timeout: float = 10.0,
    max_idle: int = 64,
    idle_timeout: float = 45.0,
    proxy: str = "",
    no_proxy: str = "",
    policy: IPolicyForHTTPS | None = None,
) -> UpstreamAgent:
    """The agent for everything towards the upstream and its login services.

    :param connect_timeout: seconds for a connection; the whole way to a response head is timed
        by whoever asks.
    :param max_idle: idle connections kept per host: as many as there are streams at a time.
    :param idle_timeout: seconds; less than the servers' own, or kept connections go stale.
    :param proxy: URL of an HTTP proxy that opens tunnels, empty for none; it may hold a password.
    :param no_proxy: hosts, domains and networks to be reached directly, separated by commas.
    :param policy: how certificates are verified; by default against the system's trust store.
    :raises ValueError: the proxy's URL cannot be read; it is not shown.
    """
    policy = policy or BrowserLikePolicyForHTTPS()
    endpoints = Endpoints(_plain(reactor, connect_timeout, proxy, no_proxy, policy), policy)
    if kind == "own":
        return _own(reactor, endpoints, connect_timeout, max_idle, idle_timeout)
    pool = KeptConnections(reactor, max_idle, idle_timeout)
    unpooled = HTTPConnectionPool(reactor, persistent=False)
    return UpstreamAgent(
        Agent.usingEndpointFactory(reactor, endpoints, pool),
        Agent.usingEndpointFactory(reactor, endpoints, unpooled),
        pool.closeCachedConnections,
    )


def make_http(agent: IAgent) -> HTTPClient:
    """treq's convenience over ``agent``, without its surprises: no cookies (they would travel
    between accounts), no compression, bodies sent at once."""
    return HTTPClient(
        IdentityAgent(agent),
        cookiejar=IndexableCookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        data_to_body_producer=BytesBody,
    )


def _plain(
    reactor: Any, timeout: float, proxy: str, no_proxy: str, policy: IPolicyForHTTPS
) -> Plain:
    """TCP endpoints, through ``proxy`` where one is given and the host is not exempt."""

    def directly(host: str, port: int) -> IStreamClientEndpoint:
        return HostnameEndpoint(reactor, host, port, timeout=timeout)

    if not proxy:
        return directly
    address = parse_proxy(proxy)
    exceptions = {"all_proxy": proxy, "no_proxy": no_proxy}
    to_proxy = directly(address.host, address.port)
    if address.tls:
        creator = policy.creatorForNetloc(address.host.encode("ascii"), address.port)
        to_proxy = wrapClientTLS(creator, to_proxy)

    def through(host: str, port: int) -> IStreamClientEndpoint:
        if proxy_for("https", host, exceptions) is None:
            return directly(host, port)
        return TunnelEndpoint(to_proxy, host, port, address.authorization, reactor, timeout)

    return through


def _own(
    reactor: Any, endpoints: Endpoints, connect_timeout: float, max_idle: int, idle_timeout: float
) -> UpstreamAgent:
    from kiro2api.upstream.http11 import PlainAgent

    agent = PlainAgent(
        reactor,
        connect_timeout=connect_timeout,
        max_idle_per_host=max_idle,
        idle_timeout=idle_timeout,
        endpoint_factory=endpoints,
    )
    fresh = PlainAgent(
        reactor,
        connect_timeout=connect_timeout,
        max_idle_per_host=0,
        endpoint_factory=endpoints,
    )
    return UpstreamAgent(_NewOrReused(agent, endpoints), fresh, agent.close_idle)
