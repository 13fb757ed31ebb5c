# -*- test-case-name: tests.accounts.test_foreign_places -*-
"""Reads another program's credentials from its file or database, and writes renewed ones back.

Must not know when that is due. Everything here blocks, for as long as the other program holds its
database, so it is called in a thread once the service runs.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from kiro2api.accounts.account import Credentials
from kiro2api.accounts.entries import Registration
from kiro2api.accounts.expiry import parse_expiry
from kiro2api.accounts.foreign import Found, Place, renewed_fields, understood

_LARGEST_FILE: Final = 1024 * 1024
_LOCKED_SECONDS: Final = 3.0

# Wire: "odic" is the programs' own spelling.
_SOCIAL: Final = "kirocli:social:token"
_TOKENS: Final = {
    "kiro-cli": (_SOCIAL, "kirocli:odic:token"),
    "amazon-q": ("codewhisperer:odic:token",),
}
_REGISTRATIONS: Final = {
    "kiro-cli": "kirocli:odic:device-registration",
    "amazon-q": "codewhisperer:odic:device-registration",
}
_PROFILE: Final = "api.codewhisperer.profile"

_Fields = dict[str, object]
_OBJECT: Final = msgspec.json.Decoder(_Fields)


class PlaceError(Exception):
    """Nothing usable is there, or nothing could be written; the message holds no secret."""


def read_place(place: Place, number: int = 0) -> Found:
    """What is there now.

    :param number: of the entry in our configuration, for messages.
    :raises PlaceError: it cannot be read.
    :raises SourceError: what is there is not usable.
    """
    path = Path(place.path)
    if place.database:
        found = understood(_from_database(place), lambda name: None, number)
    else:
        found = understood(_object_of(path), _beside(path), number)
    arn = place.profile_arn or found.credentials.profile_arn
    return msgspec.structs.replace(
        found,
        region=place.region or found.region,
        credentials=msgspec.structs.replace(found.credentials, profile_arn=arn),
    )


def write_place(place: Place, used: str, credentials: Credentials) -> bool:
    """Put renewed tokens where the others were; everything else there stays as it is.

    :param used: the refresh token that was renewed.
    :returns: False, and nothing is written, if the other program has renewed it since.
    :raises PlaceError: it cannot be written.
    """
    if place.database:
        return _into_database(place, used, credentials)
    path = Path(place.path)
    renewed = renewed_fields(_object_of(path), used, credentials)
    if renewed is None:
        return False
    _replace(path, msgspec.json.format(msgspec.json.encode(renewed), indent=2))
    return True


# ── files ────────────────────────────────────────────────────────────────────


def _object_of(path: Path) -> _Fields:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise PlaceError("its file is too large")
        return _OBJECT.decode(data.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it holds no JSON object"
        raise PlaceError(f"its file cannot be used: {why}") from None


def _beside(path: Path) -> Registration:
    """Client registrations lie in the same folder."""

    def registration(name: str) -> str | None:
        try:
            fields = _object_of(path.with_name(f"{name}.json"))
        except PlaceError:
            return None
        return msgspec.json.encode(fields).decode()

    return registration


def _replace(path: Path, data: bytes) -> None:
    """Whoever reads meanwhile, or after a power cut, sees the old text or the new one."""
    path = path.resolve()
    temporary = ""
    try:
        mode = path.stat().st_mode & 0o777
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        temporary = ""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise PlaceError(f"its file cannot be written: {error.strerror}") from None
    finally:
        if temporary:
            os.unlink(temporary)


# ── databases ────────────────────────────────────────────────────────────────


@contextmanager
def _opened(place: Place, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(place.path)}?mode={mode}"
    try:
        opened = sqlite3.connect(address, uri=True, timeout=_LOCKED_SECONDS, isolation_level=None)
        with closing(opened) as connection:
            yield connection
    except sqlite3.Error as error:
        raise PlaceError(f"its database cannot be used: {type(error).__name__}") from None


def _from_database(place: Place) -> _Fields:
    """The token that lives longest, completed from the rows beside it."""
    with _opened(place, "ro") as connection:
        tokens = [(key, _row(connection, key)) for key in _TOKENS[place.kind]]
        held = [(key, fields) for key, fields in tokens if fields]
        if not held:
            raise PlaceError("nobody is logged in there")
        key, fields = max(held, key=lambda each: _expiry(each[1]))
        if key == _SOCIAL:
            return {**fields, "auth": "social"}
        registration = _row(connection, _REGISTRATIONS[place.kind])
        completed = {
            **fields,
            "auth": "idc",
            "client_id": registration.get("client_id"),
            "client_secret": registration.get("client_secret"),
            "region": fields.get("region") or registration.get("region"),
        }
        if not completed.get("profile_arn"):
            completed["profile_arn"] = _profile(connection)
        return completed


def _row(connection: sqlite3.Connection, key: str) -> _Fields:
    row = connection.execute("SELECT value FROM auth_kv WHERE key = ?", (key,)).fetchone()
    return {} if row is None else _decoded(row[0])


def _profile(connection: sqlite3.Connection) -> object:
    try:
        found = connection.execute("SELECT value FROM state WHERE key = ?", (_PROFILE,))
        row = found.fetchone()
    except sqlite3.OperationalError:
        return None  # an older database has no such table
    return None if row is None else _decoded(row[0]).get("arn")


def _decoded(value: object) -> _Fields:
    try:
        return _OBJECT.decode(value) if isinstance(value, str | bytes) else {}
    except (msgspec.DecodeError, UnicodeError):
        return {}


def _expiry(fields: _Fields) -> float:
    try:
        return parse_expiry(fields.get("expires_at"))
    except ValueError:
        return 0.0


def _into_database(place: Place, used: str, credentials: Credentials) -> bool:
    with _opened(place, "rw") as connection:
        connection.execute("BEGIN IMMEDIATE")
        for key in _TOKENS[place.kind]:
            fields = _row(connection, key)
            renewed = renewed_fields(fields, used, credentials) if fields else None
            if renewed is not None:
                text = msgspec.json.encode(renewed).decode()
                connection.execute("UPDATE auth_kv SET value = ? WHERE key = ?", (text, key))
                connection.execute("COMMIT")
                return True
        connection.execute("ROLLBACK")
        return False
