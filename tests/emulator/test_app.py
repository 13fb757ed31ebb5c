# -*- test-case-name: tests.emulator.test_app -*-
"""Tests for the emulator's HTTP face."""

import msgspec

from kiro2api.emulator.accounts import DEMO
from kiro2api.emulator.app import Emulator
from kiro2api.emulator.script import Script
from tests.emulator.caller import ARN, EmulatorTestCase, Reply, question, tool

PATH = "/generateAssistantResponse"


class RouteTests(EmulatorTestCase):
    """Paths and methods."""

    def test_endpoints_are_unique(self) -> None:
        """No route shadows another one."""
        rules = list(Emulator.app.url_map.iter_rules())
        self.assertEqual(len(rules), len(Emulator.app.endpoints))

    def test_unknown_path(self) -> None:
        """An unknown operation is refused in JSON."""
        reply = self.call("POST", "/nothing", {})
        self.assertEqual((reply.status, reply.header("content-type")), (404, "application/json"))
        self.assertEqual(reply.header("x-amzn-ErrorType"), "UnknownOperationException")

    def test_wrong_method(self) -> None:
        """So is a known path with another method."""
        self.assertEqual(self.call("GET", PATH).status, 405)

    def test_request_ids(self) -> None:
        """Every reply has an id of its own."""
        one, two = (self.call("GET", "/getUsageLimits") for _ in range(2))
        self.assertNotEqual(one.header("x-amzn-requestid"), two.header("x-amzn-requestid"))
        self.assertTrue(one.header("x-amzn-requestid"))

    def test_demo_account(self) -> None:
        """Without accounts there is the demo account, whose refresh token stays good."""
        self.emulator = Emulator(self.clock)
        self.connect()
        for _ in range(2):
            reply = self.call("POST", "/refreshToken", {"refreshToken": DEMO.refresh_token})
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.json["refreshToken"], DEMO.refresh_token)


