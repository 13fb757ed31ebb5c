"""Keys are recognised by their digests and stored nowhere."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.redaction import Secret
from kiro2api.store.audit import AuditRows
from kiro2api.store.keys import PREFIX, KeyRows, KeyTaken, StoredKey, digest_of, hint_of, new_key
from kiro2api.store.sessions import SessionRows, StoredSession
from kiro2api.store.spending import SpendingRows
from tests.store.case import InPostgres, StoreCase

TERMS: dict[str, Any] = {
    "enabled": False,
    "groups": ("pro", "default"),
    "models": ("claude-sonnet-*",),
    "requests_per_minute": 60,
    "max_in_flight": 4,
    "credits_per_day": 1.5,
    "credits_per_month": 20.0,
    "expires_at": 5000.0,
}


class KeyRowsTests(StoreCase):
    """The table of keys."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = KeyRows(self.database, self.clock)

    def stored(self) -> tuple[StoredKey, ...]:
        """All keys."""
        return self.done(self.rows.digests())

    def deeds(self) -> list[tuple[str, str, str, object]]:
        """What was audited, oldest first."""
        page = self.done(AuditRows(self.database).page(0, 99))
        return [(row.actor, row.action, row.subject, row.detail) for row in reversed(page)]

    def test_add_and_find(self) -> None:
        """What the gate gets is enough to recognise a key, oldest first."""
        first, second = new_key(), new_key()
        ids = [
            self.done(self.rows.add("laptop", first, "client")),
            self.done(self.rows.add("owner", second, "admin", actor="root", **TERMS)),
        ]
        plain, limited = self.stored()
        self.assertEqual(
            plain,
            StoredKey(
                ids[0],
                "laptop",
                digest_of(first.reveal()),
                "client",
                1000.0,
                hint=first.reveal()[-4:],
            ),
        )
        self.assertEqual(
            limited,
            StoredKey(
                ids[1],
                "owner",
                digest_of(second.reveal()),
                "admin",
                1000.0,
                hint=second.reveal()[-4:],
                **TERMS,
            ),
        )
        self.assertEqual(self.done(self.rows.find([ids[1], 999])), {ids[1]: limited})
        self.assertEqual(self.done(self.rows.find([])), {})
        self.assertEqual(self.noted(), [("key", str(key_id)) for key_id in ids])

    def test_service_itself_is_not_audited(self) -> None:
        """Who asked for a key is written down, with its terms and without the key."""
        self.done(self.rows.add("generated", new_key(), "client"))
        key = new_key()
        self.done(self.rows.add("laptop", key, "client", actor="root", groups=("pro",)))
        detail = {"name": "laptop", "role": "client", "groups": ["pro"]}
        self.assertEqual(self.deeds(), [("root", "key.create", "laptop", detail)])

    def test_same_key_twice(self) -> None:
        """A key that is there already is refused without being named."""
        key = new_key()
        self.done(self.rows.add("laptop", key, "client"))
        error = self.assertRaises(KeyTaken, self.done, self.rows.add("again", key, "admin"))
        self.assertEqual((error.message, error.field), ("this key is stored already", "key"))
        self.assertEqual(len(self.stored()), 1)

    def test_same_name_twice(self) -> None:
        """Records know keys by their names."""
        self.done(self.rows.add("laptop", new_key(), "client"))
        error = self.assertRaises(KeyTaken, self.done, self.rows.add("laptop", new_key(), "admin"))
        self.assertEqual(error.field, "name")
        self.assertEqual(len(self.stored()), 1)

    def test_short_key(self) -> None:
        """A key that could be guessed from its digest is refused."""
        self.assertRaises(ValueError, self.rows.add, "weak", Secret("x" * 31), "client")
        self.done(self.rows.add("long enough", Secret("x" * 32), "client"))

    def test_patch(self) -> None:
        """What is not given stays; the key as it is then is given back, and it is audited."""
        key_id = self.done(self.rows.add("laptop", new_key(), "client", **TERMS))
        before = self.stored()[0]
        after = self.done(self.rows.patch(key_id, actor="root", groups=(), name="desktop"))
        self.assertEqual(after, self.stored()[0])
        assert after is not None
        self.assertEqual((after.groups, after.name), ((), "desktop"))
        self.assertEqual((after.models, after.digest), (before.models, before.digest))
        self.assertEqual(
            self.deeds(), [("root", "key.change", "laptop", {"groups": [], "name": "desktop"})]
        )
        self.assertEqual(self.noted(), [("key", str(key_id))] * 2)

    def test_patch_of_nothing(self) -> None:
        """No change is no deed; an unknown key is None."""
        key_id = self.done(self.rows.add("laptop", new_key(), "client"))
        self.assertEqual(self.done(self.rows.patch(key_id, actor="root")), self.stored()[0])
        self.assertIsNone(self.done(self.rows.patch(key_id + 1, actor="root", enabled=False)))
        self.assertEqual((self.deeds(), len(self.noted())), ([], 1))

    def test_patch_to_a_taken_name(self) -> None:
        """Its own name is no conflict, another's is."""
        self.done(self.rows.add("laptop", new_key(), "client"))
        other = self.done(self.rows.add("desktop", new_key(), "client"))
        self.done(self.rows.patch(other, actor="root", name="desktop"))
        taken = self.rows.patch(other, actor="root", name="laptop")
        self.assertRaises(KeyTaken, self.done, taken)
        self.assertEqual([key.name for key in self.stored()], ["laptop", "desktop"])

    def test_remove(self) -> None:
        """A removed key is gone; removing it again says so."""
        number = self.done(self.rows.add("laptop", new_key(), "client"))
        self.assertIs(self.done(self.rows.remove(number, actor="root")), True)
        self.assertIs(self.done(self.rows.remove(number, actor="root")), False)
        self.assertEqual(self.stored(), ())
        self.assertEqual(self.deeds(), [("root", "key.delete", "laptop", {})])
        self.assertEqual(self.noted(), [("key", str(number))] * 2)

    def test_remove_takes_all_with_it(self) -> None:
        """A number may be given out again: nothing of its former owner is left."""
        number = self.done(self.rows.add("laptop", new_key(), "client"))
        kept = self.done(self.rows.add("desktop", new_key(), "client"))
        spending = SpendingRows(self.database)
        self.done(spending.settle({}, {number: {5: 1.0}, kept: {5: 2.0}}, 0))
        sessions = SessionRows(self.database)
        for each in (number, kept):
            session = StoredSession(b"%d" % each, "x", "client", each, b"b", "c", 0.0, 9e9)
            self.done(sessions.add(session))
        self.done(self.rows.remove(number))
        self.assertEqual(self.done(spending.settle({}, {}, 0)), {kept: {5: 2.0}})
        self.assertIsNone(self.done(sessions.find(b"%d" % number)))
        self.assertIsNotNone(self.done(sessions.find(b"%d" % kept)))
        self.assertEqual(self.deeds(), [])


class KeyRowsInPostgresTests(InPostgres, KeyRowsTests):
    """The same there."""


class KeyFileTests(StoreCase):
    """What is in the file."""

    def test_key_itself_is_not_stored(self) -> None:
        """The file does not hold the key."""
        key = new_key()
        self.done(KeyRows(self.database).add("laptop", key, "client", actor="root"))
        self.done(self.database.stop())
        content = Path(self.place).read_bytes()
        self.assertIn(b"laptop", content)
        self.assertNotIn(key.reveal().encode(), content)
        self.assertNotIn(key.reveal().removeprefix(PREFIX).encode(), content)


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

    def test_hint(self) -> None:
        """The end of a long key; a short one would be half given away."""
        self.assertEqual(hint_of(Secret("x" * 28 + "abcd")), "abcd")
        self.assertEqual(hint_of(Secret("x" * 27 + "abcd")), "")
