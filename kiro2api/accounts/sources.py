# -*- test-case-name: tests.accounts.test_sources -*-
"""The operator's accounts as configured: KIRO_AUTH_TOKEN, a JSON file, other programs' logins.

Must not know the store: what was rotated since is laid over these values elsewhere. No message
here repeats a configured value, since any of them may be a secret in the wrong place.
"""

import os
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from kiro2api.accounts.account import (
    DEFAULT_GROUP,
    DEFAULT_REGION,
    Account,
    Credentials,
    Method,
    is_group_name,
    is_region,
)
from kiro2api.accounts.entries import VARIABLE, Entry, Registration, SourceError
from kiro2api.accounts.foreign import (
    DATABASE_FILE,
    IDE_FILE,
    Found,
    Place,
    default_path,
    place_fingerprint,
    place_kind,
)
from kiro2api.accounts.foreign_places import PlaceError, read_place

__all__ = ["Configured", "SourceError", "fingerprint", "parse_accounts", "read_accounts"]

_LARGEST_FILE: Final = 64 * 1024 * 1024
_NAME_LIMIT: Final = 64


class Configured(msgspec.Struct, frozen=True):
    """The accounts found, in order, with their credentials by fingerprint.

    ``disabled`` holds fingerprints. ``warnings`` are lines for the operator. ``places`` says
    whose credentials belong to another program.
    """

    accounts: tuple[Account, ...]
    credentials: Mapping[str, Credentials]
    disabled: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    places: Mapping[str, Place] = {}


Reader = Callable[[Place, int], Found]
"""Reads another program's credentials for the entry of that number; see ``read_place``."""


def fingerprint(method: Method, secret: str, client_id: str) -> str:
    """A stable name for a configured credential from which it cannot be recovered."""
    digest = sha256("\0".join((method, secret, client_id)).encode("utf-8"))
    return digest.hexdigest()[:32]


def read_accounts(value: str) -> Configured:
    """The accounts behind the setting's value: JSON, or the path of a file that holds it.

    :raises SourceError: it is neither, or an entry is at fault.
    """
    text = value.strip()
    if not text:
        raise SourceError(f"{VARIABLE} is empty")
    if text.startswith(("{", "[")):
        return parse_accounts(text, reader=read_place)
    path = Path(text)
    if path.name in (IDE_FILE, DATABASE_FILE):
        return parse_accounts(_naming(path), reader=read_place)

    def registration(name: str) -> str | None:
        try:
            return _read(path.with_name(f"{name}.json"))
        except (OSError, ValueError):
            return None

    try:
        path = path.expanduser()
        text = _read(path)
    except (OSError, RuntimeError, ValueError) as error:
        # The value may be a bare token, so that it is not shown.
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise SourceError(
            f"{VARIABLE} is neither JSON nor the path of a readable file: {why}"
        ) from None
    return parse_accounts(text, registration, read_place)


def parse_accounts(
    text: str,
    registration: Registration = lambda name: None,
    reader: Reader | None = None,
) -> Configured:
    """One object, or an array of them, as accounts.

    :param reader: without one, entries that name another program's credentials are refused.
    :raises SourceError: the text is not such JSON, or an entry is at fault.
    """
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SourceError(f"{VARIABLE}: {error}") from None
    except UnicodeError:
        raise SourceError(f"{VARIABLE} is not valid UTF-8") from None
    entries = document if isinstance(document, list) else [document]
    if not entries:
        raise SourceError(f"{VARIABLE} holds no account")
    collected = _Collected(reader)
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise SourceError(f"{VARIABLE}, entry {number}: must be an object")
        collected.add(Entry(number, entry, registration))
    return collected.configured()


def _naming(path: Path) -> str:
    """The entry for another program's file or database that was named directly."""
    kind = "ide"
    if path.name == DATABASE_FILE:
        kind = "amazon-q" if path.parent.name == "amazon-q" else "kiro-cli"
    return msgspec.json.encode({"source": kind, "path": str(path)}).decode()


