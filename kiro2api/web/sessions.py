# -*- test-case-name: tests.web.test_sessions -*-
"""Sessions of browsers: a cookie that stands for a key, on every path but the model APIs'.

The cookie is random and kept as a digest only; what is stored beside it proves the key without
being of any use to guess it. Rows are remembered for a moment, because requests are identified
at once: see ``settle``. Must not know what the routes do.
"""

import hmac
import re
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Protocol
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, succeed

from kiro2api.errors import Forbidden, Unauthorized
from kiro2api.store.sessions import StoredSession
from kiro2api.web.gate import Caller, HeaderSource, Known, Presented, presented_keys

COOKIE: Final = "kiro2api_session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"

FRESH_SECONDS: Final = 5.0
"""How long a row is believed: a session that is ended in one process ends in others by then."""
_MOST: Final = 1024
_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_TOKEN: Final = re.compile(
    rf"(?:^|;)\s*({SECURE_COOKIE}|{COOKIE})=([A-Za-z0-9_-]{{20,100}})(?=;|\s|$)"
)


class Rows(Protocol):
    """Where sessions are kept."""

    def add(self, session: StoredSession) -> Deferred[None]:
        """Keep a new one."""

    def find(self, digest: bytes) -> Deferred[StoredSession | None]:
        """The session of a token."""

    def remove(self, digest: bytes) -> Deferred[bool]:
        """End one."""


def token_of(request: HeaderSource) -> str:
    """The session's cookie, empty if there is none."""
    header = request.getHeader(b"cookie")
    if not header:
        return ""
    found = dict(_TOKEN.findall(header.decode("latin-1")))
    return found.get(SECURE_COOKIE) or found.get(COOKIE) or ""


def refuse_foreign(request: HeaderSource) -> None:
    """Raises Forbidden for a request that another site's page has made.

    What is not sent proves nothing: only browsers send these headers.
    """
    site = request.getHeader(b"sec-fetch-site")
    if site is not None:
        foreign = site != b"same-origin"
    else:
        origin = request.getHeader(b"origin")
        if origin is None:
            return
        host = (request.getHeader(b"host") or b"").decode("latin-1")
        foreign = urlsplit(origin.decode("latin-1")).netloc.lower() != host.lower()
    if foreign:
        raise Forbidden("this request comes from another site's page", code="foreign_origin")


class Sessions:
    """The sessions that are under way.

    :param now: epoch seconds.
    :param hours: how long a new session lasts.
    :param new_token: gives a fresh random text for a cookie.
    """

    def __init__(
        self,
        rows: Rows,
        now: Callable[[], float],
        *,
        hours: Callable[[], float],
        new_token: Callable[[], str],
    ) -> None:
        self._rows = rows
        self._now = now
        self._hours = hours
        self._new_token = new_token
        # What the store said of a digest, and until when that is believed.
        self._read: OrderedDict[bytes, tuple[StoredSession | None, float]] = OrderedDict()

    # ── begin and end ────────────────────────────────────────────────────────

    async def begin(self, known: Known) -> tuple[str, StoredSession]:
        """A new session for a key: the cookie's value, and what is kept of it."""
        token, now = self._new_token(), self._now()
        session = StoredSession(
            digest=_digest(token),
            name=known.caller.name,
            role=known.caller.role,
            key_id=known.caller.key_id,
            binding=_binding(token, known.digest),
            csrf=self._new_token(),
            created_at=now,
            expires_at=now + self._hours() * 3600.0,
        )
        await self._rows.add(session)
        self._remember(session.digest, session)
        return token, session

    async def end(self, request: HeaderSource) -> bool:
        """End the request's session; whether there was one."""
        if not (token := token_of(request)):
            return False
        digest = _digest(token)
        self._remember(digest, None)
        removed = await self._rows.remove(digest)
        # Again, since somebody may have read it just before.
        self._remember(digest, None)
        return removed

    # ── who is calling ───────────────────────────────────────────────────────

    def settle(self, request: HeaderSource) -> Deferred[None]:
        """Fires when ``caller`` can be asked about this request; to be waited for before.

        Fails with StoreError.
        """
        token = token_of(request)
        if not token or presented_keys(request):
            return succeed(None)
        digest = _digest(token)
        known = self._read.get(digest)
        if known is not None and known[1] > self._now():
            return succeed(None)

        def read(session: StoredSession | None) -> None:
            self._remember(digest, session)

        return self._rows.find(digest).addCallback(read)

    def current(self, request: HeaderSource) -> StoredSession | None:
        """The request's session, if it goes on."""
        token = token_of(request)
        if not token:
            return None
        session, _ = self._read.get(_digest(token), (None, 0.0))
        return session if session is not None and session.expires_at > self._now() else None

    def caller(self, request: Presented, find: Callable[[int, str], Known | None]) -> Caller:
        """Whoever began the session.

        :param find: gives the key of a number or name.
        :raises Unauthorized: if it has ended, or its key is gone.
        :raises Forbidden: for a change that the session's own page has not asked for.
        """
        token = token_of(request)
        if not token:
            raise Unauthorized("no API key: send it as x-api-key or as Authorization: Bearer")
        session = self.current(request)
        known = find(session.key_id, session.name) if session is not None else None
        if (
            session is None
            or known is None
            or not hmac.compare_digest(session.binding, _binding(token, known.digest))
        ):
            raise Unauthorized("the session has ended: log in again", code="session_ended")
        if request.method not in _SAFE:
            refuse_foreign(request)
            shown = request.getHeader(b"x-csrf-token") or b""
            if not hmac.compare_digest(shown, session.csrf.encode("ascii")):
                raise Forbidden("the header X-CSRF-Token is missing or wrong", code="csrf")
        return known.caller

    def _remember(self, digest: bytes, session: StoredSession | None) -> None:
        self._read.pop(digest, None)
        self._read[digest] = (session, self._now() + FRESH_SECONDS)
        if len(self._read) > _MOST:
            self._read.popitem(last=False)


def _digest(token: str) -> bytes:
    return blake2b(token.encode("ascii"), digest_size=32, person=b"kiro2api-cookie").digest()


def _binding(token: str, key_digest: bytes) -> bytes:
    # Keyed with the cookie, which is stored nowhere: a configured key may be a guessable word.
    key = blake2b(token.encode("ascii"), digest_size=32, person=b"kiro2api-bind").digest()
    return blake2b(key_digest, key=key, digest_size=32).digest()