class CredentialTests(EmulatorTestCase):
    """Who may call."""

    def refused(self, reply: Reply) -> tuple[int, str | None]:
        """Status and name of the error."""
        return reply.status, reply.header("x-amzn-ErrorType")

    def test_no_token(self) -> None:
        """Without a token nobody gets in."""
        for method, path in (
            ("POST", PATH),
            ("POST", "/mcp"),
            ("GET", "/getUsageLimits"),
            ("GET", "/ListAvailableModels?origin=AI_EDITOR"),
            ("POST", "/ListAvailableProfiles"),
        ):
            reply = self.call(method, path, {} if method == "POST" else None)
            self.assertEqual(self.refused(reply), (401, "UnrecognizedClientException"), path)

    def test_unknown_token(self) -> None:
        """A token that was never issued is invalid."""
        reply = self.call("POST", PATH, question(), self.bearer("aoa-other"))
        self.assertEqual(self.refused(reply), (403, "AccessDeniedException"))
        self.assertIn("bearer token included in the request is invalid", reply.json["message"])

    def test_expired_token(self) -> None:
        """A token lives as long as was said, and not longer."""
        headers = self.bearer()
        self.clock.advance(3599)
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 200)
        self.clock.advance(1)
        reply = self.call("POST", PATH, question(), headers)
        self.assertEqual(self.refused(reply), (403, "ExpiredTokenException"))
        headers = self.bearer()
        self.call("POST", "/emulator/expire")
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 403)

    def test_api_key(self) -> None:
        """An API key needs its header and must not name a profile."""
        headers = self.bearer("ksk_third")
        self.assertEqual(self.refused(self.call("POST", PATH, question(), headers))[0], 403)
        headers["tokentype"] = "API_KEY"
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 200)
        sent = question() | {"profileArn": ARN}
        self.assertEqual(self.call("POST", PATH, sent, headers).status, 403)
        self.assertEqual(self.call("POST", "/ListAvailableProfiles", {}, headers).status, 403)
        self.assertEqual(self.call("GET", "/getUsageLimits?origin=IDE", None, headers).status, 200)

    def test_token_type_of_others(self) -> None:
        """Other tokens must not claim to be API keys."""
        headers = self.bearer() | {"tokentype": "API_KEY"}
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 403)

    def test_profile(self) -> None:
        """The own profile is welcome, a foreign one is not."""
        sent = question() | {"profileArn": ARN}
        self.assertEqual(self.generate(sent).status, 200)
        other = question() | {"profileArn": ARN.replace("AAAA", "ZZZZ")}
        self.assertEqual(self.generate(other).status, 403)
        headers = self.bearer() | {"x-amzn-kiro-profile-arn": "arn:other"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        self.assertEqual(self.call("POST", "/mcp", message, headers).status, 403)


CLIENT = {"clientName": "x", "clientType": "public", "scopes": ["codewhisperer:completions"]}


class LoginTests(EmulatorTestCase):
    """Tokens and their renewal."""

    def refresh(self, token: object) -> Reply:
        return self.call("POST", "/refreshToken", {"refreshToken": token})

    def test_social_rotates(self) -> None:
        """A refresh gives new tokens and kills the old refresh token."""
        first = self.refresh("aor-first")
        self.assertEqual(first.status, 200)
        self.assertEqual(first.json["expiresIn"], 3600)
        self.assertEqual(first.json["profileArn"], ARN)
        again = self.refresh("aor-first")
        self.assertEqual((again.status, again.json["error"]), (400, "invalid_grant"))
        self.assertEqual(again.header("x-amzn-ErrorType"), "InvalidGrantException")
        second = self.refresh(first.json["refreshToken"])
        self.assertEqual(second.status, 200)
        for reply in (first, second):
            token = reply.json["accessToken"]
            self.assertEqual(self.call("POST", PATH, question(), self.bearer(token)).status, 200)

    def test_social_keeps_on_order(self) -> None:
        """A script may keep the refresh token, and shorten the new token's life."""
        self.emulator.script(Script(path="/refreshToken", rotate=False, token_lifetime=5))
        reply = self.refresh("aor-first")
        self.assertEqual(reply.json["refreshToken"], "aor-first")
        self.assertEqual(reply.json["expiresIn"], 5)
        self.assertEqual(self.refresh("aor-first").status, 200)

    def test_social_refuses(self) -> None:
        """Unknown tokens, those of other methods, and odd bodies."""
        for token in ("aor-nobody", "aor-second", None, 7):
            self.assertEqual(self.refresh(token).status, 400)
        self.assertEqual(self.call("POST", "/refreshToken", b"[]").status, 400)
        self.assertEqual(self.call("POST", "/refreshToken", b"{").status, 400)

    def test_idc(self) -> None:
        """The OIDC refresh rotates as well and says nothing of a profile."""
        body = {
            "clientId": "client-2",
            "clientSecret": "secret-2",
            "grantType": "refresh_token",
            "refreshToken": "aor-second",
        }
        reply = self.call("POST", "/token", body)
        self.assertEqual(reply.status, 200)
        self.assertEqual(set(reply.json), {"accessToken", "refreshToken", "expiresIn", "tokenType"})
        self.assertEqual(self.call("POST", "/token", body).json["error"], "invalid_grant")
        body["refreshToken"] = reply.json["refreshToken"]
        self.emulator.script(Script(path="/token", rotate=False))
        self.assertNotIn("refreshToken", self.call("POST", "/token", body).json)
        wrong = body | {"clientSecret": "other"}
        reply = self.call("POST", "/token", wrong)
        self.assertEqual((reply.status, reply.json["error"]), (401, "invalid_client"))
        wrong = body | {"grantType": "password"}
        self.assertEqual(self.call("POST", "/token", wrong).json["error"], "unsupported_grant_type")

    def test_old_tokens_are_forgotten(self) -> None:
        """Not every access token ever issued is remembered."""
        token = "aor-first"
        first = None
        for _ in range(65):
            given = self.refresh(token).json
            token = given["refreshToken"]
            first = first or given["accessToken"]
        reply = self.call("POST", PATH, question(), self.bearer(first))
        self.assertEqual(reply.status, 403)
        reply = self.call("POST", PATH, question(), self.bearer(given["accessToken"]))
        self.assertEqual(reply.status, 200)

    def test_client_of_another(self) -> None:
        """A refresh token belongs to its client."""
        client = self.call("POST", "/client/register", CLIENT).json
        body = {
            "clientId": client["clientId"],
            "clientSecret": client["clientSecret"],
            "grantType": "refresh_token",
            "refreshToken": "aor-second",
        }
        self.assertEqual(self.call("POST", "/token", body).json["error"], "invalid_grant")

    def test_device_login(self) -> None:
        """Register, authorise, poll: pending, too early, approved, used up."""
        client = self.call("POST", "/client/register", CLIENT).json
        keys = {name: client[name] for name in ("clientId", "clientSecret")}
        begun = keys | {"startUrl": "https://view.awsapps.com/start"}
        device = self.call("POST", "/device_authorization", begun).json
        self.assertIn(device["userCode"], device["verificationUriComplete"])
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        poll = keys | {"grantType": grant, "deviceCode": device["deviceCode"]}
        self.assertEqual(self.call("POST", "/token", poll).json["error"], "authorization_pending")
        self.assertEqual(self.call("POST", "/token", poll).json["error"], "slow_down")
        self.clock.advance(device["interval"])
        reply = self.call("POST", "/token", poll)
        self.assertEqual(reply.status, 200)
        self.assertIn("refreshToken", reply.json)
        self.assertEqual(self.call("POST", "/token", poll).json["error"], "invalid_grant")
        refresh = keys | {"grantType": "refresh_token"}
        refresh["refreshToken"] = reply.json["refreshToken"]
        again = self.call("POST", "/token", refresh)
        headers = self.bearer(again.json["accessToken"])
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 200)

    def test_device_too_late(self) -> None:
        """A device code expires, and belongs to a known client."""
        self.assertEqual(self.call("POST", "/device_authorization", {}).status, 401)
        client = self.call("POST", "/client/register", CLIENT).json
        keys = {name: client[name] for name in ("clientId", "clientSecret")}
        begun = keys | {"startUrl": "https://view.awsapps.com/start"}
        device = self.call("POST", "/device_authorization", begun).json
        self.clock.advance(device["expiresIn"])
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        poll = keys | {"grantType": grant, "deviceCode": device["deviceCode"]}
        reply = self.call("POST", "/token", poll)
        self.assertEqual((reply.status, reply.json["error"]), (400, "expired_token"))

    def test_order_of_a_login(self) -> None:
        """Orders are taken over HTTP, and so is what a person does in a browser."""
        body = {"clientId": "kiro-cli", "loginProvider": "Google"}
        device = self.call("POST", "/oauth/device/authorization", body).json
        reply = self.call("POST", "/emulator/login", {"decision": "hold"})
        self.assertEqual(reply.json, {"logins": 1})
        self.assertEqual(self.call("POST", "/emulator/login", {"decision": "x"}).status, 400)
        path = "/device?user_code=" + device["userCode"]
        reply = self.call("GET", path)
        self.assertIn(b"decision=approve", reply.body.data)
        self.assertIn(b"Done", self.call("GET", path + "&decision=approve").body.data)
        self.assertIn(b"no such", self.call("GET", "/device?user_code=x&decision=deny").body.data)
        poll = {"clientId": "kiro-cli", "deviceCode": device["deviceCode"]}
        given = self.call("POST", "/oauth/device/poll", poll).json
        self.assertEqual(given["identityProvider"], "Google")
        reply = self.call("POST", "/refreshToken", {"refreshToken": given["refreshToken"]})
        self.assertEqual(reply.status, 200)


