"""Keys come back from a backup by their digests."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.store.audit import AuditRows
from kiro2api.store.changes import ChangeRows
from kiro2api.store.keys import KeyRows, StoredKey
from kiro2api.store.keys_restored import RestoredKeys
from tests.fakes.inline import InlineDatabase

KEY = StoredKey(
    9,
    "laptop",
    b"digest",
    "admin",
    5.0,
    hint="cdef",
    enabled=False,
    groups=("pro",),
    requests_per_minute=3,
    credits_per_day=1.5,
    expires_at=900.0,
)


class RestoredKeysTests(SynchronousTestCase):
    """Into the table of keys."""

    def test_restored(self) -> None:
        """With all terms, once; written down and told to other processes."""
        database = InlineDatabase()
        self.addCleanup(database.close)
        rows = RestoredKeys(database.real, lambda: 100.0)
        [key_id] = self.successResultOf(rows.restore("root", [KEY, KEY]))
        self.assertEqual(self.successResultOf(rows.restore("root", [KEY])), [])
        [found] = self.successResultOf(KeyRows(database.real).digests())
        self.assertEqual(found, msgspec.structs.replace(KEY, id=key_id))
        [line] = self.successResultOf(AuditRows(database.real).page(0, 9))
        self.assertEqual((line.actor, line.detail), ("root", {"names": ["laptop"]}))
        _, changes = self.successResultOf(ChangeRows(database.real).since(0))
        self.assertEqual([(each.topic, each.subject) for each in changes], [("key", str(key_id))])
