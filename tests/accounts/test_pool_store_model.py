"""Pool, refresh, registry and store of several processes against a model.

Whatever fails, is late, is frozen, is cancelled or is killed at whatever await: no lease is lost or
doubled, no token is lost, no account is left without a way out, and the policies keep their word.
"""

import warnings

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.accounts.groups import Policy
from kiro2api.accounts.interfaces import Lease
from kiro2api.accounts.outcome import End, Outcome
from kiro2api.accounts.penalties import State
from kiro2api.accounts.registry_changes import AccountPatch, GroupPatch
from kiro2api.accounts.registry_roll import id_of
from kiro2api.errors import (
    KiroError,
    UpstreamFault,
)
from tests.accounts.fixtures import account
from tests.accounts.processes import Process
from tests.accounts.promises import (
    FAULTS,
    GROUP,
    MOST_ACCOUNTS,
    NUMBER,
    SELDOM,
    Asked,
    Held,
    must,
    possible,
)
from tests.accounts.troubles import Troubles


class Processes(Troubles):
    """Two processes, and all that can happen to them."""

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

    # ── how it ends ──────────────────────────────────────────────────────────

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
        with warnings.catch_warnings():
            # What a process was going to do when it was killed is never done.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            run_state_machine_as_test(
                Processes,
                settings=settings(
                    max_examples=100,
                    stateful_step_count=50,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
