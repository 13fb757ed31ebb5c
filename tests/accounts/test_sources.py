"""Tests for kiro2api.accounts.sources and entries."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.foreign import Found, Place, understood
from kiro2api.accounts.sources import (
    Configured,
    SourceError,
    fingerprint,
    parse_accounts,
    read_accounts,
)
from tests.accounts.fixtures import ARN

SOCIAL = {"auth": "Social", "refreshToken": "aor-canary-1"}
IDC = {
    "auth": "IdC",
    "refreshToken": "aor-canary-2",
    "clientId": "client-1",
    "clientSecret": "canary-secret",
}
API_KEY = {"apiKey": "ksk_canary"}


def parse(*entries: dict[str, Any]) -> Configured:
    """These entries as an array."""
    return parse_accounts(json.dumps(entries))


def one(**fields: Any) -> tuple[Account, Credentials]:
    """One social entry with these fields on top."""
    found = parse({**SOCIAL, **fields})
    return found.accounts[0], found.credentials[found.accounts[0].fingerprint]


class ShapeTests(SynchronousTestCase):
    """What the JSON around the entries may be."""

    def test_object_or_array(self) -> None:
        """One object is an array of one."""
        self.assertEqual(parse_accounts(json.dumps(SOCIAL)), parse(SOCIAL))

    def test_order(self) -> None:
        """Accounts keep their order."""
        found = parse(SOCIAL, API_KEY, IDC)
        self.assertEqual([a.method for a in found.accounts], ["social", "api_key", "idc"])
        self.assertEqual([a.order for a in found.accounts], [0, 1, 2])

    def test_wrong_documents(self) -> None:
        """Everything else is refused in one line."""
        for text in ("", "{", "[]", "3", '"x"', "[1]", "[null]", '{"refreshToken": "\udce4"}'):
            error = self.assertRaises(SourceError, parse_accounts, text)
            self.assertNotIn("\n", str(error))

    def test_number_of_the_entry(self) -> None:
        """The line names the entry."""
        error = self.assertRaises(SourceError, parse, SOCIAL, 7)
        self.assertIn("entry 2", str(error))


class MethodTests(SynchronousTestCase):
    """How an account logs in."""

    def test_names(self) -> None:
        """Every key and every spelling that is in use is understood."""
        for key in ("auth", "authMethod", "auth_method", "type"):
            for said, method in (
                ("Social", "social"),
                ("IdC", "idc"),
                ("idc", "idc"),
                ("builder-id", "idc"),
                ("BuilderId", "idc"),
                ("api_key", "api_key"),
                ("ApiKey", "api_key"),
            ):
                entry = {**IDC, **API_KEY, key: said}
                if key != "auth":
                    del entry["auth"]
                self.assertEqual(parse(entry).accounts[0].method, method)

    def test_unknown(self) -> None:
        """An unknown method is refused without being repeated."""
        error = self.assertRaises(SourceError, parse, {"type": "canary"})
        self.assertEqual(
            str(error), "KIRO_AUTH_TOKEN, entry 1, field type: must be Social, IdC or ApiKey"
        )

    def test_defaults(self) -> None:
        """A ksk_ key, then a client id, then nothing decides."""
        del_auth = {k: v for k, v in IDC.items() if k != "auth"}
        self.assertEqual(parse({**del_auth, **API_KEY}).accounts[0].method, "api_key")
        self.assertEqual(parse(del_auth).accounts[0].method, "idc")
        self.assertEqual(parse({"refresh_token": "aor"}).accounts[0].method, "social")


class CredentialsTests(SynchronousTestCase):
    """What proves an account."""

    def test_social(self) -> None:
        """Both spellings; access token and expiry come along."""
        for names in (
            ("refreshToken", "accessToken", "expiresAt", "profileArn"),
            ("refresh_token", "access_token", "expires_at", "profile_arn"),
        ):
            values = ("aor-9", "aoa-9", "2026-01-01T00:00:00.1234567Z", ARN)
            found = parse(dict(zip(names, values, strict=True)))
            (credentials,) = found.credentials.values()
            self.assertEqual(credentials.refresh_token.reveal(), "aor-9")
            self.assertEqual(credentials.access_token.reveal(), "aoa-9")
            self.assertEqual(
                int(credentials.expires_at), datetime(2026, 1, 1, tzinfo=UTC).timestamp()
            )
            self.assertEqual(credentials.profile_arn, ARN)
            self.assertEqual(found.warnings, ())

    def test_idc(self) -> None:
        """The client registration belongs to it, in both spellings."""
        snake = {
            "type": "idc",
            "refresh_token": "aor-canary-2",
            "client_id": "client-1",
            "client_secret": "canary-secret",
        }
        self.assertEqual(parse(IDC), parse(snake))
        (credentials,) = parse(IDC).credentials.values()
        self.assertEqual(credentials.client_id, "client-1")
        self.assertEqual(credentials.client_secret.reveal(), "canary-secret")

    def test_api_key(self) -> None:
        """The key is the access token; nothing is left to renew."""
        for name in ("apiKey", "api_key", "key", "accessToken"):
            (credentials,) = parse({name: "ksk_1"}).credentials.values()
            self.assertEqual(credentials.access_token.reveal(), "ksk_1")
            self.assertFalse(credentials.refresh_token)

    def test_odd_api_key(self) -> None:
        """A key of another form is taken with a warning if it is said to be one."""
        found = parse({"auth": "ApiKey", "key": "canary"})
        self.assertEqual(len(found.accounts), 1)
        self.assertIn("entry 1", found.warnings[0])
        self.assertNotIn("canary", found.warnings[0])

    def test_missing(self) -> None:
        """What a method needs is named when it is missing, null or blank."""
        for entry, field in (
            ({}, "refreshToken"),
            ({"refreshToken": None}, "refreshToken"),
            ({"refreshToken": " "}, "refreshToken"),
            ({**IDC, "refreshToken": ""}, "refreshToken"),
            ({**IDC, "clientId": ""}, "clientId"),
            ({**IDC, "clientSecret": None}, "clientSecret"),
            ({"auth": "ApiKey"}, "apiKey"),
            ({"auth": "ApiKey", "accessToken": "aoa"}, "apiKey"),
        ):
            error = self.assertRaises(SourceError, parse, entry)
            self.assertEqual(
                str(error), f"KIRO_AUTH_TOKEN, entry 1, field {field}: is missing", entry
            )

    def test_unfit_for_a_header(self) -> None:
        """A token that could split a header is refused, and not repeated."""
        for entry in (
            {"refreshToken": "canary\nx"},
            {"key": "ksk_canary x"},
            {**IDC, "clientSecret": "canary\u00e9"},
            {**SOCIAL, "accessToken": "canary\rx"},
        ):
            error = self.assertRaises(SourceError, parse, dict(entry))
            self.assertNotIn("canary", str(error))

    def test_wrong_type(self) -> None:
        """A field of another type is named."""
        error = self.assertRaises(SourceError, one, refreshToken=["canary"])
        self.assertEqual(
            str(error), "KIRO_AUTH_TOKEN, entry 1, field refreshToken: must be a string"
        )

    def test_expiry_is_named(self) -> None:
        """A wrong time is named by its field."""
        error = self.assertRaises(SourceError, one, expires_at="soon")
        self.assertIn("field expires_at", str(error))

    def test_strange_arn(self) -> None:
        """An ARN of another form stays out, with a warning."""
        found = parse({**SOCIAL, "profileArn": "arn:aws:canary"})
        (credentials,) = found.credentials.values()
        self.assertEqual(credentials.profile_arn, "")
        self.assertEqual(len(found.warnings), 1)
        self.assertNotIn("canary", found.warnings[0])

    def test_arn_of_an_api_key(self) -> None:
        """An API key is never sent with one."""
        found = parse({**API_KEY, "profileArn": ARN})
        (credentials,) = found.credentials.values()
        self.assertEqual(credentials.profile_arn, "")
        self.assertEqual(len(found.warnings), 1)


class AccountFieldTests(SynchronousTestCase):
    """Names, groups, regions and the switch."""

    def test_defaults(self) -> None:
        """Nothing of it must be given."""
        account, _ = one()
        self.assertEqual((account.group, account.region), ("default", "us-east-1"))

    def test_given(self) -> None:
        """All of it may be."""
        account, _ = one(name="Büro", group="pro", region="eu-west-1")
        self.assertEqual(
            (account.name, account.group, account.region), ("Büro", "pro", "eu-west-1")
        )

    def test_names_are_unique(self) -> None:
        """Missing names are made up; taken ones get a number that is free."""
        names = ["", "a", "a", "a-2", "", "social-4", "a", ""]
        entries = [{"refreshToken": f"aor-{n}", "name": name} for n, name in enumerate(names)]
        found = [a.name for a in parse(*entries).accounts]
        self.assertEqual(
            found, ["social-1", "a", "a-2", "a-2-2", "social-2", "social-4", "a-3", "social-3"]
        )

    def test_made_up_names_count_by_method(self) -> None:
        """Each method counts for itself."""
        found = parse(SOCIAL, API_KEY, IDC, {"key": "ksk_2"})
        self.assertEqual(
            [a.name for a in found.accounts], ["social-1", "api-key-1", "idc-1", "api-key-2"]
        )

    def test_wrong_values(self) -> None:
        """What cannot be used is named."""
        for field, value in (
            ("name", "x" * 65),
            ("name", "a\nb"),
            ("group", "v1"),
            ("group", "a b"),
            ("region", "us-east-1.example.org"),
            ("disabled", "maybe"),
            ("disabled", 1.5),
        ):
            error = self.assertRaises(SourceError, one, **{field: value})
            self.assertIn(f"entry 1, field {field}: ", str(error))

    def test_disabled(self) -> None:
        """A disabled account is known, and marked."""
        for value, disabled in (
            (True, True),
            ("true", True),
            (False, False),
            ("", False),
            (None, False),
        ):
            found = parse({**SOCIAL, "disabled": value})
            self.assertEqual(len(found.disabled), int(disabled), value)
            self.assertEqual(len(found.accounts), 1)


class FingerprintTests(SynchronousTestCase):
    """The stable name of a credential."""

    def test_stable(self) -> None:
        """Names, groups and order do not change it; the credential does."""
        base, _ = one()
        same, _ = one(name="x", group="y", accessToken="aoa", profileArn=ARN)
        other, _ = one(refreshToken="aor-other")
        self.assertEqual(base.fingerprint, same.fingerprint)
        self.assertNotEqual(base.fingerprint, other.fingerprint)

    def test_known_value(self) -> None:
        """Rows of a store are found by it, so that it must never change."""
        self.assertEqual(fingerprint("social", "aor", ""), "5d0ce076f2ad7bf19537e451e5350af1")

    @given(st.text(), st.text(), st.sampled_from(["social", "idc", "api_key"]))
    def test_form(self, secret: str, client: str, method: Any) -> None:
        """32 hex digits that do not hold the secret."""
        found = fingerprint(method, secret.encode("utf-8", "replace").decode(), client)
        self.assertRegex(found, r"\A[0-9a-f]{32}\Z")

    def test_client_counts(self) -> None:
        """The same token of another registration is another credential."""
        self.assertNotEqual(fingerprint("idc", "a", "b"), fingerprint("idc", "a", "c"))
        self.assertNotEqual(fingerprint("idc", "a", ""), fingerprint("social", "a", ""))

    def test_twice(self) -> None:
        """The second of two equal entries is ignored with a warning that names both."""
        found = parse(SOCIAL, API_KEY, {**SOCIAL, "name": "again"})
        self.assertEqual(len(found.accounts), 2)
        self.assertEqual(
            found.warnings,
            ("KIRO_AUTH_TOKEN, entry 3: is the same credential as entry 1 and is ignored",),
        )


class ReadTests(SynchronousTestCase):
    """The setting's value may be a path."""

    def write(self, name: str, text: str | bytes) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def test_json(self) -> None:
        """JSON is taken as it is, with space around it."""
        self.assertEqual(read_accounts(f" \n{json.dumps([SOCIAL])} "), parse(SOCIAL))
        self.assertEqual(read_accounts(json.dumps(SOCIAL)), parse(SOCIAL))

    def test_path(self) -> None:
        """A path leads to a file that holds it, also with a byte order mark."""
        path = self.write("accounts.json", b"\xef\xbb\xbf" + json.dumps([SOCIAL, IDC]).encode())
        self.assertEqual(read_accounts(str(path)), parse(SOCIAL, IDC))

    def test_unreadable(self) -> None:
        """What is neither is not repeated: it may be a bare token."""
        binary = self.write("x.json", b"\xff\xfe\x00")
        for value in (
            "",
            "  ",
            "aor-canary",
            "ksk_canary",
            "canary\0",
            "~canary-nobody/x",
            str(binary),
            str(binary.parent),
        ):
            error = self.assertRaises(SourceError, read_accounts, value)
            self.assertNotIn("canary", str(error))
            self.assertNotIn("\n", str(error))

    def test_too_large(self) -> None:
        """A file beyond all reason is not read whole."""
        path = self.write("x.json", b"")
        with path.open("wb") as stream:
            stream.truncate(64 * 1024 * 1024 + 1)
        self.assertRaises(SourceError, read_accounts, str(path))


