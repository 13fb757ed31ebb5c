# -*- test-case-name: tests.bench.test_choosing -*-
"""``python -m tests.bench.choosing``: what choosing an account costs, by policy and number.

One turn is choose, lend and give back. Half of the accounts are parked. Each policy is measured
with limits, with conversations, and with a model that nearly everybody lacks as well.
"""

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from statistics import median

from kiro2api.accounts.account import Account
from kiro2api.accounts.groups import GroupPolicy, Policy
from kiro2api.accounts.ledger import Choice, Ledger
from kiro2api.accounts.outcome import End, Outcome, Parked

SIZES = (10, 10_000)
POLICIES: tuple[Policy, ...] = ("sequential", "round_robin", "least_used")
_ROUNDS = 7
_MODEL = "claude-sonnet-4-5"
_NOBODY: frozenset[str] = frozenset()


def measured(turns: int, sizes: Sequence[int] = SIZES) -> list[tuple[str, int, float]]:
    """Case, number of accounts, and µs of CPU time for one turn: the median of some rounds."""
    found: list[tuple[str, int, float]] = []
    for policy in POLICIES:
        limited = GroupPolicy("default", policy=policy, max_in_flight=4)
        for size in sizes:
            found += (
                (policy, size, _plain(_ledger(size, policy), turns)),
                (f"{policy}, limits", size, _plain(_ledger(size, policy, limited), turns)),
                (f"{policy}, conversations", size, _talking(_ledger(size, policy), turns)),
                (f"{policy}, lacking", size, _lacking(_ledger(size, policy), turns)),
            )
    return found


def _ledger(size: int, policy: Policy, group: GroupPolicy | None = None) -> Ledger:
    accounts = [Account(f"{n:032x}", f"account-{n}", "api_key", order=n) for n in range(size)]
    ledger = Ledger(accounts)
    ledger.set_group(group or GroupPolicy("default", policy=policy), 0.0)
    for account in accounts[: size // 2]:
        ledger.restore(account.fingerprint, Parked("suspended"), 0.0)
    return ledger


def _plain(ledger: Ledger, turns: int) -> float:
    served = Outcome(End.SERVED, credits=0.5)

    def turn(number: int) -> None:
        choice = ledger.choose("default", _NOBODY, number)
        assert isinstance(choice, Choice)
        who = choice.account.fingerprint
        ledger.lent(who, number)
        ledger.returned(who, served, number)

    return _timed(turn, turns)


def _talking(ledger: Ledger, turns: int) -> float:
    served = Outcome(End.SERVED, credits=0.5)
    conversations = [f"conversation-{number}" for number in range(1000)]

    def turn(number: int) -> None:
        conversation = conversations[number % 1000]
        choice = ledger.choose("default", _NOBODY, number, "", conversation)
        assert isinstance(choice, Choice)
        who = choice.account.fingerprint
        ledger.lent(who, number, conversation)
        ledger.returned(who, served, number)

    return _timed(turn, turns)


def _lacking(ledger: Ledger, turns: int) -> float:
    """All but one lack the model."""
    served = Outcome(End.SERVED, model=_MODEL, credits=0.5)
    for account in ledger.accounts()[:-1]:
        ledger.lacks(account.fingerprint, _MODEL, 1e12)

    def turn(number: int) -> None:
        choice = ledger.choose("default", _NOBODY, number, _MODEL)
        assert isinstance(choice, Choice)
        who = choice.account.fingerprint
        ledger.lent(who, number)
        ledger.returned(who, served, number)

    return _timed(turn, turns)


def _timed(turn: Callable[[int], None], turns: int) -> float:
    gc.collect()
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time_ns()
        for number in range(turns):
            turn(number)
        rounds.append((time.process_time_ns() - began) / 1e3 / turns)
    return median(rounds)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.choosing", description=__doc__)
    parser.add_argument("--turns", type=int, default=20_000, help="per round (20000)")
    options = parser.parse_args(words)
    if options.turns < 1:
        parser.error("--turns: at least 1")
    print(f"{'µs for choose + lend + give back':34}" + "".join(f"{size:>10}" for size in SIZES))
    rows: dict[str, list[float]] = {}
    for case, _, spent in measured(options.turns):
        rows.setdefault(case, []).append(spent)
    for case, spents in rows.items():
        print(f"{case:34}" + "".join(f"{spent:10.2f}" for spent in spents))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
