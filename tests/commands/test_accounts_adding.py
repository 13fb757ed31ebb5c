"""Tests of ``kiro2api accounts add``."""

import msgspec

from tests.commands.case import CommandCase, account, refused

ENTRY = {"auth": "Social", "refreshToken": "aor-invented"}


class AddTests(CommandCase):
    """One account, or many."""

    def test_one(self) -> None:
        """An object is one account."""
        self.service.script("POST /api/tokens", (201, account()))
        path = self.file(msgspec.json.encode(ENTRY))
        self.assertEqual(
            self.run_command("accounts", "add", path).words,
            "mine was added to group default (id mine-id)",
        )
        self.assertEqual(self.service.bodies("POST /api/tokens"), [ENTRY])

    def test_one_with_group(self) -> None:
        """The group of the command line wins."""
        self.service.script("POST /api/tokens", (201, account(group="pro")))
        path = self.file(msgspec.json.encode({**ENTRY, "group": "other"}))
        self.run_command("accounts", "add", path, "--group", "pro")
        self.assertEqual(self.service.bodies("POST /api/tokens"), [{**ENTRY, "group": "pro"}])

    def test_known(self) -> None:
        """Which one it is the same as is told."""
        there = refused("this account is there already", existing=account("first"))
        self.service.script("POST /api/tokens", (409, there))
        path = self.file(msgspec.json.encode(ENTRY))
        self.assertEqual(
            self.run_command("accounts", "add", path).message,
            "this account is there already: first (id first-id)",
        )

    def test_refused(self) -> None:
        """The wrong field is named."""
        self.service.script(
            "POST /api/tokens", (400, refused("refreshToken is missing", "refreshToken"))
        )
        outcome = self.run_command("accounts", "add", self.file('{"auth": "Social"}'))
        self.assertEqual(outcome.message, "refreshToken is missing")

    def test_many(self) -> None:
        """An array is many; where they go is in the query."""
        told = {"added": 2, "duplicates": 1, "skipped": [], "ids": ["a", "b"]}
        self.service.script("POST /api/tokens/bulk", (201, told))
        path = self.file(msgspec.json.encode([ENTRY, ENTRY, ENTRY]))
        outcome = self.run_command("accounts", "add", path, "--group", "a&b")
        self.assertEqual(outcome.words, "2 added, 1 were there already.")
        self.assertEqual(self.service.asked[0].path, "/api/tokens/bulk?group=a%26b")
        self.assertEqual(self.service.asked[0].body, [ENTRY, ENTRY, ENTRY])

    def test_some(self) -> None:
        """Entries that were not taken are named as people count, and fail the command."""
        told = {"added": 1, "duplicates": 0, "skipped": [{"index": 1, "error": "no token"}]}
        self.service.script("POST /api/tokens/bulk", (201, told))
        outcome = self.run_command("accounts", "add", self.file("[{}, {}]"))
        self.assertEqual(outcome.words, "1 added, 0 were there already.\n  entry 2: no token")
        self.assertEqual(outcome.message, "1 of the entries were not taken")

    def test_none(self) -> None:
        """Also where nothing could be added, it is told why of each."""
        told = {"added": 0, "duplicates": 0, "skipped": [{"index": 0, "error": "no token"}]}
        self.service.script("POST /api/tokens/bulk", (400, told))
        outcome = self.run_command("accounts", "add", self.file("[{}]"))
        self.assertIn("entry 1: no token", outcome.words)
        self.assertIsNotNone(outcome.failed)

    def test_many_refused(self) -> None:
        """A refusal of the whole stays one."""
        self.service.script("POST /api/tokens/bulk", (400, refused("there is no account in it")))
        outcome = self.run_command("accounts", "add", self.file("[]"))
        self.assertEqual(outcome.message, "there is no account in it")

    def test_wrong_files(self) -> None:
        """Nothing is asked; a message never repeats what is in the file."""
        missing = self.missing_file()
        self.assertEqual(
            self.run_command("accounts", "add", missing).message,
            f"{missing} cannot be read: No such file or directory",
        )
        secret = self.run_command("accounts", "add", self.file("aor-secret")).message
        self.assertIn("is not JSON", secret)
        self.assertNotIn("secret", secret)
        self.assertIn("is empty", self.run_command("accounts", "add", self.file(" \n")).message)
        self.assertIn(
            "is not JSON", self.run_command("accounts", "add", self.file(b'{"a": "\xff"}')).message
        )
        self.assertIn("cannot be read", self.run_command("accounts", "add", "/").message)
        self.assertIn("no name of a file", self.run_command("accounts", "add", "a\0b").message)
        self.assertEqual(self.service.asked, [])
