# -*- test-case-name: tests.commands.test_check -*-
"""``kiro2api check``: is everything as it should be, and if not, what to do.

Costs nothing, unless it is told to ask a model: one short question in each API, in one piece and
streamed. What needs an admin's key, or is kiro2api's own, is left out where it is not to be had,
so that any deployment of these APIs can be looked at.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec

from kiro2api.commands.accounts_found import every
from kiro2api.commands.calling import Api, ApiRefused, CommandFailed, Stranger, Unreachable
from kiro2api.commands.check_apis import APIS, ModelApi, refusal, streamed, streaming, whole
from kiro2api.commands.line import Line
from kiro2api.commands.printing import aligned, cell

State = Literal["ok", "FAIL", "left out"]

_REMEDIES: Final = {
    "rejected": "log it in again: kiro2api login --replace {id}",
    "suspended": "its owner must have it unlocked by AWS; then: kiro2api accounts unpark {id}",
    "exhausted": "it returns when its credits are reset",
    "disabled": "kiro2api accounts enable {id}",
}
_COLUMNS: Final = ("no key", "mistakes", "answer", "stream")
_SHOWN: Final = 10
_NO_MODEL: Final = b'{"messages":[{"role":"user","content":"Hi"}],"input":"Hi","max_tokens":9}'
_NO_TURNS: Final = b'{"model":"claude-haiku-4-5"}'

Looking = Callable[[], Awaitable[str]]
"""Looks at one thing: what is good about it; fails with what is wrong."""


class Finding(msgspec.Struct):
    """One thing that was looked at. ``column``: of the table of APIs, else empty."""

    what: str
    state: State
    detail: str = ""
    column: str = ""


class LeftOut(Exception):
    """It could not be looked at; the text says why."""


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.epilog = (
        "With --url and KIRO2API_KEY it looks at any service that has these APIs; a\n"
        "client's key is enough, but of the accounts nothing is seen then. The exit\n"
        "status is 1 if anything is wrong."
    )
    parser.add_argument(
        "--ask",
        action="store_true",
        help="also ask a model in each API, at once and streamed, which costs a few credits",
    )
    parser.add_argument(
        "--model", default="", help="the model to ask; if nothing is said, a cheap one of its list"
    )
    parser.set_defaults(run=check)


async def check(api: Api, arguments: Namespace, line: Line) -> None:
    """Look at everything; raises CommandFailed if anything is wrong."""
    await Checkup(api, line).run(arguments.model, ask=arguments.ask)


class Checkup:
    """One round through a service."""

    def __init__(self, api: Api, line: Line) -> None:
        self._api = api
        self._line = line
        self._models: list[str] = []
        self._deserted = False
        self.findings: list[Finding] = []

    async def run(self, model: str, *, ask: bool) -> None:
        """Say what is found; raises CommandFailed if anything is wrong."""
        await self._say("service", self._health)
        await self._say("models", self._offered)
        await self._say("accounts", self._accounts)
        model = model or _cheap(self._models)
        for api in APIS:
            await self._probe(api, model, ask=ask)
        probed = [each for each in self.findings if each.column]
        self._line.say("")
        self._line.say(_matrix(probed))
        if not ask:
            self._line.say("No model was asked; --ask does that.")
        wrong = [each for each in self.findings if each.state == "FAIL"]
        for each in (each for each in wrong if each.column):
            self._line.say(f"FAIL  {each.what}, {each.column}: {each.detail}")
        self._line.tell(self.findings, "" if wrong else "\nNothing is wrong.")
        if wrong:
            raise CommandFailed(f"{len(wrong)} of {len(self.findings)} checks failed")

    async def _say(self, what: str, looking: Looking) -> None:
        finding = await self._look(what, looking)
        self._line.say(f"{finding.state:8}  {what:8}  {finding.detail}")

    async def _look(self, what: str, looking: Looking, column: str = "") -> Finding:
        """Nobody there at all ends everything: it is raised."""
        finding = Finding(what, "ok", column=column)
        try:
            finding.detail = await looking()
        except LeftOut as reason:
            finding.state, finding.detail = "left out", str(reason)
        except Unreachable:
            raise
        except CommandFailed as failed:
            finding.state, finding.detail = "FAIL", failed.message
        self.findings.append(finding)
        return finding

    # ── kiro2api's own ───────────────────────────────────────────────────────

    async def _health(self) -> str:
        try:
            told = await self._api.get("/health")
        except (Stranger, ApiRefused) as failed:
            if getattr(failed, "status", 0) < 500:
                raise LeftOut("no /health as kiro2api has it: this is something else") from None
            raise
        if not isinstance(told, dict) or "version" not in told or "database" not in told:
            raise LeftOut("no /health as kiro2api has it: this is something else")
        if told["database"] != "connected":
            raise CommandFailed(f"its database is {told['database']}")
        return f"kiro2api {told['version']}, up for {told.get('uptime')} s"

    async def _offered(self) -> str:
        told = await self._api.get("/v1/models")
        data = told.get("data") if isinstance(told, dict) else None
        if not isinstance(data, list):
            raise self._api.stranger("/v1/models has no data")
        self._models = [str(each["id"]) for each in data if isinstance(each, dict) and "id" in each]
        if not self._models:
            raise CommandFailed("no model is offered")
        return f"{len(self._models)} are offered"

    async def _accounts(self) -> str:
        try:
            accounts = await every(self._api)
        except Stranger:
            raise LeftOut("there is no operator's API") from None
        except ApiRefused as refused:
            if refused.status == 401:
                raise LeftOut("the key is refused") from None
            if refused.status in (403, 404):
                raise LeftOut("this needs an admin's key") from None
            raise
        self._deserted = not accounts
        if not accounts:
            raise CommandFailed("there are none; add one: kiro2api login")
        ready = sum(each["status"] == "ready" for each in accounts)
        sick = [each for each in accounts if each["status"] in _REMEDIES]
        for each in sick[:_SHOWN]:
            remedy = _REMEDIES[each["status"]].format(id=each["id"])
            self._line.say(f"          {cell(each['name'])} is {each['status']}: {remedy}")
        if len(sick) > _SHOWN:
            self._line.say(f"          and {len(sick) - _SHOWN} more: kiro2api accounts list")
        if not ready:
            raise CommandFailed(f"none of {len(accounts)} can serve now")
        return f"{ready} of {len(accounts)} can serve"

    # ── the model APIs ───────────────────────────────────────────────────────

    async def _probe(self, api: ModelApi, model: str, *, ask: bool) -> None:
        probes: list[Looking] = [
            lambda: self._no_key(api),
            lambda: self._mistakes(api),
            lambda: self._answer(api, model, ask=ask),
        ]
        if api.events is not None:
            probes.append(lambda: self._stream(api, model, ask=ask))
        for column, probe in zip(_COLUMNS, probes, strict=False):
            await self._look(api.name, probe, column)

    async def _no_key(self, api: ModelApi) -> str:
        answer = await self._api.exchange("POST", api.path, b"{}", keyed=False)
        return _good(refusal(api, answer, 401, "authentication_error"))

    async def _mistakes(self, api: ModelApi) -> str:
        # Whoever only counts may do without a model.
        counts = api.events is None
        lacking = ("no messages", _NO_TURNS) if counts else ("no model", _NO_MODEL)
        for what, body in (("a body that is not JSON", b"{"), lacking):
            answer = await self._api.exchange("POST", api.path, body)
            if answer.status in (401, 403):
                raise LeftOut("the key is refused")
            if wrong := refusal(api, answer, 400, "invalid_request_error"):
                raise CommandFailed(f"{what}: {wrong}")
        return ""

    async def _answer(self, api: ModelApi, model: str, *, ask: bool) -> str:
        # Counting costs nothing.
        question = self._question(api, model, ask=ask or api.events is None)
        began = self._api.clock.seconds()
        answer = await self._api.exchange("POST", api.path, msgspec.json.encode(question))
        took = self._api.clock.seconds() - began
        return _good(whole(api, answer)) or f"{took:.1f} s"

    async def _stream(self, api: ModelApi, model: str, *, ask: bool) -> str:
        question = streaming(api, self._question(api, model, ask=ask))
        began = self._api.clock.seconds()
        answer = await self._api.exchange("POST", api.path, msgspec.json.encode(question))
        took = self._api.clock.seconds() - began
        return _good(streamed(api, answer)) or f"{took:.1f} s"

    def _question(self, api: ModelApi, model: str, *, ask: bool) -> dict[str, Any]:
        if not ask:
            raise LeftOut("not asked")
        if self._deserted and api.events is not None:
            raise LeftOut("there is no account to ask with")
        if not model:
            raise LeftOut("no model is known; name one with --model")
        return api.question(model)


def _good(wrong: str) -> str:
    """Empty; raises CommandFailed with what is wrong."""
    if wrong:
        raise CommandFailed(wrong)
    return ""


def _cheap(models: list[str]) -> str:
    return next((each for each in models if "haiku" in each), models[0] if models else "")


def _matrix(findings: list[Finding]) -> str:
    """APIs below each other, what was tried with them beside each other."""
    cells = {
        (each.what, each.column): f"ok {each.detail}".strip() if each.state == "ok" else each.state
        for each in findings
    }
    rows = [["", *_COLUMNS]]
    for api in APIS:
        tried = [cells.get((api.name, column), "-") for column in _COLUMNS]
        rows.append([api.name, *("-" if each == "left out" else each for each in tried)])
    return aligned(rows)
