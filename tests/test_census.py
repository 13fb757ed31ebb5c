"""What all workers together know."""

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.notices import Renewed, Turned
from kiro2api.accounts.status import AccountStatus
from kiro2api.census import Census
from kiro2api.metering import OTHER, Totals


def status(
    name: str = "one",
    state: str = "ready",
    until: float = 0.0,
    served: int = 0,
    failed: int = 0,
    in_flight: int = 0,
    order: int = 0,
    last_used: float = 0.0,
    expires_at: float = 0.0,
) -> AccountStatus:
    """An account as one worker sees it."""
    return AccountStatus(
        name=name,
        group="default",
        method="social",
        state=state,
        reason="" if state == "ready" else "why",
        until=until,
        expires_at=expires_at,
        in_flight=in_flight,
        served=served,
        failed=failed,
        order=order,
        last_used=last_used,
        fingerprint=f"{order:08x}",
    )


class CensusTests(SynchronousTestCase):
    """Reports of two workers."""

    def setUp(self) -> None:
        self.census = Census(50.0)

    def test_sums(self) -> None:
        """Counts are added, times are the latest, the order is that of choice."""
        first = status(served=3, failed=1, in_flight=2, last_used=7.0, expires_at=100.0)
        self.census.report(1, [status("two", order=1, served=1), first], [], 4)
        second = status(served=4, in_flight=1, last_used=9.0, expires_at=90.0)
        self.census.report(2, [second], [], 5)
        overview = self.census.overview()
        self.assertEqual((overview.workers, overview.active_requests), (2, 9))
        self.assertEqual((overview.started, overview.partial), (50.0, False))
        one, two = overview.statuses
        self.assertEqual((one.served, one.failed, one.in_flight), (7, 1, 3))
        self.assertEqual((one.last_used, one.expires_at), (9.0, 100.0))
        self.assertEqual((two.name, two.served), ("two", 1))

    def test_only_changes_come(self) -> None:
        """What a report leaves out is as it was."""
        self.census.report(1, [status(served=1), status("two", order=1, served=5)], [], 3)
        self.census.report(1, [status(served=2)], [], 0)
        overview = self.census.overview()
        self.assertEqual([s.served for s in overview.statuses], [2, 5])
        self.assertEqual(overview.active_requests, 0)

    def test_the_worst_counts(self) -> None:
        """Where workers differ: not ready, then without end, then the later end."""
        order = [
            status(),
            status(state="cooling", until=10.0),
            status(state="cooling", until=20.0),
            status(state="suspended"),
        ]
        for lighter, graver in pairwise(order):
            for pair in ([lighter, graver], [graver, lighter]):
                census = Census(0.0)
                for serial, each in enumerate(pair):
                    census.report(serial, [each], [], 0)
                (shown,) = census.overview().statuses
                self.assertEqual((shown.state, shown.until), (graver.state, graver.until))

    def test_gone(self) -> None:
        """What a worker has counted outlives it; what it had under way does not."""
        self.census.report(1, [status(served=3, failed=1, in_flight=2)], [], 2)
        self.census.report(2, [status(served=1)], [], 1)
        for _ in range(2):
            self.census.gone(1)
        (one,) = self.census.overview().statuses
        self.assertEqual((one.served, one.failed, one.in_flight), (4, 1, 0))
        self.assertEqual(self.census.overview().active_requests, 1)
        self.census.gone(2)
        self.census.report(3, [status()], [], 0)
        (one,) = self.census.overview().statuses
        self.assertEqual((one.served, one.failed), (4, 1))

    def test_totals(self) -> None:
        """Sums by account and model, of past workers, too."""
        self.census.report(1, [], [("one", "m", Totals(requests=2, credits=0.5))], 0)
        self.census.gone(1)
        self.census.report(2, [], [("one", "m", Totals(requests=3)), ("two", "m", Totals(1))], 0)
        self.assertEqual(
            self.census.totals(),
            {("one", "m"): Totals(requests=5, credits=0.5), ("two", "m"): Totals(1)},
        )

    def test_totals_are_bounded(self) -> None:
        """Many names of models do not fill the memory over many workers."""
        for serial in range(3):
            names = [("one", f"{serial}-{n}", Totals(1)) for n in range(4000)]
            self.census.report(serial, [], names, 0)
            self.census.gone(serial)
        totals = self.census.totals()
        self.assertEqual(len(totals), 5001)
        self.assertEqual(totals[OTHER].requests, 7000)

    def test_standings(self) -> None:
        """New workers are told who rests now, and nobody who is ready again."""
        rests = Turned("f1", "cooling", "throttled", 100.0, False)
        parked = Turned("f2", "suspended", "suspended", 0.0, True)
        self.census.notice(rests)
        self.census.notice(parked)
        self.census.notice(Turned("f3", "cooling", "x", 100.0, False))
        self.census.notice(Turned("f3", "ready", "", 0.0, True))
        self.census.notice(Renewed("f4"))
        self.assertEqual(self.census.standings(99.0), [rests, parked])
        self.assertEqual(self.census.standings(100.0), [parked])
