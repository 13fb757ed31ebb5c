"""Tests for kiro2api.accounts.quotawatch."""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import ILeases, StoredAccount
from kiro2api.accounts.quota import Quota, decode_quota, encode_quota
from kiro2api.accounts.quotawatch import QuotaWatch
from kiro2api.errors import AccessRefused, NotFound, ShuttingDown, Throttled, UpstreamUnavailable
from kiro2api.redaction import Secret
from tests.accounts.fixtures import account
from tests.accounts.records import LogRecorder

FULL = Quota(used=10.0, limit=50.0, left=40.0, reset_at=9e5, email="ada@example.com")
NONE = Credentials(Secret(""), Secret(""))


class Pool:
    """Accounts, and what it was told of their credits."""

    def __init__(self, *accounts: Account) -> None:
        self.held = {each.fingerprint: each for each in accounts}
        self.known: list[tuple[str, float | None, float | None]] = []

    def accounts(self) -> tuple[Account, ...]:
        return tuple(self.held.values())

    def account(self, fingerprint: str) -> Account | None:
        return self.held.get(fingerprint)

    def credits_known(self, fingerprint: str, left: float | None, reset_at: float | None) -> None:
        self.known.append((fingerprint, left, reset_at))


class Rows:
    """Rows that several watches may share."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredAccount] = {}
        self.trouble: Exception | None = None

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        return succeed(self.rows.get(fingerprint))

    def write_quota(
        self, fingerprint: str, quota: str, checked_at: float, email: str
    ) -> Deferred[None]:
        if self.trouble is not None:
            return fail(self.trouble)
        self.rows[fingerprint] = stored(quota, checked_at, email)
        return succeed(None)


@implementer(ILeases)
class Leases:
    """Grants each lease to one holder at a time."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.fences = 0
        self.trouble: Exception | None = None

    def win(self, name: str, seconds: float) -> Deferred[int | None]:
        if self.trouble is not None:
            return fail(self.trouble)
        if name in self.held:
            return succeed(None)
        self.fences += 1
        self.held[name] = self.fences
        return succeed(self.fences)

    def give_up(self, name: str, fence: int) -> Deferred[None]:
        if self.held.get(name) == fence:
            del self.held[name]
        return succeed(None)


def stored(quota: str, checked_at: float, email: str = "") -> StoredAccount:
    """A row."""
    return StoredAccount(NONE, quota=quota, quota_checked_at=checked_at, email=email)