class ControlPlaneTests(EmulatorTestCase):
    """Models, profiles, usage, search."""

    def test_models(self) -> None:
        """Pages of models with their limits."""
        reply = self.call("GET", "/ListAvailableModels?origin=AI_EDITOR", None, self.bearer())
        ids = [model["modelId"] for model in reply.json["models"]]
        self.assertIn("claude-sonnet-4.5", ids)
        self.assertEqual(reply.json["defaultModel"], {"modelId": "auto"})
        self.assertNotIn("nextToken", reply.json)
        path = "/ListAvailableModels?origin=AI_EDITOR&maxResults=2"
        first = self.call("GET", path, None, self.bearer()).json
        self.assertEqual(len(first["models"]), 2)
        path += "&nextToken=" + first["nextToken"]
        second = self.call("GET", path, None, self.bearer()).json
        self.assertEqual([m["modelId"] for m in second["models"]], ids[2:4])

    def test_models_refuses(self) -> None:
        """The origin is needed, numbers must be numbers."""
        for query in (
            "",
            "?origin=ELSEWHERE",
            "?origin=IDE&maxResults=0",
            "?origin=IDE&maxResults=x",
            "?origin=IDE&nextToken=x",
        ):
            reply = self.call("GET", "/ListAvailableModels" + query, None, self.bearer())
            self.assertEqual(reply.status, 400, query)

    def test_profiles(self) -> None:
        """The account's own profile."""
        reply = self.call("POST", "/ListAvailableProfiles", {"maxResults": 10}, self.bearer())
        self.assertEqual(reply.json["profiles"][0]["arn"], ARN)

    def test_usage_grows(self) -> None:
        """Answers cost credits, which the usage limits tell."""

        def used() -> float:
            path = "/getUsageLimits?origin=AI_EDITOR&resourceType=AGENTIC_REQUEST"
            [breakdown] = self.call("GET", path, None, self.bearer()).json["usageBreakdownList"]
            value: float = breakdown["currentUsageWithPrecision"]
            return value

        before = used()
        self.generate(None, Script(credits=2.5))
        self.assertEqual(used(), before + 2.5)

    def test_usage_refuses(self) -> None:
        """What is asked for must be one of what there is."""
        for query in ("origin=A", "origin=IDE&resourceType=X", "isEmailRequired=1"):
            reply = self.call("GET", f"/getUsageLimits?{query}", None, self.bearer())
            self.assertEqual(reply.status, 400, query)

    def test_email_where_wanted(self) -> None:
        """The address is told to those who ask for it."""
        path = "/getUsageLimits?origin=IDE&isEmailRequired="
        self.assertNotIn("userInfo", self.call("GET", path + "false", None, self.bearer()).json)
        said = self.call("GET", path + "true", None, self.bearer()).json
        self.assertEqual(said["userInfo"]["email"], "first@example.invalid")

    def test_quota_order(self) -> None:
        """Another plan, from one call to the next."""
        order = {"account": "first", "used": 7.5, "credits": 7.5, "subscription": "KIRO FREE"}
        self.assertEqual(self.call("POST", "/emulator/quota", order).json, {"ordered": "first"})
        said = self.call("GET", "/getUsageLimits", None, self.bearer()).json
        self.assertEqual(said["subscriptionInfo"]["subscriptionTitle"], "KIRO FREE")
        self.assertEqual(self.generate().status, 402)
        self.assertEqual(self.call("POST", "/emulator/quota", {"account": "nobody"}).status, 404)
        self.assertEqual(self.call("POST", "/emulator/quota", {"credits": "x"}).status, 400)

    def test_profiles_refuses(self) -> None:
        """Sizes of pages have bounds."""
        for size in (0, 11, "5", True):
            body = {"maxResults": size}
            reply = self.call("POST", "/ListAvailableProfiles", body, self.bearer())
            self.assertEqual(reply.status, 400, size)

    def test_exhausted(self) -> None:
        """Once the credits are spent, no more answers."""
        self.generate(None, Script(credits=1000.0))
        reply = self.generate()
        self.assertEqual(reply.status, 402)
        self.assertEqual(reply.json["reason"], "MONTHLY_REQUEST_COUNT")

    def test_search(self) -> None:
        """The MCP endpoint finds invented pages."""
        message = {
            "jsonrpc": "2.0",
            "id": "s1",
            "method": "tools/call",
            "params": {"name": "web_search", "arguments": {"query": "twisted"}},
        }
        reply = self.call("POST", "/mcp", message, self.bearer()).json
        found = msgspec.json.decode(reply["result"]["content"][0]["text"])
        self.assertEqual(found["query"], "twisted")
        self.assertEqual(len(found["results"]), 3)


