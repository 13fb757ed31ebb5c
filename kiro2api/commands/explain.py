# -*- test-case-name: tests.commands.test_explain -*-
"""``kiro2api explain FILE``: what would be sent for a client's request, without sending it."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

import msgspec

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.line import Line
from kiro2api.commands.printing import as_json

_DIALECTS: Final = ("anthropic", "chat", "responses")


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("file", help="the request's JSON body; - for standard input")
    parser.add_argument("--dialect", choices=_DIALECTS, help="default: guessed from the body")
    parser.add_argument("--group", default="", help="the group of accounts it would go to")
    parser.set_defaults(run=explain)


async def explain(api: Api, arguments: Namespace, line: Line) -> None:
    """Print the payload and all that was decided about it."""
    try:
        text = (
            sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
        )
    except OSError as error:
        raise CommandFailed(f"{arguments.file} cannot be read: {error.strerror}") from None
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{arguments.file} is not JSON: {error}") from None
    dialect = arguments.dialect or _guessed(body)
    told = await api.post(
        "/api/explain", {"dialect": dialect, "group": arguments.group, "body": body}
    )
    line.tell(told, in_words(told))
    if told["error"]:
        raise CommandFailed("this request would be refused")


def _guessed(body: object) -> str:
    """Whose request it looks like."""
    if not isinstance(body, dict):
        raise CommandFailed("a request is a JSON object")
    if "input" in body:
        return "responses"
    roles = {
        message.get("role") for message in body.get("messages") or () if isinstance(message, dict)
    }
    functions = any(
        isinstance(tool, dict) and tool.get("type") == "function"
        for tool in body.get("tools") or ()
    )
    openai = functions or bool(roles & {"system", "developer", "tool"})
    return "chat" if openai or "max_completion_tokens" in body else "anthropic"


def in_words(told: dict[str, Any]) -> str:
    """The explanation for people."""
    lines = [f"API:     {told['dialect']}", f"Group:   {told['group']}"]
    if model := told.get("model"):
        known = "" if model["known"] else " (not in the catalogue)"
        lines.append(f"Model:   {model['asked']} -> {model['name']}{known}")
    if tokens := told.get("tokens"):
        lines.append(f"Tokens:  about {tokens['estimate']} of {tokens['window']}")
    lines += [
        f"Account: {account['name']} would ask {account['upstream_model']}"
        for account in told.get("accounts") or ()
    ]
    for repair in told.get("repairs") or ():
        rest = {name: value for name, value in repair.items() if name != "what"}
        lines.append(
            f"Repair:  {repair['what']} {msgspec.json.encode(rest).decode() if rest else ''}"
        )
    lines += [f"Note:    {note}" for note in told.get("notes") or ()]
    if error := told["error"]:
        where = f" [{error['rule']}]" if error.get("rule") else ""
        lines.append(f"Refused: {error['status']} {error['message']}{where}")
    if told["payload"] is not None:
        lines += ["", as_json(told["payload"])]
    return "\n".join(each.rstrip() for each in lines)
