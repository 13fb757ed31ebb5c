# -*- test-case-name: tests.upstream.test_tunnel -*-
"""A way to the upstream through an HTTP proxy.

``TunnelEndpoint`` asks a proxy for a tunnel and then is out of the way: TLS, if any, is put on
top of it and verified against the real host. ``proxy_for`` and ``parse_proxy`` say which proxy
that is. Must not know what travels through the tunnel.

Wire: RFC 9110, 9.3.6 (CONNECT).
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from kiro2api.errors import Kind, UpstreamUnavailable
from kiro2api.redaction import Secret

MAX_HEAD: Final = 16 * 1024
"""Bytes of the proxy's answer before the tunnel begins."""

_HEAD_END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?:[ \r]|$)")
_HOST: Final = re.compile(r"[0-9A-Za-z._:-]+")
_FIELD: Final = re.compile(r"[\x20-\x7e]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ProxyRefused(UpstreamUnavailable):
    """The proxy gave no tunnel; ``details`` may hold its ``proxy_status``."""


# ── which proxy ──────────────────────────────────────────────────────────────


class ProxyAddress(msgspec.Struct, frozen=True):
    """Where a proxy listens; ``authorization`` is the value of its ``Proxy-Authorization``."""

    host: str
    port: int
    tls: bool = False
    authorization: Secret | None = None


def proxy_for(url_scheme: str, host: str, environment: Mapping[str, str]) -> str | None:
    """The proxy's URL for a request to ``host``, None for the direct way.

    Reads ``HTTPS_PROXY`` or ``HTTP_PROXY`` by the scheme, then ``ALL_PROXY``, and ``NO_PROXY``,
    each in lower case first. The URL may hold a password: parse it at once, show it nowhere.
    """
    configured = _variable(f"{url_scheme}_proxy", environment) or _variable(
        "all_proxy", environment
    )
    if not configured or _exempt(host, _variable("no_proxy", environment)):
        return None
    return configured


def parse_proxy(url: str) -> ProxyAddress:
    """Read a proxy's URL; without a scheme it is taken for HTTP.

    Raises ValueError, which does not show the URL, since that may hold a password.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the proxy's URL cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("a proxy's URL must begin with http:// or https://")
    if not host or _HOST.fullmatch(host) is None:
        raise ValueError("the proxy's URL names no host")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = Secret("Basic " + b64encode(pair.encode("utf-8")).decode("ascii"))
    return ProxyAddress(
        host, port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "https", authorization
    )


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _exempt(host: str, exceptions: str) -> bool:
    """Whether ``host`` is to be reached directly; this machine itself always is."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        address = None
    if address is not None and address.is_loopback:
        return True
    for entry in exceptions.lower().split(","):
        pattern = entry.strip()
        if pattern == "*":
            return True
        if address is not None:
            try:
                if address in ip_network(pattern.strip("[]"), strict=False):
                    return True
            except ValueError:
                continue
        else:
            domain = pattern.partition(":")[0].removeprefix("*").removeprefix(".").rstrip(".")
            if domain and (name == domain or name.endswith(f".{domain}")):
                return True
    return False


# ── the tunnel ───────────────────────────────────────────────────────────────


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """Connects to ``host`` and ``port`` through the proxy behind another endpoint.

    :param proxy: the way to the proxy itself.
    :param authorization: the value of ``Proxy-Authorization``, as in ``ProxyAddress``.
    :param timeout: seconds from the start until the tunnel must be open.
    """

    def __init__(
        self,
        proxy: IStreamClientEndpoint,
        host: str,
        port: int,
        authorization: Secret | None,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        if _HOST.fullmatch(host) is None:
            raise ValueError("not a host name that a proxy could be asked for")
        if authorization is not None and _FIELD.fullmatch(authorization.reveal()) is None:
            raise ValueError("the proxy's authorization holds characters that no header may")
        self._proxy = proxy
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._authorization = authorization
        self._clock = clock
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Fires with the factory's protocol once the tunnel is open; cancellable.

        Fails with ProxyRefused, with UpstreamUnavailable after the timeout, or with whatever
        the endpoint towards the proxy fails with.
        """
        opened = Deferred.fromCoroutine(self._open(protocolFactory))
        return opened.addTimeout(self._timeout, self._clock, onTimeoutCancel=_too_late)

    async def _open(self, factory: IProtocolFactory) -> IProtocol:
        tunnel = await self._proxy.connect(_TunnelFactory(self._request(), factory))
        assert isinstance(tunnel, _Tunnel)  # what the factory builds
        return await tunnel.opened

    def _request(self) -> bytes:
        lines = [f"CONNECT {self._target} HTTP/1.1", f"Host: {self._target}"]
        if self._authorization is not None:
            lines.append(f"Proxy-Authorization: {self._authorization.reveal()}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def _too_late(result: object, timeout: float) -> IProtocol:
    """However an attempt takes its being cancelled: the reason is that the time was up."""
    raise UpstreamUnavailable(
        f"the proxy gave no tunnel within {timeout:g} seconds", kind=Kind.TIMEOUT
    )


class _Tunnel(Protocol):
    """Speaks with the proxy, then stands between the transport and the real protocol.

    ``Asking -> Open -> Closed``, ``Asking -> Closed``: while asking there is no inner protocol;
    when closed, nothing is passed on.
    """

    transport: ITCPTransport

    def __init__(self, request: bytes, factory: IProtocolFactory) -> None:
        self.opened: Deferred[IProtocol] = Deferred(self._given_up)
        self._request = request
        self._factory = factory
        self._head = b""
        self._inner: IProtocol | None = None
        self._closed = False

    def connectionMade(self) -> None:
        self.transport.write(self._request)
        self._request = b""  # it may hold a password

    def dataReceived(self, data: bytes) -> None:
        if self._closed:
            return
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        end = self._head.find(_HEAD_END)
        if max(end, len(self._head) if end < 0 else 0) > MAX_HEAD:
            self._refuse(ProxyRefused("the proxy's answer to CONNECT has no end"))
        elif end >= 0:
            head, rest = self._head[:end], self._head[end + len(_HEAD_END) :]
            self._head = b""
            self._answered(head, rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._closed:
            return
        self._closed = True
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self.opened.errback(ProxyRefused("the proxy closed the connection before a tunnel"))

    def _answered(self, head: bytes, rest: bytes) -> None:
        found = _STATUS.match(head)
        if found is None:
            self._refuse(ProxyRefused("the proxy's answer to CONNECT is not HTTP"))
            return
        status = int(found[1])
        if 200 <= status < 300:
            self._open(rest)
            return
        self._refuse(
            ProxyRefused(
                "the proxy demands other credentials"
                if status == 407
                else f"the proxy refused a tunnel with status {status}",
                details={"proxy_status": status},
            )
        )

    def _open(self, rest: bytes) -> None:
        inner = self._factory.buildProtocol(self.transport.getPeer())
        if inner is None:
            self._refuse(NoProtocol())
            return
        self._inner = inner
        inner.makeConnection(self.transport)
        self.opened.callback(inner)
        if rest:
            # Some servers speak first, and a proxy may join both in one segment. Whoever waited
            # for the connection has heard of it by now.
            self.dataReceived(rest)

    def _refuse(self, error: Exception) -> None:
        self._closed = True
        self.transport.abortConnection()
        self.opened.errback(error)

    def _given_up(self, _: object) -> None:
        self._closed = True
        self.transport.abortConnection()


class _TunnelFactory(Factory):
    """Builds the one tunnel of an attempt; the real factory starts and stops with it."""

    noisy = False

    def __init__(self, request: bytes, factory: IProtocolFactory) -> None:
        self._request = request
        self._factory = factory

    def startFactory(self) -> None:
        self._factory.doStart()

    def stopFactory(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> _Tunnel:
        return _Tunnel(self._request, self._factory)
