"""What takes effect at once when a setting is changed."""

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.sources import Configured
from kiro2api.settings import load
from kiro2api.store.database import Database
from kiro2api.wiring import Wiring

CHANGED = {
    "attempts": "7",
    "cooldown_seconds": "11",
    "queue_limit": "12",
    "queue_seconds": "13",
    "refresh_ahead_seconds": "140",
    "quota_check_seconds": "150",
    "max_concurrent": "16",
    "first_event_timeout_seconds": "17",
    "max_tool_description_length": "180",
    "replay_thinking": "false",
    "enforce_max_tokens": "true",
    "ping_seconds": "19",
    "upstream_silence_seconds": "20",
    "client_stall_seconds": "21",
    "records_days": "22",
    "records_max_megabytes": "23",
    "session_hours": "24",
    "drain_seconds": "25",
}


class LiveTests(SynchronousTestCase):
    """Each setting that is said to be live."""

    def test_every_one(self) -> None:
        """Whoever uses it has the new value; nothing else is said to be live."""
        reactor: Any = MemoryReactorClock()
        parts = Wiring(
            load({}, {}),
            reactor,
            Configured(accounts=(), credentials={}),
            Database(":memory:", reactor),
        )
        described = {each.name for each in parts.live.described() if each.live}
        self.assertEqual(described, set(CHANGED))
        self.assertEqual(parts.live.apply(CHANGED), frozenset(CHANGED))
        accounts, admin = parts.accounts, parts.admin
        exchanges, serving = parts.exchanges, parts.serving
        self.assertEqual(exchanges.attempts, 7)
        self.assertEqual(accounts.ledger.cooldown, 11)
        self.assertEqual((accounts.pool.turnstile.limit, accounts.pool.turnstile.seconds), (12, 13))
        self.assertEqual((accounts.keeper.ahead, accounts.keeper.spread), (140, 70))
        self.assertEqual(accounts.quotas.every, 150)
        self.assertEqual(exchanges.manner.first_event_seconds, 17)
        self.assertEqual(exchanges.manner.tool_description_limit, 180)
        self.assertFalse(exchanges.manner.replay_thinking)
        self.assertTrue(exchanges.manner.enforce_max_tokens)
        timeouts = serving.timeouts
        self.assertEqual((timeouts.ping, timeouts.silence, timeouts.stall), (19, 20, 21))
        self.assertEqual((admin.pruner.days, admin.pruner.megabytes), (22, 23))
        self.assertEqual(parts.live.current.drain_seconds, 25)