class Case(SynchronousTestCase):
    """A watch over three accounts whose reads the test answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100_000)
        self.people = [account(number) for number in range(3)]
        self.first = self.people[0].fingerprint
        self.pool = Pool(*self.people)
        self.rows = Rows()
        self.asked: list[str] = []
        self.open: list[Deferred[Quota]] = []
        self.cancelled = 0
        self.watches: list[QuotaWatch] = []
        self.watch = self.make()

    def tearDown(self) -> None:
        for watch in self.watches:
            self.successResultOf(watch.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def make(self, **options: object) -> QuotaWatch:
        watch = QuotaWatch(
            self.pool,
            self.read,
            self.rows,
            self.clock,
            **{"jitter": lambda: 0.5, **options},  # type: ignore[arg-type]
        )
        self.watches.append(watch)
        return watch

    def read(self, account: Account) -> Deferred[Quota]:
        def cancel(_: Deferred[Quota]) -> None:
            self.cancelled += 1

        self.asked.append(account.name)
        answer: Deferred[Quota] = Deferred(cancel)
        self.open.append(answer)
        return answer

    def answer(self, quota: Quota | Exception = FULL) -> None:
        """The oldest open read."""
        waiting = self.open.pop(0)
        if isinstance(quota, Exception):
            waiting.errback(quota)
        else:
            waiting.callback(quota)

    def pass_time(self, seconds: float, quota: Quota | Exception = FULL) -> None:
        """Let time pass, and answer whatever is asked."""
        for _ in range(int(seconds / 5)):
            self.clock.advance(5)
            while self.open:
                self.answer(quota)


class CheckTests(Case):
    """On demand."""

    def test_check(self) -> None:
        """Read, told to the pool and to who listens, stored."""
        heard: list[tuple[str, Quota, float]] = []
        self.watch.on_known = lambda *what: heard.append(what)
        asking = self.watch.check(self.first)
        self.assertIsNone(self.watch.latest(self.first))
        self.answer()
        self.assertEqual(self.successResultOf(asking), FULL)
        self.assertEqual(self.pool.known, [(self.first, 40.0, 9e5)])
        self.assertEqual(heard, [(self.first, FULL, 100_000.0)])
        row = self.rows.rows[self.first]
        self.assertEqual((decode_quota(row.quota), row.quota_checked_at), (FULL, 100_000.0))
        self.assertEqual(row.email, "ada@example.com")
        self.assertEqual(self.watch.latest(self.first), FULL)

    def test_unknown_reset(self) -> None:
        """No reset date is told as none."""
        self.watch.check(self.first)
        self.answer(Quota())
        self.assertEqual(self.pool.known, [(self.first, None, None)])

    def test_joined(self) -> None:
        """One flight for all; one may leave; the floor holds afterwards."""
        first, second = self.watch.check(self.first), self.watch.check(self.first)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.answer()
        self.assertEqual(self.successResultOf(second), FULL)
        self.assertEqual(self.successResultOf(self.watch.check(self.first)), FULL)
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(5)
        self.watch.check(self.first)
        self.assertEqual(len(self.asked), 2)
        self.answer()

    def test_one_takes_the_other_away(self) -> None:
        """Whoever hears first may cancel another who waits."""
        first, second = self.watch.check(self.first), self.watch.check(self.first)
        first.addCallback(lambda _: second.cancel())
        self.answer()
        self.failureResultOf(second, CancelledError)

    def test_failed(self) -> None:
        """Nothing changes; each waiter hears the fault."""
        self.watch.check(self.first)
        self.answer()
        self.clock.advance(10)
        asking = [self.watch.check(self.first) for _ in range(2)]
        self.answer(UpstreamUnavailable("down"))
        for each in asking:
            self.failureResultOf(each, UpstreamUnavailable)
        self.assertEqual(self.watch.latest(self.first), FULL)
        self.assertEqual(len(self.pool.known), 1)
        self.assertEqual(self.rows.rows[self.first].quota_checked_at, 100_000.0)

    def test_at_once(self) -> None:
        """A read that is answered at once leaves no flight behind."""
        watch = QuotaWatch(
            self.pool, lambda _: succeed(FULL), self.rows, self.clock, jitter=lambda: 0.5, floor=0.0
        )
        for _ in range(2):
            self.assertEqual(self.successResultOf(watch.check(self.first)), FULL)
        self.assertEqual(len(self.pool.known), 2)

    def test_unknown(self) -> None:
        """There is no such account."""
        self.failureResultOf(self.watch.check("nobody"), NotFound)

    def test_not_stored(self) -> None:
        """A store that fails is logged without the address; the quota is known all the same."""
        records = LogRecorder(self)
        self.rows.trouble = ValueError("secret")
        asking = self.watch.check(self.first)
        self.answer()
        self.assertEqual(self.successResultOf(asking), FULL)
        shown = "\n".join(records.lines())
        self.assertIn("not stored (ValueError)", shown)
        self.assertNotIn("secret", shown)
        self.assertNotIn("ada", shown)

    def test_stopped_while_writing(self) -> None:
        """What was read is known, whether or not it is stored."""
        self.rows.trouble = CancelledError()
        asking = self.watch.check(self.first)
        self.answer()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.watch.latest(self.first), FULL)

    def test_stopped(self) -> None:
        """What is read is given up, and nothing begins any more."""
        asking = self.watch.check(self.first)
        self.successResultOf(self.watch.stopService())
        self.assertEqual(self.cancelled, 1)
        self.failureResultOf(asking, CancelledError)
        self.failureResultOf(self.watch.check(self.first), ShuttingDown)


class ScheduleTests(Case):
    """By itself."""

    def test_spread_at_the_start(self) -> None:
        """Accounts of which nothing is known are read soon, but not at once."""
        drawn = iter((0.0, 0.5, 0.99))
        watch = self.make(jitter=lambda: next(drawn, 0.5))
        watch.startService()
        self.assertEqual(self.asked, [])
        self.clock.advance(5)
        self.assertEqual(self.asked, ["account-0"])
        self.clock.advance(5)
        self.assertEqual(len(self.asked), 2)
        self.answer()
        self.clock.advance(5)
        self.assertEqual(self.asked, ["account-0", "account-1", "account-2"])

    def test_many(self) -> None:
        """Even thousands are spread over the whole interval, and few are read at a time."""
        self.pool.held = {f"{n}": account(n) for n in range(5000)}
        self.pool.held = {each.fingerprint: each for each in self.pool.held.values()}
        watch = self.make(jitter=lambda: 0.0)
        watch.startService()
        self.clock.advance(5)
        self.assertEqual(len(self.asked), 2)

    def test_every(self) -> None:
        """Again after the interval, a tenth more or less."""
        watch = self.make(every=1000.0, jitter=lambda: 1.0)
        watch.startService()
        self.pass_time(20)
        self.assertEqual(len(self.asked), 3)
        self.pass_time(1070)
        self.assertEqual(len(self.asked), 3)
        self.pass_time(40)
        self.assertEqual(len(self.asked), 6)

    def test_remembered(self) -> None:
        """What the store knows counts, also for the schedule; rubbish does not."""
        rows = {
            self.first: stored(encode_quota(FULL), 99_000.0),
            self.people[1].fingerprint: stored("", 99_000.0),
            "gone": stored(encode_quota(FULL), 99_000.0),
        }
        for fingerprint, row in rows.items():
            self.watch.heard(fingerprint, row)
        self.watch.heard(self.first, stored(encode_quota(Quota()), 98_000.0))
        self.assertEqual(self.pool.known, [(self.first, 40.0, 9e5)])
        self.watch.startService()
        self.pass_time(20)
        self.assertEqual(sorted(self.asked), ["account-1", "account-2"])
        self.pass_time(3600)
        self.assertIn("account-0", self.asked)

    def test_no_schedule(self) -> None:
        """With an interval of 0, only where there is a reason."""
        watch = self.make(every=0.0)
        watch.startService()
        self.pass_time(10_000)
        self.assertEqual(self.asked, [])
        watch.soon(self.first)
        self.pass_time(20, UpstreamUnavailable("x"))
        self.assertEqual(self.asked, ["account-0"])
        watch.soon(self.first)
        self.pass_time(10_000)
        self.assertEqual(self.asked, ["account-0"] * 2)

    def test_switched_on(self) -> None:
        """A schedule that is set while the service runs is followed, a shorter one, too."""
        watch = self.make(every=0.0)
        watch.startService()
        self.pass_time(60)
        watch.every = 10_000.0
        self.pass_time(20)
        self.assertEqual(len(self.asked), 3)
        watch.every = 600.0
        self.pass_time(20)
        self.assertEqual(len(self.asked), 6)
        watch.every = 0.0
        self.pass_time(10_000)
        self.assertEqual(len(self.asked), 6)

    def test_not_worth(self) -> None:
        """Accounts that are switched off are passed over until they are switched on."""
        off = {"account-0", "account-1"}
        watch = self.make(worth=lambda account: account.name not in off)
        watch.startService()
        self.pass_time(60)
        self.assertEqual(self.asked, ["account-2"])
        off.clear()
        self.pass_time(10)
        self.assertEqual(len(self.asked), 3)

    def test_removed(self) -> None:
        """An account that is gone is forgotten; one on its turn does no harm."""
        watch = self.make(abreast=1)
        watch.startService()
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual(self.asked, ["account-0"])
        del self.pool.held[self.people[1].fingerprint]
        self.pass_time(20)
        self.assertEqual(self.asked, ["account-0", "account-2"])
        del self.pool.held[self.first]
        self.pass_time(10)
        self.assertIsNone(watch.latest(self.first))
        self.assertIsNotNone(watch.latest(self.people[2].fingerprint))

    def test_soon(self) -> None:
        """An account that was refused for lack of credits is read within seconds, not twice."""
        self.watch.startService()
        self.pass_time(20)
        self.asked.clear()
        self.watch.soon(self.first)
        self.watch.soon(self.first)
        self.pass_time(10)
        self.assertEqual(self.asked, ["account-0"])
        self.watch.soon("gone")
        self.pass_time(10)

    def test_soon_after_a_read(self) -> None:
        """What was read just now need not be read again."""
        self.watch.startService()
        self.pass_time(20)
        self.watch.check(self.first)
        self.answer()
        self.asked.clear()
        self.watch.soon(self.first)
        self.pass_time(100)
        self.assertEqual(self.asked, [])


class TroubleTests(Case):
    """Reads that fail on schedule."""

    def gaps(self, fault: Exception, seconds: float) -> int:
        """How often one account is asked in that time while every read fails so."""
        self.pool.held = {self.first: self.people[0]}
        self.watch.startService()
        self.pass_time(10, fault)
        before = len(self.asked)
        self.pass_time(seconds, fault)
        return len(self.asked) - before

    def test_backoff(self) -> None:
        """Again after five minutes, then ever later."""
        self.assertEqual(self.gaps(UpstreamUnavailable("x"), 3600), 3)

    def test_refused(self) -> None:
        """Who has no limits to tell is not asked more often than the others."""
        self.assertEqual(self.gaps(AccessRefused("x", code="FEATURE_NOT_SUPPORTED"), 3600), 0)

    def test_told_when(self) -> None:
        """The upstream may ask for more patience."""
        self.assertEqual(self.gaps(Throttled("x", retry_after=3000.0), 3000), 0)

    def test_bug(self) -> None:
        """One account's trouble does not end the watch."""
        self.watch.startService()
        self.pass_time(30, ValueError("bug"))
        self.assertEqual(len(self.asked), 3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)

    def test_pool_breaks(self) -> None:
        """Neither does the pool's."""
        self.watch.startService()
        held, self.pool.held = self.pool.held, None  # type: ignore[assignment]
        self.pass_time(10)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 2)
        self.pool.held = held
        self.pass_time(20)
        self.assertEqual(len(self.asked), 3)

    def test_leases_break(self) -> None:
        """Nor a store that gives no lease."""
        leases = Leases()
        leases.trouble = ValueError("store")
        watch = self.make(leases=leases)
        watch.startService()
        self.pass_time(30)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.assertEqual(self.asked, [])

    def test_stop_in_the_middle(self) -> None:
        """Workers end with the service."""
        self.watch.startService()
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual(len(self.open), 2)
        self.successResultOf(self.watch.stopService())
        self.assertEqual(self.cancelled, 2)


class SharedTests(Case):
    """Several processes."""

    def test_one_reads(self) -> None:
        """Each account is read by one of them; the other takes what it has stored."""
        leases = Leases()
        watches = [self.make(leases=leases) for _ in range(2)]
        for watch in watches:
            watch.startService()
        self.pass_time(400)
        self.assertEqual(sorted(self.asked), ["account-0", "account-1", "account-2"])
        self.assertEqual(leases.held, {})
        for each in self.people:
            self.assertEqual([watch.latest(each.fingerprint) for watch in watches], [FULL] * 2)

    def test_held_elsewhere(self) -> None:
        """Who finds the lease taken comes back later."""
        leases = Leases()
        for each in self.people:
            leases.held[f"quota:{each.fingerprint}"] = -1
        watch = self.make(leases=leases)
        watch.startService()
        self.pass_time(50)
        self.assertEqual(self.asked, [])
        leases.held.clear()
        self.pass_time(70)
        self.assertEqual(len(self.asked), 3)
