"""Keys between the store and the gate."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Unauthorized
from kiro2api.redaction import Secret
from kiro2api.store.changes import Change
from kiro2api.store.database import Database, StoreError
from kiro2api.store.keys import KeyRows, StoredKey, digest_of, new_key
from kiro2api.store.spending import SpendingRows
from kiro2api.web.gate import Caller, Gate
from kiro2api.web.gate_key import BudgetSpent
from kiro2api.web.gate_ledger import SETTLE_SECONDS, KeyLedger
from tests.store.pumped import PumpedReactor
from tests.web.test_gate import Headers

NOON = 20_000 * 86_400.0 + 43_200.0


class Process:
    """One of the processes on a store."""

    def __init__(
        self, case: Any, *, single: bool = False, idle: bool = False, spending: Any = None
    ) -> None:
        self.case = case
        self.gate = Gate(digest_of, now=case.clock.seconds)
        self.ledger = KeyLedger(
            self.gate,
            case.rows,
            spending or SpendingRows(case.database),
            case.clock,
            single=single,
            idle=idle,
            now=case.clock.seconds,
        )

    def load(self) -> "Process":
        """Read the store."""
        self.case.done(Deferred.fromCoroutine(self.ledger.load()))
        return self

    def caller(self, key: Secret) -> Caller:
        """Who shows a key."""
        return self.gate.identify(Headers(x_api_key=key.reveal()))


class KeyLedgerTests(SynchronousTestCase):
    """One or more processes on one store."""

    def setUp(self) -> None:
        self.reactor = PumpedReactor()
        self.database = Database(":memory:", self.reactor)
        self.done(self.database.start())
        self.addCleanup(lambda: self.done(self.database.stop()))
        self.clock = Clock()
        self.clock.advance(NOON)
        self.rows = KeyRows(self.database, self.clock.seconds)

    def done(self, deferred: Any) -> Any:
        """What comes of it."""
        return self.reactor.result_of(deferred)

    def add(self, name: str = "laptop", **terms: Any) -> tuple[int, Secret]:
        """A key in the store."""
        key = new_key()
        return self.done(self.rows.add(name, key, "client", **terms)), key

    def test_load(self) -> None:
        """Stored keys are admitted, with what they have spent before a restart."""
        key_id, key = self.add(credits_per_day=5.0)
        first = Process(self).load()
        first.gate.spent(first.caller(key), 5.0)
        self.done(first.ledger.settle())
        second = Process(self).load()
        self.assertRaises(BudgetSpent, second.gate.enter, second.caller(key))
        use = second.gate.use(key_id)
        assert use is not None
        self.assertEqual((use.budget.today, use.budget.month), (5.0, 5.0))

    def test_two_processes(self) -> None:
        """Each knows what the other has spent after both have settled, and only once."""
        _, key = self.add(credits_per_month=10.0)
        one, two = Process(self).load(), Process(self).load()
        one.gate.spent(one.caller(key), 4.0)
        two.gate.spent(two.caller(key), 6.0)
        two.gate.enter(two.caller(key))
        for process in (one, two, one):
            self.done(process.ledger.settle())
        for process in (one, two):
            self.assertRaises(BudgetSpent, process.gate.enter, process.caller(key))
            for use in process.gate.uses:
                self.assertEqual(use.budget.month, 10.0)

    def test_rounds(self) -> None:
        """Settled every few seconds, and once more at the end."""
        key_id, key = self.add()
        process = Process(self).load()
        process.ledger.startService()
        caller = process.caller(key)
        process.gate.spent(caller, 1.0)
        self.clock.advance(SETTLE_SECONDS)
        self.reactor.pump()
        rows = SpendingRows(self.database)
        self.assertEqual(self.done(rows.settle({}, {}, 0)), {key_id: {20_000: 1.0}})
        process.gate.spent(caller, 2.0)
        self.done(process.ledger.stopService())
        self.assertEqual(self.done(rows.settle({}, {}, 0)), {key_id: {20_000: 3.0}})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_during_a_round(self) -> None:
        """Nothing is counted twice."""
        key_id, key = self.add()
        process = Process(self).load()
        process.ledger.startService()
        process.gate.spent(process.caller(key), 1.0)
        self.clock.advance(SETTLE_SECONDS)
        process.gate.spent(process.caller(key), 2.0)
        self.done(process.ledger.stopService())
        sums = self.done(SpendingRows(self.database).settle({}, {}, 0))
        self.assertEqual(sums, {key_id: {20_000: 3.0}})

    def test_last_use(self) -> None:
        """Written with the next round, and only if there was a use since the last."""
        asked: list[dict[int, float]] = []

        class Watched(SpendingRows):
            def settle(self, used: Any, spent: Any, since: int) -> Any:
                asked.append(dict(used))
                return super().settle(used, spent, since)

        key_id, key = self.add()
        process = Process(self, spending=Watched(self.database)).load()
        process.caller(key)
        self.done(process.ledger.settle())
        self.done(process.ledger.settle())
        self.assertEqual(asked, [{}, {key_id: NOON}, {}])
        self.assertEqual(self.done(self.rows.digests())[0].last_used_at, NOON)

    def test_follow(self) -> None:
        """Keys that other processes made, changed and deleted."""
        process = Process(self).load()
        key_id, key = self.add()

        def follow(*subjects: str, topic: str = "key") -> None:
            changes = [Change(n, topic, subject) for n, subject in enumerate(subjects)]
            self.done(Deferred.fromCoroutine(process.ledger.follow(changes)))

        follow(str(key_id), topic="account")
        self.assertRaises(Unauthorized, process.caller, key)
        follow("nonsense", str(key_id), str(key_id))
        self.assertEqual(process.caller(key).name, "laptop")
        self.done(self.rows.patch(key_id, actor="x", enabled=False))
        follow(str(key_id))
        self.assertRaises(Unauthorized, process.caller, key)
        self.done(self.rows.remove(key_id))
        follow(str(key_id))
        self.assertIsNone(process.gate.use(key_id))

    def test_generated_key(self) -> None:
        """Administrates if there is no key for that; rests if keys are configured."""
        _, key = self.add("generated")
        self.assertEqual(Process(self, single=True).load().caller(key).role, "admin")
        self.assertEqual(Process(self).load().caller(key).role, "client")
        process = Process(self, single=True, idle=True).load()
        self.assertRaises(Unauthorized, process.caller, key)
        self.assertFalse(process.ledger.counts(self.done(self.rows.digests())[0]))


class FailingSpending:
    """A store that fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.told: list[object] = []

    def settle(self, used: Any, spent: Any, since: int) -> Deferred[dict[int, dict[int, float]]]:
        """Fail, or remember."""
        if self.failures:
            self.failures -= 1
            return fail(StoreError("the disk is full"))
        self.told.append({key: dict(days) for key, days in spent.items()})
        return succeed({key: dict(days) for key, days in spent.items()})


NO_KEYS: Any = None


class FailingStoreTests(SynchronousTestCase):
    """When the store does not work for a while."""

    def test_told_later(self) -> None:
        """Nothing is forgotten, and the budget holds meanwhile."""
        clock = Clock()
        gate = Gate(digest_of, now=clock.seconds)
        spending = FailingSpending(2)
        ledger = KeyLedger(
            gate, NO_KEYS, spending, clock, single=False, idle=False, now=clock.seconds
        )
        ledger.put(StoredKey(1, "laptop", digest_of("k"), "client", 0.0, credits_per_day=3.0))
        caller = gate.identify(Headers(x_api_key="k"))
        ledger.startService()
        for _ in range(3):
            gate.spent(caller, 1.0)
            clock.advance(SETTLE_SECONDS)
        self.assertEqual(spending.told, [{1: {0: 3.0}}])
        self.assertRaises(BudgetSpent, gate.enter, caller)
        self.successResultOf(ledger.stopService())
        self.assertEqual(spending.told[1:], [{}])
