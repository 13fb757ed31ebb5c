# -*- test-case-name: tests.test_settings -*-
"""How the text of one setting becomes a value: each kind checks, converts and says what it accepts.

Pure. Must not know which settings exist or where a text came from.
"""

from collections.abc import Callable
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from kiro2api.redaction import Secret

T = TypeVar("T")


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """A way to read a setting.

    ``read`` raises ValueError (whose text is never shown) for what it does not accept;
    ``accepts`` completes the sentence "it accepts ...". ``secret``: the value is never printed.
    ``absent`` is what a setting without a value and without a default has. ``choices``: the
    words, where there are only some.
    """

    accepts: str
    read: Callable[[str], T]
    secret: bool = False
    absent: T | None = None
    choices: tuple[str, ...] = ()


def whole(low: int, high: int) -> Kind[int]:
    """A whole number between the bounds, both included; underscores may group digits."""

    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", read)


def seconds(low: float, high: float) -> Kind[float]:
    """A duration in seconds between the bounds, both included."""

    def read(text: str) -> float:
        number = float(text)
        if not low <= number <= high:  # false for a NaN, too
            raise ValueError
        return number

    return Kind(f"a number of seconds from {low:g} to {high:g}", read)


def choice(*words: str, **synonyms: str) -> Kind[str]:
    """One of some words, in any case; a synonym gives the word it stands for."""

    def read(text: str) -> str:
        word = text.lower()
        word = synonyms.get(word, word)
        if word not in words:
            raise ValueError
        return word

    return Kind("one of " + ", ".join([*words, *synonyms]), read, choices=words)


def yes_or_no() -> Kind[bool]:
    """A truth value."""
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}

    def read(text: str) -> bool:
        try:
            return words[text.lower()]
        except KeyError:
            raise ValueError from None

    return Kind("true or false", read)


def plain(accepts: str) -> Kind[str]:
    """Any text without control characters."""

    def read(text: str) -> str:
        if not text.isprintable():
            raise ValueError
        return text

    return Kind(accepts, read)


def hidden(accepts: str) -> Kind[Secret]:
    """One secret text."""
    return Kind(accepts, Secret, secret=True)


def database_url() -> Kind[Secret]:
    """The address of a PostgreSQL database, which may hold a password."""

    def read(text: str) -> Secret:
        scheme, _, rest = text.partition("://")
        if scheme not in ("postgresql", "postgresql+psycopg") or not rest or " " in text:
            raise ValueError
        return Secret(f"postgresql+psycopg://{rest}")

    return Kind("an address like postgresql+psycopg://USER:PASSWORD@HOST/NAME", read, secret=True)


def hidden_list(accepts: str, shortest: int = 1) -> Kind[tuple[Secret, ...]]:
    """Secret texts separated by commas; blanks around them do not count.

    :param shortest: characters that each needs at least.
    """

    def read(text: str) -> tuple[Secret, ...]:
        found = [part.strip() for part in text.split(",")]
        if not any(found) or any(0 < len(part) < shortest for part in found):
            raise ValueError
        return tuple(Secret(part) for part in found if part)

    return Kind(accepts, read, secret=True, absent=())


def url() -> Kind[str]:
    """An absolute http or https URL, with or without a path, given back without a last slash.

    A user name or password in it is refused: the value is printed in logs.
    """

    def read(text: str) -> str:
        parts = _split(text, ("http", "https"))
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError
        return text.rstrip("/")

    return Kind("a URL like https://host or http://host:port/path", read)


def proxy_url() -> Kind[Secret]:
    """A proxy's URL; it may hold a user name and a password, so the whole value is a secret."""

    def read(text: str) -> Secret:
        parts = _split(text, ("http", "https"))
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError
        return Secret(text.rstrip("/"))

    return Kind("a URL like http://host:port or https://user:password@host:port", read, secret=True)


def endpoint() -> Kind[str]:
    """A Twisted server endpoint string; only its outer form is checked here."""

    def read(text: str) -> str:
        kind, colon, rest = text.partition(":")
        if not (text.isprintable() and kind.isalnum() and colon and rest):
            raise ValueError
        return text

    return Kind("a Twisted endpoint such as tcp:8080:interface=127.0.0.1 or unix:/run/x.sock", read)


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(text)
    # Reading the port is what checks it: it raises ValueError outside 0..65535.
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return parts
