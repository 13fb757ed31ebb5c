"""Settings that are changed together are stored together."""

from kiro2api.store.audit import AuditRows
from kiro2api.store.setting_rows import SettingRows
from tests.store.case import InPostgres, StoreCase


class SettingRowsTests(StoreCase):
    """Preferences that are settings."""

    def test_change(self) -> None:
        """Some are stored, some forgotten; each is noted and audited."""
        rows = SettingRows(self.database, self.clock)
        self.assertEqual(self.done(rows.change("root", {"a": "1", "b": "2"})), {"a": "1", "b": "2"})
        self.assertEqual(
            self.done(rows.change("root", {"a": None, "b": "3", "c": None})), {"b": "3"}
        )
        self.assertEqual(self.done(rows.load()), {"b": "3"})
        self.assertEqual(self.noted(), [("setting", name) for name in "abab"])
        page = self.done(AuditRows(self.database).page(0, 9))
        self.assertEqual(
            [(row.actor, row.action, row.subject, row.detail) for row in reversed(page)],
            [
                ("root", "setting.change", name, {"value": value})
                for name, value in zip("ababc", ["1", "2", None, "3", None], strict=True)
            ],
        )


class SettingRowsInPostgresTests(InPostgres, SettingRowsTests):
    """The same there."""
