# -*- test-case-name: tests.commands.test_backup -*-
"""``kiro2api export`` and ``kiro2api import``: everything in one encrypted file, and back."""

import os
from argparse import ArgumentParser, Namespace
from getpass import getpass
from pathlib import Path
from typing import Final

import msgspec

from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.line import Line

PASSPHRASE: Final = "KIRO2API_PASSPHRASE"  # noqa: S105  (the variable's name)


def declare_export(parser: ArgumentParser) -> None:
    """The arguments of ``export``."""
    parser.add_argument("file", help="the file to write; it must not exist yet")
    parser.set_defaults(run=save)


def declare_import(parser: ArgumentParser) -> None:
    """The arguments of ``import``."""
    parser.add_argument(
        "file",
        help="an export, a JSON array as in KIRO_AUTH_TOKEN, or the original's auth_config.json",
    )
    parser.add_argument("--group", default="", help="put the accounts into this group")
    parser.set_defaults(run=load)


async def save(api: Api, arguments: Namespace, line: Line) -> None:
    """``export``."""
    path = Path(arguments.file)
    if path.exists():
        raise CommandFailed(f"{path} exists already")
    passphrase = _passphrase("Passphrase for the export: ", repeat=True)
    document = await api.post("/api/export", {"passphrase": passphrase})
    data = msgspec.json.format(msgspec.json.encode(document), indent=2)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data + b"\n")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from None
    line.tell({"file": str(path), "bytes": len(data)}, f"Written to {path}.")


async def load(api: Api, arguments: Namespace, line: Line) -> None:
    """``import``."""
    path = Path(arguments.file)
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{path} is not JSON: {error}") from None
    body: dict[str, object] = {"document": document}
    if arguments.group:
        body["group"] = arguments.group
    if isinstance(document, dict) and "kiro2api" in document:
        body["passphrase"] = _passphrase("Passphrase of the export: ", repeat=False)
    told = await api.post("/api/import", body)
    words = [f"{told['added']} added, {told['duplicates']} were there already."]
    words += [f"  entry {each['index']}: {each['error']}" for each in told.get("skipped") or ()]
    line.tell(told, "\n".join(words))


def _passphrase(prompt: str, *, repeat: bool) -> str:
    """From the environment, else asked for; raises CommandFailed."""
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given
    try:
        passphrase = getpass(prompt)
        if repeat and getpass("Again: ") != passphrase:
            raise CommandFailed("the two passphrases differ")
    except EOFError:
        raise CommandFailed(f"there is nobody to ask for a passphrase; set {PASSPHRASE}") from None
    return passphrase