class GenerateTests(EmulatorTestCase):
    """Answers."""

    def test_answer(self) -> None:
        """A stream of frames: small texts, then context and metering."""
        reply = self.generate()
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.header("content-type"), "application/vnd.amazon.eventstream")
        self.assertEqual(reply.header("x-amzn-codewhisperer-conversation-id"), "conversation-1")
        kinds = [kind for kind, _ in reply.body.events()]
        self.assertGreater(kinds.count("assistantResponseEvent"), 3)
        self.assertEqual(kinds[-2:], ["contextUsageEvent", "meteringEvent"])
        self.assertIn("hello there", reply.body.text())
        self.assertTrue(reply.body.complete)

    def test_without_conversation_id(self) -> None:
        """The conversation's id is optional."""
        sent = question()
        del sent["conversationState"]["conversationId"]
        reply = self.generate(sent)
        self.assertEqual(reply.status, 200)
        self.assertIsNone(reply.header("x-amzn-codewhisperer-conversation-id"))

    def test_deterministic(self) -> None:
        """The same question, the same answer."""
        self.assertEqual(self.generate().body.data, self.generate().body.data)

    def test_tool_call(self) -> None:
        """An ordered call comes in fragments under one id."""
        sent = question('call look {"path": "a.txt", "lines": 3}', tools=[tool("look")])
        uses = [p for kind, p in self.generate(sent).body.events() if kind == "toolUseEvent"]
        self.assertEqual(len({use["toolUseId"] for use in uses}), 1)
        self.assertEqual({use["name"] for use in uses}, {"look"})
        self.assertGreater(len(uses), 3)
        joined = "".join(use.get("input", "") for use in uses)
        self.assertEqual(msgspec.json.decode(joined), {"path": "a.txt", "lines": 3})
        self.assertEqual([use.get("stop", False) for use in uses][-2:], [False, True])

    def test_content_type(self) -> None:
        """Only JSON is taken; a charset is allowed in this protocol."""
        headers = self.bearer()
        for kind, status in (
            ("application/json", 200),
            ("application/json; charset=utf-8", 200),
            ("text/plain", 400),
        ):
            reply = self.call("POST", PATH, question(), headers | {"content-type": kind})
            self.assertEqual(reply.status, status, kind)

    def test_bad_json(self) -> None:
        """A body that is no JSON object has its own reason."""
        for body in (b"{", b"[]", b"\xff", b""):
            reply = self.call("POST", PATH, body, self.bearer())
            self.assertEqual(reply.json["reason"], "REQUEST_BODY_INVALID_JSON")

    def test_broken_rule(self) -> None:
        """A broken rule is refused with the upstream's reason."""
        reply = self.generate(question("", toolResults=[{"toolUseId": "x", "content": []}]))
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.header("x-amzn-ErrorType"), "ValidationException")
        self.assertEqual(reply.json["reason"], "TOOL_USE_RESULT_MISMATCH")

    def test_unknown_model(self) -> None:
        """A model that the account is not offered."""
        reply = self.generate(question(modelId="claude-opus-9"))
        self.assertEqual((reply.status, reply.json["reason"]), (400, "INVALID_MODEL_ID"))


