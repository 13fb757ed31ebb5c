"""The whole pool against a model: whatever happens in whatever order, its promises hold."""

from math import floor

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import Lease, Wanted
from kiro2api.accounts.keyring import Keyring
from kiro2api.accounts.ledger import Ledger, Standing
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.accounts.penalties import State
from kiro2api.accounts.pool import AccountPool
from kiro2api.accounts.refresh import RefreshOnce
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    KiroError,
    ModelOverloaded,
    QuotaExhausted,
    Scope,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import account
from tests.accounts.logins import RotatingLogin
from tests.fakes.store import MemoryStore

QUEUE_SECONDS = 30.0
MODELS = ("", "opus", "haiku")
GROUPS = ("default", "pro")
FAULTS: tuple[UpstreamFault | None, ...] = (
    None,
    Throttled("x"),
    Throttled("x", retry_after=40),
    Throttled("x", scope=Scope.ACCOUNT_MODEL),
    UpstreamUnavailable("x"),
    QuotaExhausted("x", code="MONTHLY_REQUEST_COUNT"),
    AccountSuspended("x"),
    AccessRefused("x"),
    CredentialsRejected("x"),
    ModelOverloaded("x"),
)
NUMBER = st.integers(0, 5)
MODEL = st.sampled_from(MODELS)
GROUP = st.sampled_from(GROUPS)


class Asked:
    """A request that was made."""

    def __init__(self, group: str, tried: frozenset[str], wanted: Wanted, now: float) -> None:
        self.group = group
        self.tried = tried
        self.wanted = wanted
        self.at = now
        self.waiting = True
        self.acquiring: Deferred[Lease]


class Held:
    """A lease in somebody's hands; ``life`` tells apart accounts that were removed meanwhile."""

    def __init__(self, lease: Lease, life: int) -> None:
        self.lease = lease
        self.life = life


