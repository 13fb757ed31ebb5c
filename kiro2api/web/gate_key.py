# -*- test-case-name: tests.web.test_gate_key -*-
"""A stored key while it is in use: its terms, and what its owner has had of them.

With several processes each has its own: limits are divided among them, and what is spent is
told to each other through the store. Must not know how a request presents a key.
"""

from typing import Final

from kiro2api.errors import Forbidden, Kind, KiroError, Unauthorized
from kiro2api.store.keys import StoredKey
from kiro2api.web.budgets import DAY_SECONDS, Budget, day_of, next_month
from kiro2api.web.gate_models import ModelRule, Naming
from kiro2api.web.rates import Bucket

_WAIT_SECONDS: Final = 1.0


class LimitReached(KiroError):
    """The key has had its share for now; ``retry_after`` says when there is more."""

    default_kind = Kind.RATE_LIMITED


class BudgetSpent(KiroError):
    """The key's credits are spent; ``retry_after`` says when its budget begins anew."""

    default_kind = Kind.QUOTA_EXHAUSTED


class KeyUse:
    """One stored key; it outlives changes of its terms.

    :param workers: among how many processes the limits are divided.
    """

    __slots__ = (
        "_bucket",
        "_most",
        "_naming",
        "_rule",
        "_workers",
        "budget",
        "in_flight",
        "key",
        "last_used",
    )

    def __init__(self, key: StoredKey, naming: Naming, workers: int = 1) -> None:
        self._naming = naming
        self._workers = workers
        self._bucket = Bucket()
        self.budget = Budget()
        self.in_flight = 0
        self.last_used = key.last_used_at
        self.key = key
        self._rule = ModelRule(key.models, naming)
        self._most = 0
        self.renew(key)

    def renew(self, key: StoredKey) -> None:
        """The key has other terms from now on; running requests are not affected."""
        self.key = key
        self._rule = ModelRule(key.models, self._naming)
        self._most = self._share(key.max_in_flight)
        self._bucket.limit(self._share(key.requests_per_minute))

    def _share(self, limit: int) -> int:
        return -(-limit // self._workers)

    # ── what is allowed ──────────────────────────────────────────────────────

    def present(self, now: float) -> None:
        """Somebody shows the key; raises Unauthorized if it is no longer good."""
        key = self.key
        if not key.enabled:
            raise Unauthorized("this API key is switched off")
        if key.expires_at and key.expires_at <= now:
            raise Unauthorized("this API key has expired")
        self.last_used = now

    def allow_group(self, group: str) -> None:
        """Raises Forbidden."""
        if self.key.groups and group not in self.key.groups:
            raise Forbidden(f"this API key is not for the group {group!r}", code="group_forbidden")

    def may_use(self, model: str) -> bool:
        """Whether the key is for this model."""
        return self._rule.allows(model)

    # ── what is had ──────────────────────────────────────────────────────────

    def enter(self, now: float) -> None:
        """One more request; raises LimitReached or BudgetSpent, and then nothing was taken."""
        if self._most and self.in_flight >= self._most:
            raise LimitReached(
                f"this API key has {self.in_flight} requests running, which is its limit",
                retry_after=_WAIT_SECONDS,
                code="key_concurrency",
            )
        key = self.key
        if key.credits_per_day or key.credits_per_month:
            self._refuse_spent(now)
        wait = self._bucket.take(now)
        if wait:
            raise LimitReached(
                f"this API key may send {key.requests_per_minute} requests per minute",
                retry_after=wait,
                code="key_rate",
            )
        self.in_flight += 1

    def leave(self) -> None:
        """One request fewer."""
        self.in_flight -= 1

    def _refuse_spent(self, now: float) -> None:
        key, budget = self.key, self.budget
        budget.roll(now)
        day = day_of(now)
        # The month first: it takes longer to come back.
        if key.credits_per_month and budget.month >= key.credits_per_month:
            raise _spent(key.credits_per_month, "month", next_month(day) * DAY_SECONDS - now)
        if key.credits_per_day and budget.today >= key.credits_per_day:
            raise _spent(key.credits_per_day, "day", (day + 1) * DAY_SECONDS - now)


def _spent(limit: float, period: str, seconds: float) -> BudgetSpent:
    hours = -int(-seconds // 3600)
    again = f"{hours} h" if hours <= 48 else f"{-(-hours // 24)} days"
    return BudgetSpent(
        f"this API key's budget of {limit:g} credits per {period} is spent;"
        f" the next {period} begins in {again} (UTC)",
        retry_after=seconds,
        code=f"key_budget_{period}",
    )
