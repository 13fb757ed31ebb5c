"""Tests of ``kiro2api export`` and ``kiro2api import``."""

import os
import stat
from pathlib import Path

import msgspec

from kiro2api.commands.given import PASSPHRASE
from tests.commands.case import CommandCase, refused

SEALED = {"format": "kiro2api-backup", "version": 1, "data": "AAAA"}


class BackupTests(CommandCase):
    """Out and in again."""

    def setUp(self) -> None:
        """A passphrase in the environment."""
        super().setUp()
        before = os.environ.get(PASSPHRASE)
        os.environ[PASSPHRASE] = "correct horse battery"
        self.addCleanup(self._restore, before)

    def _restore(self, before: str | None) -> None:
        os.environ.pop(PASSPHRASE)
        if before is not None:
            os.environ[PASSPHRASE] = before

    def target(self) -> Path:
        """A file that is not there yet."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return folder / "backup.json"

    def test_export(self) -> None:
        """The file is its owner's alone."""
        self.service.script("POST /api/export", SEALED)
        path = self.target()
        outcome = self.run_command("export", str(path))
        self.assertIn("was written", outcome.words)
        self.assertEqual(msgspec.json.decode(path.read_bytes()), SEALED)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(
            self.service.bodies("POST /api/export"), [{"passphrase": "correct horse battery"}]
        )

    def test_export_over_something(self) -> None:
        """Nothing is overwritten, not even a link that leads nowhere."""
        there = self.file("precious")
        self.assertIn("exists already", self.run_command("export", there).message)
        link = self.target()
        link.symlink_to("nowhere")
        self.assertIn("exists already", self.run_command("export", str(link)).message)
        self.assertEqual(Path(there).read_text(), "precious")

    def test_export_nowhere(self) -> None:
        """It is said before the service works on it."""
        outcome = self.run_command("export", "/there/is/no/folder/x.json")
        self.assertIn("there is no folder", outcome.message)
        self.assertEqual(self.service.asked, [])

    def test_export_refused(self) -> None:
        """No file is left."""
        self.service.script("POST /api/export", (400, refused("too short", "passphrase")))
        path = self.target()
        self.assertEqual(self.run_command("export", str(path)).message, "too short")
        self.assertFalse(path.exists())

    def test_import_export(self) -> None:
        """An export goes with the passphrase; all that came of it is told."""
        self.service.script(
            "POST /api/import",
            {
                "added": 3,
                "duplicates": 1,
                "skipped": [],
                "groups": 2,
                "keys": 4,
                "settings": 1,
                "settings_skipped": [],
            },
        )
        outcome = self.run_command("import", self.file(msgspec.json.encode(SEALED)))
        self.assertEqual(
            outcome.words,
            "3 added, 1 were there already, 2 groups made, 4 keys made, 1 settings taken over.",
        )
        self.assertIsNone(outcome.failed)
        self.assertEqual(
            self.service.bodies("POST /api/import"),
            [{"document": SEALED, "passphrase": "correct horse battery"}],
        )

    def test_import_accounts(self) -> None:
        """Other documents go without; what was not taken is told and fails the command."""
        self.service.script(
            "POST /api/import",
            {
                "added": 1,
                "duplicates": 0,
                "skipped": [{"index": 1, "error": "no token"}],
                "keys_skipped": [{"index": 0, "error": "key is missing"}],
                "settings_skipped": [{"name": "old", "error": "there is no such setting"}],
            },
        )
        outcome = self.run_command("import", self.file("[{}, {}]"), "--group", "pro")
        self.assertEqual(
            outcome.words.split("\n"),
            [
                "1 added, 0 were there already.",
                "  entry 2: no token",
                "  keys, entry 1: key is missing",
                "  settings, old: there is no such setting",
            ],
        )
        self.assertEqual(outcome.message, "3 of the entries were not taken")
        self.assertEqual(
            self.service.bodies("POST /api/import"), [{"document": [{}, {}], "group": "pro"}]
        )

    def test_import_refused(self) -> None:
        """A wrong passphrase, in the service's words."""
        self.service.script("POST /api/import", (400, refused("the passphrase is wrong")))
        outcome = self.run_command("import", self.file(msgspec.json.encode(SEALED)))
        self.assertEqual(outcome.message, "the passphrase is wrong")
