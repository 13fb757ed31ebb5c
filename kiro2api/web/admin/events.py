# -*- test-case-name: tests.web.admin.test_events -*-
"""What happens, told to consoles as it happens: one stream of events for each of them.

Looks once a second while somebody listens, and not at all otherwise. Events are small and say what
has changed; whoever needs more asks the other routes. Must not know how any of it is counted.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec
import txaio.tx
from klein import Klein
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import KiroError, NoAccountAvailable
from kiro2api.metering_search import Arrivals
from kiro2api.web.admin.events_stream import HEARTBEAT, Listener, written
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.live import Live, Runs
from kiro2api.web.admin.records import shown
from kiro2api.web.admin.stats_numbers import Numbers
from kiro2api.web.gate import Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.site import ApiRequest

TICK_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
STATS_SECONDS: Final = 5.0
RECORDS: Final = 20
_MANY: Final = 1000
_MANY_SECONDS: Final = 5.0
"""With so many accounts they are compared less often."""
_MOST_CHANGED: Final = 200


class RecordNews(Protocol):
    """Where new records are found."""

    def since(self, latest: int | None, most: int = RECORDS) -> Deferred[Arrivals]:
        """What came after the record of this number."""


class Broadcast:
    """Looks for what has changed and tells all listeners.

    :param settle: fires when a request can be identified (again).
    :param most: how many listeners there may be.
    """

    log = txaio.tx.make_logger()

    def __init__(
        self,
        gate: Gate,
        live: Live,
        numbers: Numbers,
        records: RecordNews,
        clock: IReactorTime,
        *,
        settle: Callable[[ApiRequest], Deferred[None]] = lambda request: succeed(None),
        most: int = 20,
    ) -> None:
        self._gate = gate
        self._live = live
        self._numbers = numbers
        self._records = records
        self._clock = clock
        self._settle = settle
        self._most = most
        self.listeners: set[Listener] = set()
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._stopped = False
        self._forget()

    def _forget(self) -> None:
        self._latest: int | None = None
        self._stale = False
        self._running: object = None
        self._runs: Runs | None = None
        self._accounts: Mapping[str, AccountStatus] | None = None
        self._next_accounts = self._next_stats = 0.0
        self._next_heartbeat = self._clock.seconds() + HEARTBEAT_SECONDS

    def listen(self, request: ApiRequest) -> Deferred[None]:
        """Serve one more; fires when it has ended."""
        if self._stopped or len(self.listeners) >= self._most:
            raise NoAccountAvailable(
                f"{len(self.listeners)} consoles are listening already", retry_after=5.0
            )
        listener = Listener(request, self.listeners.discard)
        self.listeners.add(listener)
        first = self._timer is None and self._looking is None
        if first:
            self._forget()
        hello = {"version": __version__, "at": moment(self._clock.seconds())}
        told = written("hello", hello)
        if self._runs is not None:
            told += written("live", self._live.shown(self._runs))
        done = listener.begin(told)
        if first:
            self._look()
        return done

    def stop(self) -> None:
        """End all streams; there will be no others."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._looking is not None:
            self._looking.cancel()
        for listener in tuple(self.listeners):
            listener.end()

    def _look(self) -> None:
        self._timer = None
        if not self.listeners or self._stopped:
            return
        looking = self._looking = Deferred.fromCoroutine(self._look_around())
        looking.addErrback(self._failed)
        looking.addBoth(self._looked)

    def _looked(self, result: object) -> None:
        self._looking = None
        if self.listeners and not self._stopped:
            self._timer = self._clock.callLater(TICK_SECONDS, self._look)

    def _failed(self, failure: Failure) -> None:
        if self._stopped:
            return
        if failure.check(KiroError) is None:
            self.log.failure("what has changed could not be worked out", failure=failure)
        else:
            self.log.error("what has changed could not be found out")

    async def _look_around(self) -> None:
        now = self._clock.seconds()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_SECONDS
            await self._check()
            self._tell(HEARTBEAT, 0)
        await self._tell_live()
        if now >= self._next_accounts:
            await self._tell_accounts(now)
        await self._tell_records()
        if self._stale and now >= self._next_stats:
            self._stale = False
            self._next_stats = now + STATS_SECONDS
            totals = await self._numbers.today()
            self._tell(written("stats", {"period": "24h", "totals": totals}))

    async def _check(self) -> None:
        """Neither a key that was taken back nor a session that has ended, also in another process,
        must go on listening."""
        for listener in tuple(self.listeners):
            await self._settle(listener.request)
            try:
                self._gate.identify_owner(listener.request)
            except KiroError:
                listener.end()

    async def _tell_live(self) -> None:
        runs = self._runs = await self._live.running()
        # Their age grows by itself, and those of one age come in any order.
        items = [msgspec.structs.replace(one, age_seconds=0.0) for one in runs.items]
        running = (sorted(items, key=lambda one: one.request_id), runs.total, runs.partial)
        if running != self._running:
            self._running = running
            self._tell(written("live", self._live.shown(runs)))

    async def _tell_accounts(self, now: float) -> None:
        overview = await self._numbers.overview()
        accounts = {one.fingerprint: one for one in overview.statuses}
        known, self._accounts = self._accounts, accounts
        self._next_accounts = now + (_MANY_SECONDS if len(accounts) > _MANY else 0)
        if known is None:
            return
        changed = [one for key, one in accounts.items() if known.get(key) != one]
        gone = [key for key in known if key not in accounts]
        if changed or gone:
            event = {
                "changed": [_account(one) for one in changed[:_MOST_CHANGED]],
                "removed": gone[:_MOST_CHANGED],
                "more": max(0, len(changed) - _MOST_CHANGED) + max(0, len(gone) - _MOST_CHANGED),
            }
            self._tell(written("tokens", event))

    async def _tell_records(self) -> None:
        found = await self._records.since(self._latest, RECORDS)
        if self._latest is None:
            self._stale = True
        elif found.latest > self._latest:
            self._stale = True
            events = [written("record", shown(stored)) for stored in found.items]
            if found.skipped:
                events.insert(0, written("lagging", {"missed": found.skipped}))
            self._tell(b"".join(events), len(found.items) + found.skipped)
        self._latest = found.latest

    def _tell(self, data: bytes, events: int = 1) -> None:
        for listener in tuple(self.listeners):
            listener.put(data, events)


def _account(status: AccountStatus) -> dict[str, object]:
    return {
        "id": status.fingerprint,
        "name": status.name,
        "group": status.group,
        "status": status.state,
        "error": status.reason,
        "returns_at": moment(status.until),
        "in_flight": status.in_flight,
        "request_count": status.served + status.failed,
        "success_count": status.served,
        "failure_count": status.failed,
        "last_used": moment(status.last_used),
    }


class EventsApi:
    """``/api/events``, for those whose key is for all groups: everybody is told the same."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, broadcast: Broadcast) -> None:
        self._gate = gate
        self._broadcast = broadcast

    @app.route("/api/events", methods=["GET"])
    async def events(self, request: ApiRequest) -> None:
        """Events until the client leaves."""
        self._gate.identify_owner(request)
        await self._broadcast.listen(request)
