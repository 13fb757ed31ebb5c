# -*- test-case-name: tests.web.admin.test_sessions -*-
"""The routes of sessions: a key is shown once, and a cookie stands for it from then on.

Must not know how a session is kept.
"""

from typing import Final

import msgspec
from klein import Klein

from kiro2api import __version__
from kiro2api.errors import Unauthorized
from kiro2api.store.sessions import StoredSession
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.gate import Caller, Gate, presented_keys
from kiro2api.web.operator_api import moment
from kiro2api.web.reply import send_value
from kiro2api.web.sessions import COOKIE, SECURE_COOKIE, Sessions, refuse_foreign
from kiro2api.web.site import ApiRequest


class LogIn(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a login."""

    key: str


class SessionShown(msgspec.Struct):
    """Who is logged in. ``csrf``: what changes must send as ``X-CSRF-Token``.

    Without a session, for who shows a key with each request, ``csrf`` and ``expires_at`` are
    empty; ``role`` and ``name``, too, where nobody is logged in.
    """

    role: str
    name: str
    csrf: str
    expires_at: str
    version: str


_LOG_IN: Final = msgspec.json.Decoder(LogIn)


class SessionApi:
    """The route ``/api/session``.

    :param secure: whether clients reach the service by TLS that ends here.
    """

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, sessions: Sessions, *, secure: bool = False) -> None:
        self._gate = gate
        self._sessions = sessions
        self._secure = secure

    @app.route("/api/session", methods=["POST"])
    async def begin(self, request: ApiRequest) -> bytes:
        """Log in with any key."""
        refuse_foreign(request)
        known = self._gate.recognise(body_of(request, _LOG_IN).key.strip(), request)
        token, session = await self._sessions.begin(known)
        seconds = int(session.expires_at - session.created_at)
        self._set_cookie(request, token, seconds, self._by_tls(request))
        return self._send(request, known.caller, session, 201)

    @app.route("/api/session", methods=["GET"])
    def show(self, request: ApiRequest) -> bytes:
        """Who is logged in; without a key and a session that is nobody, and no mistake."""
        try:
            caller = self._gate.identify(request)
        except Unauthorized:
            if presented_keys(request):
                raise
            return self._send(request, None, None, 200)
        return self._send(request, caller, self._sessions.current(request), 200)

    @app.route("/api/session", methods=["DELETE"])
    async def end(self, request: ApiRequest) -> bytes:
        """Log out."""
        self._gate.identify(request)
        await self._sessions.end(request)
        for secure in (False, True):
            self._set_cookie(request, "", 0, secure)
        request.setResponseCode(204)
        return b""

    def _send(
        self,
        request: ApiRequest,
        caller: Caller | None,
        session: StoredSession | None,
        status: int,
    ) -> bytes:
        request.setHeader(b"Cache-Control", b"no-store")
        shown = SessionShown(
            role=caller.role if caller is not None else "",
            name=caller.name if caller is not None else "",
            csrf=session.csrf if session is not None else "",
            expires_at=moment(session.expires_at) if session is not None else "",
            version=__version__,
        )
        return send_value(request, shown, status)

    def _by_tls(self, request: ApiRequest) -> bool:
        """Whether the browser sees an https address; only it and a proxy of ours can know."""
        if self._secure:
            return True
        origin = request.getHeader(b"origin")
        if origin is not None:
            return origin.startswith(b"https://")
        return request.getHeader(b"x-forwarded-proto") == b"https"

    def _set_cookie(self, request: ApiRequest, token: str, seconds: int, secure: bool) -> None:
        name = SECURE_COOKIE if secure else COOKIE
        cookie = f"{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
        if secure:
            cookie += "; Secure"
        request.responseHeaders.addRawHeader(b"Set-Cookie", cookie.encode("ascii"))
