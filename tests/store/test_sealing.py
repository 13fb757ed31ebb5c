"""Secrets at rest are for those who have the key."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.redaction import Secret
from kiro2api.store.migrate import StoreError
from kiro2api.store.sealing import make_seal, secret_keys

OLD, NEW = Secret("an old invented key"), Secret("a new invented key, longer")
TOKEN = "canary-token"


class SealTests(SynchronousTestCase):
    """Sealing and opening."""

    def refusal(self, keys: tuple[Secret, ...], text: str, place: str = "row/a") -> str:
        """Why it is not opened."""
        error = self.assertRaises(StoreError, make_seal(keys).open, text, place)
        message: str = error.message
        for hidden in (TOKEN, OLD.reveal(), NEW.reveal(), text):
            self.assertNotIn(hidden, message)
        self.assertNotIn("\n", message)
        return message

    def test_round_trip(self) -> None:
        """What is sealed tells nothing, never looks the same twice, and opens again."""
        seal = make_seal((NEW,))
        for text in (TOKEN, "é\N{SNOWMAN}", "x" * 10_000):
            one, two = seal.seal(text, "row/a"), seal.seal(text, "row/a")
            self.assertNotEqual(one, two)
            self.assertNotIn(text[:6], one)
            self.assertTrue(one.isascii() and one.isprintable())
            self.assertEqual([seal.open(one, "row/a"), seal.open(two, "row/a")], [text, text])
            self.assertTrue(seal.is_current(one))

    def test_empty(self) -> None:
        """Nothing is nothing, sealed or not."""
        seal = make_seal((NEW,))
        self.assertEqual((seal.seal(""), seal.open(""), seal.is_current("")), ("", "", True))

    def test_without_a_key(self) -> None:
        """All is clear; what is sealed is refused with advice."""
        seal = make_seal(())
        self.assertEqual((seal.seal(TOKEN), seal.open(TOKEN)), (TOKEN, TOKEN))
        self.assertTrue(seal.is_current(TOKEN))
        sealed = make_seal((NEW,)).seal(TOKEN, "row/a")
        self.assertFalse(seal.is_current(sealed))
        self.assertIn("Set KIRO_SECRET_KEY", self.refusal((), sealed))

    def test_clear_with_a_key(self) -> None:
        """What was kept before there was a key still opens, and is to be sealed."""
        seal = make_seal((NEW,))
        self.assertEqual(seal.open(TOKEN, "row/a"), TOKEN)
        self.assertFalse(seal.is_current(TOKEN))

    def test_rotation(self) -> None:
        """The first key seals, all open; a key that is not there any more is named as missing."""
        old = make_seal((OLD,)).seal(TOKEN, "row/a")
        both = make_seal((NEW, OLD))
        self.assertEqual(both.open(old, "row/a"), TOKEN)
        self.assertFalse(both.is_current(old))
        new = both.seal(TOKEN, "row/a")
        self.assertEqual(make_seal((NEW,)).open(new, "row/a"), TOKEN)
        self.assertIn("another key", self.refusal((NEW,), old))
        self.assertIn("another key", self.refusal((OLD,), new))

    def test_bound_to_its_place(self) -> None:
        """Moved to another row or column, or changed in a single digit, it does not open."""
        sealed = make_seal((NEW,)).seal(TOKEN, "row/a")
        self.assertIn("changed from outside", self.refusal((NEW,), sealed, "row/b"))
        digit = "A" if sealed[-10] != "A" else "B"
        spoilt = (sealed[:-10] + digit + sealed[-9:], sealed[:-8], sealed + "!", sealed[:20])
        for text in spoilt:
            self.assertIn("changed from outside", self.refusal((NEW,), text))

    def test_short_key(self) -> None:
        """A key that could be guessed is refused, without being shown."""
        error = self.assertRaises(StoreError, make_seal, (NEW, Secret("x" * 15)))
        self.assertIn("at least 16 characters", error.message)
        make_seal((Secret("x" * 16),))

    def test_imported_when_needed(self) -> None:
        """Without a key, or before anything is sealed, the library is not even loaded."""
        script = (
            "import sys\n"
            "from kiro2api.redaction import Secret\n"
            "from kiro2api.store.accounts import AccountRows\n"
            "from kiro2api.store.sealing import make_seal\n"
            "seal = make_seal([Secret('x' * 16)])\n"
            "print(sorted({'cryptography', 'psycopg'} & set(sys.modules)))\n"
            "seal.seal('a')\n"
            "print(sorted({'cryptography', 'psycopg'} & set(sys.modules)))\n"
        )
        root = Path(__file__).parent.parent.parent
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout.splitlines(), ["[]", "['cryptography']"])


class SecretKeysTests(SynchronousTestCase):
    """Where keys come from."""

    def test_configured(self) -> None:
        """Those of the setting, where systemd has none to give."""
        folder = self.mktemp()
        Path(folder).mkdir()
        for environ in ({}, {"CREDENTIALS_DIRECTORY": folder}):
            self.assertEqual(secret_keys((NEW, OLD), environ), (NEW, OLD))

    def test_credential(self) -> None:
        """Those of the file come after those of the setting."""
        folder = Path(self.mktemp())
        folder.mkdir()
        environ = {"CREDENTIALS_DIRECTORY": str(folder)}
        (folder / "kiro2api-secret-key").write_text(" one , two\nthree\n")
        words = [key.reveal() for key in secret_keys((NEW,), environ)]
        self.assertEqual(words, [NEW.reveal(), "one", "two", "three"])

    def test_unreadable(self) -> None:
        """A credential that is no text ends the start instead of sealing nothing."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "kiro2api-secret-key").write_bytes(b"\xff\xfe")
        environ = {"CREDENTIALS_DIRECTORY": str(folder)}
        self.assertRaises(StoreError, secret_keys, (), environ)
