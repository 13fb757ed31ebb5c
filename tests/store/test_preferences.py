"""Settings that an operator changed are kept."""

from kiro2api.store.preferences import PreferenceRows
from tests.store.case import InPostgres, StoreCase


class PreferenceRowsTests(StoreCase):
    """The table of preferences."""

    def test_life(self) -> None:
        """Set, set otherwise, taken back; each is told to the other processes."""
        rows = PreferenceRows(self.database, self.clock)
        self.assertEqual(self.done(rows.load()), {})
        self.done(rows.put("a", "1"))
        self.done(rows.put("b", "2"))
        self.done(rows.put("a", "3"))
        self.assertEqual(self.done(rows.load()), {"a": "3", "b": "2"})
        self.assertIs(self.done(rows.remove("a")), True)
        self.assertIs(self.done(rows.remove("a")), False)
        self.assertEqual(self.done(rows.load()), {"b": "2"})
        self.assertEqual(self.noted(), [("setting", key) for key in "abaa"])


class PreferenceRowsInPostgresTests(InPostgres, PreferenceRowsTests):
    """The same there."""
