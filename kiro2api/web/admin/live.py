# -*- test-case-name: tests.web.admin.test_live -*-
"""The routes of what runs at this moment: a list, and a way to end one.

Knows the requests of this process; with several processes each shows its own. Must not know how a
request is served.
"""

from collections.abc import Callable, Collection
from typing import Final

from klein import Klein
from twisted.internet.interfaces import IReactorTime

from kiro2api.errors import Kind, KiroError, NotFound
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.gate import Gate
from kiro2api.web.progress import Progress, Running
from kiro2api.web.reply import id_of, send_value
from kiro2api.web.site import ApiRequest

CANCELLED: Final = "cancelled_by_operator"


class Live:
    """The requests of this process that are under way.

    :param worker: the number of this process; 0 where it serves alone.
    """

    def __init__(
        self,
        active: Callable[[], Collection[Progress]],
        clock: IReactorTime,
        *,
        default_group: str,
        worker: int = 0,
    ) -> None:
        self._active = active
        self._clock = clock
        self._default_group = default_group
        self.worker = worker

    def running(self) -> list[Running]:
        """All of them, the oldest first."""
        now = self._clock.seconds()
        found = sorted(self._active(), key=lambda progress: progress.started)
        return [progress.running(now, self._default_group) for progress in found]

    def shown(self) -> dict[str, object]:
        """As it is shown."""
        items = self.running()
        told: dict[str, object] = {"items": items, "total": len(items)}
        if self.worker:
            told |= {"worker": self.worker, "partial": True}
        return told

    def cancel(self, request_id: str) -> bool:
        """End one; whether it was there to be ended.

        Its client is told so in a way that does not make it try again by itself.
        """
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
    def listed(self, request: ApiRequest) -> bytes:
        """What runs."""
        self._gate.identify_admin(request)
        return send_value(request, self._live.shown())

    @app.route("/api/live/<request_id>/cancel", methods=["POST"])
    def cancel(self, request: ApiRequest, request_id: str) -> bytes:
        """End it."""
        self._gate.identify_admin(request)
        if not self._live.cancel(request_id):
            raise NotFound("no such request is under way in this process")
        return send_value(request, {"request_id": request_id, "cancelled": True})
