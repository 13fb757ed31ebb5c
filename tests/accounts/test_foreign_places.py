"""Tests for kiro2api.accounts.foreign_places."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.entries import SourceError
from kiro2api.accounts.foreign import Place, PlaceKind
from kiro2api.accounts.foreign_places import PlaceError, read_place, write_place
from kiro2api.redaction import Secret
from tests.accounts.fixtures import ARN, OTHER_ARN, credentials

NEW = credentials("aoa-2", "aor-2", 1_767_225_600.0)
SOCIAL = {
    "access_token": "aoa-1",
    "refresh_token": "aor-1",
    "expires_at": "2026-05-08T02:44:55.8835694Z",
    "provider": "google",
    "profile_arn": ARN,
}
ODIC = {
    "access_token": "aoa-1",
    "refresh_token": "aor-1",
    "expires_at": "2026-05-08T02:44:55Z",
    "region": "eu-west-1",
    "start_url": "https://d-1.awsapps.com/start",
    "oauth_flow": "DeviceCode",
    "scopes": ["codewhisperer:completions"],
}
REGISTRATION = {
    "client_id": "c-1",
    "client_secret": "s-1",
    "client_secret_expires_at": 1_780_000_000,
    "region": "eu-west-1",
}


class FileTests(SynchronousTestCase):
    """The IDE's file, and any other."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "kiro-auth-token.json"
        self.place = Place("ide", str(self.path))

    def write(self, **fields: object) -> None:
        document = {"accessToken": "aoa-1", "refreshToken": "aor-1", **fields}
        self.path.write_text(json.dumps(document))

    def test_social(self) -> None:
        """As the IDE writes it."""
        self.write(authMethod="social", expiresAt="2026-01-01T00:00:00.000Z", profileArn=ARN)
        found = read_place(self.place)
        self.assertEqual((found.method, found.region), ("social", "us-east-1"))
        self.assertEqual(found.credentials.expires_at, 1_767_225_600.0)
        self.assertEqual(found.credentials.profile_arn, ARN)

    def test_idc(self) -> None:
        """The client's registration lies beside."""
        self.write(authMethod="IdC", clientIdHash="abc", region="eu-west-1")
        (self.folder / "abc.json").write_text('{"clientId":"c-1","clientSecret":"s-1"}')
        found = read_place(self.place)
        self.assertEqual((found.method, found.region), ("idc", "eu-west-1"))
        self.assertEqual(found.credentials.client_secret, Secret("s-1"))
        (self.folder / "abc.json").unlink()
        error = self.assertRaises(SourceError, read_place, self.place, 2)
        self.assertIn("entry 2, field clientIdHash", str(error))

    def test_ours_wins(self) -> None:
        """What our own configuration says of profile and region."""
        self.write(profileArn=ARN, region="eu-west-1")
        place = msgspec.structs.replace(self.place, profile_arn=OTHER_ARN, region="ap-south-1")
        found = read_place(place)
        self.assertEqual(found.region, "ap-south-1")
        self.assertEqual(found.credentials.profile_arn, OTHER_ARN)

    def test_unreadable(self) -> None:
        """Why, without the path's or the file's words."""
        error = self.assertRaises(PlaceError, read_place, self.place)
        self.assertIn("No such file", str(error))
        for data in (b"secret", b"[1]", b"\xff", b"{" + b" " * 1024 * 1024 + b"}"):
            self.path.write_bytes(data)
            error = self.assertRaises(PlaceError, read_place, self.place)
            self.assertNotIn("secret", str(error))

    def test_write_back(self) -> None:
        """Unknown fields, mode and a link survive; nothing else is left in the folder."""
        self.write(own=[1], expiresAt="2026-01-01T00:00:00.000Z")
        self.path.chmod(0o640)
        link = self.folder / "link.json"
        link.symlink_to(self.path)
        place = msgspec.structs.replace(self.place, path=str(link))
        self.assertTrue(write_place(place, "aor-1", NEW))
        written = json.loads(self.path.read_text())
        self.assertEqual(written["refreshToken"], "aor-2")
        self.assertEqual(written["own"], [1])
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)
        self.assertTrue(link.is_symlink())
        self.assertEqual(len(os.listdir(self.folder)), 2)
        self.assertEqual(read_place(place).credentials.access_token, Secret("aoa-2"))

    def test_renewed_meanwhile(self) -> None:
        """Its owner was faster: the file stays as it is."""
        self.write(refreshToken="aor-9")
        before = self.path.read_bytes()
        self.assertFalse(write_place(self.place, "aor-1", NEW))
        self.assertEqual(self.path.read_bytes(), before)

    def test_no_room(self) -> None:
        """Where nothing can be written, the old file stays whole."""
        self.write()
        before = self.path.read_bytes()
        self.patch(os, "replace", _broken)
        error = self.assertRaises(PlaceError, write_place, self.place, "aor-1", NEW)
        self.assertIn("No space left", str(error))
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(len(os.listdir(self.folder)), 1)


