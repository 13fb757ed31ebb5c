"""No secret gets out (I8): canaries go through the whole service, and are looked for everywhere.

Keys, tokens and the client's texts are marked; every way a request can fail is provoked, with
everything logged that can be; then no line, no answer and no repr may hold a mark.
"""

import gc
import io
from typing import Any

import txaio.tx
from twisted.internet.defer import CancelledError
from twisted.logger import LogEvent, eventAsText, globalLogPublisher

from kiro2api.emulator.accounts import EmulatedAccount
from kiro2api.emulator.script import Script, ToolCall
from kiro2api.logs import line_observer
from kiro2api.redaction import Secret
from tests.live.case import LiveCase
from tests.live.client import MODEL, Answer, Caller
from tests.live.process import free_port

CLIENT = "canary-1-client-key"
ADMIN = "canary-2-admin-key"
KEYS = {
    "client key": CLIENT,
    "admin key": ADMIN,
    "wrong key": "canary-3-wrong-key",
    "social refresh token": "aor-canary-4",
    "IdC refresh token": "aor-canary-5",
    "IdC client secret": "canary-6-client-secret",
    "API key": "ksk_canary-7",
}
TEXTS = {
    "prompt": "canary-8 what the client asked",
    "system prompt": "canary-9 what the system is told",
    "tool output": "canary-10 what a tool returned",
    "tool description": "canary-11 what a tool is for",
    "tool argument": "canary-12 what a tool is called with",
    "answer": "canary-13 what the model says",
    "reasoning": "canary-14 what the model thinks",
    "upstream's words": "canary-15 what the upstream complains of",
    "query": "canary-16-in-the-query",
}
ACCOUNTS = (
    EmulatedAccount(name="social", refresh_token=KEYS["social refresh token"]),
    EmulatedAccount(
        name="idc",
        method="idc",
        refresh_token=KEYS["IdC refresh token"],
        client_id="client-id",
        client_secret=KEYS["IdC client secret"],
    ),
    EmulatedAccount(name="key", method="api_key", api_key=KEYS["API key"]),
)

UPSTREAM = TEXTS["upstream's words"]

FAULTS = {
    "throttled": Script(status=429, error="ThrottlingException", message=UPSTREAM),
    "overloaded": Script(
        status=429,
        error="ThrottlingException",
        reason="INSUFFICIENT_MODEL_CAPACITY",
        message=UPSTREAM,
    ),
    "quota": Script(
        status=402,
        error="ServiceQuotaExceededException",
        reason="MONTHLY_REQUEST_COUNT",
        message=UPSTREAM,
    ),
    "expired": Script(status=401, error="ExpiredTokenException", message=UPSTREAM),
    "denied": Script(status=403, error="AccessDeniedException", message=UPSTREAM),
    "suspended": Script(
        status=403,
        error="AccessDeniedException",
        reason="TEMPORARILY_SUSPENDED",
        message=UPSTREAM,
    ),
    "server error": Script(status=500, error="InternalServerException", message=UPSTREAM),
    "no JSON": Script(status=502, body=f"<html>{UPSTREAM}</html>", content_type="text/html"),
    "no stream": Script(status=200, body=UPSTREAM, content_type="text/plain"),
    "exception frame": Script(exception_at=0, exception="ThrottlingException", message=UPSTREAM),
    "error frame": Script(error_at=0, error="InternalError", message=UPSTREAM),
    "bad checksum": Script(bad_crc_at=0, text=TEXTS["answer"]),
    "garbage": Script(garbage_at=0, text=TEXTS["answer"]),
    "cut": Script(cut_at=0),
    "empty": Script(cut_at=0, clean=True),
    "silent": Script(silent=True),
    "stalled": Script(stall_at=0),
    "exception midway": Script(
        text=TEXTS["answer"] * 2,
        delay=0.01,
        exception_at=2,
        exception="InternalServerException",
        message=UPSTREAM,
    ),
    "cut midway": Script(text=TEXTS["answer"] * 2, delay=0.01, cut_at=2),
    "stalled midway": Script(text=TEXTS["answer"] * 2, delay=0.01, stall_at=2),
}
"""What the upstream may do to each account in turn."""

REFRESH_FAULTS = {
    "dead login": Script(
        path="", status=401, error="InvalidGrantException", reason="invalid_grant"
    ),
    "login service down": Script(path="", status=503, error="Down", message=UPSTREAM),
    "login says nonsense": Script(path="", body=f'{{"accessToken": 7, "x": "{UPSTREAM}"}}'),
    "login says no JSON": Script(path="", body=UPSTREAM),
}


