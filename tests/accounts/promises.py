"""What holds at any moment for processes on one store, and how that is looked at."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from kiro2api.accounts.interfaces import Lease
from kiro2api.accounts.ledger import Standing
from kiro2api.accounts.penalties import State
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
from tests.accounts.processes import Call, Process, World

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


class Promises(RuleBasedStateMachine):
    """Two processes, those who ask them, and what is promised."""

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

    def operated(self, changing: Deferred[Any]) -> None:
        """What an operator asked for may be refused, never break."""

        def failed(failure: Failure) -> None:
            if failure.check(KiroError) is None:
                self.wrong.append(failure)

        changing.addErrback(failed)

    def held_up(self, process: Process, since: float) -> None:
        """A process that did not get on for longer than a lease lasts may have lost it."""
        if self.world.now - since > LEASE_SLACK:
            self.excused |= set(self.world.login.newest)

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
