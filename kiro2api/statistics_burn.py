# -*- test-case-name: tests.test_statistics_burn -*-
"""How fast credits are spent, and when they will be gone at that rate.

Pure; must not know where credits come from. A forecast is a straight line from the last day: it is
told as a time only where that line reaches zero before credits come back.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kiro2api.statistics_sums import HOUR, Sums

WINDOW_HOURS: Final = 24


class Balance(msgspec.Struct, frozen=True):
    """What an account has left. ``credits_left`` is None where nobody knows; ``resets_at`` in
    epoch seconds, 0 where unknown."""

    id: str
    name: str
    credits_left: float | None = None
    resets_at: float = 0.0


class AccountBurn(msgspec.Struct, frozen=True):
    """The forecast for one account. ``exhausted_at``: epoch seconds; 0 if it lasts until its
    credits come back, or nobody can tell."""

    id: str
    name: str
    credits_left: float | None
    credits_per_hour: float
    exhausted_at: float
    resets_at: float


class Burn(msgspec.Struct, frozen=True):
    """The forecast for all accounts together.

    ``credits_left`` are those of the accounts whose credits are known, None without any;
    ``unknown`` are the others. ``resets_at`` is when the first of them gets credits again.
    """

    credits_per_hour: float
    credits_left: float | None
    exhausted_at: float
    resets_at: float
    unknown: int
    accounts: list[AccountBurn]


def burn_of(
    hours: Mapping[int, Sums],
    by_account: Mapping[str, Sums],
    balances: Iterable[Balance],
    now: float,
) -> Burn:
    """The forecast.

    :param hours: sums of the last 24 hours, by the hour.
    :param by_account: sums of the same hours, by the name of an account.
    """
    covered = _covered(hours, now)
    spent = sum(sums.credits for sums in hours.values())
    accounts = [_account(balance, by_account, covered, now) for balance in balances]
    known = [one.credits_left for one in accounts if one.credits_left is not None]
    resets = [one.resets_at for one in accounts if one.resets_at > now]
    rate = spent / covered
    left = sum(known) if known else None
    resets_at = min(resets, default=0.0)
    return Burn(
        credits_per_hour=round(rate, 6),
        credits_left=None if left is None else round(left, 6),
        exhausted_at=_exhausted(left, rate, resets_at, now),
        resets_at=resets_at,
        unknown=len(accounts) - len(known),
        accounts=accounts,
    )


def _account(
    balance: Balance, by_account: Mapping[str, Sums], covered: float, now: float
) -> AccountBurn:
    sums = by_account.get(balance.name)
    rate = sums.credits / covered if sums is not None else 0.0
    return AccountBurn(
        id=balance.id,
        name=balance.name,
        credits_left=balance.credits_left,
        credits_per_hour=round(rate, 6),
        exhausted_at=_exhausted(balance.credits_left, rate, balance.resets_at, now),
        resets_at=balance.resets_at,
    )


def _covered(hours: Mapping[int, Sums], now: float) -> float:
    """Hours since the first request of the last day; a fresh service has not idled before."""
    first = min((at for at, sums in hours.items() if sums.requests), default=now)
    return min(float(WINDOW_HOURS), max(1.0, (now - first) / HOUR))


def _exhausted(left: float | None, rate: float, resets_at: float, now: float) -> float:
    if left is None:
        return 0.0
    if left <= 0:
        return now
    if rate <= 0:
        return 0.0
    gone = now + left / rate * HOUR
    return 0.0 if now < resets_at <= gone else gone
