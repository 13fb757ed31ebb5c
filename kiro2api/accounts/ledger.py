# -*- test-case-name: tests.accounts.test_ledger -*-
"""Who may serve next: the accounts' groups, states, rests, limits and order.

Pure: it decides and starts nothing; the time (epoch seconds) and entropy are arguments. Must not
know tokens, storage or waiting.

A choice costs O((1 + tried) log n) however many accounts there are.
"""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from kiro2api.accounts.account import DEFAULT_GROUP, Account
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.homes import AWAY_SECONDS, Homes, rendezvous
from kiro2api.accounts.member import BUSY, DISABLED, READY, Member
from kiro2api.accounts.outcome import End, Outcome, Parked
from kiro2api.accounts.penalties import COOLDOWN, State, renewal_penalty
from kiro2api.accounts.roster import Group
from kiro2api.accounts.standing import Change, Choice, Nobody, Standing
from kiro2api.accounts.verdicts import Blow, blame, credit, hear, punish, recover, release, restore
from kiro2api.accounts.view import View
from kiro2api.errors import NotFound, UpstreamFault

__all__ = ["Change", "Choice", "Ledger", "Nobody", "Standing"]

_EQUALS: Final = 8
"""Among so many equally good accounts a new conversation meets its own."""


class Ledger:
    """Chooses accounts by the policies of their groups.

    Loans are numbered, so that one that began before an account was parked, or removed, is told
    from those that began later.
    """

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
        self.cooldown = cooldown
        self._members: dict[str, Member] = {}
        # The default group exists even when it is empty: asking it is not a wrong address.
        self._groups: dict[str, Group] = {DEFAULT_GROUP: Group(GroupPolicy(DEFAULT_GROUP))}
        self._homes = Homes()
        self._serial = 0
        self._loan = 0
        for account in accounts:
            self.add(account, disabled=account.fingerprint in disabled)

    # ── accounts and groups ──────────────────────────────────────────────────

    def add(self, account: Account, *, disabled: bool = False) -> None:
        """Take in one account, once; among equal ``order`` the one added earlier goes first."""
        if account.fingerprint in self._members:
            raise ValueError(f"account {account.name!r} is already in the ledger")
        self.admit(account, 0.0, enabled=not disabled)

    def admit(self, account: Account, now: float, *, enabled: bool = True) -> None:
        """Take in an account, or take over what has changed about it: its group, order, limits and
        whether it is switched on. Its standing, counts and loans stay."""
        member = self._members.get(account.fingerprint)
        if member is None:
            self._serial += 1
            member = Member(account, self._serial, enabled=enabled, since=self._loan)
            self._members[account.fingerprint] = member
        elif member.account.group != account.group:
            self._group_of(member).remove(member)
        member.account, member.enabled = account, enabled
        member.choice = Choice(account)
        if account.group not in self._groups:
            self._groups[account.group] = Group(GroupPolicy(account.group))
        self._group_of(member).add(member, now)

    def expel(self, fingerprint: str) -> Account | None:
        """Forget an account; loans of it may end whenever they do. None if it is unknown."""
        member = self._members.pop(fingerprint, None)
        if member is None:
            return None
        self._group_of(member).remove(member)
        return member.account

    def set_group(self, policy: GroupPolicy, now: float) -> None:
        """How a group is used from now on; a new name makes a new group. The one operation that
        costs O(n log n) in the accounts of the group."""
        group = self._groups.get(policy.name)
        if group is None:
            self._groups[policy.name] = Group(policy)
        elif group.policy != policy:
            group.govern(policy, now)

    def drop_group(self, name: str) -> None:
        """Forget a group; ValueError while it has accounts, and for the default group."""
        group = self._groups.get(name)
        if name == DEFAULT_GROUP or (group is not None and group.members):
            raise ValueError(f"the group {name!r} is still needed")
        self._groups.pop(name, None)

    def groups(self) -> tuple[str, ...]:
        """The names of all groups."""
        return tuple(self._groups)

    def policy(self, group: str) -> GroupPolicy | None:
        """How a group is used, None for an unknown one."""
        found = self._groups.get(group)
        return None if found is None else found.policy

    def account(self, fingerprint: str) -> Account | None:
        """One account, None if it is unknown."""
        member = self._members.get(fingerprint)
        return None if member is None else member.account

    def accounts(self) -> tuple[Account, ...]:
        """All accounts in configured order."""
        members = sorted(self._members.values(), key=lambda e: (e.account.order, e.serial))
        return tuple(member.account for member in members)

    def readiness(self, now: float) -> tuple[int, int]:
        """How many accounts there are, and how many of them do not rest, busy ones included."""
        ready = 0
        for group in self._groups.values():
            group.wake(now)
            ready += group.everybody.census[READY] + group.everybody.census[BUSY]
        return len(self._members), ready

    # ── choosing ─────────────────────────────────────────────────────────────

    def choose(
        self,
        group: str,
        tried: AbstractSet[str],
        now: float,
        model: str = "",
        conversation: str = "",
    ) -> Choice | Nobody:
        """Who shall serve; the loan itself begins with ``lent``.

        :raises NotFound: no account was ever configured for ``group``.
        """
        members = self._groups.get(group)
        if members is None:
            raise NotFound(f"There is no account group {group!r}.")
        members.wake(now)
        view = members.everybody
        if model:
            # Who has just met an overloaded model may try one more account, nobody else any.
            if members.closures and len(tried) != 1 and (until := members.closed(model, now)):
                return Nobody(until, +view.census, closed=True)
            if members.views:
                view = members.view(model, now)
        member = None
        if conversation and members.policy.affinity:
            member = self._at_home(members, view, tried, conversation)
        if member is None:
            member = view.line.first(tried)
        if member is None:
            return self._nobody(group, view, tried, now)
        return member.choice

    def crowded(self, group: str, now: float) -> bool:
        """Whether nobody of a group is ready, but somebody merely busy."""
        members = self._groups.get(group)
        if members is None:
            return False
        members.wake(now)
        census = members.everybody.census
        return not census[READY] and bool(census[BUSY])

    def soonest(self, group: str) -> float | None:
        """When anything changes in a group by itself, None if nothing does."""
        found = self._groups.get(group)
        soonest = None if found is None else found.everybody.soonest()
        return None if soonest is None else soonest[0]

    def lacks(self, fingerprint: str, model: str, until: float) -> None:
        """Learnt: an account is not offered a model; believed until then."""
        member = self._members.get(fingerprint)
        if member is not None and model:
            self._group_of(member).lack(member, model, until)

    def _at_home(
        self, group: Group, view: View, tried: AbstractSet[str], conversation: str
    ) -> Member | None:
        """The account of a conversation, if it can serve; that of a new one, where the policy
        finds several as good."""
        home = self._homes.home(group.policy.name, conversation)
        if home is None:
            if group.policy.policy != "least_used":
                return None
            equals = {e.account.fingerprint: e for e in view.line.equals(tried, _EQUALS)}
            return equals[rendezvous(conversation, equals)] if equals else None
        member = self._members.get(home)
        if (
            member is None
            or not member.able
            or home in tried
            or member.account.group != group.policy.name
            or member.serial in view.lacking
        ):
            return None
        return member

    def _nobody(self, group: str, view: View, tried: AbstractSet[str], now: float) -> Nobody:
        census = +view.census
        if len(view.lacking) > len(view.brief):
            census["lacking"] += len(view.lacking) - len(view.brief)
        if view.brief:
            census["throttled"] += len(view.brief)
        soonest = view.soonest()
        earliest = now if census[READY] else None if soonest is None else soonest[0]
        known = (self._members.get(fingerprint) for fingerprint in tried)
        serials = {e.serial for e in known if e is not None and e.account.group == group}
        if view.hopeless():
            return Nobody(earliest, +census, lacking=True)
        return Nobody(earliest, +census, busy=view.waits_for(serials))

    # ── loans ────────────────────────────────────────────────────────────────

    def lent(self, fingerprint: str, now: float, conversation: str = "") -> int:
        """A loan begins. Gives its number."""
        member = self._members[fingerprint]
        self._loan = loan = self._loan + 1
        member.in_flight += 1
        member.last_used = now
        member.turn = loan
        if member.pace:
            member.begun.append(now)
        if member.probing:
            member.probe = loan
        if conversation:
            self._settle(conversation, member, now)
        if member.watched or member.probing:
            self._group_of(member).used(member, now)
        return loan

    def answered(self, fingerprint: str, loan: int, now: float) -> None:
        """A loan's answer has begun: whoever was on trial may serve all again. How often it failed
        is forgotten only when it has served."""
        member = self._members.get(fingerprint)
        if member is not None and member.probing and loan > member.parked_loan:
            member.probing, member.probe = False, 0
            self._group_of(member).review(member, now)

    def returned(
        self,
        fingerprint: str,
        outcome: Outcome,
        now: float,
        *,
        jitter: float = 0.0,
        until: float | None = None,
        loan: int | None = None,
    ) -> Change | None:
        """A loan ended.

        :param jitter: entropy from 0 to 1.
        :param until: when the quota is reset, where that is known and quota was the fault.
        :param loan: its number; without one, that of the latest.
        :returns: the account's new standing, None if it did not change.
        """
        member = self._members.get(fingerprint)
        loan = self._loan if loan is None else loan
        if member is None or loan <= member.since:
            return None  # The account was removed meanwhile.
        group = self._group_of(member)
        member.in_flight -= 1
        if loan == member.probe:
            member.probe = 0
        if outcome.credits > 0:
            _spent(member, outcome.credits)
        change = None
        if outcome.end is End.SERVED:
            member.served += 1
            if group.closures:
                group.served(outcome.model)
            if member.recurrences or member.remembered or member.probing:
                change = recover(member, loan)
        elif outcome.end is End.FAILED and outcome.fault is not None:
            blow = self._blow(group, outcome.fault, now, jitter, loan, until)
            change = blame(group, member, outcome, blow)
        if member.watched or not member.able:
            group.used(member, now)
        return change

    def renewal_failed(
        self, fingerprint: str, fault: UpstreamFault, now: float, *, jitter: float = 0.0
    ) -> Change | None:
        """The account's token could not be refreshed."""
        member, penalty = self._members.get(fingerprint), renewal_penalty(fault)
        if member is None or penalty is None:
            return None
        group = self._group_of(member)
        return punish(group, member, penalty, self._blow(group, fault, now, jitter, self._loan + 1))

    def credits_known(
        self, fingerprint: str, left: float | None, reset_at: float | None, now: float
    ) -> Change | None:
        """What is left of an account's credits (None: cannot be told), and when they are renewed
        (epoch seconds, None if that is as before)."""
        member = self._members.get(fingerprint)
        if member is None:
            return None
        return credit(self._group_of(member), member, left, reset_at, now)

    # ── standings ────────────────────────────────────────────────────────────

    def restore(self, fingerprint: str, parked: Parked, now: float) -> None:
        """Take over what was remembered from before a restart."""
        member = self._members[fingerprint]
        restore(self._group_of(member), member, parked, now)

    def heard(self, change: Change, now: float) -> None:
        """Take over an account's new standing from another process that lends it, too."""
        member = self._members[change.account.fingerprint]
        hear(self._group_of(member), member, change, now, self._loan)

    def release(self, fingerprint: str, now: float = 0.0) -> Change:
        """An operator wants the account to be asked again."""
        member = self._members[fingerprint]
        return release(self._group_of(member), member, now)

    def standing(self, fingerprint: str, now: float) -> Standing:
        """How an account stands at ``now``."""
        member = self._members[fingerprint]
        self._group_of(member).wake(now)
        on = member.enabled
        return Standing(
            account=member.account,
            state=member.state if on else State.DISABLED,
            reason=member.reason if on else DISABLED,
            until=member.until if on else 0.0,
            in_flight=member.in_flight,
            served=member.served,
            failed=member.failed,
            last_used=member.last_used,
            enabled=on,
            busy=member.label == BUSY,
            probing=on and member.probing,
            credits_left=member.credits_left,
            resets_at=member.resets_at,
            last_error=member.fault,
            last_error_at=member.fault_at,
        )

    # ── inside ───────────────────────────────────────────────────────────────

    def _group_of(self, member: Member) -> Group:
        return self._groups[member.account.group]

    def _blow(
        self,
        group: Group,
        fault: UpstreamFault,
        now: float,
        jitter: float,
        began: int,
        reset: float | None = None,
    ) -> Blow:
        return Blow(
            fault,
            now,
            jitter=jitter,
            cooldown=group.policy.cooldown_seconds or self.cooldown,
            latest=self._loan,
            began=began,
            reset=reset,
        )

    def _settle(self, conversation: str, member: Member, now: float) -> None:
        """Remember whose conversation it is, unless its account is only away for a moment."""
        name, own = member.account.group, member.account.fingerprint
        home = self._homes.home(name, conversation)
        if home is not None and home != own:
            other = self._members.get(home)
            here = other is not None and other.enabled and other.account.group == name
            if here and other is not None and _soon_back(other, now):
                return
        self._homes.settle(name, conversation, own)


def _soon_back(member: Member, now: float) -> bool:
    return not member.resting(now) or 0 < member.until <= now + AWAY_SECONDS


def _spent(member: Member, credits: float) -> None:
    if member.credits_left is None:
        member.spent += credits
    else:
        member.credits_left = max(0.0, member.credits_left - credits)
