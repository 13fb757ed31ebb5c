# -*- test-case-name: tests.upstream.test_agent -*-
"""The configured HTTP client: connections, TLS, idle connections, proxy.

Must not know operations, accounts or credentials. Two kinds: ``own`` is our HTTP/1.1 client, made
for streams of many small chunks; ``twisted`` is Twisted's Agent, to fall back on. Both connect
through the same endpoints and always verify certificates.
"""

from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Literal, TypeAlias

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
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

AgentKind: TypeAlias = Literal["own", "twisted"]
Plain: TypeAlias = Callable[[str, int], IStreamClientEndpoint]

_REMEMBERED_HOSTS: Final = 64


@implementer(IAgentEndpointFactory)
class Endpoints:
    """A TCP or TLS endpoint per URI.

    Strategy: TLS contexts are kept per host, because making one reads the whole trust store.

    :param plain: gives the TCP endpoint of a host and port, through a proxy where there is one.
    """

    def __init__(self, plain: Plain, policy: IPolicyForHTTPS) -> None:
        self._plain = plain
        self._policy = policy
        self._creators: dict[tuple[bytes, int], IOpenSSLClientConnectionCreator] = {}

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The endpoint; raises SchemeNotSupported for anything but http and https."""
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

    def __init__(
        self, agent: IAgent, fresh: IAgent, close: Callable[[], Deferred[None]]
    ) -> None:
        self._agent = agent
        self._close = close
        self.fresh = fresh
        # The hot path calls the agent itself, not a method that calls it.
        self.request: Callable[..., Deferred[IResponse]] = agent.request

    def close(self) -> Deferred[None]:
        """Close idle connections; connections in use end with their users."""
        return self._close()


def make_agent(
    reactor: Any,
    *,
    kind: AgentKind = "own",
    connect_timeout: float = 10.0,
    max_idle: int = 64,
    idle_timeout: float = 45.0,
    proxy: str = "",
    policy: IPolicyForHTTPS | None = None,
) -> UpstreamAgent:
    """The agent for everything towards the upstream and its login services.

    :param connect_timeout: seconds for TCP alone; the whole way to a response head is timed by
        whoever asks.
    :param max_idle: idle connections kept per host: as many as there are streams at a time.
    :param idle_timeout: seconds; less than the servers' own, or kept connections go stale.
    :param proxy: URL of a proxy, empty for none.
    :param policy: how certificates are verified; by default against the system's trust store.
    """
    endpoints = Endpoints(
        _plain(reactor, connect_timeout, proxy), policy or BrowserLikePolicyForHTTPS()
    )
    if kind == "own":
        return _own(reactor, endpoints, max_idle, idle_timeout)
    return _twisted(reactor, endpoints, max_idle, idle_timeout)


def make_http(agent: IAgent) -> HTTPClient:
    """treq's convenience over ``agent``, without its surprises: no cookies (they would travel
    between accounts), no compression, bodies sent at once."""
    return HTTPClient(
        IdentityAgent(agent),
        cookiejar=IndexableCookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        data_to_body_producer=BytesBody,
    )
