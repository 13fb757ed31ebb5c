# -*- test-case-name: tests.upstream.test_client -*-
"""One attempt at each operation of the upstream.

Must not know which account ought to be asked, whether a failed attempt is followed by another, or
who receives an answer. Every operation fails with an UpstreamFault, or with CancelledError when
its Deferred was cancelled, which closes the connection.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers as RequestFields
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.quota import Quota, parse_usage
from kiro2api.conversation.search import SearchHit
from kiro2api.errors import AccessRefused, Scope, UpstreamFault, UpstreamUnavailable
from kiro2api.kiro.faults import classify
from kiro2api.upstream.bodies import BodyTooLong, BytesBody, read_bounded
from kiro2api.upstream.failures import FOREIGN, fault_of, timed_out, was_cancelled, went_stale
from kiro2api.upstream.headers import RequestHeaders, is_event_stream, plain, request_id_of
from kiro2api.upstream.hosts import Hosts
from kiro2api.upstream.interfaces import AnswerStream, IKiroClient, OfferedModel
from kiro2api.upstream.listings import OfferedProfile, parse_models, parse_profiles
from kiro2api.upstream.searches import parse_search, search_body
from kiro2api.upstream.stream import LINGER_SECONDS, EventStream, FrameReader
from kiro2api.wire.eventstream import FrameDecoder
from kiro2api.wire.eventstream import Headers as FrameHeaders

MAX_ERROR_BODY: Final = 64 * 1024
MAX_JSON_BODY: Final = 4 * 1024 * 1024
MAX_PAGES: Final = 10

_PROFILE_HEADER: Final = b"x-amzn-kiro-profile-arn"
_SEARCH_ID: Final = "web_search_"
_FINAL_REFUSALS: Final = frozenset({"FEATURE_NOT_SUPPORTED"})
"""Reasons that hold with any profile and without one."""

_T = TypeVar("_T")


class Timeouts(msgspec.Struct, frozen=True):
    """Time limits in seconds.

    ``answer``: from asking to the head of an answer, with connecting and TLS. ``reply``: the same
    for the control plane. ``search``: the same for a web search. ``silence``: between two reads
    of a body that is no event stream. ``linger``: see ``EventStream``.
    """

    answer: float = 60.0
    reply: float = 15.0
    search: float = 30.0
    silence: float = 10.0
    linger: float = LINGER_SECONDS


@implementer(IKiroClient)
class KiroClient:
    """The upstream's operations over HTTP.

    Strategy: answers go through ``agent`` itself, because every layer in between would cost
    on each of their chunks; the rest goes through treq.

    :param fresh: an agent that never reuses a connection, for the one retry after a stale one.
    :param entropy: gives a new UUID as text.
    """

    def __init__(
        self,
        agent: IAgent,
        http: HTTPClient,
        hosts: Hosts,
        clock: IReactorTime,
        *,
        version: str,
        entropy: Callable[[], str],
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        fresh: IAgent | None = None,
    ) -> None:
        self._agent = agent
        self._fresh = agent if fresh is None else fresh
        self._http = http
        self._hosts = hosts
        self._clock = clock
        self._timeouts = timeouts
        self._entropy = entropy
        self._headers = RequestHeaders(version, entropy)
        # Decoded header blocks, shared by all answers; the decoder bounds it.
        self._known: dict[bytes, FrameHeaders] = {}

    # ── answers ─────────────────────────────────────────────────────────────

    def generate(
        self, account: Account, credentials: Credentials, body: bytes, interpreter: object
    ) -> Deferred[AnswerStream]:
        """Open an answer; see ``IKiroClient``. ``interpreter`` is a ``FrameReader``."""
        reader = cast(FrameReader, interpreter)
        return Deferred.fromCoroutine(self._generate(account, credentials, body, reader))

    async def _generate(
        self, account: Account, credentials: Credentials, body: bytes, reader: FrameReader
    ) -> AnswerStream:
        base = self._hosts.data_plane(account, credentials)
        url = f"{base}/generateAssistantResponse".encode("ascii")
        headers = self._headers.answering(account, credentials)

        def ask(agent: IAgent) -> Deferred[IResponse]:
            return agent.request(b"POST", url, headers, BytesBody(body))

        response = await self._head(
            lambda: ask(self._agent), lambda: ask(self._fresh), self._timeouts.answer
        )
        if response.code != 200:
            raise await self._refusal(response)
        request_id = request_id_of(response.headers)
        if not is_event_stream(response.headers):
            # Read, where it is short, so that the connection stays of use.
            await self._some_of(response)
            raise UpstreamUnavailable(
                "the upstream answered with something else than an event stream",
                code="not_an_event_stream",
                status=200,
                request_id=request_id or None,
            )
        stream = EventStream(
            FrameDecoder(known=self._known),
            reader,
            self._clock,
            linger=self._timeouts.linger,
            request_id=request_id,
        )
        response.deliverBody(stream)
        return stream

    # ── the web ─────────────────────────────────────────────────────────────

    def search(
        self, account: Account, credentials: Credentials, query: str
    ) -> Deferred[tuple[SearchHit, ...]]:
        """What a web search finds: InvokeMCP, with the one tool that it has.

        Wire: the profile is named in a header.
        """

        async def ask() -> tuple[SearchHit, ...]:
            body = search_body(query, f"{_SEARCH_ID}{self._entropy()}")
            headers = self._headers.asking(account, credentials, body=True)
            for arn in _profile(account, credentials).values():
                headers.setRawHeaders(_PROFILE_HEADER, [arn.encode("utf-8")])
            url = f"{self._hosts.data_plane(account, credentials)}/mcp"
            return parse_search(await self._fetch(headers, url, body, self._timeouts.search))

        return Deferred.fromCoroutine(ask())

    # ── the control plane ───────────────────────────────────────────────────

    def models(
        self, account: Account, credentials: Credentials
    ) -> Deferred[tuple[OfferedModel, ...]]:
        """The models offered to this account: ListAvailableModels, page by page."""

        async def page(token: str) -> tuple[list[OfferedModel], str]:
            query = {"origin": "AI_EDITOR", "maxResults": "50", **_profile(account, credentials)}
            if token:
                query["nextToken"] = token
            base = self._hosts.data_plane(account, credentials)
            url = f"{base}/ListAvailableModels?{urlencode(query)}"
            return parse_models(await self._ask(account, credentials, url))

        return Deferred.fromCoroutine(_all_pages(page))

    def usage(self, account: Account, credentials: Credentials) -> Deferred[Quota]:
        """The usage limits of this account: GetUsageLimits.

        Wire: with an API key, only the origin is named. A profile that is refused here may serve
        elsewhere, and most identities are told their limits without one.
        """

        async def ask(profile: dict[str, str]) -> Quota:
            query = {"origin": "AI_EDITOR"}
            if account.method != "api_key":
                query |= {"resourceType": "AGENTIC_REQUEST", "isEmailRequired": "true", **profile}
            base = self._hosts.data_plane(account, credentials)
            url = f"{base}/getUsageLimits?{urlencode(query)}"
            return parse_usage(await self._ask(account, credentials, url))

        async def asked() -> Quota:
            profile = _profile(account, credentials)
            try:
                return await ask(profile)
            except AccessRefused as fault:
                final = fault.scope is not Scope.ACCOUNT or fault.code in _FINAL_REFUSALS
                if final or not profile:
                    raise
            return await ask({})

        return Deferred.fromCoroutine(asked())

    def profiles(
        self, account: Account, credentials: Credentials, region: str
    ) -> Deferred[tuple[OfferedProfile, ...]]:
        """The profiles of this account in one region: ListAvailableProfiles, page by page.

        Wire: profiles live in ``hosts.PROFILE_REGIONS``; API keys are refused (403).
        """

        async def page(token: str) -> tuple[list[OfferedProfile], str]:
            asked: dict[str, object] = {"maxResults": 10}
            if token:
                asked["nextToken"] = token
            url = f"{self._hosts.regional(region)}/ListAvailableProfiles"
            body = msgspec.json.encode(asked)
            return parse_profiles(await self._ask(account, credentials, url, body))

        return Deferred.fromCoroutine(_all_pages(page))

    def _ask(
        self, account: Account, credentials: Credentials, url: str, body: bytes | None = None
    ) -> Awaitable[bytes]:
        headers = self._headers.asking(account, credentials, body=body is not None)
        return self._fetch(headers, url, body, self._timeouts.reply)

    async def _fetch(
        self, headers: RequestFields, url: str, body: bytes | None, seconds: float
    ) -> bytes:
        def ask() -> Deferred[IResponse]:
            return cast(
                "Deferred[IResponse]",
                self._http.request(
                    "GET" if body is None else "POST",
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    unbuffered=True,
                    reactor=self._clock,  # type: ignore[arg-type]
                ),
            )

        response = await self._head(ask, ask, seconds)
        if response.code != 200:
            raise await self._refusal(response)
        return await read_bounded(response, MAX_JSON_BODY, self._clock, self._timeouts.silence)

    # ── what both share ─────────────────────────────────────────────────────

    async def _head(
        self,
        ask: Callable[[], Deferred[IResponse]],
        again: Callable[[], Deferred[IResponse]],
        seconds: float,
    ) -> IResponse:
        """The response head; ``again`` is tried at once if the connection proved stale.

        Our timer covers what the library's do not: the TLS handshake and a mute server.
        """
        expired = False
        waiting = ask()

        def expire() -> None:
            nonlocal expired
            expired = True
            waiting.cancel()

        timer = self._clock.callLater(seconds, expire)
        try:
            try:
                return await waiting
            except FOREIGN as error:
                if expired or not went_stale(error):
                    raise
            waiting = again()
            return await waiting
        except FOREIGN as error:
            if expired:
                raise timed_out() from None
            if was_cancelled(error):
                raise CancelledError from None
            # Without the chain: the libraries' texts may hold addresses and data.
            raise fault_of(error) from None
        finally:
            if timer.active():
                timer.cancel()

    async def _refusal(self, response: IResponse) -> UpstreamFault:
        """What a status other than 200 means."""
        body = await self._some_of(response)
        headers = plain(response.headers)
        fault = classify(response.code, headers, body, self._clock.seconds())
        fault.request_id = request_id_of(response.headers) or None
        return fault

    async def _some_of(self, response: IResponse) -> bytes:
        """As much of a small body as can be had."""
        try:
            return await read_bounded(response, MAX_ERROR_BODY, self._clock, self._timeouts.silence)
        except BodyTooLong as long:
            return long.partial
        except UpstreamUnavailable:
            return b""


def _profile(account: Account, credentials: Credentials) -> dict[str, str]:
    """Wire: API keys have no profile and are refused if they name one."""
    if account.method == "api_key" or not credentials.profile_arn:
        return {}
    return {"profileArn": credentials.profile_arn}


async def _all_pages(
    page: Callable[[str], Awaitable[tuple[list[_T], str]]],
) -> tuple[_T, ...]:
    """Everything that is listed, as long as the pages go on and do not repeat."""
    found: list[_T] = []
    token = ""
    for _ in range(MAX_PAGES):
        entries, following = await page(token)
        found += entries
        if not following or following == token:
            break
        token = following
    return tuple(found)
