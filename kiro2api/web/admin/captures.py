# -*- test-case-name: tests.web.admin.test_captures -*-
"""Keeping failed requests for a while, and the routes for that.

Off unless an operator has asked for it, and then for an hour at most. Must not know what is
redacted, or how.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import txaio.tx
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kiro2api.errors import NotFound, RequestRejected
from kiro2api.metering import Record
from kiro2api.metering_capture import Captured, capture
from kiro2api.web.admin.failures import body_of, install_operator_errors
from kiro2api.web.gate import Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.progress import Progress
from kiro2api.web.reply import send_json, send_value
from kiro2api.web.site import ApiRequest

MOST_MINUTES: Final = 60
_LOOK_SECONDS: Final = 10.0
_PER_LOOK: Final = 20


class CaptureStore(Protocol):
    """Where captures are kept."""

    def until(self) -> Deferred[float]:
        """When capturing ends or has ended (epoch seconds)."""

    def switch(self, until: float, actor: str, now: float) -> Deferred[None]:
        """Capture until then; 0 to end it."""

    def keep(self, request_id: str, make: Callable[[], bytes], now: float) -> Deferred[float]:
        """Keep it, if it is still wanted; fires with when capturing ends."""

    def listed(self, now: float) -> Deferred[list[Captured]]:
        """All of them."""

    def read(self, request_id: str) -> Deferred[bytes | None]:
        """One of them."""

    def clear(self, actor: str, now: float) -> Deferred[int]:
        """Drop all of them and end capturing."""


class Captures:
    """Decides which failed requests are kept.

    Another process may have switched it on: the store is asked about that by a failure, but not
    by each one.
    """

    log = txaio.tx.make_logger()

    def __init__(self, rows: CaptureStore, clock: IReactorTime) -> None:
        self._rows = rows
        self._clock = clock
        self._until = 0.0
        self._looked = 0.0
        self._kept = 0

    def switched(self, until: float) -> None:
        """From now on, until then (epoch seconds)."""
        self._until = until

    def failed(self, progress: Progress, record: Record) -> None:
        """A request has failed; for ``Serving.failed``."""
        now = self._clock.seconds()
        if now - self._looked >= _LOOK_SECONDS:
            # The first after a while asks, whether it is on or not.
            self._looked, self._kept = now, 0
        elif now >= self._until or self._kept >= _PER_LOOK:
            return
        self._kept += 1
        request, fault = progress.request, progress.fault
        body = request.body
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        error: dict[str, object] = {"status": record.status}
        if fault is not None:
            error |= {
                "kind": fault.kind.value,
                "code": fault.code,
                "message": fault.message,
                "param": fault.param,
            }
        path = request.location.path

        def make() -> bytes:
            return capture(record, path=path, headers=headers, body=body, error=error)

        kept = self._rows.keep(record.request_id, make, now)
        kept.addCallbacks(
            self.switched, lambda failure: self.log.error("a failed request was not kept")
        )


class _Switch(msgspec.Struct, forbid_unknown_fields=True):
    minutes: float = 15.0


_SWITCH: Final = msgspec.json.Decoder(_Switch)


class CapturesApi:
    """``/api/captures``, for those whose key is for all groups: any request may be among them."""

    app = Klein()
    install_operator_errors(app)

    def __init__(
        self, gate: Gate, rows: CaptureStore, captures: Captures, clock: IReactorTime
    ) -> None:
        self._gate = gate
        self._rows = rows
        self._captures = captures
        self._clock = clock

    @app.route("/api/captures", methods=["GET"])
    async def listed(self, request: ApiRequest) -> bytes:
        """What is kept, and until when more will be."""
        self._gate.identify_owner(request)
        now = self._clock.seconds()
        items = await self._rows.listed(now)
        until = await self._rows.until()
        return send_value(
            request,
            {
                "items": [
                    {"request_id": one.request_id, "at": moment(one.at), "octets": one.octets}
                    for one in items
                ],
                "total": len(items),
                **_switch(until, now),
            },
        )

    @app.route("/api/captures", methods=["POST"])
    async def switch(self, request: ApiRequest) -> bytes:
        """Keep failed requests for so many minutes; 0 to end it."""
        caller = self._gate.identify_owner(request)
        minutes = body_of(request, _SWITCH).minutes
        if not 0 <= minutes <= MOST_MINUTES:
            raise RequestRejected(f"minutes must be from 0 to {MOST_MINUTES}", param="minutes")
        now = self._clock.seconds()
        until = now + minutes * 60 if minutes else 0.0
        await self._rows.switch(until, caller.name, now)
        self._captures.switched(until)
        return send_value(request, _switch(until, now))

    @app.route("/api/captures", methods=["DELETE"])
    async def clear(self, request: ApiRequest) -> bytes:
        """Drop what is kept, and keep no more."""
        caller = self._gate.identify_owner(request)
        dropped = await self._rows.clear(caller.name, self._clock.seconds())
        self._captures.switched(0.0)
        return send_value(request, {"dropped": dropped})

    @app.route("/api/captures/<request_id>", methods=["GET"])
    async def one(self, request: ApiRequest, request_id: str) -> bytes:
        """One failed request, redacted."""
        self._gate.identify_owner(request)
        content = await self._rows.read(request_id)
        if content is None:
            raise NotFound("no such request is kept")
        return send_json(request, content)


def _switch(until: float, now: float) -> dict[str, object]:
    return {"active": now < until, "until": moment(until) if now < until else ""}
