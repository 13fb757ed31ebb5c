# -*- test-case-name: tests.emulator.test_service -*-
"""``twistd kiro2api-emulator``: the options, and the one import of the global reactor."""

from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from kiro2api.emulator.accounts import EmulatedAccount

_LISTEN = "tcp:8765:interface=127.0.0.1"


class Options(UsageOptions):
    """What the command line of the emulator takes."""

    optParameters = [
        ["listen", "l", _LISTEN, "Endpoint to listen on."],
        ["seed", "s", 0, "Number from which tokens and ids are invented.", int],
        ["pace", "p", 0.0, "Seconds between two frames of an answer.", float],
        ["accounts", "a", "", "JSON file with a list of accounts; without it a demo account."],
    ]

    def postOptions(self) -> None:
        """Read the accounts, so that a mistake ends the start with one clear line."""
        self["accounts"] = _accounts(self["accounts"]) if self["accounts"] else []


def makeService(options: Options) -> IService:
    """The emulator's service. Klein imports the reactor, hence the imports in here."""
    from twisted.internet import reactor

    from kiro2api.emulator.service import emulator_service

    service: Any = emulator_service(
        reactor,
        options["listen"],
        accounts=options["accounts"],
        seed=options["seed"],
        pace=options["pace"],
    )
    return service  # type: ignore[no-any-return]


def _accounts(path: str) -> list[EmulatedAccount]:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=list[EmulatedAccount])
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"cannot use {path}: {error}") from None
