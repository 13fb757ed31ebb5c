"""Keys are recognised by their digests and stored nowhere."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.redaction import Secret
from kiro2api.store.database import Database, StoreError
from kiro2api.store.keys import PREFIX, KeyRows, digest_of, new_key
from tests.store.pumped import PumpedReactor


class KeyRowsTests(SynchronousTestCase):
    """The table of keys."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.path = Path(self.mktemp())
        self.database = Database(str(self.path), self.reactor)
        self.addCleanup(lambda: self.reactor.result_of(self.database.stop()))
        self.reactor.result_of(self.database.start())
        self.rows = KeyRows(self.database, lambda: 100.0)

    def test_add_and_find(self) -> None:
        """What the gate gets is enough to recognise a key, oldest first."""
        first, second = new_key(), new_key()
        ids = [
            self.reactor.result_of(self.rows.add("laptop", first, "client")),
            self.reactor.result_of(self.rows.add("owner", second, "admin")),
        ]
        found = self.reactor.result_of(self.rows.digests())
        self.assertEqual([key.id for key in found], ids)
        self.assertEqual(
            [key.digest for key in found], [digest_of(first.reveal()), digest_of(second.reveal())]
        )
        self.assertEqual(
            [(key.name, key.role, key.created_at) for key in found],
            [("laptop", "client", 100.0), ("owner", "admin", 100.0)],
        )

    def test_key_itself_is_not_stored(self) -> None:
        """The file does not hold the key."""
        key = new_key()
        self.reactor.result_of(self.rows.add("laptop", key, "client"))
        self.reactor.result_of(self.database.stop())
        content = self.path.read_bytes()
        self.assertIn(b"laptop", content)
        self.assertNotIn(key.reveal().encode(), content)
        self.assertNotIn(key.reveal().removeprefix(PREFIX).encode(), content)

    def test_same_key_twice(self) -> None:
        """A key that is there already is refused without being named."""
        key = new_key()
        self.reactor.result_of(self.rows.add("laptop", key, "client"))
        error = self.assertRaises(
            StoreError, self.reactor.result_of, self.rows.add("again", key, "admin")
        )
        self.assertEqual(error.message, "this key is stored already")
        self.assertEqual(len(self.reactor.result_of(self.rows.digests())), 1)

    def test_short_key(self) -> None:
        """A key that could be guessed from its digest is refused."""
        self.assertRaises(ValueError, self.rows.add, "weak", Secret("x" * 31), "client")
        self.reactor.result_of(self.rows.add("long enough", Secret("x" * 32), "client"))

    def test_remove(self) -> None:
        """A removed key is gone; removing it again says so."""
        number = self.reactor.result_of(self.rows.add("laptop", new_key(), "client"))
        self.assertIs(self.reactor.result_of(self.rows.remove(number)), True)
        self.assertIs(self.reactor.result_of(self.rows.remove(number)), False)
        self.assertEqual(self.reactor.result_of(self.rows.digests()), ())


class KeyTests(SynchronousTestCase):
    """Keys and digests themselves."""

    def test_new_keys(self) -> None:
        """New keys are long, recognisable and never the same."""
        made = {new_key().reveal() for _ in range(50)}
        self.assertEqual(len(made), 50)
        for key in made:
            self.assertTrue(key.startswith(PREFIX))
            self.assertGreaterEqual(len(key), len(PREFIX) + 43)

    def test_digest(self) -> None:
        """Equal keys give equal digests of 32 bytes, other keys other ones."""
        self.assertEqual(digest_of("a"), digest_of("a"))
        self.assertEqual(len({digest_of(key) for key in ("a", "b", "é", "")}), 4)
        self.assertEqual(len(digest_of("a")), 32)
