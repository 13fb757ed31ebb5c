# -*- test-case-name: tests.commands.test_line -*-
"""What commands share: how they are declared, and where their words go.

Must not know any command.
"""

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any, NoReturn

from kiro2api.commands.printing import as_json, printable


class Line:
    """Where a command's words go.

    :param out: prints one text, the result.
    :param aside: prints one text that is no result, such as how far something is.
    :param json: print values as JSON instead of words.
    """

    def __init__(
        self, out: Callable[[str], None], aside: Callable[[str], None], *, json: bool
    ) -> None:
        self._out = out
        self._aside = aside
        self._json = json

    def tell(self, value: object, words: str) -> None:
        """The result: a value for programs, or the same in words for people."""
        if self._json:
            self._out(as_json(value))
        elif words:
            self._out(printable(words))

    def say(self, words: str) -> None:
        """Something on the way; beside the result where that is read by a program."""
        (self._aside if self._json else self._out)(printable(words))


class Parser(ArgumentParser):
    """A command line whose mistakes are told in one line."""

    def __init__(self, **how: Any) -> None:
        how.setdefault("formatter_class", RawDescriptionHelpFormatter)
        how.setdefault("allow_abbrev", False)
        super().__init__(**how)

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message}; see: {self.prog} --help\n")


def common(parser: ArgumentParser, *, first: bool) -> None:
    """The options of all commands, which may stand before or after the command's name.

    :param first: whether this parser is the outermost, which gives the defaults.
    """

    def default(value: object) -> object:
        return value if first else SUPPRESS

    group = parser.add_argument_group("options of all commands")
    group.add_argument(
        "--url", default=default(""), metavar="URL", help="the service, such as https://host:8080"
    )
    group.add_argument(
        "--offline",
        action="store_true",
        default=default(False),
        help="work on the database itself, whether or not a service runs",
    )
    group.add_argument(
        "--json", action="store_true", default=default(False), help="print JSON for programs"
    )


def subcommands(parser: ArgumentParser) -> Any:
    """Where ``leaf`` adds the subcommands of one command."""
    return parser.add_subparsers(title="actions", metavar="ACTION", required=True)


def leaf(commands: Any, name: str, help: str, run: object, **defaults: object) -> ArgumentParser:
    """A subcommand that runs something. ``help``: one sentence without its capital and stop."""
    parser: ArgumentParser = commands.add_parser(name, help=help, description=sentence(help))
    common(parser, first=False)
    parser.set_defaults(run=run, **defaults)
    return parser


def sentence(help: str) -> str:
    """A line of a list of commands as a sentence."""
    return f"{help[:1].upper()}{help[1:]}."
