# -*- test-case-name: tests.commands.test_check -*-
"""``kiro2api check``: is everything as it should be, and if not, what to do.

Reads only, unless it is told to ask a model: one short question in each API.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from kiro2api.commands.accounts import everybody
from kiro2api.commands.calling import Api, ApiRefused, CommandFailed
from kiro2api.commands.line import Line

_QUESTION: Final = "Answer with the single word: ready"
_REMEDIES: Final = {
    "rejected": "log it in again: kiro2api login",
    "suspended": "its owner must have it unlocked by AWS; then: kiro2api accounts unpark",
    "exhausted": "it returns when its credits are reset",
    "disabled": "kiro2api accounts enable",
}


class Finding(msgspec.Struct):
    """One thing that was looked at."""

    what: str
    good: bool
    detail: str = ""


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument(
        "--ask", action="store_true", help="also ask a model in each API, which costs credits"
    )
    parser.add_argument("--model", default="claude-haiku-4-5", help="the model to ask")
    parser.set_defaults(run=check)


async def check(api: Api, arguments: Namespace, line: Line) -> None:
    """Look at everything; fails if anything is wrong."""
    findings: list[Finding] = []

    async def look(what: str, looking: Callable[[], Awaitable[str]]) -> None:
        try:
            findings.append(Finding(what, True, await looking()))
        except CommandFailed as failed:
            findings.append(Finding(what, False, failed.message))
        found = findings[-1]
        line.say(f"{'ok  ' if found.good else 'FAIL'} {what}: {found.detail}")

    await look("service", lambda: _health(api))
    await look("models", lambda: _models(api))
    await look("accounts", lambda: _accounts(api, line))
    if arguments.ask:
        for name, path, body in _questions(arguments.model):
            await look(name, lambda path=path, body=body: _answer(api, path, body))  # type: ignore[misc]
    wrong = sum(not each.good for each in findings)
    line.tell(findings, "Everything is as it should be." if not wrong else "")
    if wrong:
        raise CommandFailed(f"{wrong} of {len(findings)} checks failed")


async def _health(api: Api) -> str:
    told = await api.get("/health")
    if told["status"] != "healthy":
        raise CommandFailed(f"{told['status']}, database {told['database']}")
    return f"version {told['version']}, up for {told['uptime']} s"


async def _models(api: Api) -> str:
    told = await api.get("/v1/models")
    return f"{len(told['data'])} models are offered"


async def _accounts(api: Api, line: Line) -> str:
    accounts = await everybody(api)
    ready = sum(each["status"] in ("ready", "busy") for each in accounts)
    for each in accounts:
        if remedy := _REMEDIES.get(each["status"]):
            line.say(f"     {each['name']} is {each['status']}: {remedy}")
    if not accounts:
        raise CommandFailed("there are none: kiro2api login, or set KIRO_AUTH_TOKEN")
    if not ready:
        raise CommandFailed(f"none of {len(accounts)} can serve")
    return f"{ready} of {len(accounts)} can serve"


async def _answer(api: Api, path: str, body: dict[str, Any]) -> str:
    try:
        told = await api.post(path, body)
    except ApiRefused as refused:
        raise CommandFailed(f"HTTP {refused.status}: {refused.message}") from None
    usage = told.get("usage") or {}
    spent = usage.get("output_tokens", usage.get("completion_tokens"))
    return f"answered in {spent} tokens"


def _questions(model: str) -> list[tuple[str, str, dict[str, Any]]]:
    turn = [{"role": "user", "content": _QUESTION}]
    return [
        (
            "Anthropic Messages",
            "/v1/messages",
            {"model": model, "max_tokens": 50, "messages": turn},
        ),
        ("OpenAI Chat Completions", "/v1/chat/completions", {"model": model, "messages": turn}),
        ("OpenAI Responses", "/v1/responses", {"model": model, "input": _QUESTION, "store": False}),
    ]
