"""Pool, refresh, registry and store of several processes against a model.

Whatever fails, is late, is frozen, is cancelled or is killed at whatever await: no lease is lost or
doubled, no token is lost, no account is left without a way out, and the policies keep their word.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

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
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.groups import Policy
from kiro2api.accounts.interfaces import Lease
from kiro2api.accounts.ledger import Standing
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.accounts.penalties import State
from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.accounts.registry_roll import id_of
from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    KiroError,
    QuotaExhausted,
    Throttled,
    UpstreamFault,
    UpstreamUnavailable,
)
from tests.accounts.fixtures import account
from tests.accounts.processes import LOGIN_SECONDS, Call, Process, World

QUEUE_SECONDS = 30.0
MOST_ACCOUNTS = 4
GROUPS = ("default", "pro")
FAULTS: tuple[UpstreamFault, ...] = (
    Throttled("x"),
    Throttled("x", retry_after=40),
    UpstreamUnavailable("x"),
    QuotaExhausted("x", code="MONTHLY_REQUEST_COUNT"),
    AccountSuspended("x"),
    AccessRefused("x"),
    CredentialsRejected("x"),
)
LEASE_SLACK = 4.0
"""A lease lasts so much longer than a refresh: who is held up for longer may lose its turn."""

NUMBER = st.integers(0, 20)
GROUP = st.sampled_from(GROUPS)
SELDOM = st.sampled_from([False, False, False, True])


class Impossible(Exception):
    """What a rule does cannot be done now; other than with ``assume``, the run goes on."""


def must(condition: object) -> None:
    """Raise Impossible unless the condition holds."""
    if not condition:
        raise Impossible


def possible(step: Callable[..., None]) -> Callable[..., None]:
    """A rule that does nothing where it is impossible."""

    @functools.wraps(step)
    def tried(*args: Any, **given: Any) -> None:
        with contextlib.suppress(Impossible):
            step(*args, **given)

    return tried


class Asked:
    """A request that was made of a process."""

    def __init__(self, process: Process, group: str, tried: frozenset[str]) -> None:
        self.process, self.group, self.tried = process, group, tried
        self.at = process.world.now
        self.waiting = True
        self.acquiring: Deferred[Lease]


class Held:
    """A lease in somebody's hands."""

    def __init__(self, process: Process, lease: Lease) -> None:
        self.process, self.lease = process, lease