class DatabaseTests(SynchronousTestCase):
    """The stores of the command lines."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.path = folder / "data ?#.sqlite3"
        self.run_sql("CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)")

    def run_sql(self, text: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(text, values)

    def put(self, key: str, fields: object) -> None:
        self.run_sql("REPLACE INTO auth_kv VALUES (?, ?)", key, json.dumps(fields))

    def value(self, key: str) -> dict[str, object]:
        with closing(sqlite3.connect(self.path)) as connection:
            row = connection.execute("SELECT value FROM auth_kv WHERE key = ?", (key,)).fetchone()
        value: dict[str, object] = json.loads(row[0])
        return value

    def place(self, kind: PlaceKind = "kiro-cli") -> Place:
        return Place(kind, str(self.path))

    def test_social(self) -> None:
        """Google or GitHub: the profile is beside the token. Seven digits do no harm."""
        self.put("kirocli:social:token", SOCIAL)
        found = read_place(self.place())
        self.assertEqual((found.method, found.credentials.profile_arn), ("social", ARN))
        self.assertAlmostEqual(found.credentials.expires_at, 1_778_208_295.88, places=1)

    def test_odic(self) -> None:
        """The registration and the profile are in rows of their own."""
        self.put("kirocli:odic:token", ODIC)
        self.put("kirocli:odic:device-registration", REGISTRATION)
        self.assertEqual(read_place(self.place()).credentials.profile_arn, "")
        self.run_sql("CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB)")
        self.assertEqual(read_place(self.place()).credentials.profile_arn, "")
        profile = json.dumps({"arn": ARN, "profile_name": "x"}).encode()
        self.run_sql("INSERT INTO state VALUES (?, ?)", "api.codewhisperer.profile", profile)
        found = read_place(self.place())
        self.assertEqual((found.method, found.region), ("idc", "eu-west-1"))
        self.assertEqual(found.credentials.client_id, "c-1")
        self.assertEqual(found.credentials.client_secret, Secret("s-1"))
        self.assertEqual(found.credentials.profile_arn, ARN)

    def test_amazon_q(self) -> None:
        """The older program; its region may be in the registration only."""
        self.put("codewhisperer:odic:token", {**ODIC, "region": None, "profile_arn": OTHER_ARN})
        self.put("codewhisperer:odic:device-registration", REGISTRATION)
        found = read_place(self.place("amazon-q"))
        self.assertEqual(found.region, "eu-west-1")
        self.assertEqual(found.credentials.profile_arn, OTHER_ARN)
        self.assertRaises(PlaceError, read_place, self.place())

    def test_both(self) -> None:
        """Of two tokens, the one that lives longer; a strange expiry is the shortest."""
        self.put("kirocli:social:token", {**SOCIAL, "expires_at": "soon"})
        self.put("kirocli:odic:token", ODIC)
        self.put("kirocli:odic:device-registration", REGISTRATION)
        self.assertEqual(read_place(self.place()).method, "idc")
        self.put("kirocli:social:token", {**SOCIAL, "expires_at": 1_900_000_000})
        self.assertEqual(read_place(self.place()).method, "social")

    def test_nobody(self) -> None:
        """Logged out, or rows that are no objects."""
        for value in ("[1]", "{", None, 7):
            self.run_sql("REPLACE INTO auth_kv VALUES (?, ?)", "kirocli:social:token", value)
            error = self.assertRaises(PlaceError, read_place, self.place())
            self.assertIn("nobody is logged in", str(error))

    def test_unusable(self) -> None:
        """No such database, another one, or none at all; nothing is created."""
        missing = Place("kiro-cli", str(self.path.parent / "other"))
        self.assertRaises(PlaceError, read_place, missing)
        self.assertRaises(PlaceError, write_place, missing, "aor-1", NEW)
        self.assertEqual(len(os.listdir(self.path.parent)), 1)
        self.run_sql("DROP TABLE auth_kv")
        self.assertRaises(PlaceError, read_place, self.place())
        self.path.write_bytes(b"secret" * 1000)
        error = self.assertRaises(PlaceError, read_place, self.place())
        self.assertNotIn("secret", str(error))

    def test_read_only(self) -> None:
        """Reading takes no lock and writes nothing, also while the owner has it open."""
        self.run_sql("PRAGMA journal_mode=WAL")
        self.put("kirocli:social:token", SOCIAL)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as owner:
            owner.execute("BEGIN IMMEDIATE")
            self.assertEqual(read_place(self.place()).method, "social")
            owner.execute("ROLLBACK")

    def test_write_back(self) -> None:
        """The row of that refresh token, with everything else that is in it."""
        self.put("kirocli:social:token", {**SOCIAL, "refresh_token": "aor-9"})
        self.put("kirocli:odic:token", ODIC)
        self.assertTrue(write_place(self.place(), "aor-1", NEW))
        written = self.value("kirocli:odic:token")
        self.assertEqual(
            (written["access_token"], written["refresh_token"], written["expires_at"]),
            ("aoa-2", "aor-2", "2026-01-01T00:00:00.000Z"),
        )
        self.assertEqual(written["start_url"], ODIC["start_url"])
        self.assertEqual(self.value("kirocli:social:token")["refresh_token"], "aor-9")

    def test_renewed_meanwhile(self) -> None:
        """Its owner was faster."""
        self.put("kirocli:social:token", {**SOCIAL, "refresh_token": "aor-9"})
        self.assertFalse(write_place(self.place(), "aor-1", NEW))
        self.assertEqual(self.value("kirocli:social:token")["access_token"], "aoa-1")


def _broken(*arguments: object) -> None:
    raise OSError(28, "No space left on device")
