"""What operators did is written down and found again."""

from sqlalchemy import Connection

from kiro2api.store.audit import Audited, AuditRows, wrote
from tests.store.case import InPostgres, StoreCase


class AuditRowsTests(StoreCase):
    """The table of the audit."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = AuditRows(self.database, self.clock)

    def ids(self, before: int = 0, limit: int = 10, subject: str = "") -> list[int]:
        """The ids of one page."""
        return [one.id for one in self.done(self.rows.page(before, limit, subject))]

    def test_round_trip(self) -> None:
        """Everything comes back, with the time at which it happened."""
        self.done(self.rows.write("owner", "account.disable", "f1", {"name": "é", "order": [1]}))
        self.done(self.rows.write("owner", "start", ""))
        self.assertEqual(
            self.done(self.rows.page(0, 10)),
            [
                Audited(2, 1000.0, "owner", "start", "", None),
                Audited(1, 1000.0, "owner", "account.disable", "f1", {"name": "é", "order": [1]}),
            ],
        )

    def test_pages(self) -> None:
        """The newest first, page by page, of all or of one subject."""
        for number in range(5):
            self.done(self.rows.write("owner", "act", f"s{number % 2}"))
        self.assertEqual(self.ids(limit=2), [5, 4])
        self.assertEqual(self.ids(before=4, limit=2), [3, 2])
        self.assertEqual(self.ids(subject="s1"), [4, 2])
        self.assertEqual(self.done(self.rows.count()), 5)
        self.assertEqual(self.done(self.rows.count("s1")), 2)

    def test_within_what_it_tells(self) -> None:
        """What is rolled back was not done, and is not told."""

        def fails(connection: Connection) -> None:
            wrote(connection, "owner", "act", "s", {}, 1.0)
            raise LookupError

        self.assertRaises(LookupError, self.within, fails)
        self.assertEqual(self.ids(), [])
        self.within(lambda connection: wrote(connection, "owner", "act", "s", {}, 1.0))
        self.assertEqual(len(self.ids()), 1)

    def test_prune(self) -> None:
        """What is older is dropped."""
        self.done(self.rows.write("owner", "act", "old"))
        self.now += 10.0
        self.done(self.rows.write("owner", "act", "new"))
        self.assertEqual(self.done(self.rows.prune(1010.0)), 1)
        self.assertEqual(self.ids(), [2])


class AuditRowsInPostgresTests(InPostgres, AuditRowsTests):
    """The same there."""
