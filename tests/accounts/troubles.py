"""What can happen to processes on one store: they are late, frozen, broken, killed, stopped."""

from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)
from twisted.internet.defer import Deferred

from kiro2api.accounts.outcome import End, Outcome
from tests.accounts.processes import LOGIN_SECONDS, Process
from tests.accounts.promises import NUMBER, SELDOM, Promises, must, possible


class Troubles(Promises):
    """Rules for all that."""

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
