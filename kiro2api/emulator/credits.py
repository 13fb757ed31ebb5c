# -*- test-case-name: tests.emulator.test_credits -*-
"""What an emulated account may spend, and in what order it is spent.

Pure. Must not know who is charged, nor HTTP. Wire: a trial and bonuses are spent before the plan,
which goes on beyond its limit where overage is enabled.
"""

from typing import Any, Final, Literal

import msgspec

MONTH_END: Final = 4_102_444_800
"""The day of the reset never comes: the emulator's clock may stand still."""


class Bonus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credits that somebody was given."""

    limit: float
    used: float = 0.0
    name: str = "Welcome bonus"
    status: Literal["ACTIVE", "EXHAUSTED", "EXPIRED"] = "ACTIVE"
    expires_at: float = MONTH_END


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that GetUsageLimits tells of one account; times are epoch seconds.

    ``used`` counts the plan's own credits; a trial is there if it has a limit. ``overage_cap``
    matters while ``overage`` is true.
    """

    used: float = 0.0
    credits: float = 1000.0
    trial_used: float = 0.0
    trial: float = 0.0
    trial_active: bool = True
    bonuses: tuple[Bonus, ...] = ()
    overage: bool = False
    overage_cap: float = 10_000.0
    reset_at: float = MONTH_END
    subscription: str = "KIRO PRO"
    email: str = ""

    @property
    def overages(self) -> float:
        """Credits spent beyond the plan's limit."""
        return max(self.used - self.credits, 0.0)

    @property
    def refusal(self) -> str:
        """The reason for which nothing more is answered; empty while something is left."""
        if self.used < self.credits or self._extra_left > 0:
            return ""
        if not self.overage:
            return "MONTHLY_REQUEST_COUNT"
        return "" if self.overages < self.overage_cap else "OVERAGE_REQUEST_LIMIT_EXCEEDED"

    @property
    def _extra_left(self) -> float:
        trial = self.trial - self.trial_used if self.trial_active else 0.0
        bonuses = (bonus.limit - bonus.used for bonus in self.bonuses if bonus.status == "ACTIVE")
        return max(trial, 0.0) + sum(max(left, 0.0) for left in bonuses)

    def spent(self, credits: float) -> "Plan":
        """The same after so many credits more."""
        trial_used = self.trial_used
        if self.trial_active:
            part = min(credits, max(self.trial - trial_used, 0.0))
            trial_used, credits = trial_used + part, credits - part
        bonuses = []
        for bonus in self.bonuses:
            left = bonus.limit - bonus.used if bonus.status == "ACTIVE" else 0.0
            part = min(credits, max(left, 0.0))
            credits -= part
            bonuses.append(msgspec.structs.replace(bonus, used=bonus.used + part))
        return msgspec.structs.replace(
            self, trial_used=trial_used, bonuses=tuple(bonuses), used=self.used + credits
        )


class QuotaOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another plan for an account; what is not given stays as it is."""

    account: str
    used: float | msgspec.UnsetType = msgspec.UNSET
    credits: float | msgspec.UnsetType = msgspec.UNSET
    trial_used: float | msgspec.UnsetType = msgspec.UNSET
    trial: float | msgspec.UnsetType = msgspec.UNSET
    trial_active: bool | msgspec.UnsetType = msgspec.UNSET
    bonuses: tuple[Bonus, ...] | msgspec.UnsetType = msgspec.UNSET
    overage: bool | msgspec.UnsetType = msgspec.UNSET
    overage_cap: float | msgspec.UnsetType = msgspec.UNSET
    reset_at: float | msgspec.UnsetType = msgspec.UNSET
    subscription: str | msgspec.UnsetType = msgspec.UNSET
    email: str | msgspec.UnsetType = msgspec.UNSET

    def applied(self, plan: Plan) -> Plan:
        """``plan`` with what is given here."""
        given = {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if name != "account" and value is not msgspec.UNSET
        }
        return msgspec.structs.replace(plan, **given)


_TYPES: Final = {
    "KIRO FREE": "Q_DEVELOPER_STANDALONE_FREE",
    "KIRO PRO+": "Q_DEVELOPER_STANDALONE_PRO_PLUS",
    "KIRO POWER": "Q_DEVELOPER_STANDALONE_POWER",
}


def usage_limits(plan: Plan, name: str, *, email: bool) -> dict[str, Any]:
    """GetUsageLimits of the account of that name, its e-mail address only where it is wanted."""
    breakdown: dict[str, Any] = {
        "resourceType": "CREDIT",
        "displayName": "Credit",
        "displayNamePlural": "Credits",
        "unit": "INVOCATIONS",
        "currentUsage": int(plan.used),
        "currentUsageWithPrecision": plan.used,
        "usageLimit": int(plan.credits),
        "usageLimitWithPrecision": plan.credits,
        "currentOverages": int(plan.overages),
        "currentOveragesWithPrecision": plan.overages,
        "overageCap": int(plan.overage_cap),
        "overageCapWithPrecision": plan.overage_cap,
        "overageRate": 0.04,
        "overageCharges": round(plan.overages * 0.04, 6),
        "currency": "USD",
        "nextDateReset": plan.reset_at,
        "bonuses": [
            {
                "bonusCode": f"BONUS{number}",
                "displayName": bonus.name,
                "description": "Invented",
                "status": bonus.status,
                "expiresAt": bonus.expires_at,
                "currentUsage": bonus.used,
                "usageLimit": bonus.limit,
            }
            for number, bonus in enumerate(plan.bonuses, 1)
        ],
    }
    if plan.trial:
        breakdown["freeTrialInfo"] = {
            "freeTrialStatus": "ACTIVE" if plan.trial_active else "EXPIRED",
            "freeTrialExpiry": plan.reset_at,
            "currentUsage": int(plan.trial_used),
            "currentUsageWithPrecision": plan.trial_used,
            "usageLimit": int(plan.trial),
            "usageLimitWithPrecision": plan.trial,
        }
    free = plan.subscription == "KIRO FREE"
    answer: dict[str, Any] = {
        "nextDateReset": plan.reset_at,
        "overageConfiguration": {"overageStatus": "ENABLED" if plan.overage else "DISABLED"},
        "subscriptionInfo": {
            "overageCapability": "OVERAGE_INCAPABLE" if free else "OVERAGE_CAPABLE",
            "subscriptionManagementTarget": "PURCHASE" if free else "MANAGE",
            "subscriptionTitle": plan.subscription,
            "type": _TYPES.get(plan.subscription, "Q_DEVELOPER_STANDALONE_PRO"),
            "upgradeCapability": "UPGRADE_CAPABLE",
        },
        "usageBreakdownList": [breakdown],
    }
    if email:
        address = plan.email or f"{name}@example.invalid"
        answer["userInfo"] = {"email": address, "userId": f"d-emulated.{name}"}
    return answer
