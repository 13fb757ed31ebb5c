"""Tests for kiro2api.accounts.foreign."""

from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.entries import SourceError
from kiro2api.accounts.foreign import (
    Place,
    default_path,
    place_fingerprint,
    place_kind,
    renewed_fields,
    understood,
)
from kiro2api.redaction import Secret
from tests.accounts.fixtures import ARN, OTHER_ARN, credentials

HOME = Path("/home/ada")
NEW = msgspec.structs.replace(credentials("aoa-2", "aor-2", 1_767_225_600.5), profile_arn=ARN)


class PlaceTests(SynchronousTestCase):
    """Where other programs keep things."""

    def test_kinds(self) -> None:
        """Written in several ways."""
        for name, kind in (
            ("ide", "ide"),
            (" Kiro-IDE ", "ide"),
            ("kiro_cli", "kiro-cli"),
            ("amazon-q", "amazon-q"),
            ("file", "file"),
            ("vim", None),
        ):
            self.assertEqual(place_kind(name), kind)

    def test_paths(self) -> None:
        """By system, as the programs themselves choose."""
        local = "/home/ada/.local/share"
        for kind, platform, environ, expected in (
            ("ide", "linux", {}, "/home/ada/.aws/sso/cache/kiro-auth-token.json"),
            ("kiro-cli", "linux", {}, f"{local}/kiro-cli/data.sqlite3"),
            ("amazon-q", "linux", {"XDG_DATA_HOME": "/d"}, "/d/amazon-q/data.sqlite3"),
            (
                "kiro-cli",
                "darwin",
                {},
                "/home/ada/Library/Application Support/kiro-cli/data.sqlite3",
            ),
            ("kiro-cli", "win32", {"LOCALAPPDATA": "/l"}, "/l/Kiro-Cli/data.sqlite3"),
            ("amazon-q", "win32", {}, "/home/ada/AppData/Local/amazon-q/data.sqlite3"),
        ):
            found = default_path(kind, HOME, platform, environ)  # type: ignore[arg-type]
            self.assertEqual(found, Path(expected))
        self.assertIsNone(default_path("file", HOME, "linux", {}))

    def test_fingerprint(self) -> None:
        """Of the place, not of what is in it or how it is used."""
        place = Place("ide", "/a")
        same = Place("ide", "/a", write_back=True, region="eu-west-1")
        self.assertEqual(place_fingerprint(place), place_fingerprint(same))
        self.assertRegex(place_fingerprint(place), "^[0-9a-f]{32}$")
        others = {place_fingerprint(each) for each in (Place("file", "/a"), Place("ide", "/b"))}
        self.assertEqual(len(others | {place_fingerprint(place)}), 3)

    def test_database(self) -> None:
        """The command lines have one, the others a file."""
        self.assertTrue(Place("kiro-cli", "/a").database and Place("amazon-q", "/a").database)
        self.assertFalse(Place("ide", "/a").database or Place("file", "/a").database)


class UnderstoodTests(SynchronousTestCase):
    """What is in a file."""

    def test_region(self) -> None:
        """One that is none is passed over."""
        fields: dict[str, object] = {"refreshToken": "aor"}
        self.assertEqual(understood({**fields, "region": "eu-west-1"}, _none).region, "eu-west-1")
        self.assertEqual(understood({**fields, "region": "../x"}, _none).region, "us-east-1")

    def test_unusable(self) -> None:
        """The field is named, not its value."""
        error = self.assertRaises(SourceError, understood, {"authMethod": "secret"}, _none, 3)
        self.assertIn("entry 3, field authMethod", str(error))
        self.assertNotIn("secret", str(error))


class RenewedTests(SynchronousTestCase):
    """What is written back."""

    def test_camel(self) -> None:
        """In the file's own spelling, beside what nobody of us knows."""
        before = {
            "accessToken": "aoa-1",
            "refreshToken": "aor-1",
            "expiresAt": "2026-01-01T00:00:00.000Z",
            "profileArn": OTHER_ARN,
            "own": {"x": 1},
        }
        self.assertEqual(
            renewed_fields(before, "aor-1", NEW),
            {
                "accessToken": "aoa-2",
                "refreshToken": "aor-2",
                "expiresAt": "2026-01-01T00:00:00.500Z",
                "profileArn": ARN,
                "own": {"x": 1},
            },
        )

    def test_snake(self) -> None:
        """As the command lines spell it; no profile where there was none."""
        before = {"access_token": "aoa-1", "refresh_token": "aor-1", "expires_at": 1.0}
        self.assertEqual(
            renewed_fields(before, "aor-1", NEW),
            {"access_token": "aoa-2", "refresh_token": "aor-2", "expires_at": 1_767_225_600},
        )

    def test_milliseconds(self) -> None:
        """A number stays a number of its kind; everything else becomes a text."""
        for before, after in (
            (1_700_000_000_000, 1_767_225_600_500),
            (True, "2026-01-01T00:00:00.500Z"),
            (None, "2026-01-01T00:00:00.500Z"),
        ):
            fields = {"refreshToken": "aor-1", "expiresAt": before}
            renewed = renewed_fields(fields, "aor-1", NEW)
            assert renewed is not None
            self.assertEqual(renewed["expiresAt"], after)

    def test_profile_unknown(self) -> None:
        """A profile that we do not know stays."""
        fields = {"refreshToken": "aor-1", "profileArn": OTHER_ARN}
        renewed = renewed_fields(fields, "aor-1", credentials("aoa-2", "aor-2", 5.0))
        assert renewed is not None
        self.assertEqual(renewed["profileArn"], OTHER_ARN)

    def test_renewed_meanwhile(self) -> None:
        """Another refresh token than the one we used: it is its owner's turn."""
        self.assertIsNone(renewed_fields({"refreshToken": "aor-9"}, "aor-1", NEW))
        self.assertIsNone(renewed_fields({}, "aor-1", NEW))
        self.assertEqual(NEW.refresh_token, Secret("aor-2"))


def _none(name: str) -> str | None:
    return None
