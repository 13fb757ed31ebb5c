# -*- test-case-name: tests.web.admin.test_stats -*-
"""Asks for what the numbers are made of, and puts them together in the shape they are shown in.

What each number means is said in ``statistics``. Must not know who shows them.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import RequestRejected
from kiro2api.statistics import (
    BREAKDOWNS,
    PERIODS,
    Found,
    Period,
    StatisticsFilter,
    Totals,
    named,
    period_of,
    pool_of,
    series_of,
    totals_of,
)
from kiro2api.statistics_burn import Balance, Burn, burn_of
from kiro2api.web.operator_api import moment
from kiro2api.web.overview import Overview

_MOST_FORECASTS: Final = 500
"""Accounts of the forecast, those first that run out first."""


class SumsSource(Protocol):
    """Where sums are kept."""

    def found(self, start: int, wanted: StatisticsFilter) -> Deferred[Found]:
        """All since ``start``, the begin of an hour."""

    def ever(self) -> Deferred[Found]:
        """All that was ever summed up."""


def balance_of(status: AccountStatus) -> Balance:
    """What an account has left, as far as its state tells."""
    return Balance(status.fingerprint, status.name, status.credits_left, status.resets_at)


class Numbers:
    """The numbers of the service.

    :param overview: the accounts, over all processes.
    """

    def __init__(
        self, sums: SumsSource, overview: Callable[[], Awaitable[Overview]], clock: IReactorTime
    ) -> None:
        self._sums = sums
        self.overview = overview
        self._clock = clock

    async def told(self, period_name: str, wanted: StatisticsFilter) -> dict[str, object]:
        """The answer of the statistics route. Raises RequestRejected."""
        period = self._period(period_name)
        if wanted.account and wanted.key:
            raise RequestRejected(
                "choose an account or a key, not both; the list of requests takes both",
                param="key",
            )
        found = await self._sums.found(period.start, wanted)
        overview = await self.overview()
        statuses = [one for one in overview.statuses if wanted.group in ("", one.group)]
        if wanted.account:
            statuses = [one for one in statuses if one.name == wanted.account]
        # Whoever spends them: a forecast for one key or one model would be none.
        spent, relevant = found, StatisticsFilter(group=wanted.group, account=wanted.account)
        day = self._period("24h")
        if (period.start, wanted) != (day.start, relevant):
            spent = await self._sums.found(day.start, relevant)
        balances = map(balance_of, statuses)
        burn = burn_of(spent.series, spent.by["account"], balances, self._clock.seconds())
        return {
            **_in_all(period, found),
            **{f"by_{name}": named(found.by[name]) for name in BREAKDOWNS},
            "pool": pool_of(statuses),
            "burn": shown_burn(burn),
            "active_requests": overview.active_requests,
            "partial": overview.partial,
        }

    async def usage_of(self, key: str, period_name: str) -> dict[str, object]:
        """What one key has used: nothing about accounts."""
        period = self._period(period_name)
        found = await self._sums.found(period.start, StatisticsFilter(key=key))
        return {
            "key": key,
            **_in_all(period, found),
            "by_model": named(found.by["model"]),
        }

    async def today(self) -> Totals:
        """The totals of the last 24 hours, as the statistics route tells them."""
        period = self._period("24h")
        found = await self._sums.found(period.start, StatisticsFilter())
        return totals_of(found.totals)

    def ever(self) -> Deferred[Found]:
        """All that was ever summed up."""
        return self._sums.ever()

    def _period(self, name: str) -> Period:
        try:
            return period_of(name or "24h", self._clock.seconds())
        except KeyError:
            raise RequestRejected(
                f"period must be one of {', '.join(PERIODS)}", param="period"
            ) from None


def _in_all(period: Period, found: Found) -> dict[str, object]:
    """Totals and chart, as they are shown."""
    return {
        "period": period.name,
        "from": moment(period.start),
        "to": moment(period.end),
        "totals": totals_of(found.totals),
        "series": [
            {**msgspec.structs.asdict(point), "at": moment(point.at)}
            for point in series_of(found.series, period)
        ],
    }


def shown_burn(burn: Burn) -> dict[str, object]:
    """The forecast as it is shown."""
    ranked = sorted(burn.accounts, key=lambda one: (one.exhausted_at or float("inf"), one.name))
    return {
        "credits_per_hour": burn.credits_per_hour,
        "credits_left": burn.credits_left,
        "exhausted_at": moment(burn.exhausted_at),
        "resets_at": moment(burn.resets_at),
        "unknown": burn.unknown,
        "accounts": [
            {
                **msgspec.structs.asdict(one),
                "exhausted_at": moment(one.exhausted_at),
                "resets_at": moment(one.resets_at),
            }
            for one in ranked[:_MOST_FORECASTS]
        ],
    }
