# -*- test-case-name: tests.commands.test_backup -*-
"""``kiro2api export`` and ``kiro2api import``: everything in one encrypted file, and back."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec

from kiro2api.commands.accounts_adding import tell_of_many
from kiro2api.commands.calling import Api, CommandFailed
from kiro2api.commands.given import PASSPHRASE, document, passphrase
from kiro2api.commands.line import Line

_ASKED = f"The passphrase is asked for, or taken from {PASSPHRASE}."


def declare_export(parser: ArgumentParser) -> None:
    """The arguments of ``export``."""
    parser.epilog = _ASKED
    parser.add_argument("file", metavar="FILE", help="the file to write; it must not exist yet")
    parser.set_defaults(run=save)


def declare_import(parser: ArgumentParser) -> None:
    """The arguments of ``import``."""
    parser.epilog = (
        "FILE is an export, accounts as in KIRO_AUTH_TOKEN, or the auth_config.json of\n"
        f"the Go kiro2api. What is there already stays as it is.\n{_ASKED}"
    )
    parser.add_argument("file", metavar="FILE", help="the file to read; - for standard input")
    parser.add_argument(
        "--group", default="", metavar="GROUP", help="put accounts that are no export there"
    )
    parser.set_defaults(run=load)


async def save(api: Api, arguments: Namespace, line: Line) -> None:
    """``export``."""
    path = Path(arguments.file)
    if os.path.lexists(path):
        raise CommandFailed(f"{path} exists already; it is not overwritten")
    if not path.absolute().parent.is_dir():
        raise CommandFailed(f"{path} cannot be written: there is no folder {path.parent}")
    secret = passphrase("Passphrase for the export: ", repeat=True)
    exported = await api.post("/api/export", {"passphrase": secret})
    data = msgspec.json.format(msgspec.json.encode(exported), indent=2) + b"\n"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from None
    line.tell(
        {"file": str(path), "bytes": len(data)},
        f"{path} was written. Without the passphrase nobody can read it, you neither.",
    )


async def load(api: Api, arguments: Namespace, line: Line) -> None:
    """``import``."""
    given = document(arguments.file)
    body: dict[str, object] = {"document": given}
    if arguments.group:
        body["group"] = arguments.group
    if sealed(given):
        body["passphrase"] = passphrase("Passphrase of the export: ")
    tell_of_many(line, await api.post("/api/import", body))


def sealed(given: object) -> bool:
    """Whether it is an export, which nobody reads without its passphrase."""
    from kiro2api.web.admin.backup_sealed import is_sealed

    return is_sealed(given)
