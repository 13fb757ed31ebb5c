# -*- test-case-name: tests.accounts.test_ledger -*-
"""What the ledger notes about one account.

Pure. Must not know other accounts, nor what a fault costs.
"""

from collections import deque
from typing import Final, TypeAlias

from kiro2api.accounts.account import Account
from kiro2api.accounts.penalties import State
from kiro2api.accounts.standing import Choice

Rank: TypeAlias = tuple[float, float, int]
"""A place in the order of choice, the smallest first; the last item is the member's serial."""

READY: Final = "ready"
BUSY: Final = "busy"
DISABLED: Final = "disabled"

_MINUTE: Final = 60.0


class Member:
    """One account of a group.

    ``state``, ``reason`` and ``until`` are how it stands, also while it is switched off;
    ``label`` is the one word of it that is counted: "disabled", a reason, "busy" or "ready".
    ``due`` is when that changes by itself, 0 if never. ``most`` and ``pace`` are the limits that
    hold for it, 0 for none; ``watched`` says that its loans change its label or rank. Loans are
    numbered: those up to ``since`` were another member's with the same fingerprint, those up to
    ``parked_loan`` began before it was parked the last time; ``probe`` is the one that tries it
    while it is ``probing``, 0 for none.
    """

    __slots__ = (
        "able",
        "account",
        "begun",
        "choice",
        "credits_left",
        "due",
        "enabled",
        "failed",
        "fault",
        "fault_at",
        "in_flight",
        "label",
        "last_used",
        "most",
        "pace",
        "parked_at",
        "parked_loan",
        "plain",
        "probe",
        "probing",
        "rank",
        "reason",
        "recurrences",
        "remembered",
        "resets_at",
        "serial",
        "served",
        "since",
        "spent",
        "state",
        "turn",
        "until",
        "watched",
    )

    def __init__(self, account: Account, serial: int, *, enabled: bool, since: int) -> None:
        self.account = account
        self.choice = Choice(account)
        self.serial = serial
        self.since = since
        self.enabled = enabled
        self.state = State.READY
        self.reason = ""
        self.until = 0.0
        self.plain = False
        self.parked_at = 0.0
        self.parked_loan = since
        self.probing = False
        self.probe = 0
        self.label = ""
        self.able = False  # Invariant: exactly while the label is READY.
        self.due = 0.0
        self.rank: Rank = (0.0, 0.0, serial)
        self.turn = 0
        self.watched = False
        self.most = 0
        self.pace = 0
        self.begun: deque[float] = deque()
        self.remembered = False
        self.recurrences: dict[str, int] = {}
        self.in_flight = 0
        self.served = 0
        self.failed = 0
        self.last_used = 0.0
        self.credits_left: float | None = None
        self.spent = 0.0
        self.resets_at = 0.0
        self.fault = ""
        self.fault_at = 0.0

    def free_at(self, now: float) -> float:
        """When its minute allows the next loan; ``now`` or earlier if that is at once."""
        begun = self.begun
        while begun and begun[0] + _MINUTE <= now:
            begun.popleft()
        return begun[-self.pace] + _MINUTE if len(begun) >= self.pace else now

    def assess(self, now: float) -> tuple[str, float]:
        """The label that fits now, and when that changes by itself (0: never)."""
        if self.resting(now):
            return (self.reason, self.until) if self.enabled else (DISABLED, 0.0)
        if self.state is not State.READY:
            self.state, self.reason, self.until = State.READY, "", 0.0
            self.probing = not self.plain
        if not self.enabled:
            return DISABLED, 0.0
        if (self.probing and self.probe) or (self.most and self.in_flight >= self.most):
            return BUSY, 0.0
        free = self.free_at(now) if self.pace else now
        return (BUSY, free) if free > now else (READY, 0.0)

    def resting(self, now: float) -> bool:
        """Whether it is parked at ``now``."""
        return self.state is not State.READY and not 0 < self.until <= now
