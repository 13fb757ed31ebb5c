# -*- test-case-name: tests.emulator.test_app -*-
"""The emulator's HTTP face: a strict stand-in for the upstream and its login services.

One resource serves the paths of all their hosts, plus ``/emulator/...`` by which a test or
another process orders misbehaviour and looks at what was received. Importing this module installs
a reactor (Klein does), so it is imported late.
"""

from collections.abc import Awaitable, Callable, Iterable
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
from kiro2api.emulator.credits import QuotaOrder, usage_limits
from kiro2api.emulator.devices import DeviceOrder, page
from kiro2api.emulator.frames import CONTENT_TYPE
from kiro2api.emulator.generation import Generation, decoded, profile
from kiro2api.emulator.performance import Step, Turn, delivered, events
from kiro2api.emulator.playback import Playback
from kiro2api.emulator.replies import Refused, Reply, denied, invalid, json_reply, refusal
from kiro2api.emulator.script import Queue, Script, decode
from kiro2api.emulator.visits import Visit, content, control, ordered

Operation: TypeAlias = Callable[["Visit"], Awaitable[Reply | None]]


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
            reply = ordered(visit.script, visit.call.path) or await operation(visit)
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
        query = visit.call.query
        profile(query.get("profileArn"), member)
        email = query.get("isEmailRequired", "false")
        known = query.get("resourceType", "VIBE") in listings.RESOURCES
        if not (known and query.get("origin", "IDE") in listings.ORIGINS):
            raise invalid("origin or resourceType is wrong", "REQUEST_BODY_INVALID")
        if email not in ("true", "false"):
            raise invalid("isEmailRequired is wrong", "REQUEST_BODY_INVALID")
        return json_reply(usage_limits(member.plan, member.name, email=email == "true"))

    @app.route("/ListAvailableModels", methods=["GET"])
    async def available_models(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._models)

    async def _models(self, visit: Visit) -> Reply:
        member, query = self._member(visit), visit.call.query
        if query.get("origin") not in listings.ORIGINS:
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
        size = visit.object().get("maxResults", 10)
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 10:
            raise invalid("maxResults is wrong", "REQUEST_BODY_INVALID")
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
        return json_reply(self.accounts.devices.register(visit.object(), visit.now))

    @app.route("/device_authorization", methods=["POST"])
    async def authorize_device(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._device)

    async def _device(self, visit: Visit) -> Reply:
        host = visit.header("host")
        return json_reply(self.accounts.devices.begin(visit.object(), host, visit.now))

    @app.route("/oauth/device/authorization", methods=["POST"])
    async def authorize_social(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._social_device)

    async def _social_device(self, visit: Visit) -> Reply:
        host = visit.header("host")
        return json_reply(self.accounts.devices.begin_social(visit.object(), host, visit.now))

    @app.route("/oauth/device/poll", methods=["POST"])
    async def poll_social(self, request: IRequest) -> bytes | None:
        return await self._serve(request, self._social_poll)

    async def _social_poll(self, visit: Visit) -> Reply:
        script = visit.script
        given = self.accounts.poll_social(
            visit.object(), visit.now, rotate=script.rotate, lifetime=script.token_lifetime
        )
        return json_reply(given)

    @app.route("/device", methods=["GET"])
    def show_device(self, request: Any) -> bytes:
        """What somebody sees who follows the address of a login."""
        given = {
            name: values[0].decode("utf-8", "replace") for name, values in request.args.items()
        }
        said, decided = given.get(b"decision"), ""
        code = "".join(
            char for char in given.get(b"user_code", "") if char.isalnum() or char == "-"
        )
        if said in ("approve", "deny") and code:
            found = self.accounts.devices.decide(DeviceOrder(said, code))
            decided = "Done." if found else "There is no such login."
        request.setHeader("content-type", "text/html; charset=utf-8")
        return page(code, decided).encode()

    # ── the emulator's own controls ──────────────────────────────────────────

    @app.route("/emulator/script", methods=["POST"])
    def take_script(self, request: IRequest) -> bytes:
        try:
            self.script(*decode(content(request)))
        except msgspec.DecodeError as error:
            return control(request, {"error": str(error)}, 400)
        return control(request, {"queued": len(self.scripts)})

    @app.route("/emulator/accounts", methods=["POST"])
    def take_account(self, request: IRequest) -> bytes:
        try:
            account = msgspec.json.decode(content(request), type=EmulatedAccount)
        except msgspec.DecodeError as error:
            return control(request, {"error": str(error)}, 400)
        self.accounts.add(account)
        return control(request, {"added": account.name})

    @app.route("/emulator/quota", methods=["POST"])
    def take_quota(self, request: IRequest) -> bytes:
        try:
            order = msgspec.json.decode(content(request), type=QuotaOrder)
            self.accounts.order_quota(order)
        except msgspec.DecodeError as error:
            return control(request, {"error": str(error)}, 400)
        except KeyError:
            return control(request, {"error": "there is no such account"}, 404)
        return control(request, {"ordered": order.account})

    @app.route("/emulator/login", methods=["POST"])
    def take_decision(self, request: IRequest) -> bytes:
        try:
            order = msgspec.json.decode(content(request), type=DeviceOrder)
        except msgspec.DecodeError as error:
            return control(request, {"error": str(error)}, 400)
        return control(request, {"logins": self.accounts.devices.decide(order)})

    @app.route("/emulator/expire", methods=["POST"])
    def expire_tokens(self, request: IRequest) -> bytes:
        self.accounts.expire()
        return control(request, {})

    @app.route("/emulator/reset", methods=["POST"])
    def forget(self, request: IRequest) -> bytes:
        self.scripts.clear()
        self.calls.clear()
        return control(request, {})

    @app.route("/emulator/calls", methods=["GET"])
    def show_calls(self, request: IRequest) -> bytes:
        return control(request, {"calls": list(self.calls)})

    @app.route("/emulator/streams", methods=["GET"])
    def show_streams(self, request: IRequest) -> bytes:
        return control(request, self.calls.streams)

    @app.handle_errors(HTTPException)
    def unknown(self, request: IRequest, failure: Any) -> bytes:
        """Neither such a path nor such a method."""
        reply = refusal("UnknownOperationException", "The emulator serves no such operation.")
        request.setResponseCode(failure.value.code or 404)
        for name, value in (*reply.headers, ("content-type", reply.content_type)):
            request.setHeader(name, value)
        return reply.body