class IdeTokenFileTests(SynchronousTestCase):
    """The file that the IDE leaves after a login."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "kiro-auth-token.json"

    def token(self, **fields: object) -> None:
        document = {
            "accessToken": "aoa-1",
            "refreshToken": "aor-1",
            "expiresAt": "2026-01-01T00:00:00.000Z",
            **fields,
        }
        self.path.write_text(json.dumps(document))

    def test_social(self) -> None:
        """A login through Google brings its profile."""
        self.token(authMethod="social", provider="Google", profileArn=ARN)
        found = read_accounts(str(self.path))
        self.assertEqual(found.accounts[0].method, "social")
        self.assertEqual(found.credentials[found.accounts[0].fingerprint].profile_arn, ARN)

    def test_idc(self) -> None:
        """An IdC login names the file of its client registration, which lies beside."""
        self.token(
            authMethod="IdC", provider="Enterprise", region="eu-west-1", clientIdHash="abc-12"
        )
        beside = {"clientId": "c-1", "clientSecret": "s-1", "expiresAt": "2026-03-01T00:00:00Z"}
        (self.folder / "abc-12.json").write_text(json.dumps(beside))
        found = read_accounts(str(self.path))
        (credentials,) = found.credentials.values()
        self.assertEqual((found.accounts[0].method, found.accounts[0].region), ("idc", "eu-west-1"))
        self.assertEqual(credentials.client_id, "c-1")
        self.assertEqual(credentials.client_secret.reveal(), "s-1")

    def test_registration_missing(self) -> None:
        """Without that file, or with a broken one, the field is named."""
        self.token(authMethod="IdC", clientIdHash="abc")
        self.assertIn(
            "field clientIdHash", str(self.assertRaises(SourceError, read_accounts, str(self.path)))
        )
        (self.folder / "abc.json").write_text("[")
        self.assertIn(
            "field clientIdHash", str(self.assertRaises(SourceError, read_accounts, str(self.path)))
        )

    def test_registration_elsewhere(self) -> None:
        """The hash cannot lead out of the folder."""
        self.token(authMethod="IdC", clientIdHash="../abc")
        (self.folder.parent / "abc.json").write_text("{}")
        error = self.assertRaises(SourceError, read_accounts, str(self.path))
        self.assertIn("is not such a hash", str(error))

    def test_in_a_file_of_ours(self) -> None:
        """Entries of any file may name a registration beside it."""
        path = self.folder / "accounts.json"
        path.write_text(json.dumps([{"refreshToken": "aor", "clientIdHash": "abc"}]))
        error = self.assertRaises(SourceError, read_accounts, str(path))
        self.assertIn("cannot be read", str(error))
        beside = self.folder / "abc.json"
        beside.write_text("[")
        error = self.assertRaises(SourceError, read_accounts, str(path))
        self.assertIn("is not JSON", str(error))
        beside.write_text('{"clientId":"c-1","clientSecret":"s-1"}')
        (credentials,) = read_accounts(str(path)).credentials.values()
        self.assertEqual(credentials.client_id, "c-1")

    def test_without_a_file(self) -> None:
        """JSON that is not in a file has nothing beside it."""
        error = self.assertRaises(SourceError, parse, {"refreshToken": "a", "clientIdHash": "b"})
        self.assertIn("field clientIdHash", str(error))


class ForeignTests(SynchronousTestCase):
    """Entries that name another program's credentials."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "kiro-auth-token.json"
        self.path.write_text(json.dumps({"refreshToken": "aor-1", "region": "eu-west-1"}))

    def read(self, *entries: dict[str, object]) -> Configured:
        return read_accounts(json.dumps(entries))

    def ide(self, **fields: object) -> dict[str, object]:
        return {"source": "ide", "path": str(self.path), **fields}

    def test_entry(self) -> None:
        """It becomes an account like any other, with its place beside."""
        found = self.read(self.ide(name="mine", group="team", write_back=True, profileArn=ARN))
        (account,) = found.accounts
        self.assertEqual((account.name, account.group), ("mine", "team"))
        self.assertEqual((account.method, account.region), ("social", "eu-west-1"))
        self.assertEqual(found.credentials[account.fingerprint].profile_arn, ARN)
        place = found.places[account.fingerprint]
        self.assertEqual(place, Place("ide", str(self.path), write_back=True, profile_arn=ARN))

    def test_stable(self) -> None:
        """The account stays the same when its tokens change, and is there once."""
        before = self.read(self.ide()).accounts[0].fingerprint
        self.path.write_text(json.dumps({"refreshToken": "aor-2"}))
        found = self.read(self.ide(), self.ide(name="again"), {"refreshToken": "aor-2"})
        self.assertEqual(found.accounts[0].fingerprint, before)
        self.assertEqual(len(found.accounts), 2)
        self.assertIn("same credential", found.warnings[0])

    def test_named_directly(self) -> None:
        """The value may be the file or database itself."""
        found = read_accounts(str(self.path))
        self.assertEqual(found.accounts, self.read(self.ide()).accounts)
        for folder, kind in (("amazon-q", "amazon-q"), ("kiro-cli", "kiro-cli")):
            path = self.folder / folder / "data.sqlite3"
            error = self.assertRaises(SourceError, read_accounts, str(path))
            self.assertIn("database", str(error))
            place = self.placed({"source": kind, "path": str(path)})
            self.assertEqual(place, Place(kind, str(path)))  # type: ignore[arg-type]

    def placed(self, entry: dict[str, object]) -> Place:
        """Where an entry is looked for."""
        places: list[Place] = []

        def reader(place: Place, number: int) -> Found:
            places.append(place)
            return understood({"refreshToken": "aor"}, lambda name: None)

        parse_accounts(json.dumps(entry), reader=reader)
        return places[0]

    def test_defaults(self) -> None:
        """Without a path, where the program keeps it; a home may be named."""
        self.assertTrue(Path(self.placed({"source": "kiro-cli"}).path).is_absolute())
        self.assertTrue(self.placed({"source": "ide"}).path.endswith("kiro-auth-token.json"))
        self.assertNotIn("~", self.placed({"source": "file", "path": "~/x.json"}).path)
        self.assertTrue(self.placed({"source": "ide", "writeBack": "true"}).write_back)
        place = self.placed({"source": "ide", "region": "eu-west-1"})
        self.assertEqual(place.region, "eu-west-1")

    def test_wrong(self) -> None:
        """The field is named."""
        for entry, field in (
            ({"source": "vim"}, "source"),
            ({"source": "file"}, "path"),
            ({"source": "file", "path": "~nobody-of-that-name/x"}, "path"),
            (self.ide(write_back="x"), "write_back"),
            (self.ide(region="../x"), "region"),
        ):
            error = self.assertRaises(SourceError, self.read, entry)
            self.assertIn(f"field {field}", str(error))

    def test_only_in_the_configuration(self) -> None:
        """Nobody else may have files of this machine read."""
        error = self.assertRaises(SourceError, parse, self.ide())
        self.assertIn("field source", str(error))

    def test_logged_out(self) -> None:
        """An entry whose program is logged out is passed over; alone, it ends the start."""
        gone: dict[str, object] = {"source": "file", "path": str(self.folder / "gone")}
        found = self.read(gone, self.ide())
        self.assertEqual(len(found.accounts), 1)
        self.assertIn("entry 1", found.warnings[0])
        self.assertIn("passed over", found.warnings[0])
        error = self.assertRaises(SourceError, self.read, gone)
        self.assertIn("No such file", str(error))
        self.path.write_text("{}")
        error = self.assertRaises(SourceError, self.read, self.ide())
        self.assertIn("field refreshToken", str(error))
