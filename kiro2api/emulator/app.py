# -*- test-case-name: tests.emulator.test_app -*-
"""The emulator's HTTP face: a strict stand-in for the upstream and its login services.

One resource serves the paths of all their hosts, plus ``/emulator/...`` by which a test or
another process orders misbehaviour and looks at what was received. Importing this module installs
a reactor (Klein does), so it is imported late.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException

from kiro2api.emulator import listings, websearch
from kiro2api.emulator.accounts import DEMO, Accounts, EmulatedAccount, Member
from kiro2api.emulator.calls import Call, CallLog, without_secrets
from kiro2api.emulator.frames import CONTENT_TYPE
from kiro2api.emulator.generation import Generation, decoded, profile
from kiro2api.emulator.performance import Step, Turn, delivered, events
from kiro2api.emulator.playback import Playback
from kiro2api.emulator.replies import (
    INVALID_JSON,
    JSON,
    Refused,
    Reply,
    denied,
    invalid,
    json_reply,
    oauth_refusal,
    refusal,
    status_of,
)
from kiro2api.emulator.script import Queue, Script, decode

Operation: TypeAlias = Callable[["Visit"], Awaitable[Reply | None]]

_LOGIN = ("/refreshToken", "/token", "/client/register", "/device_authorization")


class Visit(msgspec.Struct):
    """One call under way: the request, what was noted of it, and the order it is subject to."""

    request: Any
    call: Call
    raw: bytes
    body: Any
    script: Script
    now: float

    def header(self, name: str) -> str:
        """The value of a request header, empty if there is none."""
        return self.request.getHeader(name) or ""

    def object(self) -> Mapping[str, Any]:
        """The body as a JSON object; raises Refused."""
        if self.header("content-type").split(";")[0].strip().lower() != JSON:
            raise invalid("The content type must be application/json.", INVALID_JSON)
        if not isinstance(self.body, dict):
            raise invalid("Improperly formed request.", INVALID_JSON)
        return self.body


class Emulator:
    """The upstream, emulated.

    :param clock: tells the time and runs every delay.
    :param accounts: who may log in; without any there is the demo account.
    :param seed: another seed invents other tokens and ids.
    :param pace: seconds between the frames of an answer that no script slows down.
    :param keep_calls: how many received calls are remembered.
    """

    app = Klein()

    def __init__(
        self,
        clock: IReactorTime,
        accounts: Iterable[EmulatedAccount] = (),
        *,
        seed: int = 0,
        pace: float = 0.0,
        keep_calls: int = 200,
    ) -> None:
        self.clock = clock
        self.accounts = Accounts(tuple(accounts) or (DEMO,), seed)
        self.calls = CallLog(keep_calls)
        self.scripts = Queue()
        self.pace = pace
        self.generation = Generation(self.accounts, seed)
        self._visits: set[Any] = set()

    def script(self, *scripts: Script) -> None:
        """Queue orders."""
        self.scripts.add(scripts)

    def resource(self) -> IResource:
        """What a site serves."""
        resource: IResource = self.app.resource()
        return resource

    def abort_all(self) -> None:
        """Cut off everybody who is still being answered."""
        for request in tuple(self._visits):
            request.channel.forceAbortClient()

    # ── every call ───────────────────────────────────────────────────────────

    async def _serve(self, request: Any, operation: Operation) -> bytes | None:
        visit = self._visit(request)
        self._visits.add(request)
        request.notifyFinish().addBoth(self._left, visit)
        request.setHeader("x-amzn-requestid", self.accounts.made("request-"))
        if visit.script.silent:
            await Deferred()
        if visit.script.headers_after:
            await deferLater(self.clock, visit.script.headers_after)
        try:
            reply = _ordered(visit.script, visit.call.path) or await operation(visit)
        except Refused as refused:
            reply = refused.reply
        if reply is None:
            return None
        visit.call.status = reply.status
        request.setResponseCode(reply.status)
        request.setHeader("content-type", visit.script.content_type or reply.content_type)
        for name, value in reply.headers:
            request.setHeader(name, value)
        return reply.body

    def _visit(self, request: Any) -> Visit:
        raw = request.content.read()
        path = request.path.decode("utf-8", "replace")
        query = {
            name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace")
            for name, values in request.args.items()
        }
        names = sorted(
            name.decode("ascii", "replace").lower()
            for name, _ in request.requestHeaders.getAllRawHeaders()
        )
        call = self.calls.received(request.method.decode(), path, query, tuple(names))
        body = decoded(raw)
        call.body = without_secrets(body)
        member = self._caller(request, body)
        call.account = "" if member is None else member.name
        script = self.scripts.take(path, call.account)
        return Visit(request, call, raw, body, script, self.clock.seconds())

    def _caller(self, request: Any, body: Any) -> Member | None:
        token = (request.getHeader("authorization") or "").partition(" ")[2]
        if not token and isinstance(body, dict):
            token = str(body.get("refreshToken") or "")
        return self.accounts.whose(token)

    def _left(self, result: object, visit: Visit) -> None:
        """The response is complete, or the connection is gone (``result`` is a failure)."""
        self._visits.discard(visit.request)
        if visit.call.outcome == "open":
            visit.call.outcome = "completed" if result is None else "aborted"

    def _member(self, visit: Visit) -> Member:
        authorization = visit.header("authorization")
        return self.accounts.bearer(authorization, visit.header("tokentype"), visit.now)

    # ── data plane ───────────────────────────────────────────────────────────

    @app.route("/generateAssistantResponse", methods=["POST"])
    async def generate(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._generate)

    async def _generate(self, visit: Visit) -> Reply | None:
        member = self._member(visit)
        body, script, request = visit.object(), visit.script, visit.request
        self.generation.admit(body, member, len(visit.raw))
        play = self.generation.compose(body, member, script, len(visit.raw))
        visit.call.status = 200
        request.setHeader("content-type", script.content_type or CONTENT_TYPE)
        conversation = body["conversationState"].get("conversationId")
        if conversation:
            request.setHeader("x-amzn-codewhisperer-conversation-id", conversation)
        if script.close_delimited:
            # An older response line carries neither length nor chunks: the close is the end.
            request.clientproto = b"HTTP/1.0"
            request.channel.persistent = False
        steps = self._noted(visit.call, delivered(events(play, script), script, self.pace))
        self.calls.begun()
        request.notifyFinish().addBoth(lambda _: self.calls.ended(visit.call))
        await Playback(request, steps, self.clock).run()
        return None

    def _noted(self, call: Call, steps: Iterable[Step]) -> Any:
        for step in steps:
            if step is Turn.ABORT:
                call.outcome = "cut"
            yield step

    @app.route("/mcp", methods=["POST"])
    async def mcp(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._mcp)

    async def _mcp(self, visit: Visit) -> Reply:
        profile(visit.header("x-amzn-kiro-profile-arn") or None, self._member(visit))
        return json_reply(websearch.respond(visit.object()))

    # ── control plane ────────────────────────────────────────────────────────

    @app.route("/getUsageLimits", methods=["GET"])
    async def usage_limits(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._usage)

    async def _usage(self, visit: Visit) -> Reply:
        member = self._member(visit)
        profile(visit.call.query.get("profileArn"), member)
        return json_reply(listings.usage(member))

    @app.route("/ListAvailableModels", methods=["GET"])
    async def available_models(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._models)

    async def _models(self, visit: Visit) -> Reply:
        member, query = self._member(visit), visit.call.query
        if not query.get("origin"):
            raise invalid("origin is required", "REQUEST_BODY_INVALID")
        profile(query.get("profileArn"), member)
        first, size = query.get("nextToken", "0"), query.get("maxResults", "50")
        if not (first.isdecimal() and size.isdecimal() and 1 <= int(size) <= 100):
            raise invalid("maxResults or nextToken is wrong", "REQUEST_BODY_INVALID")
        return json_reply(listings.models(member.account, int(first), int(size)))

    @app.route("/ListAvailableProfiles", methods=["POST"])
    async def available_profiles(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._profiles)

    async def _profiles(self, visit: Visit) -> Reply:
        member = self._member(visit)
        visit.object()
        if member.account.method == "api_key":
            raise denied("Unsupported token type")
        return json_reply(listings.profiles(member.account))

    # ── login services ───────────────────────────────────────────────────────

    @app.route("/refreshToken", methods=["POST"])
    async def refresh_social(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._refresh)

    async def _refresh(self, visit: Visit) -> Reply:
        script = visit.script
        given = self.accounts.refresh_social(
            visit.object().get("refreshToken"),
            visit.now,
            rotate=script.rotate,
            lifetime=script.token_lifetime,
        )
        return json_reply(given)

    @app.route("/token", methods=["POST"])
    async def oidc_token(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._token)

    async def _token(self, visit: Visit) -> Reply:
        script = visit.script
        given = self.accounts.token(
            visit.object(), visit.now, rotate=script.rotate, lifetime=script.token_lifetime
        )
        return json_reply(given)

    @app.route("/client/register", methods=["POST"])
    async def register_client(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._register)

    async def _register(self, visit: Visit) -> Reply:
        visit.object()
        return json_reply(self.accounts.register_client(visit.now))

    @app.route("/device_authorization", methods=["POST"])
    async def authorize_device(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._device)

    async def _device(self, visit: Visit) -> Reply:
        return json_reply(self.accounts.begin_device(visit.object(), visit.now))

    # ── the emulator's own controls ──────────────────────────────────────────

    @app.route("/emulator/script", methods=["POST"])
    def take_script(self, request: IRequest) -> bytes:
        try:
            self.script(*decode(_content(request)))
        except msgspec.DecodeError as error:
            return _control(request, {"error": str(error)}, 400)
        return _control(request, {"queued": len(self.scripts)})

    @app.route("/emulator/accounts", methods=["POST"])
    def take_account(self, request: IRequest) -> bytes:
        try:
            account = msgspec.json.decode(_content(request), type=EmulatedAccount)
        except msgspec.DecodeError as error:
            return _control(request, {"error": str(error)}, 400)
        self.accounts.add(account)
        return _control(request, {"added": account.name})

    @app.route("/emulator/expire", methods=["POST"])
    def expire_tokens(self, request: IRequest) -> bytes:
        self.accounts.expire()
        return _control(request, {})

    @app.route("/emulator/reset", methods=["POST"])
    def forget(self, request: IRequest) -> bytes:
        self.scripts.clear()
        self.calls.clear()
        return _control(request, {})

    @app.route("/emulator/calls", methods=["GET"])
    def show_calls(self, request: IRequest) -> bytes:
        return _control(request, {"calls": list(self.calls)})

    @app.route("/emulator/streams", methods=["GET"])
    def show_streams(self, request: IRequest) -> bytes:
        return _control(request, self.calls.streams)

    @app.handle_errors(HTTPException)
    def unknown(self, request: IRequest, failure: Any) -> bytes:
        """Neither such a path nor such a method."""
        reply = refusal("UnknownOperationException", "The emulator serves no such operation.")
        request.setResponseCode(failure.value.code or 404)
        for name, value in (*reply.headers, ("content-type", reply.content_type)):
            request.setHeader(name, value)
        return reply.body


def _ordered(script: Script, path: str) -> Reply | None:
    """The reply that a script orders instead of the operation's own."""
    if script.body is not None:
        return Reply(script.status or 200, script.body.encode())
    if not (script.status or script.error) or script.error_at is not None:
        return None
    status = script.status or status_of(script.error)
    if path in _LOGIN:
        code = script.reason or "server_error"
        return oauth_refusal(
            script.error, code, script.message, status=status, retry_after=script.retry_after
        )
    return refusal(
        script.error,
        script.message,
        script.reason,
        status=status,
        retry_after=script.retry_after,
    )


def _content(request: Any) -> bytes:
    content: bytes = request.content.read()
    return content


def _control(request: IRequest, value: object, status: int = 200) -> bytes:
    request.setResponseCode(status)
    request.setHeader("content-type", JSON)
    return msgspec.json.encode(value)
