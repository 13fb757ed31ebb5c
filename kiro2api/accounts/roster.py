# -*- test-case-name: tests.accounts.test_policies -*-
"""One group's accounts: who is ready, in the order of its policy, and who returns when.

Pure. Must not know faults or what they cost: it is told a state and keeps the order.
"""

from heapq import heappop
from math import floor
from typing import Final

from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.member import READY, Member, Rank
from kiro2api.accounts.penalties import Penalty, State
from kiro2api.accounts.view import View

UNKNOWN_CREDITS: Final = 500.0
"""What an account counts as having while nobody knows: before those that are nearly spent, behind
those that have plenty. What its finished loans cost is deducted from that, too."""

MOST_MODELS: Final = 32
"""Models per group of which it is remembered who lacks them; the oldest is forgotten, and learnt
again if need be."""

_FORGIVEN: Final = 600.0
"""Seconds after which an overloaded model starts with the first rest again."""


class Group:
    """The accounts of one group."""

    def __init__(self, policy: GroupPolicy) -> None:
        self.policy = policy
        self.members: dict[int, Member] = {}
        self.everybody = View(self.members)
        self.views: dict[str, View] = {}
        self.closures: dict[str, tuple[float, int]] = {}

    def add(self, member: Member, now: float) -> None:
        """Take in a member, or take over that its account, standing or credits are others now."""
        known = member.serial in self.members
        account = member.account
        member.most = account.max_in_flight or self.policy.max_in_flight
        member.pace = account.requests_per_minute or self.policy.requests_per_minute
        member.watched = bool(member.most or member.pace or self.policy.policy != "sequential")
        member.rank = self._rank(member)
        if known:
            self.review(member, now)
            return
        self.members[member.serial] = member
        member.label, member.due = member.assess(now)
        member.able = member.label == READY
        for view in self._all():
            view.enter(member)

    def remove(self, member: Member) -> None:
        """Forget a member."""
        for view in self._all():
            view.leave(member)
        del self.members[member.serial]

    def govern(self, policy: GroupPolicy, now: float) -> None:
        """Another policy or other limits: all are put in line anew."""
        self.policy = policy
        for member in self.members.values():
            self.add(member, now)

    def turn(
        self, member: Member, state: State, reason: str, until: float, now: float, *, plain: bool
    ) -> None:
        """Give an account another state. ``plain``: nobody needs to try it before all may."""
        member.state, member.reason, member.until = state, reason, until
        member.plain, member.probing, member.probe = plain, False, 0
        self.review(member, now)

    def probe(self, member: Member, now: float) -> None:
        """An account is ready, but must be tried by one before all may."""
        member.state, member.reason, member.until = State.READY, "", 0.0
        member.probing, member.probe = True, 0
        self.review(member, now)

    def used(self, member: Member, now: float) -> None:
        """A loan began or ended, or credits were spent."""
        if self.policy.policy != "sequential":
            member.rank = self._rank(member)
        self.review(member, now)

    def review(self, member: Member, now: float) -> None:
        """Take over what has become of a member."""
        label, due = member.assess(now)
        before, member.label = member.label, label
        member.able = label == READY
        for view in self._all():
            view.relabel(member, before)
        if due != member.due:
            member.due = due
            if due:
                for view in self._all():
                    view.expect(due, member.serial)

    def wake(self, now: float) -> None:
        """Make everybody ready whose rest or minute is over."""
        returns = self.everybody.returns
        while returns and returns[0][0] <= now:
            _, serial = heappop(returns)
            member = self.members.get(serial)
            if member is not None and 0 < member.due <= now:
                self.review(member, now)
            returns = self.everybody.returns

    # ── models ───────────────────────────────────────────────────────────────

    def view(self, model: str, now: float) -> View:
        """Who can serve this model; the group has woken for ``now``."""
        view = self.views.get(model)
        if view is None:
            return self.everybody
        view.wake(now)
        if not view.lacking:
            del self.views[model]
        return view

    def lack(self, member: Member, model: str, until: float, *, brief: bool = False) -> None:
        """An account does not have a model until then. ``brief``: it only rests from it."""
        view = self.views.get(model)
        if view is None:
            if len(self.views) >= MOST_MODELS:
                del self.views[next(iter(self.views))]
            view = self.views[model] = View(self.members)
        view.lack(member, until, brief=brief)

    def closed(self, model: str, now: float) -> float:
        """Until when nobody should ask for a model, 0 if that is over."""
        until = self.closures.get(model, (0.0, 0))[0]
        return until if until > now else 0.0

    def close(
        self, model: str, penalty: Penalty, asked: float | None, now: float, jitter: float
    ) -> None:
        """A model has no capacity: let it rest, longer each time that happens again."""
        until, attempt = self.closures.pop(model, (0.0, 0))
        if until + _FORGIVEN <= now:
            attempt = 0
        if until <= now:
            until, attempt = now + penalty.rest(attempt, asked, jitter), attempt + 1
        self.closures[model] = (until, attempt)
        if len(self.closures) > MOST_MODELS:
            del self.closures[next(iter(self.closures))]

    def served(self, model: str) -> None:
        """A model has answered."""
        self.closures.pop(model, None)

    # ── inside ───────────────────────────────────────────────────────────────

    def _all(self) -> tuple[View, ...]:
        return (self.everybody, *self.views.values()) if self.views else (self.everybody,)

    def _rank(self, member: Member) -> Rank:
        if self.policy.policy == "round_robin":
            return (member.turn, member.account.order, member.serial)
        if self.policy.policy == "least_used":
            left = member.credits_left
            credits = UNKNOWN_CREDITS - member.spent if left is None else left
            return (member.in_flight - floor(credits), member.turn, member.serial)
        return (member.account.order, 0.0, member.serial)
