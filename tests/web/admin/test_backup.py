"""Everything given away under a passphrase, and taken in again."""

from typing import Any

import msgspec

from kiro2api.redaction import Secret
from kiro2api.store.keys import KeyRows, StoredKey
from kiro2api.store.preferences import PreferenceRows
from kiro2api.web.admin.backup_sealed import NONCE, SALT, seal
from tests.web.admin.case import AdminCase

PASSPHRASE = "an invented passphrase"
LONG_KEY = "k2a_00000000-1111-2222-3333-444444444444"


class Elsewhere(AdminCase):
    """Another installation, to take in what the first gave away."""

    def runTest(self) -> None:
        """Nothing of its own."""


class BackupTests(AdminCase):
    """Export, and import on another installation."""

    def exported(self) -> Any:
        """A document with two accounts, a group, a key and a setting."""
        self.good("POST", "/api/groups", {"name": "pro", "policy": "least_used"}, 201)
        self.add(1, name="first", group="pro")
        self.add(2, name="second", disabled=True)
        keys = KeyRows(self.database.real, self.clock.seconds)
        self.successResultOf(keys.add("laptop", Secret(LONG_KEY), "client", groups=("pro",)))
        preferences = PreferenceRows(self.database.real, self.clock.seconds)
        for name in ("ping_seconds", "x_of_the_future"):
            self.successResultOf(preferences.put(name, "7"))
        return self.good("POST", "/api/export", {"passphrase": PASSPHRASE})

    def elsewhere(self) -> Elsewhere:
        """Another installation."""
        other = Elsewhere()
        other.setUp()
        self.addCleanup(other.doCleanups)
        return other

    def test_there_and_back(self) -> None:
        """Accounts, groups, keys and settings are as they were; again, nothing is new."""
        document = self.exported()
        other = self.elsewhere()
        body = {"passphrase": PASSPHRASE, "document": document}
        told = other.good("POST", "/api/import", body)
        self.assertEqual(
            told,
            {
                "added": 2,
                "duplicates": 0,
                "skipped": [],
                "warnings": [],
                "groups": 1,
                "keys": 1,
                "settings": 1,
                "settings_skipped": [
                    {"name": "x_of_the_future", "error": "there is no setting x_of_the_future"}
                ],
            },
        )
        self.assertEqual(other.lending.members, self.lending.members)
        self.assertEqual(other.lending.enabled, self.lending.enabled)
        for fingerprint in self.lending.members:
            self.assertEqual(
                other.registry.credentials(fingerprint), self.registry.credentials(fingerprint)
            )
        self.assertEqual(other.lending.policies["pro"].policy, "least_used")
        [key] = other.successResultOf(KeyRows(other.database.real).digests())
        self.assertEqual((key.name, key.groups), ("laptop", ("pro",)))
        self.assertEqual(other.settings.values, {"ping_seconds": "7"})
        again = other.good(
            "POST", "/api/import", {**body, "document": msgspec.json.encode(document).decode()}
        )
        self.assertEqual((again["added"], again["duplicates"], again["keys"]), (0, 2, 0))

    def test_sealed(self) -> None:
        """Nothing is to be read in it, the answer is not kept, and it is written down."""
        document = self.exported()
        text = str(document)
        for word in ("invented", "first", "laptop"):
            self.assertNotIn(word, text)
        self.assertEqual(self.actions()[0], ("admin", "backup.export"))
        reply = self.call("POST", "/api/export", {"passphrase": PASSPHRASE})
        self.assertEqual(reply.headers["cache-control"], "no-store")
        self.assertNotEqual(reply.json["data"], document["data"])

    def test_passphrases(self) -> None:
        """Too short to give away, wrong or missing to take in."""
        for body in ({}, {"passphrase": "short"}):
            self.assertEqual(self.bad("POST", "/api/export", body)["param"], "passphrase")
        document = self.good("POST", "/api/export", {"passphrase": PASSPHRASE})
        for passphrase in ("", "another passphrase"):
            body = {"passphrase": passphrase, "document": document}
            error = self.bad("POST", "/api/import", body)
            self.assertEqual(error["param"], "passphrase")

    def test_account_at_fault(self) -> None:
        """Skipped, and told."""
        content = msgspec.json.encode({"accounts": [{"name": "x"}]})
        document = seal(content, Secret(PASSPHRASE), bytes(SALT + NONCE), "")
        body = {"passphrase": PASSPHRASE, "document": msgspec.to_builtins(document)}
        told = self.good("POST", "/api/import", body)
        self.assertEqual([each["index"] for each in told["skipped"]], [0])

    def test_key_of_a_taken_name(self) -> None:
        """It gets another one; a key that is there stays what it is."""
        keys = KeyRows(self.database.real, self.clock.seconds)
        self.successResultOf(keys.add("laptop", Secret(LONG_KEY + "-other"), "admin"))
        kept = [StoredKey(1, "laptop", b"d", "client", 1.0)] * 2
        content = msgspec.json.encode({"keys": kept})
        document = seal(content, Secret(PASSPHRASE), bytes(SALT + NONCE), "")
        body = {"passphrase": PASSPHRASE, "document": msgspec.to_builtins(document)}
        self.assertEqual(self.good("POST", "/api/import", body)["keys"], 1)
        names = [key.name for key in self.successResultOf(keys.digests())]
        self.assertEqual(names, ["laptop", "laptop (2)"])
        self.assertIn(("admin", "key.restore"), self.actions())


