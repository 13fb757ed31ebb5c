# -*- test-case-name: tests.commands.test_explain -*-
"""``kiro2api explain FILE``: what would be sent for a client's request, without sending it."""

from argparse import ArgumentParser, Namespace
from typing import Any, Final

import msgspec

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.given import document
from kiro2api.commands.line import Line
from kiro2api.commands.printing import as_json

_DIALECTS: Final = ("anthropic", "chat", "responses")


def declare(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.epilog = "Nothing is sent. The exit status is 1 for a request that would be refused."
    parser.add_argument(
        "file", metavar="FILE", help="the request's JSON body; - for standard input"
    )
    parser.add_argument(
        "--dialect", choices=_DIALECTS, help="whose request it is; guessed, if nothing is said"
    )
    parser.add_argument("--group", default="", metavar="GROUP", help="the accounts it would go to")
    parser.set_defaults(run=explain)


async def explain(api: Api, arguments: Namespace, line: Line) -> None:
    """Print the payload and all that was decided about it."""
    body = document(arguments.file)
    dialect = arguments.dialect or guessed(body)
    told = await api.post(
        "/api/explain", {"dialect": dialect, "group": arguments.group, "body": body}
    )
    line.tell(told, in_words(told))
    if told["error"]:
        raise CommandFailed("this request would be refused")


def guessed(body: object) -> str:
    """Whose request it looks like; raises CommandFailed."""
    if not isinstance(body, dict):
        raise CommandFailed("a request is a JSON object")
    if "input" in body:
        return "responses"
    roles = {str(message.get("role")) for message in _objects(body.get("messages"))}
    functions = any(tool.get("type") == "function" for tool in _objects(body.get("tools")))
    openai = functions or not roles.isdisjoint(("system", "developer", "tool"))
    return "chat" if openai or "max_completion_tokens" in body else "anthropic"


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


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
