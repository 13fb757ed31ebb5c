# -*- test-case-name: tests.accounts.test_ledger -*-
"""Who may serve next: the accounts' groups, states, rests and order.

Pure: it decides and starts nothing; the time (epoch seconds) and entropy are arguments. Must not
know tokens, storage or waiting.

A choice costs O((1 + tried) log n) however many accounts there are.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from kiro2api.accounts.account import DEFAULT_GROUP, Account
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.accounts.penalties import COOLDOWN, Penalty, State, penalty_for, renewal_penalty
from kiro2api.accounts.roster import Group, Member
from kiro2api.errors import NotFound, QuotaExhausted, UpstreamFault


class Choice(msgspec.Struct, frozen=True):
    """The account that shall serve."""

    account: Account


class Nobody(msgspec.Struct, frozen=True):
    """No account of the group can serve this request now.

    ``earliest`` is when the first one can (``now`` if only those already tried are ready), None
    if none returns by itself. ``census`` counts the group's accounts by reason, "ready" included.
    """

    earliest: float | None
    census: Mapping[str, int]


class Change(msgspec.Struct, frozen=True):
    """An account's new standing. ``lasting``: must be remembered across restarts; with state
    READY, what was remembered must be forgotten."""

    account: Account
    state: State
    reason: str
    until: float
    lasting: bool


class Standing(msgspec.Struct, frozen=True):
    """How an account stands; ``until`` is 0 where time alone changes nothing."""

    account: Account
    state: State
    reason: str
    until: float
    in_flight: int
    served: int
    failed: int
    last_used: float


class Ledger:
    """Chooses accounts sequentially: the first in configured order that can serve."""

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        disabled: Collection[str] = (),
        cooldown: float = COOLDOWN,
    ) -> None:
        """
        :param disabled: fingerprints of accounts that are known but never lent.
        :param cooldown: see ``penalty_for``.
        """
        self._cooldown = cooldown
        self._members: dict[str, Member] = {}
        # The default group exists even when it is empty: asking it is not a wrong address.
        self._groups: dict[str, Group] = {DEFAULT_GROUP: Group()}
        for account in accounts:
            self.add(account, disabled=account.fingerprint in disabled)

    def add(self, account: Account, *, disabled: bool = False) -> None:
        """Take in one account, once; among equal ``order`` the one added earlier goes first."""
        if account.fingerprint in self._members:
            raise ValueError(f"account {account.name!r} is already in the ledger")
        member = Member(account, (account.order, len(self._members)))
        self._members[account.fingerprint] = member
        group = self._groups.setdefault(account.group, Group())
        group.add(member)
        if disabled:
            group.turn(member, State.DISABLED, "disabled", 0.0)

    def groups(self) -> tuple[str, ...]:
        """The names of all groups."""
        return tuple(self._groups)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts in the order of choice."""
        return tuple(e.account for e in sorted(self._members.values(), key=lambda e: e.key))

    def choose(self, group: str, tried: AbstractSet[str], now: float) -> Choice | Nobody:
        """Who shall serve; the loan itself begins with ``lent``.

        :raises NotFound: no account was ever configured for ``group``.
        """
        members = self._groups.get(group)
        if members is None:
            raise NotFound(f"There is no account group {group!r}.")
        members.wake(now)
        member = members.first(tried)
        if member is None:
            return Nobody(members.earliest(now), +members.census)
        return Choice(member.account)

    def lent(self, fingerprint: str, now: float) -> None:
        """A loan begins."""
        member = self._members[fingerprint]
        member.in_flight += 1
        member.last_used = now

    def returned(
        self,
        fingerprint: str,
        outcome: Outcome,
        now: float,
        *,
        jitter: float = 0.0,
        until: float | None = None,
    ) -> Change | None:
        """A loan ended.

        :param jitter: entropy from 0 to 1.
        :param until: when the quota is reset, where that is known and quota was the fault.
        :returns: the account's new standing, None if it did not change.
        """
        member = self._members[fingerprint]
        member.in_flight -= 1
        if outcome.end is End.SERVED:
            member.served += 1
            return self._recovered(member)
        if outcome.end is End.ABANDONED or outcome.fault is None:
            return None
        penalty = penalty_for(outcome.fault, self._cooldown)
        if penalty is None:
            return None
        member.failed += 1
        if not isinstance(outcome.fault, QuotaExhausted):
            until = None
        return self._punish(member, penalty, outcome.fault, now, jitter, until)

    def renewal_failed(
        self, fingerprint: str, fault: UpstreamFault, now: float, *, jitter: float = 0.0
    ) -> Change | None:
        """The account's token could not be refreshed."""
        penalty = renewal_penalty(fault)
        if penalty is None:
            return None
        return self._punish(self._members[fingerprint], penalty, fault, now, jitter, None)

    def restore(self, fingerprint: str, parked: Parked, now: float) -> None:
        """Take over what was remembered from before a restart."""
        member = self._members[fingerprint]
        member.remembered = True
        over = parked.until and parked.until <= now
        if not over and member.state is State.READY:
            state = _state_of(parked)
            reason = parked.reason or state.value
            self._groups[member.account.group].turn(member, state, reason, parked.until)

    def heard(self, change: Change, now: float) -> None:
        """Take over an account's new standing from another process that lends it, too.

        It counts like a fault of our own, so that the next rest is longer; but what an operator
        must mend, and a longer rest, stay.
        """
        member = self._members[change.account.fingerprint]
        if member.state is State.DISABLED or change.state is State.DISABLED:
            return
        if change.state is State.READY:
            self.release(change.account.fingerprint)
            return
        resting = _resting(member, now)
        if change.until and change.until <= now:
            return
        if resting and (not member.until or 0 < change.until <= member.until):
            return
        if not resting or member.reason != change.reason:
            attempt = member.recurrences.get(change.reason, 0)
            member.recurrences[change.reason] = attempt + 1
        member.remembered = member.remembered or change.lasting
        self._groups[member.account.group].turn(member, change.state, change.reason, change.until)

    def release(self, fingerprint: str) -> Change:
        """An operator wants the account to be asked again."""
        member = self._members[fingerprint]
        member.recurrences.clear()
        member.remembered = False
        if member.state is not State.READY:
            self._groups[member.account.group].turn(member, State.READY, "", 0.0)
        return Change(member.account, State.READY, "", 0.0, True)

    def standing(self, fingerprint: str, now: float) -> Standing:
        """How an account stands at ``now``."""
        member = self._members[fingerprint]
        over = member.until and member.until <= now
        return Standing(
            account=member.account,
            state=State.READY if over else member.state,
            reason="" if over else member.reason,
            until=0.0 if over else member.until,
            in_flight=member.in_flight,
            served=member.served,
            failed=member.failed,
            last_used=member.last_used,
        )

    def _recovered(self, member: Member) -> Change | None:
        # A loan from before the account was parked proves nothing about it now.
        if member.state is not State.READY:
            return None
        member.recurrences.clear()
        if not member.remembered:
            return None
        member.remembered = False
        return Change(member.account, State.READY, "", 0.0, True)

    def _punish(
        self,
        member: Member,
        penalty: Penalty,
        fault: UpstreamFault,
        now: float,
        jitter: float,
        reset: float | None,
    ) -> Change | None:
        resting = _resting(member, now)
        if resting and not member.until:
            return None
        attempt = member.recurrences.get(penalty.reason, 0)
        if not resting or member.reason != penalty.reason:
            member.recurrences[penalty.reason] = attempt + 1
        else:
            # Loans that were out together fail together: that is one occasion, not many.
            attempt = max(attempt - 1, 0)
        if not penalty.base:
            until = 0.0
        elif reset is not None and reset > now:
            until = reset
        else:
            until = now + penalty.rest(attempt, fault.retry_after, jitter)
        if resting and until and until <= member.until:
            return None
        self._groups[member.account.group].turn(member, penalty.state, penalty.reason, until)
        lasting = penalty.state is State.EXHAUSTED or not until
        member.remembered = member.remembered or lasting
        return Change(member.account, penalty.state, penalty.reason, until, lasting)


def _resting(member: Member, now: float) -> bool:
    return member.state is not State.READY and not (member.until and member.until <= now)


def _state_of(parked: Parked) -> State:
    """The state behind a remembered reason; the reason is shown as it is."""
    if parked.reason == "login":
        return State.REJECTED
    for state in (State.EXHAUSTED, State.SUSPENDED, State.DISABLED):
        if parked.reason == state.value:
            return state
    return State.COOLING if parked.until else State.SUSPENDED
