# -*- test-case-name: tests.test_tap -*-
"""`twistd kiro2api`: options, settings, and the service they make.

The only module that imports the global reactor, and only inside ``makeService``. Every mistake an
operator can make ends here in one line and exit status 1.
"""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from twisted.application.service import IService, Service
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from kiro2api import __version__
from kiro2api.control import place_of
from kiro2api.settings import (
    ConfigError,
    Settings,
    config_path,
    describe,
    load,
    option_parameters,
)
from kiro2api.starting import StartFailed

SPELLINGS = """\
A setting such as KIRO_PING_SECONDS is written
    KIRO_PING_SECONDS=15     in the environment or in a line of .env,
    ping_seconds = 15        in kiro2api.toml,
    --ping-seconds=15        as an option of twistd kiro2api (keys, accounts and proxy excepted)."""


class Options(UsageOptions):
    """What may be said on the command line: any setting that is no secret, and the demo."""

    synopsis = "[options]"
    longdesc = (
        "Anthropic and OpenAI APIs in front of your own Kiro accounts. Options win over the "
        "environment, that over .env, that over kiro2api.toml. Accounts and keys are no options: "
        "set KIRO_AUTH_TOKEN and KIRO_CLIENT_TOKEN. --help-settings explains every setting."
    )
    optFlags = [["demo", None, "Serve invented answers, to try it without an account"]]
    optParameters = option_parameters()

    def opt_version(self) -> NoReturn:
        """Print the version and exit."""
        print(f"kiro2api {__version__}")
        raise SystemExit(0)

    def opt_help_settings(self) -> NoReturn:
        """Explain every setting and exit."""
        print(f"{SPELLINGS}\n\n{describe()}", end="")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """A mistake ends the start with one line: the whole help would hide it."""
        try:
            super().parseOptions(options)
        except UsageError as error:
            give_up(f"{error}; see twistd kiro2api --help")

    def parseArgs(self, *args: str) -> None:
        """There are none."""
        if args:
            raise UsageError(f"unexpected argument: {args[0]}")


def read_settings(options: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """The settings from everywhere; raises ConfigError."""
    dotenv = _text(Path(".env"), required=False)
    path, named = config_path(options, environment, dotenv)
    return load(options, environment, dotenv, _text(Path(path), required=named))


def makeService(options: Options) -> IService:
    """The service; ends the process with one line if the settings cannot be used."""
    from twisted.internet import reactor as chosen

    from kiro2api.logs import install
    from kiro2api.service import make_service
    from kiro2api.supervisor import Configuration, environment_for_workers, make_supervisor
    from kiro2api.worker import make_worker

    reactor: Any = chosen
    sys.excepthook = one_line
    try:
        settings = read_settings(options, os.environ)
        service: Service
        if place := place_of(os.environ):
            service = make_worker(settings, reactor, place)
        elif settings.workers > 1 and not options["demo"]:
            configuration = Configuration(
                environment_for_workers(options, os.environ),
                lambda: read_settings(options, os.environ),
            )
            service = make_supervisor(settings, reactor, configuration, _say)
        else:
            service = make_service(
                settings,
                reactor,
                demo=bool(options["demo"]),
                foreground=options.parent is None or bool(options.parent.get("nodaemon", True)),
                say=_say,
            )
    except (ConfigError, StartFailed) as error:
        give_up(str(error))
    reactor.callWhenRunning(spare_collector)
    return install(
        service,
        options.parent,
        level=settings.log_level,
        format=settings.log_format,
        reactor=reactor,
        follow=getattr(service, "follow_level", None),
    )


def spare_collector() -> None:
    """Keep the garbage collector away from what stays for the life of the process.

    Each full collection would walk through every module and class again, in the middle of answers;
    what a request leaves behind is nearly all freed by reference counting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def give_up(message: str) -> NoReturn:
    """End the start."""
    print(f"kiro2api: {message}", file=sys.stderr)
    raise SystemExit(1)


def one_line(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """An excepthook: a start that fails late is told in one line as well."""
    if isinstance(error, StartFailed):
        # Logging has begun by now, and has taken sys.stderr over.
        print(f"kiro2api: {error}", file=sys.__stderr__)
    else:
        sys.__excepthook__(kind, error, traceback)


def _say(line: str) -> None:
    # Not sys.stdout: once logging has begun, that is part of the log.
    print(line, file=sys.__stdout__, flush=True)


def _text(path: Path, *, required: bool) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        if not required:
            return None
        raise ConfigError(f"KIRO_CONFIG: there is no file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {why}") from None
