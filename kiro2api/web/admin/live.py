# -*- test-case-name: tests.web.admin.test_live -*-
"""The routes of what runs at this moment: a list, and a way to end one.

Knows the requests of this process, and asks the others for theirs. Must not know how a request is
served.
"""

from collections.abc import Callable, Collection
from heapq import nsmallest
from typing import Final

import msgspec
from klein import Klein
from twisted.internet.interfaces import IReactorTime

from kiro2api.errors import Kind, KiroError, NotFound
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.tokens import may_see
from kiro2api.web.gate import Caller, Gate
from kiro2api.web.peers import Peers
from kiro2api.web.progress import Progress, Running
from kiro2api.web.reply import id_of, send_value
from kiro2api.web.site import ApiRequest

CANCELLED: Final = "cancelled_by_operator"
MOST: Final = 500
"""So many are shown, the oldest."""

_RUNS, _CANCEL = "running", "cancel"


class Runs(msgspec.Struct, frozen=True):
    """Requests under way, the oldest first; of ``total`` no more than ``MOST`` are in ``items``.

    ``partial``: there are more processes, which did not answer.
    """

    items: list[Running]
    total: int
    partial: bool = False


_THEIRS: Final = msgspec.json.Decoder(Runs)
_ENDED: Final = msgspec.json.Decoder(bool)


class Live:
    """The requests that are under way, here and in other processes.

    :param worker: the number of this process; 0 where it serves alone.
    """

    def __init__(
        self,
        active: Callable[[], Collection[Progress]],
        clock: IReactorTime,
        peers: Peers,
        *,
        default_group: str,
        worker: int = 0,
    ) -> None:
        self._active = active
        self._clock = clock
        self._peers = peers
        self._default_group = default_group
        self.worker = worker
        peers.answers |= {_RUNS: lambda _: self.own(), _CANCEL: self.cancel_own}

    def own(self) -> Runs:
        """Those of this process."""
        now, active = self._clock.seconds(), self._active()
        oldest = nsmallest(MOST, active, key=lambda progress: progress.started)
        running = [progress.running(now, self._default_group) for progress in oldest]
        return Runs(running, len(active))

    async def running(self) -> Runs:
        """Those of all processes."""
        theirs, partial = await self._peers.asked(_RUNS, "", _THEIRS)
        every = [self.own(), *theirs]
        items = [one for runs in every for one in runs.items]
        return Runs(
            nsmallest(MOST, items, key=lambda one: -one.age_seconds),
            sum(runs.total for runs in every),
            partial,
        )

    def shown(self, runs: Runs) -> dict[str, object]:
        """As they are shown."""
        told: dict[str, object] = {"items": runs.items, "total": runs.total}
        if runs.partial:
            told |= {"worker": self.worker, "partial": True}
        return told

    async def cancel(self, request_id: str) -> bool:
        """End one, wherever it is; whether it was there to be ended.

        Its client is told so in a way that does not make it try again by itself.
        """
        if self.cancel_own(request_id):
            return True
        ended, _ = await self._peers.asked(_CANCEL, request_id, _ENDED)
        return any(ended)

    def cancel_own(self, request_id: str) -> bool:
        """End one of this process."""
        for progress in self._active():
            if id_of(progress.request) == request_id:
                fault = KiroError(
                    "the request was cancelled by the operator",
                    kind=Kind.INVALID_REQUEST,
                    code=CANCELLED,
                )
                return progress.stop(fault)
        return False


class LiveApi:
    """``/api/live``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, live: Live) -> None:
        self._gate = gate
        self._live = live

    @app.route("/api/live", methods=["GET"])
    async def listed(self, request: ApiRequest) -> bytes:
        """What runs, in the groups that the key is for."""
        caller = self._gate.identify_admin(request)
        return send_value(request, self._live.shown(await self._seen(caller)))

    @app.route("/api/live/<request_id>/cancel", methods=["POST"])
    async def cancel(self, request: ApiRequest, request_id: str) -> bytes:
        """End it."""
        caller = self._gate.identify_admin(request)
        if not await self._may_end(caller, request_id) or not await self._live.cancel(request_id):
            raise NotFound("no such request is under way")
        return send_value(request, {"request_id": request_id, "cancelled": True})

    async def _seen(self, caller: Caller) -> Runs:
        runs = await self._live.running()
        if not caller.limited:
            return runs
        allowed = may_see(self._gate, caller)
        items = [one for one in runs.items if allowed(one.group)]
        return Runs(items, len(items), runs.partial)

    async def _may_end(self, caller: Caller, request_id: str) -> bool:
        if not caller.limited:
            return True
        return any(one.request_id == request_id for one in (await self._seen(caller)).items)