class Processes(RuleBasedStateMachine):
    """Two processes, and all that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.names = 0
        self.accounts = 0
        self.asked: list[Asked] = []
        self.held: list[Held] = []
        self.wrong: list[Failure] = []
        self.excused: set[int] = set()
        """Lineages of which somebody was held up for longer than a lease lasts."""
        self.late_since: dict[str, float] = {}
        self.processes = [self.launched(), self.launched()]

    # ── the world ────────────────────────────────────────────────────────────

    def launched(self) -> Process:
        """One more process, which has read what is stored."""
        self.names += 1
        process = Process(
            self.world, f"process-{self.names}", queue_limit=5, queue_seconds=QUEUE_SECONDS
        )
        starting = Deferred.fromCoroutine(process.start())
        starting.addErrback(self.wrong.append)
        assert starting.called
        return process

    def standing(self, process: Process, fingerprint: str) -> Standing:
        return process.ledger.standing(fingerprint, self.world.now)

    def running(self, number: int) -> Process:
        process = self.processes[number % len(self.processes)]
        must(not process.line.frozen)
        return process

    def fingerprint(self, process: Process, number: int) -> str:
        known = [each.fingerprint for each in process.pool.accounts()]
        must(known)
        return known[number % len(known)]

    def forget(self, process: Process) -> None:
        """Nobody waits for this process any more."""
        self.asked = [asked for asked in self.asked if asked.process is not process]
        self.held = [held for held in self.held if held.process is not process]

    def operated(self, changing: Deferred[object]) -> None:
        """What an operator asked for may be refused, never break."""

        def failed(failure: Failure) -> None:
            if failure.check(KiroError) is None:
                self.wrong.append(failure)

        changing.addErrback(failed)

    def held_up(self, process: Process, since: float) -> None:
        """A process that did not get on for longer than a lease lasts may have lost it."""
        if self.world.now - since > LEASE_SLACK:
            self.excused |= set(self.world.login.newest)

    # ── requests ─────────────────────────────────────────────────────────────

    @initialize()
    def begin(self) -> None:
        for group in ("default", "default", "pro"):
            self.add(0, group)
        for process in self.processes:
            process.clock.advance(1.0)
        self.world.now += 1.0

    @rule(p=NUMBER, group=GROUP, tried=st.sets(st.integers(1, 4), max_size=2))
    @possible
    def ask(self, p: int, group: str, tried: set[int]) -> None:
        process = self.running(p)
        prints = frozenset(account(number).fingerprint for number in tried)
        asked = Asked(process, group, prints)
        preferred = self.preferred(process, group, prints)
        asked.acquiring = process.pool.acquire(group, prints)
        at_once = asked.acquiring.called
        self.asked.append(asked)

        def granted(lease: Lease) -> None:
            asked.waiting = False
            fingerprint = lease.account.fingerprint
            known = process.ledger.account(fingerprint)
            assert known is not None and known.group == group
            assert self.standing(process, fingerprint).enabled
            assert fingerprint not in prints
            access = lease.credentials.access_token.reveal()
            assert access in self.world.disk.seen, "lent before it was stored"
            self.held.append(Held(process, lease))
            assert not at_once or preferred in (None, fingerprint)

        def refused(failure: Failure) -> None:
            asked.waiting = False
            if failure.check(KiroError, CancelledError) is None:
                self.wrong.append(failure)

        asked.acquiring.addCallback(granted).addErrback(refused)

    def preferred(self, process: Process, group: str, tried: frozenset[str]) -> str | None:
        """Who must serve by the policy, if that can be said."""
        policy = process.ledger.policy(group)
        ready = [
            standing
            for each in process.pool.accounts()
            if each.group == group and each.fingerprint not in tried
            for standing in [self.standing(process, each.fingerprint)]
            if standing.state is State.READY and not standing.busy
        ]
        if policy is None or policy.policy == "least_used" or not ready:
            return None
        if policy.policy == "round_robin":
            first = min(ready, key=lambda s: (s.last_used, s.account.order))
            if sum(s.last_used == first.last_used for s in ready) > 1:
                return None
        else:
            first = min(ready, key=lambda s: s.account.order)
        expires_at = process.keyring.current(first.account.fingerprint).expires_at
        return first.account.fingerprint if expires_at > self.world.now + 60 else None

    @precondition(lambda self: any(asked.waiting for asked in self.asked))
    @rule(number=NUMBER)
    @possible
    def leave(self, number: int) -> None:
        waiting = [each for each in self.asked if each.waiting and not each.process.line.frozen]
        must(waiting)
        waiting[number % len(waiting)].acquiring.cancel()

    @precondition(lambda self: self.held)
    @rule(number=NUMBER, fault=st.sampled_from((None, None, *FAULTS)))
    @possible
    def settle(self, number: int, fault: UpstreamFault | None) -> None:
        mine = [held for held in self.held if not held.process.line.frozen]
        must(mine)
        held = mine[number % len(mine)]
        self.held.remove(held)
        outcome = Outcome(End.SERVED if fault is None else End.FAILED, fault)
        held.lease.settle(outcome)
        held.lease.settle(outcome)

    @precondition(lambda self: self.held)
    @rule(number=NUMBER, leaves=SELDOM)
    @possible
    def renew(self, number: int, leaves: bool) -> None:
        mine = [held for held in self.held if not held.process.line.frozen]
        must(mine)
        renewing = mine[number % len(mine)].lease.renew()
        renewing.addErrback(lambda failure: failure.trap(UpstreamFault, CancelledError) and None)
        if leaves:
            renewing.cancel()

    # ── what is late, and what fails ─────────────────────────────────────────

    @rule(late=SELDOM)
    @possible
    def login_is_late(self, late: bool) -> None:
        self.world.login.late = late
        while self.world.login.open and not late:
            self.world.login.serve(self.world.login.open[0])

    @precondition(lambda self: self.world.login.open)
    @rule(number=NUMBER, fails=SELDOM)
    @possible
    def login_answers(self, number: int, fails: bool) -> None:
        login = self.world.login
        call = login.open[number % len(login.open)]
        if fails:
            login.fail(call)
        else:
            login.serve(call)

    @rule(seconds=st.sampled_from([0.3, 1.0, 1.0, 3.0, 9.0, 26.0, 61.0, 400.0, 4000.0]))
    @possible
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds
        for process in tuple(self.processes):
            if not process.line.frozen:
                process.clock.advance(self.world.now - process.clock.seconds())

    @rule(p=NUMBER, late=st.booleans())
    @possible
    def store_is_late(self, p: int, late: bool) -> None:
        process = self.running(p)
        if late and not process.line.late:
            self.late_since[process.name] = self.world.now
        elif process.line.late and not late:
            self.held_up(process, self.late_since[process.name])
        process.line.late = late
        process.line.hurry()

    @rule(p=NUMBER, count=st.integers(1, 3))
    @possible
    def store_works(self, p: int, count: int) -> None:
        process = self.running(p)
        must(process.line.waiting())
        self.held_up(process, self.late_since[process.name])
        for _ in range(count):
            process.line.step()

    @rule(p=NUMBER, broken=SELDOM)
    @possible
    def store_breaks(self, p: int, broken: bool) -> None:
        self.running(p).line.broken = broken

    # ── processes ────────────────────────────────────────────────────────────

    @rule(p=NUMBER, worked=st.booleans(), served=SELDOM, seen=st.booleans())
    @possible
    def kill(self, p: int, worked: bool, served: bool, seen: bool) -> None:
        place = p % len(self.processes)
        process = self.processes[place]
        self.forget(process)
        self.world.kill(process, worked=worked, served=served, seen=seen)
        self.processes[place] = self.launched()

    @rule(p=NUMBER, dice=st.integers(0, 2))
    @possible
    def restart(self, p: int, dice: int) -> None:
        """An orderly end, which delivers what there is to deliver."""
        must(not dice)
        place = p % len(self.processes)
        self.ended(self.processes[place])
        self.processes[place] = self.launched()

    @rule(p=NUMBER)
    @possible
    def freeze(self, p: int) -> None:
        process = self.running(p)
        process.line.frozen = True
        self.late_since[f"frozen {process.name}"] = self.world.now

    @rule(p=NUMBER)
    @possible
    def thaw(self, p: int) -> None:
        process = self.processes[p % len(self.processes)]
        must(process.line.frozen)
        self.held_up(process, self.late_since[f"frozen {process.name}"])
        process.thaw()

    # ── the operator ─────────────────────────────────────────────────────────

    @rule(p=NUMBER, group=GROUP)
    @possible
    def add(self, p: int, group: str) -> None:
        process = self.running(p)
        must(len(self.world.disk.tokens) < MOST_ACCOUNTS)
        self.accounts += 1
        who = account(self.accounts, group=group)
        stored = process.rows.add(who, self.world.login.login())
        # Whoever adds it tells the registry; others are told by what was noted.
        self.operated(stored)

    @rule(
        p=NUMBER,
        number=NUMBER,
        patch=st.one_of(
            st.builds(AccountPatch, enabled=st.booleans()),
            st.builds(AccountPatch, group=GROUP),
            st.builds(AccountPatch, order=st.integers(0, 3)),
            st.builds(AccountPatch, max_in_flight=st.integers(0, 2)),
        ),
    )
    @possible
    def patch(self, p: int, number: int, patch: AccountPatch) -> None:
        process = self.running(p)
        account_id = id_of(self.fingerprint(process, number))
        self.operated(process.registry.patch("operator", account_id, patch))

    @rule(p=NUMBER, number=NUMBER)
    @possible
    def unpark(self, p: int, number: int) -> None:
        process = self.running(p)
        account_id = id_of(self.fingerprint(process, number))
        self.operated(process.registry.unpark("operator", account_id))

    @rule(p=NUMBER, number=NUMBER)
    @possible
    def replace(self, p: int, number: int) -> None:
        """A new login."""
        process = self.running(p)
        fingerprint = self.fingerprint(process, number)
        who = process.pool.account(fingerprint)
        assert who is not None
        new = self.world.login.login()
        self.operated(process.registry.replace("operator", id_of(fingerprint), who, new))

    @rule(p=NUMBER, number=NUMBER, dice=st.integers(0, 3))
    @possible
    def remove(self, p: int, number: int, dice: int) -> None:
        process = self.running(p)
        must(not dice)
        account_id = id_of(self.fingerprint(process, number))
        self.operated(process.registry.remove("operator", account_id))

    @rule(p=NUMBER, group=GROUP, policy=st.sampled_from(["sequential", "round_robin"]))
    @possible
    def govern(self, p: int, group: str, policy: Policy) -> None:
        process = self.running(p)
        changed = GroupPatch(policy=policy)
        self.operated(process.groups.change("operator", group, changed))

    # ── what always holds ────────────────────────────────────────────────────

    @invariant()
    def promises(self) -> None:
        self.nothing_broke()
        self.loans_are_counted()
        self.one_renews()
        self.no_token_is_lost()
        self.every_state_has_a_way_out()
        self.nobody_waits_in_vain()

    def nothing_broke(self) -> None:
        for failure in self.wrong:
            failure.raiseException()

    def loans_are_counted(self) -> None:
        for process in self.processes:
            for each in process.pool.accounts():
                mine = [
                    held
                    for held in self.held
                    if held.process is process
                    and held.lease.account.fingerprint == each.fingerprint
                ]
                standing = self.standing(process, each.fingerprint)
                assert standing.in_flight == len(mine), each.name

    def one_renews(self) -> None:
        """No two refresh one account at once, unless one was held up for longer than its lease."""
        open_calls: dict[str, Call] = {}
        for call in self.world.login.open:
            other = open_calls.setdefault(call.account.fingerprint, call)
            if other is call or {self.world.login.lineage[each.old] for each in (call, other)} & (
                self.excused
            ):
                continue
            frozen = [each for each in (call, other) if each.process.line.frozen]
            assert frozen or other.old != call.old, f"{call.account.name} is renewed twice"

    def no_token_is_lost(self) -> None:
        login, disk = self.world.login, self.world.disk
        hands: set[int] = set(self.world.lost)
        for process in self.processes:
            hands |= login.in_hand(process)
        for fingerprint, token in disk.tokens.items():
            lineage = login.lineage[token]
            newest = login.newest[lineage]
            assert newest == token or lineage in hands, f"{fingerprint[:8]}: {newest} is lost"
        frozen = any(process.line.frozen for process in self.processes)
        unexcused = [
            (fingerprint, lineage)
            for fingerprint, lineage in login.offences
            if lineage not in self.world.lost | self.excused and not frozen
        ]
        assert not unexcused, f"a used token was sent: {unexcused}"
        login.offences.clear()

    def every_state_has_a_way_out(self) -> None:
        for process in self.processes:
            if process.line.frozen:
                continue
            for each in process.pool.accounts():
                standing = self.standing(process, each.fingerprint)
                if standing.state is State.READY:
                    assert not standing.busy or standing.in_flight
                elif standing.enabled:
                    operator = standing.state is State.SUSPENDED or standing.reason == "login"
                    assert standing.until > self.world.now or operator, str(standing)

    def nobody_waits_in_vain(self) -> None:
        for asked in self.asked:
            process = asked.process
            if not asked.waiting or process.line.frozen or process.line.waiting():
                continue
            if process.pool.waiting().get(asked.group):
                # Who waits for a renewal waits as long as that takes, and what comes after it.
                assert self.world.login.of(process) or self.world.now < asked.at + 3 * 60
        self.asked = [asked for asked in self.asked if asked.waiting]

    # ── how it ends ──────────────────────────────────────────────────────────

    def ended(self, process: Process) -> None:
        """One process ends in order."""
        login = self.world.login
        if process.line.frozen:
            self.held_up(process, self.late_since[f"frozen {process.name}"])
            process.thaw()
        if process.line.late:
            self.held_up(process, self.late_since[process.name])
        process.line.broken = process.line.late = False
        process.line.hurry()
        for held in [held for held in self.held if held.process is process]:
            held.lease.settle(Outcome(End.ABANDONED))
        stopped = Deferred.fromCoroutine(process.stop())
        while not stopped.called and (login.of(process) or process.line.waiting()):
            for call in login.of(process):
                login.serve(call)
            process.line.hurry()
        assert stopped.called, "it does not stop"
        stopped.addErrback(self.wrong.append)
        assert not any(asked.waiting for asked in self.asked if asked.process is process)
        self.forget(process)
        assert process.clock.getDelayedCalls() == [], str(process.clock.getDelayedCalls())
        assert not login.in_hand(process), "a token was dropped"
        holders = [row.name for row in self.world.disk.leases() if row.holder == process.name]
        assert not holders, f"leases are kept: {holders}"
        self.world.known_dead.add(process.name)

    def quiet(self) -> None:
        """Nothing is late, nothing fails, and time passes until all have heard of all."""
        self.world.login.late = False
        for process in self.processes:
            if process.line.frozen:
                self.thaw(self.processes.index(process))
            process.line.broken = False
            self.store_is_late(self.processes.index(process), False)
        self.login_is_late(False)
        while self.held:
            self.held.pop().lease.settle(Outcome(End.ABANDONED))
        for seconds in (*[1.0] * 4, *[LOGIN_SECONDS] * 4, *[1.0] * 4):
            self.time_passes(seconds)
            self.promises()

    def agreed(self) -> None:
        """All processes know the same accounts, and they are what is stored."""
        rows = self.world.disk.tokens
        for process in self.processes:
            known: dict[str, Account] = {a.fingerprint: a for a in process.pool.accounts()}
            assert known.keys() == rows.keys() == process.registry.roll.cards.keys()
            for fingerprint in rows:
                card = process.registry.roll.cards[fingerprint]
                other = self.processes[0].registry.roll.cards[fingerprint]
                assert card == other and card.account == known[fingerprint]

    def teardown(self) -> None:
        self.quiet()
        self.agreed()
        self.cured()
        for process in self.processes:
            self.ended(process)
        self.promises()
        now = self.world.now + 30.0
        for row in self.world.disk.leases():
            assert not row.holder or row.expires_at < now, f"a lease without an end: {row}"
        self.world.disk.close()

    def cured(self) -> None:
        """Time heals, and the operator heals the rest: then each account serves in each process."""
        self.time_passes(45 * 86_400.0)
        operator = self.processes[0]
        login = self.world.login
        for fingerprint, token in self.world.disk.tokens.items():
            who = operator.pool.account(fingerprint)
            assert who is not None
            account_id, registry = id_of(fingerprint), operator.registry
            if login.lineage[token] in self.world.lost | self.excused:
                self.operated(registry.replace("operator", account_id, who, login.login()))
            self.operated(registry.patch("operator", account_id, AccountPatch(enabled=True)))
            # Each: what a process could not store while its disk failed, no other knows of.
            for process in self.processes:
                self.operated(process.registry.unpark("operator", account_id))
        for _ in range(3):
            self.time_passes(1.0)
        self.agreed()
        for process in self.processes:
            for each in process.pool.accounts():
                others = frozenset(a.fingerprint for a in process.pool.accounts()) - {
                    each.fingerprint
                }
                got: list[object] = []
                process.pool.acquire(each.group, others).addBoth(got.append)
                assert got and not isinstance(got[0], Failure), (
                    f"{process.name} {each.name}: {got} {self.standing(process, each.fingerprint)}"
                )
                lease: Lease = got[0]  # type: ignore[assignment]
                access = lease.credentials.access_token.reveal()
                assert login.ends[access] > self.world.now, "a token that has expired"
                lease.settle(Outcome(End.SERVED))


class ProcessesTests(SynchronousTestCase):
    """The machine above."""

    def test_promises(self) -> None:
        """Nothing is lost, doubled or stuck, whatever happens to whichever process."""
        run_state_machine_as_test(
            Processes,
            settings=settings(
                max_examples=100,
                stateful_step_count=50,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
