"""Sessions are kept until they end."""

from kiro2api.store.sessions import SessionRows, StoredSession
from tests.store.case import InPostgres, StoreCase


def session(digest: bytes, begun: float = 1000.0, ends: float = 2000.0) -> StoredSession:
    """An invented one."""
    return StoredSession(digest, "laptop", "client", 7, b"binding", "csrf", begun, ends)


class SessionRowsTests(StoreCase):
    """The table of sessions."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = SessionRows(self.database)

    def test_life(self) -> None:
        """Begun, found, ended once."""
        self.assertIsNone(self.done(self.rows.find(b"a")))
        self.done(self.rows.add(session(b"a")))
        self.assertEqual(self.done(self.rows.find(b"a")), session(b"a"))
        self.assertIs(self.done(self.rows.remove(b"a")), True)
        self.assertIs(self.done(self.rows.remove(b"a")), False)
        self.assertIsNone(self.done(self.rows.find(b"a")))

    def test_those_that_have_ended(self) -> None:
        """Are dropped when another begins, and when asked to."""
        self.done(self.rows.add(session(b"a", 1000.0, 2000.0)))
        self.done(self.rows.add(session(b"b", 1999.0, 3000.0)))
        self.assertIsNotNone(self.done(self.rows.find(b"a")))
        self.done(self.rows.add(session(b"c", 2000.0, 3000.0)))
        self.assertIsNone(self.done(self.rows.find(b"a")))
        self.assertEqual(self.done(self.rows.prune(2999.0)), 0)
        self.assertEqual(self.done(self.rows.prune(3000.0)), 2)


class SessionRowsInPostgresTests(InPostgres, SessionRowsTests):
    """The same there."""
