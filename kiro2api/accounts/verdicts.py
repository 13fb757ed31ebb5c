# -*- test-case-name: tests.accounts.test_verdicts -*-
"""What becomes of an account after a fault, a success or somebody's word.

Pure. Must not know who is chosen, nor which accounts there are.
"""

from typing import Final

from kiro2api.accounts.member import Member
from kiro2api.accounts.outcome import Outcome, Parked
from kiro2api.accounts.penalties import (
    Penalty,
    State,
    model_penalty,
    penalty_for,
    plain,
    reset_of,
)
from kiro2api.accounts.roster import Group
from kiro2api.accounts.standing import Change, state_of
from kiro2api.errors import Scope, UpstreamFault

_FLOOR: Final = 60.0
"""The first rest of an account that says it has credits although it was refused again."""


class Blow:
    """One fault of one account, and when it struck.

    ``began`` is the number of the loan or refresh that met it, ``latest`` that of the last loan
    there was; ``reset`` when the quota is renewed, None if that is unknown.
    """

    __slots__ = ("began", "cooldown", "fault", "jitter", "latest", "now", "reset")

    def __init__(
        self,
        fault: UpstreamFault,
        now: float,
        *,
        jitter: float,
        cooldown: float,
        latest: int,
        began: int,
        reset: float | None = None,
    ) -> None:
        self.fault = fault
        self.now = now
        self.jitter = jitter
        self.cooldown = cooldown
        self.latest = latest
        self.began = began
        self.reset = reset


def blame(group: Group, member: Member, outcome: Outcome, blow: Blow) -> Change | None:
    """A loan failed: park the account, or only spare it the model, or let the model rest."""
    fault, now = blow.fault, blow.now
    of_model = model_penalty(fault, blow.cooldown)
    if of_model is None:
        penalty = penalty_for(fault, blow.cooldown)
        if penalty is None:
            return None
        member.failed += 1
        return punish(group, member, penalty, blow)
    if not outcome.model:
        return None
    if fault.scope is Scope.MODEL:
        group.close(outcome.model, of_model, fault.retry_after, now, blow.jitter)
        return None
    _remember(member, fault, now)
    attempt = _count(member, f"{of_model.reason} {outcome.model}")
    until = now + of_model.rest(attempt, fault.retry_after, blow.jitter)
    group.lack(member, outcome.model, until, brief=of_model.reason != "lacking")
    return None


def punish(group: Group, member: Member, penalty: Penalty, blow: Blow) -> Change | None:
    """Park an account, unless it is parked for longer already."""
    fault, now = blow.fault, blow.now
    _remember(member, fault, now)
    resting = member.resting(now)
    if resting and not member.until:
        return None
    attempt = member.recurrences.get(penalty.reason, 0)
    # Loans that were out together fail together: that is one occasion, not many.
    together = blow.began <= member.parked_loan or (resting and member.reason == penalty.reason)
    if attempt and together:
        attempt -= 1
    else:
        _count(member, penalty.reason)
    if not penalty.base:
        until = 0.0
    elif (reset := reset_of(fault, blow.reset or member.resets_at, now)) is not None:
        until = reset
    else:
        until = now + penalty.rest(attempt, fault.retry_after, blow.jitter)
    if resting and until and until <= member.until:
        return None
    member.parked_at, member.parked_loan = now, blow.latest
    asked = plain(fault)
    group.turn(member, penalty.state, penalty.reason, until, now, plain=asked)
    lasting = penalty.state is State.EXHAUSTED or not until
    member.remembered = member.remembered or lasting
    return Change(member.account, penalty.state, penalty.reason, until, lasting, asked)


def recover(member: Member, began: int) -> Change | None:
    """A loan was served; ``began`` is its number."""
    # A loan from before the account was parked proves nothing about it now.
    if member.state is not State.READY or began <= member.parked_loan:
        return None
    member.recurrences.clear()
    member.probing, member.probe = False, 0
    if not member.remembered:
        return None
    member.remembered = False
    return Change(member.account, State.READY, "", 0.0, True)


def restore(group: Group, member: Member, parked: Parked, now: float) -> None:
    """Take over what was remembered from before a restart."""
    member.remembered = True
    if member.state is not State.READY:
        return
    if 0 < parked.until <= now:
        group.probe(member, now)
    else:
        state = state_of(parked)
        group.turn(member, state, parked.reason or state.value, parked.until, now, plain=False)


def hear(group: Group, member: Member, change: Change, now: float, latest: int) -> None:
    """Take over a new standing from another process that lends the account, too.

    It counts like a fault of our own, so that the next rest is longer; but what an operator
    must mend, and a longer rest, stay.
    """
    if change.state is State.DISABLED or 0 < change.until <= now:
        return
    if change.state is State.READY:
        release(group, member, now)
        return
    resting = member.resting(now)
    if resting and (not member.until or 0 < change.until <= member.until):
        return
    if not resting or member.reason != change.reason:
        _count(member, change.reason)
    member.remembered = member.remembered or change.lasting
    member.parked_at, member.parked_loan = now, latest
    group.turn(member, change.state, change.reason, change.until, now, plain=change.plain)


def release(group: Group, member: Member, now: float) -> Change:
    """An operator wants the account to be asked again; one that is switched off stays so."""
    member.recurrences.clear()
    member.remembered = False
    group.turn(member, State.READY, "", 0.0, now, plain=True)
    return Change(member.account, State.READY, "", 0.0, True)


def credit(
    group: Group, member: Member, left: float | None, reset_at: float | None, now: float
) -> Change | None:
    """What is left of an account's credits was read.

    An exhausted account with credits returns, and is tried by one first; one that was refused
    again after such a return rests a little longer each time. Without credits it rests until they
    are renewed, where that is known.
    """
    member.credits_left, member.spent = left, 0.0
    if reset_at is not None:
        member.resets_at = reset_at
    group.add(member, now)
    if member.state is not State.EXHAUSTED or not member.resting(now) or left is None:
        return None
    if left > 0:
        again = member.recurrences.get(member.reason, 0) - 1
        until = 0.0 if again < 1 else member.parked_at + _FLOOR * 2 ** min(again, 10)
        if until <= now:
            member.remembered = False
            group.probe(member, now)
            return Change(member.account, State.READY, "", 0.0, True)
        until = min(until, member.until)
    else:
        until = member.resets_at
    if until <= now or until == member.until:
        return None
    group.turn(member, State.EXHAUSTED, member.reason, until, now, plain=False)
    return Change(member.account, State.EXHAUSTED, member.reason, until, True)


def _count(member: Member, reason: str) -> int:
    """How often that has happened before."""
    attempt = member.recurrences.get(reason, 0)
    member.recurrences[reason] = attempt + 1
    return attempt


def _remember(member: Member, fault: UpstreamFault, now: float) -> None:
    member.fault, member.fault_at = type(fault).__name__, now
