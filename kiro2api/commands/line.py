# -*- test-case-name: tests.commands.test_main -*-
"""What commands share: how they are declared, and where their words go.

Must not know any command.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from kiro2api.commands.printing import as_json


class Line:
    """Where a command's words go.

    :param out: prints one text.
    :param json: print values as JSON instead of words.
    """

    def __init__(self, out: Callable[[str], None], *, json: bool) -> None:
        self._out = out
        self._json = json

    def tell(self, value: object, words: str) -> None:
        """The result: a value for programs, or the same in words for people."""
        self._out(as_json(value) if self._json else words)

    def say(self, words: str) -> None:
        """Something on the way, for people only."""
        if not self._json:
            self._out(words)


def subcommands(parser: ArgumentParser) -> Any:
    """Where ``add_parser`` adds the subcommands of one command."""
    return parser.add_subparsers(metavar="ACTION", required=True)