class ForeignTests(AdminCase):
    """Other documents."""

    def taken(self, document: Any, **more: Any) -> Any:
        """What becomes of one."""
        return self.good("POST", "/api/import", {"document": document, **more})

    def test_forms_of_the_configuration(self) -> None:
        """One account, or many, as JSON or as text; groups come into being."""
        entry = {"auth": "Social", "refreshToken": "aor-1", "group": "pro"}
        self.assertEqual(self.taken(entry)["added"], 1)
        told = self.taken('[{"auth": "Social", "refreshToken": "aor-2"}, {}]', group="team")
        self.assertEqual((told["added"], len(told["skipped"])), (1, 1))
        groups = [account.group for account in self.lending.members.values()]
        self.assertEqual(groups, ["pro", "team"])

    def test_of_the_original(self) -> None:
        """Its groups, keys and tokens; its places for the lost are none of ours.

        A key that is called like a generated or a configured one would be taken for that.
        """
        document = {
            "default_group": "default",
            "groups": {
                "pro": {"display_name": "Pros", "settings": {}},
                "banned": 7,
                "v1": {},
                "default": {},
            },
            "api_keys": [
                {"key": LONG_KEY, "name": "laptop", "allowed_groups": ["pro"]},
                {"key": "short", "name": "weak"},
                {"key": LONG_KEY, "name": "again"},
                {"key": f"{LONG_KEY}-2"},
                7,
                {"key": f"{LONG_KEY}-3", "name": "generated"},
                {"key": f"{LONG_KEY}-4", "name": "client-1"},
                {"key": f"{LONG_KEY}-5", "name": "two\nlines"},
            ],
            "tokens": [
                {"auth": "Social", "refreshToken": "aor-1", "group": "pro"},
                {"auth": "Social", "refreshToken": "aor-2", "group": "exhausted", "status": "x"},
            ],
        }
        told = self.taken(document)
        self.assertEqual((told["added"], told["groups"], told["keys"]), (2, 1, 2))
        self.assertEqual([each["index"] for each in told["keys_skipped"]], [1, 2, 4, 5, 6, 7])
        groups = [account.group for account in self.lending.members.values()]
        self.assertEqual(groups, ["pro", "default"])
        self.assertEqual(self.lending.policies["pro"].display_name, "Pros")
        keys = self.successResultOf(KeyRows(self.database.real).digests())
        self.assertEqual(
            [(key.name, key.groups) for key in keys],
            [("laptop", ("pro",)), ("imported-4", ())],
        )
        self.assertNotIn(LONG_KEY, str(told))

    def test_nothing_of_use(self) -> None:
        """Said where it is wrong."""
        for body, param in (
            ({"document": "{"}, "document"),
            ({"document": []}, "tokens"),
            ({"document": 7}, "tokens"),
        ):
            self.assertEqual(self.bad("POST", "/api/import", body)["param"], param)
        self.assertEqual(self.bad("POST", "/api/import", {})["param"], "document")

    def test_permissions(self) -> None:
        """Whoever is for some groups only may not give away, nor take in, all."""
        # Also if there are no others at the moment: keys and settings are for all.
        limited = self.limited("default")
        for path in ("/api/export", "/api/import"):
            for key, status in (("key", 403), ("", 401), (limited, 403)):
                self.assertEqual(self.call("POST", path, {}, key=key).status, status)
