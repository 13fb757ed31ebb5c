"""Captures in the store: the switch, and how many are kept."""

from kiro2api.store.captures import MOST, MOST_SECONDS, SWITCH, CaptureRows
from kiro2api.store.changes import ChangeRows
from kiro2api.store.preferences import PreferenceRows
from tests.store.case import InPostgres
from tests.store.test_records import RowsCase


class CaptureRowsTests(RowsCase):
    """The table ``captures``."""

    def setUp(self) -> None:
        super().setUp()
        self.captures = CaptureRows(self.database)

    def keep(self, name: str, now: float) -> float:
        """One more."""
        until: float = self.wait(self.captures.keep(name, lambda: name.encode(), now))
        return until

    def test_switch(self) -> None:
        """Only while it is on is anything made, let alone kept; other processes are told."""
        self.wait(self.captures.keep("a", self.fail, 10.0))
        self.wait(self.captures.switch(100.0, "me", 10.0))
        self.assertEqual(self.keep("b", 99.0), 100.0)
        self.keep("c", 100.0)
        self.assertEqual([one.request_id for one in self.wait(self.captures.listed(100.0))], ["b"])
        self.assertEqual(self.wait(self.captures.read("b")), b"b")
        self.assertIsNone(self.wait(self.captures.read("c")))
        self.wait(self.captures.switch(0.0, "me", 100.0))
        self.assertEqual(self.wait(self.captures.until()), 0.0)
        _, changes = self.wait(ChangeRows(self.database).since(0))
        self.assertEqual([change.subject for change in changes], [SWITCH, SWITCH])

    def test_limits(self) -> None:
        """The oldest go when there are too many, or when they are too old."""
        self.wait(self.captures.switch(1e9, "me", 0.0))
        for number in range(MOST + 5):
            self.keep(f"r{number}", float(number))
        listed = self.wait(self.captures.listed(300.0))
        self.assertEqual((len(listed), listed[-1].request_id), (MOST, "r5"))
        self.assertEqual(len(self.wait(self.captures.listed(MOST_SECONDS + 104.5))), MOST - 100)
        self.keep("r204", 205.0)
        self.assertEqual(self.wait(self.captures.clear("me", 0.0)), MOST - 100)
        self.assertEqual(self.wait(self.captures.listed(0.0)), [])

    def test_odd_switch(self) -> None:
        """What is no time is off."""
        self.wait(PreferenceRows(self.database).put(SWITCH, "soon"))
        self.assertEqual(self.wait(self.captures.until()), 0.0)


class PostgresCaptureRowsTests(InPostgres, CaptureRowsTests):
    """The same on a server."""