def body(**changes: object) -> dict[str, Any]:
    """A question with everything in it that a client would not want to see elsewhere."""
    call = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "look",
        "input": {"q": TEXTS["tool argument"]},
    }
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": TEXTS["tool output"]}
    return {
        "model": MODEL,
        "max_tokens": 1000,
        "stream": False,
        "system": TEXTS["system prompt"],
        "tools": [
            {
                "name": "look",
                "description": TEXTS["tool description"],
                "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
            }
        ],
        "messages": [
            {"role": "user", "content": TEXTS["prompt"]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
    } | changes


class SecretsTests(LiveCase):
    """Whatever happens, nothing that is marked is seen where it does not belong."""

    timeout = 60

    def setUp(self) -> None:
        """Log everything there is, in both formats and raw."""
        super().setUp()
        self.lines = {name: io.StringIO() for name in ("text", "json")}
        self.raw: list[str] = []
        observers: list[Any] = [
            line_observer(stream, "trace", name) for name, stream in self.lines.items()
        ]
        observers.append(self.note)
        txaio.tx.set_global_log_level("trace")
        self.addCleanup(txaio.tx.set_global_log_level, "info")
        for observer in observers:
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.accounts: tuple[EmulatedAccount, ...] = ()
        self.refusals: list[bytes] = []
        self.served = 0

    def note(self, event: LogEvent) -> None:
        """What any other observer could make of an event."""
        self.raw.append(eventAsText(event, includeTraceback=True))
        self.raw.append(repr({k: v for k, v in event.items() if k != "log_logger"}))

    async def start_marked(
        self, accounts: tuple[EmulatedAccount, ...] = ACCOUNTS, **changes: Any
    ) -> None:
        """Both services, with every secret marked and little patience."""
        self.accounts = accounts
        await self.start(
            accounts,
            client_token=(Secret(CLIENT),),
            admin_token=Secret(ADMIN),
            headers_timeout_seconds=0.3,
            first_event_timeout_seconds=0.3,
            upstream_silence_seconds=0.3,
            ping_seconds=5.0,
            log_level="trace",
            **changes,
        )

    async def ask(self, sent: object, path: str = "/v1/messages", key: str = CLIENT) -> Answer:
        """One request on a connection of its own."""
        caller = await self.call()
        caller.key = key
        caller.post(path, sent, authorization=f"Bearer {key}")
        await caller.whole()
        caller.leave()
        return self.looked_at(caller)

    def looked_at(self, caller: Caller) -> Answer:
        """Every answer is searched for keys; those that tell of a failure, for texts, too."""
        answer = caller.answer()
        self.assert_clean("an answer", bytes(caller.data).decode(), KEYS | self.tokens())
        if answer.status >= 400 or b"event: error" in answer.body:
            self.refusals.append(answer.body)
            told = answer.body.partition(b"event: error")[2] or answer.body
            # What the upstream complains of may help the client, so it may be passed on.
            texts = {name: text for name, text in TEXTS.items() if text != UPSTREAM}
            self.assert_clean("an error", told.decode(), texts)
        else:
            self.served += 1
        return answer

    def tokens(self) -> dict[str, str]:
        """Every token that the emulator has given out."""
        found = {}
        for account in self.accounts:
            member = self.emulator.accounts.member(account.name)
            found[f"refresh token of {account.name}"] = member.refresh_token
            for number, token in enumerate(member.expiries):
                found[f"access token {number} of {account.name}"] = token
        return {name: token for name, token in found.items() if token}

    def assert_clean(self, where: str, text: str, marks: dict[str, str]) -> None:
        """None of the marks is in the text."""
        for name, mark in marks.items():
            if mark.split()[0] in text:
                index = text.index(mark.split()[0])
                self.fail(f"{name} in {where}: {text[max(0, index - 300) : index + 100]}")

    def assert_nothing_logged(self) -> None:
        """Neither format, nor any other observer, was given a mark; but they were given a lot."""
        for name, stream in self.lines.items():
            self.assertGreater(len(stream.getvalue().splitlines()), 5)
            self.assert_clean(f"the {name} log", stream.getvalue(), KEYS | TEXTS | self.tokens())
        self.assert_clean("an event", "\n".join(self.raw), KEYS | TEXTS | self.tokens())

    def release_all(self) -> None:
        """Let every account serve again."""
        for account in self.gateway.configured.accounts:
            self.gateway.parts.pool.release(account.fingerprint)

    # ── the tests ────────────────────────────────────────────────────────────

    async def test_success(self) -> None:
        """Streamed and whole, in both dialects, with reasoning and tools, by each account."""
        await self.start_marked()
        for account in ACCOUNTS:
            for stream in (False, True):
                self.emulator.script(
                    Script(
                        text=TEXTS["answer"],
                        thinking=TEXTS["reasoning"],
                        calls=(ToolCall("look", raw_input='{"q": "canary-12"}'),),
                    )
                )
                await self.ask(body(stream=stream))
            chat = {"model": MODEL, "messages": [{"role": "user", "content": TEXTS["prompt"]}]}
            await self.ask(chat, "/v1/chat/completions")
            await self.ask(body(), "/v1/messages/count_tokens")
            # The next account's turn.
            self.emulator.script(Script(status=429, error="ThrottlingException"))
            await self.ask(body())
            self.assertIn(account.name, {call.account for call in self.emulator.calls})
        self.assertEqual(self.refusals, [self.refusals[0]])  # the last one had nobody to turn to
        self.assertGreater(self.served, 10)
        self.assertGreaterEqual(len(self.tokens()), 4)
        self.assert_nothing_logged()

    async def test_faults_of_the_upstream(self) -> None:
        """Each fault, of every account in turn, so that the client gets to see it."""
        await self.start_marked()
        for name, script in FAULTS.items():
            for stream in (False, True):
                self.emulator.scripts.clear()
                self.emulator.script(*[script] * 6)
                told = len(self.refusals)
                await self.ask(body(stream=stream))
                self.assertEqual(len(self.refusals), told + 1, name)
                self.release_all()
        self.assert_nothing_logged()

    async def test_faults_of_the_login(self) -> None:
        """Refreshes that fail, at the login services and on the way there."""
        for name, script in REFRESH_FAULTS.items():
            await self.start_marked(ACCOUNTS[:2])
            self.emulator.scripts.clear()
            self.emulator.accounts.expire()
            self.emulator.script(*[script] * 20)
            answer = await self.ask(body())
            self.assertGreaterEqual(answer.status, 400, name)
            await self.gateway.stopService()
        self.assert_nothing_logged()

    async def test_faults_of_the_client(self) -> None:
        """Keys that are wrong, bodies that are broken, paths that do not exist."""
        await self.start_marked()
        prompt = TEXTS["prompt"]
        wrong: list[object] = [
            b'{"messages": "' + prompt.encode(),
            b"\xff" + prompt.encode(),
            prompt,
            [prompt],
            body(messages=prompt),
            body(max_tokens=prompt),
            body(stream=prompt),
            body(messages=[]),
            body(messages=[{"role": prompt, "content": prompt}]),
            body(messages=[{"role": "user", "content": {"text": prompt}}]),
            body(messages=[{"role": "user", "content": [{"type": prompt, "text": prompt}]}]),
            body(tools=[{"name": "x", "input_schema": prompt}]),
            body(tool_choice=prompt),
            body(
                messages=[
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "base64", "data": prompt}},
                        ],
                    }
                ]
            ),
        ]
        for path in ("/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"):
            for sent in wrong:
                await self.ask(sent, path)
        for key in (KEYS["wrong key"], ""):
            self.assertEqual((await self.ask(body(), key=key)).status, 401)
        query = f"?key={KEYS['wrong key']}&text={TEXTS['query']}"
        for path in ("/v1/nothing", "/nothing", "/health", "/nogroup/v1/messages"):
            await self.ask(body(), path + query)
        self.assertGreater(len(self.refusals), 30)
        self.assert_nothing_logged()

    async def test_too_large(self) -> None:
        """A body that is refused before it has arrived."""
        await self.start(client_token=(Secret(CLIENT),), max_body_bytes=1000)
        answer = await self.ask(body(system=TEXTS["system prompt"] * 100))
        self.assertEqual(answer.status, 413)
        self.assert_clean("the log", "\n".join(self.raw), KEYS | TEXTS)

    async def test_unreachable(self) -> None:
        """An upstream, and login services, that nobody serves."""
        base = f"http://127.0.0.1:{free_port()}"
        await self.start_marked(upstream_url=base, social_auth_url=base, oidc_url=base)
        self.assertGreaterEqual((await self.ask(body())).status, 500)
        self.assert_nothing_logged()

    async def test_operators_pages(self) -> None:
        """What an operator is shown, to those with the key and to the others."""
        await self.start_marked()
        await self.ask(body())
        for path in ("/", "/health", "/api/hello", "/api/tokens", "/v1/models"):
            for key in (CLIENT, ADMIN, KEYS["wrong key"]):
                caller = await self.call()
                caller.send(f"GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n".encode())
                await caller.whole()
                caller.leave()
                self.looked_at(caller)
        self.assert_nothing_logged()

    async def test_objects(self) -> None:
        """No object of ours shows a key or token, not even in the middle of an answer."""
        await self.start_marked()
        self.emulator.script(Script(events=1000, interval=0.01))
        caller = await self.call()
        caller.key = CLIENT
        caller.post("/v1/messages", body(stream=True))
        await caller.until(b"text_delta")
        shown = 0
        marks = KEYS | self.tokens()
        for thing in [*gc.get_objects(), self.gateway.settings, self.gateway.configured]:
            module = str(type(thing).__module__)
            if module.startswith("kiro2api.") and not module.startswith("kiro2api.emulator"):
                self.assert_clean(f"the repr of {type(thing)}", repr(thing), marks)
                shown += 1
        self.assertGreater(shown, 100)
        for thing in (Secret(CLIENT), CancelledError(), self.gateway.parts.pool.snapshot(0.0)):
            self.assert_clean("a repr", repr(thing), marks)
        caller.leave()
        await self.upstream_left()
        self.assert_nothing_logged()
