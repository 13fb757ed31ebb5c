# -*- test-case-name: tests.accounts.test_foreign -*-
"""Credentials that belong to another program: where they are, and how its texts are understood.

Pure, apart from the moment's conversions. Must not know files or databases: what is in them comes
in as decoded JSON. No message repeats a value.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import msgspec

from kiro2api.accounts.account import DEFAULT_REGION, Credentials, Method, is_region
from kiro2api.accounts.entries import Entry, Registration

PlaceKind = Literal["ide", "file", "kiro-cli", "amazon-q"]

IDE_FILE: Final = "kiro-auth-token.json"
DATABASE_FILE: Final = "data.sqlite3"
_KINDS: Final[Mapping[str, PlaceKind]] = {
    "ide": "ide",
    "kiro-ide": "ide",
    "file": "file",
    "kiro-cli": "kiro-cli",
    "cli": "kiro-cli",
    "amazon-q": "amazon-q",
    "q-cli": "amazon-q",
}
_MILLISECONDS_FROM: Final = 1e11


class Place(msgspec.Struct, frozen=True):
    """Where another program keeps its credentials.

    ``path`` is absolute. ``write_back``: renewed tokens are written there as well.
    ``profile_arn``, ``region``: of our own configuration, they win over what is found there.
    """

    kind: PlaceKind
    path: str
    write_back: bool = False
    profile_arn: str = ""
    region: str = ""

    @property
    def database(self) -> bool:
        """Whether it is an SQLite database, not a JSON file."""
        return self.kind in ("kiro-cli", "amazon-q")


class Found(msgspec.Struct, frozen=True):
    """What was there."""

    method: Method
    region: str
    credentials: Credentials


def place_kind(name: str) -> PlaceKind | None:
    """The kind of that name as an operator writes it, None for an unknown one."""
    return _KINDS.get(name.strip().lower().replace("_", "-"))


def default_path(
    kind: PlaceKind, home: Path, platform: str, environ: Mapping[str, str]
) -> Path | None:
    """Where the program keeps them by default; None for ``file``.

    :param platform: as ``sys.platform``.
    """
    if kind == "file":
        return None
    if kind == "ide":
        return home / ".aws" / "sso" / "cache" / IDE_FILE
    if platform == "darwin":
        return home / "Library" / "Application Support" / kind / DATABASE_FILE
    if platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        return base / ("Kiro-Cli" if kind == "kiro-cli" else kind) / DATABASE_FILE
    base = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / kind / DATABASE_FILE


def place_fingerprint(place: Place) -> str:
    """A stable name for whoever is logged in there, however often the tokens change."""
    return sha256("\0".join(("foreign", place.kind, place.path)).encode()).hexdigest()[:32]


def understood(fields: dict[str, object], registration: Registration, number: int = 0) -> Found:
    """The credentials of a JSON object, in any spelling.

    :raises SourceError: they are not usable.
    """
    entry = Entry(number, fields, registration)
    method = entry.method()
    region = entry.text("region")
    return Found(
        method=method,
        region=region if is_region(region) else DEFAULT_REGION,
        credentials=entry.credentials(method),
    )


def renewed_fields(
    fields: Mapping[str, object], used: str, credentials: Credentials
) -> dict[str, object] | None:
    """The object with renewed tokens in its own spelling, everything else as it was; None if its
    refresh token is not the one that was ``used``, because its owner has renewed it since."""
    snake = "refresh_token" in fields
    refresh, access, expires, arn = (
        ("refresh_token", "access_token", "expires_at", "profile_arn")
        if snake
        else ("refreshToken", "accessToken", "expiresAt", "profileArn")
    )
    if fields.get(refresh) != used:
        return None
    renewed = {
        **fields,
        access: credentials.access_token.reveal(),
        refresh: credentials.refresh_token.reveal(),
        expires: _moment(credentials.expires_at, fields.get(expires)),
    }
    if credentials.profile_arn and arn in fields:
        renewed[arn] = credentials.profile_arn
    return renewed


def _moment(seconds: float, before: object) -> object:
    """A time as it was written before: a number of seconds or milliseconds, else RFC 3339."""
    if isinstance(before, int | float) and not isinstance(before, bool):
        return round(seconds * 1000) if before >= _MILLISECONDS_FROM else round(seconds)
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
