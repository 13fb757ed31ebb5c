"""Tests of the settings with which a command serves itself; all else is in tests.live."""

import os

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.offline import alone
from kiro2api.settings import load


class AloneTests(SynchronousTestCase):
    """A service for one command."""

    def test_place(self) -> None:
        """A port of its own on this machine, one process, and the same database."""
        given = load({}, {"KIRO_LISTEN": "tcp:8080", "KIRO_WORKERS": "4", "KIRO_DB_PATH": "~/x.db"})
        settings, _ = alone(given)
        self.assertEqual(settings.listen, "tcp:0:interface=127.0.0.1")
        self.assertEqual(settings.workers, 1)
        self.assertEqual(settings.db_path, os.path.expanduser("~/x.db"))
        self.assertLessEqual(settings.drain_seconds, 1.0)

    def test_admin(self) -> None:
        """The administrator's key serves, so that all keys are what they are."""
        given = load({}, {"KIRO_ADMIN_TOKEN": "a", "KIRO_CLIENT_TOKEN": "c"})
        settings, key = alone(given)
        self.assertEqual((key.secret.reveal(), key.made), ("a", False))
        self.assertEqual(settings.client_token, given.client_token)

    def test_client(self) -> None:
        """Without one, clients administrate; no other key may change that."""
        settings, key = alone(load({}, {"KIRO_CLIENT_TOKEN": "c"}))
        self.assertEqual((key.secret.reveal(), key.made), ("c", False))
        self.assertIsNone(settings.admin_token)

    def test_nobody(self) -> None:
        """Without any, one is made each time."""
        settings, key = alone(load({}, {}))
        self.assertTrue(key.made)
        self.assertEqual(settings.admin_token, key.secret)
        self.assertNotEqual(key.secret, alone(load({}, {}))[1].secret)