def _read(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise OSError(27, "File too large")
    return data.decode("utf-8-sig")


class _Collected:
    """Entries that became accounts: unique by credential, then by name."""

    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader
        self._places: dict[str, Place] = {}
        self._unreadable: SourceError | None = None
        self._accounts: list[Account] = []
        self._credentials: dict[str, Credentials] = {}
        self._disabled: set[str] = set()
        self._warnings: list[str] = []
        self._numbers: dict[str, int] = {}
        self._names: set[str] = set()
        self._numbered: dict[str, int] = {}

    def add(self, entry: Entry) -> None:
        if entry.text("source"):
            self._add_foreign(entry)
            return
        method = entry.method()
        credentials = entry.credentials(method)
        secret = credentials.access_token if method == "api_key" else credentials.refresh_token
        print_ = fingerprint(method, secret.reveal(), credentials.client_id)
        self._enlist(entry, print_, method, credentials, DEFAULT_REGION)

    def _add_foreign(self, entry: Entry) -> None:
        """One whose program may be logged out is passed over, so that the others can serve."""
        place = self._place(entry)
        assert self._reader is not None
        try:
            found = self._reader(place, entry.number)
        except PlaceError as error:
            self._pass_over(entry, SourceError(f"{VARIABLE}, entry {entry.number}: {error}"))
        except SourceError as error:
            self._pass_over(entry, error)
        else:
            print_ = place_fingerprint(place)
            if self._enlist(entry, print_, found.method, found.credentials, found.region):
                self._places[print_] = place

    def _pass_over(self, entry: Entry, error: SourceError) -> None:
        self._unreadable = self._unreadable or error
        self._warnings += (*entry.warnings, f"{error}; this entry is passed over")

    def _place(self, entry: Entry) -> Place:
        kind = place_kind(entry.text("source"))
        if kind is None:
            raise entry.error("source", "must be ide, file, kiro-cli or amazon-q")
        if self._reader is None:
            raise entry.error("source", f"can only be used in {VARIABLE}")
        given = entry.text("path")
        try:
            home = Path.home()
            path = Path(given).expanduser() if given else None
        except (RuntimeError, ValueError):
            raise entry.error("path", "names a home folder that is not there") from None
        path = path or default_path(kind, home, sys.platform, os.environ)
        if path is None:
            raise entry.error("path", "is missing")
        region = entry.text("region")
        return Place(
            kind=kind,
            path=str(path.absolute()),
            write_back=entry.flag("write_back") or entry.flag("writeBack"),
            profile_arn=entry.profile_arn("social"),
            region=region if is_region(region) else "",
        )

    def _enlist(
        self, entry: Entry, print_: str, method: Method, credentials: Credentials, region: str
    ) -> bool:
        """Whether it became an account."""
        if print_ in self._numbers:
            entry.warn(f"is the same credential as entry {self._numbers[print_]} and is ignored")
            self._warnings += entry.warnings
            return False
        self._numbers[print_] = entry.number
        account = Account(
            fingerprint=print_,
            name=self._name(entry, method),
            method=method,
            group=entry.checked(
                "group",
                DEFAULT_GROUP,
                is_group_name,
                "must be 1 to 64 letters, digits, _ or -, and no name that URLs already use",
            ),
            region=entry.checked("region", region, is_region, "must be as in us-east-1"),
            order=len(self._accounts),
        )
        self._accounts.append(account)
        self._credentials[print_] = credentials
        if entry.flag("disabled"):
            self._disabled.add(print_)
        self._warnings += entry.warnings
        return True

    def configured(self) -> Configured:
        if not self._accounts and self._unreadable is not None:
            raise self._unreadable
        return Configured(
            tuple(self._accounts),
            self._credentials,
            frozenset(self._disabled),
            tuple(self._warnings),
            self._places,
        )

    def _name(self, entry: Entry, method: Method) -> str:
        """The given name; with a number where it is taken or missing."""
        name = given = entry.text("name")
        if len(given) > _NAME_LIMIT or not given.isprintable():
            raise entry.error("name", f"must be at most {_NAME_LIMIT} printable characters")
        base = given or method.replace("_", "-")
        number = self._numbered.get(base, 1 if given else 0)
        while not name or name in self._names:
            number += 1
            name = f"{base}-{number}"
        self._numbered[base] = number
        self._names.add(name)
        return name