class ScriptTests(EmulatorTestCase):
    """Misbehaviour on command."""

    def test_refusal(self) -> None:
        """Status, name, reason and Retry-After as ordered, once."""
        script = Script(
            error="ThrottlingException",
            reason="INSUFFICIENT_MODEL_CAPACITY",
            message="Slow down.",
            retry_after="7",
        )
        reply = self.generate(None, script)
        self.assertEqual(reply.status, 429)
        self.assertEqual(reply.header("x-amzn-ErrorType"), "ThrottlingException")
        self.assertEqual(reply.header("retry-after"), "7")
        expected = {"message": "Slow down.", "reason": "INSUFFICIENT_MODEL_CAPACITY"}
        self.assertEqual(reply.json, expected)
        self.assertEqual(self.generate().status, 200)

    def test_refused_login(self) -> None:
        """Login services are refused in their own spelling."""
        script = Script(path="/token", status=400, error="SlowDownException", reason="slow_down")
        self.emulator.script(script)
        reply = self.call("POST", "/token", {})
        self.assertEqual((reply.status, reply.json["error"]), (400, "slow_down"))

    def test_other_body(self) -> None:
        """Anything at all may be sent."""
        script = Script(status=502, body="<h1>Bad gateway</h1>", content_type="text/html")
        reply = self.generate(None, script)
        self.assertEqual((reply.status, reply.header("content-type")), (502, "text/html"))
        self.assertEqual(reply.body.data, b"<h1>Bad gateway</h1>")

    def test_wrong_content_type(self) -> None:
        """A good stream under a wrong name."""
        reply = self.generate(None, Script(content_type="text/plain"))
        self.assertEqual(reply.header("content-type"), "text/plain")
        self.assertTrue(reply.body.events())

    def test_by_post(self) -> None:
        """Another process orders by JSON; mistakes are told."""
        reply = self.call("POST", "/emulator/script", b'[{"status": 503}, {"text": "Yes."}]')
        self.assertEqual(reply.json, {"queued": 2})
        self.assertEqual(self.generate().status, 503)
        self.assertEqual(self.generate().body.text(), "Yes.")
        reply = self.call("POST", "/emulator/script", b'{"statsu": 503}')
        self.assertEqual(reply.status, 400)
        self.assertIn("statsu", reply.json["error"])

    def test_only_for_an_account(self) -> None:
        """An order for one account does not hit another one."""
        self.emulator.script(Script(account="third", status=500))
        self.assertEqual(self.generate().status, 200)
        headers = {"authorization": "Bearer ksk_third", "tokentype": "API_KEY"}
        self.assertEqual(self.call("POST", PATH, question(), headers).status, 500)

    def test_silent(self) -> None:
        """No headers, ever; the caller has to leave."""
        self.emulator.script(Script(silent=True))
        asked = self.ask("POST", PATH, question(), self.bearer())
        self.advance(3600)
        self.assertNoResult(asked)
        asked.cancel()
        self.agent.flush()
        self.failureResultOf(asked)
        self.assertEqual(self.emulator.calls[-1].outcome, "aborted")

    def test_late_headers(self) -> None:
        """Headers after a while."""
        self.emulator.script(Script(headers_after=20))
        asked = self.ask("POST", PATH, question(), self.bearer())
        self.advance(19)
        self.assertNoResult(asked)
        self.advance(1)
        self.assertEqual(self.successResultOf(asked).code, 200)
        self.agent.flush()

    def test_late_headers_left(self) -> None:
        """A caller who leaves before takes the timer with him."""
        self.emulator.script(Script(headers_after=20))
        asked = self.ask("POST", PATH, question(), self.bearer())
        asked.cancel()
        self.agent.flush()
        self.failureResultOf(asked)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut(self) -> None:
        """The connection breaks after so many frames."""
        reply = self.generate(None, Script(cut_at=2))
        self.assertEqual(len(reply.body.frames()), 2)
        self.assertIsNotNone(reply.body.ended)
        self.assertFalse(reply.body.complete)
        self.assertEqual(self.emulator.calls[-1].outcome, "cut")

    def test_clean_end(self) -> None:
        """The body ends properly, the answer does not."""
        reply = self.generate(None, Script(cut_at=2, clean=True))
        self.assertEqual(len(reply.body.frames()), 2)
        self.assertTrue(reply.body.complete)

    def test_stall_after_headers(self) -> None:
        """Headers and then nothing."""
        reply = self.generate(None, Script(stall_at=0))
        self.advance(3600)
        self.assertEqual((reply.status, reply.body.data, reply.body.ended), (200, b"", None))

    def test_slow(self) -> None:
        """Frame after frame, as time goes by; the last timer goes with the last frame."""
        reply = self.generate(None, Script(text="", events=3, interval=2.0))
        self.assertEqual(reply.body.text(), "0 ")
        self.advance(2)
        self.assertEqual(reply.body.text(), "0 1 ")
        for _ in range(3):
            self.advance(2)
        self.assertTrue(reply.body.complete)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_and_left(self) -> None:
        """A caller who leaves takes the timer with him."""
        reply = self.generate(None, Script(events=100, interval=2.0))
        self.assertEqual(self.emulator.calls.streams.open, 1)
        reply.body.transport.stopProducing()  # type: ignore[union-attr]
        self.agent.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.emulator.calls.streams.open, 0)
        self.assertEqual(self.emulator.calls[-1].outcome, "aborted")

    def test_close_delimited(self) -> None:
        """An answer that only the close ends."""
        reply = self.generate(None, Script(close_delimited=True))
        self.assertEqual(reply.response.version, (b"HTTP", 1, 0))
        self.assertIsNone(reply.header("transfer-encoding"))
        self.assertIsNotNone(reply.body.ended)
        self.assertIn("hello there", reply.body.text())

    def test_abort_all(self) -> None:
        """Stopping cuts off everybody, also those who wait for headers."""
        reply = self.generate(None, Script(linger=True))
        self.emulator.script(Script(silent=True))
        asked = self.ask("POST", PATH, question(), self.bearer())
        self.emulator.abort_all()
        self.agent.flush()
        self.failureResultOf(asked)
        self.assertIsNotNone(reply.body.ended)
        self.emulator.abort_all()


