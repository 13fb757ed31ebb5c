# -*- test-case-name: tests.commands.test_given -*-
"""What a user hands over: files, standard input, a passphrase.

Must not know what is made of it. No message repeats what was read, since it may be a secret.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import Any, Final

import msgspec

from kiro2api.commands.calling import CommandFailed

PASSPHRASE: Final = "KIRO2API_PASSPHRASE"  # noqa: S105  (the variable's name)


def document(name: str) -> Any:
    """The JSON in a file, ``-`` for standard input; raises CommandFailed."""
    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            with interruptible():
                data = sys.stdin.buffer.read()
        else:
            data = Path(name).expanduser().read_bytes()
    except OSError as error:
        raise CommandFailed(f"{shown} cannot be read: {error.strerror}") from None
    except (ValueError, RuntimeError):
        raise CommandFailed(f"{shown!r} is no name of a file") from None
    if not data.strip():
        raise CommandFailed(f"{shown} is empty")
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, msgspec.DecodeError) else "it is not UTF-8 text"
        raise CommandFailed(f"{shown} is not JSON: {why}") from None
    except RecursionError:
        raise CommandFailed(f"{shown} is not JSON that can be used: too deep") from None


def passphrase(prompt: str, *, repeat: bool = False, ask: Callable[[str], str] = getpass) -> str:
    """From the environment, else asked for; raises CommandFailed."""
    if (given := os.environ.get(PASSPHRASE)) is not None:
        return given
    try:
        with interruptible():
            first = ask(prompt)
            again = ask("Again: ") if repeat else first
    except (EOFError, OSError):
        raise CommandFailed(f"there is nobody to ask for a passphrase; set {PASSPHRASE}") from None
    if again != first:
        raise CommandFailed("the two passphrases differ")
    return first


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends what waits for somebody to type.

    The reactor's own way would only note it, and go on waiting.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
