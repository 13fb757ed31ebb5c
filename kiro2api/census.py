# -*- test-case-name: tests.test_census -*-
"""What all workers together know of accounts and requests.

Pure: reports and notices come in, one view goes out. Must not know how they travel.
"""

from collections.abc import Iterable

import msgspec

from kiro2api.accounts.notices import Notice, Renewed, Turned
from kiro2api.accounts.status import AccountStatus
from kiro2api.metering import OTHER, Totals
from kiro2api.web.overview import Overview

_READY = "ready"
_MOST_PAIRS = 5000
"""Names of models are chosen by clients; what comes later is summed together."""


def key_of(status: AccountStatus) -> tuple[str, str]:
    """What an account is known by to all workers; what is shown of its fingerprint is short."""
    return status.fingerprint, status.name


class _Told:
    """The latest that one worker has said."""

    def __init__(self) -> None:
        self.statuses: dict[tuple[str, str], AccountStatus] = {}
        self.totals: dict[tuple[str, str], Totals] = {}
        self.active = 0


class Census:
    """Puts reports together.

    What a worker has counted outlives it; what it had under way does not.

    :param started: when the service was started (epoch seconds).
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self._told: dict[int, _Told] = {}
        self._counted: dict[tuple[str, str], tuple[int, int]] = {}
        self._totals: dict[tuple[str, str], Totals] = {}
        self._standings: dict[str, Turned] = {}

    def report(
        self,
        serial: int,
        statuses: Iterable[AccountStatus],
        totals: Iterable[tuple[str, str, Totals]],
        active: int,
    ) -> None:
        """A worker says what has changed; the rest is as it was."""
        told = self._told.setdefault(serial, _Told())
        told.statuses.update((key_of(status), status) for status in statuses)
        told.totals.update(((account, model), sums) for account, model, sums in totals)
        told.active = active

    def gone(self, serial: int) -> None:
        """A worker has ended."""
        told = self._told.pop(serial, None)
        if told is None:
            return
        for key, status in told.statuses.items():
            served, failed = self._counted.get(key, (0, 0))
            self._counted[key] = (served + status.served, failed + status.failed)
        for pair, sums in told.totals.items():
            if pair not in self._totals and len(self._totals) >= _MOST_PAIRS:
                pair = OTHER
            self._totals[pair] = _sum(self._totals.get(pair), sums)

    def notice(self, notice: Notice) -> None:
        """Remember how an account stands, for workers that are still to come."""
        if isinstance(notice, Renewed):
            return
        self._standings[notice.fingerprint] = notice
        if notice.state == _READY:
            del self._standings[notice.fingerprint]

    def standings(self, now: float) -> list[Turned]:
        """What a new worker must be told: everybody who is not to be asked."""
        self._standings = {
            key: turned
            for key, turned in self._standings.items()
            if not turned.until or turned.until > now
        }
        return list(self._standings.values())

    def totals(self) -> dict[tuple[str, str], Totals]:
        """Sums by account and upstream model over all workers, past ones included."""
        found = dict(self._totals)
        for told in self._told.values():
            for pair, sums in told.totals.items():
                found[pair] = _sum(found.get(pair), sums)
        return found

    def overview(self, *, brief: bool = False) -> Overview:
        """All workers as one; in brief without accounts."""
        by_account: dict[tuple[str, str], list[AccountStatus]] = {}
        for told in () if brief else self._told.values():
            for key, status in told.statuses.items():
                by_account.setdefault(key, []).append(status)
        merged = [self._merged(key, statuses) for key, statuses in by_account.items()]
        return Overview(
            statuses=sorted(merged, key=lambda status: status.order),
            active_requests=sum(told.active for told in self._told.values()),
            started=self._started,
            workers=len(self._told),
        )

    def _merged(self, key: tuple[str, str], statuses: list[AccountStatus]) -> AccountStatus:
        served, failed = self._counted.get(key, (0, 0))
        return msgspec.structs.replace(
            max(statuses, key=_gravity),
            in_flight=sum(status.in_flight for status in statuses),
            served=served + sum(status.served for status in statuses),
            failed=failed + sum(status.failed for status in statuses),
            expires_at=max(status.expires_at for status in statuses),
            last_used=max(status.last_used for status in statuses),
        )


def _gravity(status: AccountStatus) -> tuple[bool, bool, float]:
    """Whose word counts where workers differ: of the one to whom it looks worst."""
    return status.state != _READY, status.until == 0.0, status.until


def _sum(one: Totals | None, other: Totals) -> Totals:
    if one is None:
        return other
    return Totals(
        *(
            a + b
            for a, b in zip(
                msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True
            )
        )
    )