class ControlTests(EmulatorTestCase):
    """Looking at what was received."""

    def test_calls(self) -> None:
        """Method, path, query, header names, body, account, outcome; no secret."""
        headers = self.bearer()
        self.call("POST", PATH, question("hi"), headers)
        self.call("GET", "/getUsageLimits?origin=AI_EDITOR", None, headers)
        self.call("POST", "/refreshToken", {"refreshToken": "aor-second"})
        reply = self.call("GET", "/emulator/calls")
        asked, usage, login = reply.json["calls"]
        self.assertEqual((asked["method"], asked["path"]), ("POST", PATH))
        self.assertEqual((asked["account"], asked["status"]), ("first", 200))
        self.assertEqual(asked["outcome"], "completed")
        self.assertEqual(asked["body"], question("hi"))
        self.assertIn("authorization", asked["headers"])
        self.assertEqual(usage["query"], {"origin": "AI_EDITOR"})
        self.assertIsNone(usage["body"])
        self.assertEqual((login["account"], login["status"]), ("second", 400))
        self.assertEqual(login["body"], {"refreshToken": "<hidden>"})
        token = headers["authorization"].split()[1].encode()
        self.assertNotIn(token, reply.body.data)
        self.assertEqual(self.call("POST", "/emulator/reset").json, {})
        self.assertEqual(self.call("GET", "/emulator/calls").json, {"calls": []})

    def test_streams(self) -> None:
        """How many answers are under way and how the others ended."""
        self.generate()
        self.generate(None, Script(cut_at=1))
        open_one = self.generate(None, Script(linger=True))
        expected = {"open": 1, "started": 3, "completed": 1, "cut": 1, "aborted": 0}
        self.assertEqual(self.call("GET", "/emulator/streams").json, expected)
        open_one.body.transport.stopProducing()  # type: ignore[union-attr]
        self.agent.flush()
        expected = {"open": 0, "started": 3, "completed": 1, "cut": 1, "aborted": 1}
        self.assertEqual(self.call("GET", "/emulator/streams").json, expected)

    def test_accounts(self) -> None:
        """An account can be added while running."""
        account = b'{"name": "late", "refresh_token": "aor-late"}'
        reply = self.call("POST", "/emulator/accounts", account)
        self.assertEqual(reply.json, {"added": "late"})
        reply = self.call("POST", "/refreshToken", {"refreshToken": "aor-late"})
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.call("POST", "/emulator/accounts", b'{"nam": 1}').status, 400)