class Pools(RuleBasedStateMachine):
    """Random faults, refreshes, cancellations, restarts, and an operator who changes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.store = MemoryStore()
        self.login = RotatingLogin(lambda: self.clock.seconds())
        self.configured: dict[str, Account] = {}
        self.enabled: dict[str, bool] = {}
        self.policies = {group: GroupPolicy(group) for group in GROUPS}
        self.lives: dict[str, int] = {}
        self.life = 0
        self.turn = 0
        self.turns: dict[str, int] = {}
        self.credits: dict[str, float] = {}
        self.begun: dict[str, list[float]] = {}
        self.asked: list[Asked] = []
        self.held: list[Held] = []
        self.wrong: list[Failure] = []
        self.changed_at: dict[str, float] = {}
        self.read_before: dict[str, Credentials] = {}
        self.clock = Clock()
        self.clock.advance(self.now)
        self.restart_pool()

    # ── the world ────────────────────────────────────────────────────────────

    def restart_pool(self) -> None:
        """A new process over the same store."""
        now, self.clock = self.clock.seconds(), Clock()
        self.clock.advance(now)
        keyring = Keyring({})
        self.ledger = Ledger()
        renewal = RefreshOnce({"social": self.login}, self.store, keyring, self.clock)
        self.pool = AccountPool(
            self.ledger,
            keyring,
            self.store,
            renewal,
            self.clock,
            jitter=lambda: 0.0,
            queue_limit=5,
            queue_seconds=QUEUE_SECONDS,
        )
        self.keyring = keyring
        for policy in self.policies.values():
            self.pool.set_group(policy)
        self.turns, self.credits, self.begun, self.turn = {}, {}, {}, 0
        for fingerprint, each in self.configured.items():
            row = self.store.rows[fingerprint]
            self.pool.admit(each, row.credentials, self.enabled[fingerprint], row.parked, None)
            self.born(fingerprint)

    def born(self, fingerprint: str) -> None:
        self.life += 1
        self.lives[fingerprint] = self.life
        for notes in (self.turns, self.credits, self.begun):
            notes.pop(fingerprint, None)

    def standing(self, fingerprint: str) -> Standing:
        return self.ledger.standing(fingerprint, self.clock.seconds())

    def candidates(self, asked: Asked) -> list[Standing]:
        """All who could be lent, found by a search."""
        found = []
        for fingerprint, each in self.configured.items():
            standing = self.standing(fingerprint)
            fits = each.group == asked.group and fingerprint not in asked.tried
            if fits and standing.state is State.READY and not standing.busy:
                found.append(standing)
        return found

    def limits(self, who: Account) -> tuple[int, int]:
        policy = self.policies[who.group]
        return (
            who.max_in_flight or policy.max_in_flight,
            who.requests_per_minute or policy.requests_per_minute,
        )

    def in_hands(self, fingerprint: str) -> int:
        mine = self.lives.get(fingerprint)
        return sum(
            held.lease.account.fingerprint == fingerprint and held.life == mine
            for held in self.held
        )

    def preferred(self, asked: Asked) -> str | None:
        """Who must serve by the policy; None where a model or a conversation has a say."""
        if asked.wanted.model or asked.wanted.conversation:
            return None
        ready = self.candidates(asked)
        if not ready:
            return None
        policy = self.policies[asked.group].policy

        def rank(standing: Standing) -> tuple[float, ...]:
            who = standing.account
            turn = self.turns.get(who.fingerprint, 0)
            if policy == "sequential":
                return (who.order,)
            if policy == "round_robin":
                return (turn, who.order)
            left = self.credits.get(who.fingerprint, 500.0)
            return (standing.in_flight - floor(left), turn)

        best = min(rank(standing) for standing in ready)
        equals = [s.account.fingerprint for s in ready if rank(s) == best]
        # A token that must be renewed first may cost an account its turn.
        fresh = self.keyring.current(equals[0]).expires_at > self.clock.seconds() + 60
        return equals[0] if len(equals) == 1 and fresh else None

    # ── requests ─────────────────────────────────────────────────────────────

    @initialize()
    def begin(self) -> None:
        for number in range(3):
            self.admit(number, "default", number, 0, True)

    @rule(caller=st.sampled_from("ab"), times=st.integers(1, 4))
    def crowd(self, caller: str, times: int) -> None:
        """Plain requests of one caller, several at a time."""
        for _ in range(times):
            self.acquire("default", set(), "", "", caller)

    @rule(
        group=GROUP,
        tried=st.sets(NUMBER, max_size=2),
        model=MODEL,
        conversation=st.sampled_from(["", "", "c1", "c2"]),
        caller=st.sampled_from("ab"),
    )
    def ask(self, group: str, tried: set[int], model: str, conversation: str, caller: str) -> None:
        self.acquire(group, tried, model, conversation, caller)

    def acquire(
        self, group: str, tried: set[int], model: str, conversation: str, caller: str
    ) -> None:
        prints = frozenset(account(number).fingerprint for number in tried)
        wanted = Wanted(model, conversation, caller)
        asked = Asked(group, prints, wanted, self.clock.seconds())
        ready = {s.account.fingerprint for s in self.candidates(asked)}
        preferred = self.preferred(asked)
        probing = {fp for fp in ready if self.standing(fp).probing}
        asked.acquiring = self.pool.acquire(group, prints, wanted)
        self.asked.append(asked)
        at_once = asked.acquiring.called

        def granted(lease: Lease) -> None:
            asked.waiting = False
            fingerprint = lease.account.fingerprint
            assert self.configured[fingerprint].group == group
            assert self.enabled[fingerprint]
            assert fingerprint not in prints
            row = self.store.rows[fingerprint].credentials
            assert lease.credentials == row, "lent before it was stored"
            self.turn += 1
            self.turns[fingerprint] = self.turn
            most, pace = self.limits(self.configured[fingerprint])
            now = self.clock.seconds()
            begun = self.begun.setdefault(fingerprint, [])
            begun.append(now)
            self.held.append(Held(lease, self.lives[fingerprint]))
            assert not most or self.in_hands(fingerprint) <= most
            # Where limits change, what began before is counted or not; what begins later is.
            since = max(now - 60, self.changed_at.get(fingerprint, 0.0))
            recent = [moment for moment in begun if moment > since]
            assert not pace or len(recent) <= pace
            if at_once:
                assert fingerprint in ready
                assert preferred in (None, fingerprint)
                assert fingerprint not in probing or self.standing(fingerprint).busy

        def refused(failure: Failure) -> None:
            asked.waiting = False
            if failure.check(KiroError, CancelledError) is None:
                self.wrong.append(failure)

        asked.acquiring.addCallback(granted).addErrback(refused)

    @precondition(lambda self: any(asked.waiting for asked in self.asked))
    @rule(number=NUMBER)
    def leave(self, number: int) -> None:
        waiting = [asked for asked in self.asked if asked.waiting]
        waiting[number % len(waiting)].acquiring.cancel()

    @precondition(lambda self: self.held)
    @rule(
        number=st.integers(0, 20),
        fault=st.sampled_from(FAULTS),
        end=st.sampled_from((End.SERVED, End.SERVED, End.FAILED, End.FAILED, End.ABANDONED)),
        model=MODEL,
        spent=st.sampled_from([0.0, 0.5, 30.0]),
    )
    def settle(
        self, number: int, fault: UpstreamFault | None, end: End, model: str, spent: float
    ) -> None:
        held = self.held.pop(number % len(self.held))
        fingerprint = held.lease.account.fingerprint
        if held.life == self.lives.get(fingerprint) and self.process_of(held):
            left = self.credits.get(fingerprint, 500.0)
            known = self.standing(fingerprint).credits_left is not None
            self.credits[fingerprint] = max(0.0, left - spent) if known else left - spent
        outcome = Outcome(end, fault if end is End.FAILED else None, model, spent)
        held.lease.settle(outcome)
        held.lease.settle(outcome)

    def process_of(self, held: Held) -> bool:
        return held.lease.account.fingerprint in self.configured

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 20))
    def answered(self, number: int) -> None:
        self.held[number % len(self.held)].lease.answered()

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 20), leaves=st.booleans())
    def renew(self, number: int, leaves: bool) -> None:
        renewing = self.held[number % len(self.held)].lease.renew()
        renewing.addErrback(lambda failure: failure.trap(UpstreamFault, CancelledError) and None)
        if leaves:
            renewing.cancel()

    # ── the outside ──────────────────────────────────────────────────────────

    @rule(late=st.sampled_from([False, False, True]))
    def login_is_late(self, late: bool) -> None:
        self.login.late = late
        while self.login.open and not late:
            self.login.answer()

    @precondition(lambda self: self.login.open)
    @rule(number=NUMBER, fails=st.sampled_from([False, False, True]))
    def login_answers(self, number: int, fails: bool) -> None:
        place = number % len(self.login.open)
        if fails:
            self.login.fail(place)
        else:
            self.login.answer(place)

    @rule(seconds=st.sampled_from([0.5, 5.0, 5.0, 31.0, 61.0, 400.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(late=st.sampled_from([False, False, True]))
    def store_is_late(self, late: bool) -> None:
        self.store.late = late
        if not late:
            self.store.release()

    @precondition(lambda self: self.store.held())
    @rule(count=st.integers(1, 3))
    def store_works(self, count: int) -> None:
        self.store.release(count)

    @rule(broken=st.sampled_from([False, False, True]))
    def store_breaks(self, broken: bool) -> None:
        self.store.broken = OSError() if broken else None

    # ── the operator ─────────────────────────────────────────────────────────

    @rule(
        number=NUMBER,
        group=GROUP,
        most=st.sampled_from([0, 1, 1, 2]),
        pace=st.sampled_from([0, 0, 0, 2]),
        enabled=st.sampled_from([True, True, True, False]),
    )
    def admit(self, number: int, group: str, most: int, pace: int, enabled: bool) -> None:
        who = msgspec.structs.replace(
            account(number, group=group), max_in_flight=most, requests_per_minute=pace
        )
        fingerprint = who.fingerprint
        new = fingerprint not in self.configured
        self.configured[fingerprint] = who
        self.enabled[fingerprint] = enabled
        self.changed_at[fingerprint] = self.clock.seconds()
        if new:
            self.born(fingerprint)
            credentials = self.login.login(who)
            self.hurried(fingerprint, credentials)
        else:
            # What was read from the store may be older than what is in use.
            credentials = self.read_before[fingerprint]
        self.read_before[fingerprint] = self.store.rows[fingerprint].credentials
        self.pool.admit(who, credentials, enabled, None, None)

    def hurried(self, fingerprint: str, credentials: object) -> None:
        """The registry waits for the store before it tells the pool."""
        late, broken = self.store.late, self.store.broken
        self.store.release()
        self.store.late, self.store.broken = False, None
        self.store.rows.pop(fingerprint, None)
        self.store._write("save", fingerprint, credentials=credentials, parked=None)
        self.store.late, self.store.broken = late, broken

    @rule(number=st.integers(0, 20))
    def expel(self, number: int) -> None:
        fingerprint = account(number).fingerprint
        self.pool.expel(fingerprint)
        if self.configured.pop(fingerprint, None) is not None:
            self.lives.pop(fingerprint)
            self.store.release()
            self.store.rows.pop(fingerprint, None)

    @rule(number=st.integers(0, 2), enabled=st.booleans())
    def replace(self, number: int, enabled: bool) -> None:
        """Removed, and added again with another login, while loans and refreshes are under way."""
        self.expel(number)
        self.admit(number, "default", number, 0, enabled)

    @rule(
        group=GROUP,
        policy=st.sampled_from(["sequential", "round_robin", "least_used"]),
        most=st.sampled_from([0, 0, 1]),
        pace=st.sampled_from([0, 0, 3]),
    )
    def govern(self, group: str, policy: str, most: int, pace: int) -> None:
        self.policies[group] = GroupPolicy(
            group,
            policy=policy,  # type: ignore[arg-type]
            max_in_flight=most,
            requests_per_minute=pace,
        )
        for fingerprint in self.configured:
            self.changed_at[fingerprint] = self.clock.seconds()
        self.pool.set_group(self.policies[group])

    @rule(number=NUMBER, left=st.sampled_from([None, 0.0, 70.0, 800.0]), reset=st.booleans())
    def credits_read(self, number: int, left: float | None, reset: bool) -> None:
        fingerprint = account(number).fingerprint
        reset_at = self.clock.seconds() + 5000 if reset else None
        self.pool.credits_known(fingerprint, left, reset_at)
        if fingerprint in self.configured:
            self.credits[fingerprint] = 500.0 if left is None else left

    @rule(number=NUMBER, model=MODEL)
    def lacks(self, number: int, model: str) -> None:
        self.pool.lacks(account(number).fingerprint, model, 100.0)

    @rule(number=NUMBER)
    def released(self, number: int) -> None:
        self.pool.release(account(number).fingerprint)

    @rule(dice=st.integers(0, 5))
    def restart(self, dice: int) -> None:
        """A kill only where no answer is under way: a login service that has rotated a token and
        a process that never heard of it have lost it between them."""
        if dice > 1:
            return
        killed = dice == 0
        unstored = any(
            self.store.rows[fp].credentials.refresh_token.reveal() != self.login.good[fp]
            for fp in self.configured
        )
        if not killed or self.login.open or self.store.held() or unstored or self.store.broken:
            self.ended()
        self.held.clear()
        for asked in self.asked:
            asked.waiting = False
        self.asked.clear()
        self.restart_pool()

    # ── what always holds ────────────────────────────────────────────────────

    @invariant()
    def grants_were_right(self) -> None:
        for failure in self.wrong:
            failure.raiseException()

    @invariant()
    def loans_are_counted(self) -> None:
        for fingerprint in self.configured:
            assert self.standing(fingerprint).in_flight == self.in_hands(fingerprint)

    @invariant()
    def no_token_is_lost(self) -> None:
        assert self.login.offences == []

    @invariant()
    def every_state_has_a_way_out(self) -> None:
        for fingerprint, who in self.configured.items():
            standing = self.standing(fingerprint)
            if standing.state is State.READY:
                pace = self.limits(who)[1]
                assert not standing.busy or standing.in_flight or pace
            elif standing.enabled:
                operator = standing.state is State.SUSPENDED or standing.reason == "login"
                assert standing.until > self.clock.seconds() or operator

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        now = self.clock.seconds()
        waiting = self.pool.waiting()
        queued = [a for a in self.asked if a.waiting and waiting.get(a.group)]
        plain = [a for a in queued if not a.wanted.model]
        if len(queued) == sum(waiting.values()):
            for asked in queued:
                assert now < asked.at + QUEUE_SECONDS
            for asked in plain:
                assert not self.candidates(asked), (
                    f"{asked.__dict__} {self.candidates(asked)} {waiting} {self.login.open}"
                )
        timers = self.clock.getDelayedCalls()
        assert bool(waiting) <= bool(timers)
        self.asked = [asked for asked in self.asked if asked.waiting]

    def ended(self) -> None:
        """An orderly end: all answers are awaited, all writes made, nobody is left waiting."""
        self.store.broken = None
        while self.held:
            self.held.pop().lease.settle(Outcome(End.ABANDONED))
        stopped = self.pool.stop()
        while self.login.open or self.store.held():
            while self.login.open:
                self.login.answer()
            self.store.release()
        assert stopped.called
        assert not any(asked.waiting for asked in self.asked)
        assert self.clock.getDelayedCalls() == []
        for fingerprint in self.configured:
            assert self.standing(fingerprint).in_flight == 0
            stored = self.store.rows[fingerprint].credentials.refresh_token.reveal()
            assert stored == self.login.good[fingerprint], "a rotated token is not stored"

    def teardown(self) -> None:
        self.ended()


class ModelTests(SynchronousTestCase):
    """The machine above."""

    def test_promises(self) -> None:
        """No loan is lost or doubled, no token lost, nobody starves, each policy keeps its word."""
        run_state_machine_as_test(
            Pools,
            settings=settings(
                max_examples=150,
                stateful_step_count=60,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
