# -*- test-case-name: tests.web.test_operator_api -*-
"""The operator's routes: liveness, health, what models there are, and what would be sent.

Must not know dialects, nor what an operator changes: that is in ``admin``.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from klein import Klein
from twisted.internet.interfaces import IReactorTime

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
from kiro2api.errors import RequestRejected
from kiro2api.explain import Explainer
from kiro2api.web.gate import Gate
from kiro2api.web.overview import Overview
from kiro2api.web.reply import install_error_pages, send_json, send_value
from kiro2api.web.site import ApiRequest


class Accounts(Protocol):
    """The part of the pool that an operator may look at."""

    def snapshot(self, now: float) -> list[AccountStatus]:
        """Every account as it is at ``now``, in the order of choice."""

    def recent(self, now: float, most: int) -> list[AccountStatus]:
        """Those that were used or changed lately, and ``most`` others in turn."""

    def readiness(self, now: float) -> tuple[int, int]:
        """How many accounts there are, and how many of them do not rest."""


class ToExplain(msgspec.Struct):
    """The body of ``/api/explain``: a client's body in an envelope."""

    dialect: str
    body: msgspec.Raw
    group: str = ""


IN_TURN: Final = 300
"""Accounts that ``news`` looks at although nothing is known to have happened to them."""

_TO_EXPLAIN: Final = msgspec.json.Decoder(ToExplain)


def moment(epoch: float) -> str:
    """RFC 3339 in UTC; empty for 0, which stands for never or unknown."""
    if not epoch:
        return ""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")


class OperatorApi:
    """Routes for whoever runs the service.

    :param store_alive: whether the store answered its last statement.
    :param model_names: the public names of the models on offer.
    """

    app = Klein()
    install_error_pages(app)

    def __init__(
        self,
        gate: Gate,
        accounts: Accounts,
        clock: IReactorTime,
        *,
        started: float,
        store_alive: Callable[[], bool],
        requests_active: Callable[[], int],
        explainer: Explainer,
        model_names: Callable[[], Iterable[str]],
    ) -> None:
        self._gate = gate
        self._accounts = accounts
        self._clock = clock
        self._started = started
        self._store_alive = store_alive
        self._requests_active = requests_active
        self._explainer = explainer
        self._model_names = model_names
        self._ask_all: Callable[[bool], Awaitable[Overview]] | None = None

    def ask_all(self, ask: Callable[[bool], Awaitable[Overview]]) -> None:
        """From now on, show what ``ask`` gives: the view of all processes, in brief (without
        accounts) or not."""
        self._ask_all = ask

    def own_overview(self) -> Overview:
        """What this process knows."""
        statuses = self._accounts.snapshot(self._clock.seconds())
        return Overview(statuses, self._requests_active(), self._started)

    def news(self) -> Overview:
        """The same with the accounts that were used or changed since the last call, and some of
        the others: however many there are, it costs about the same."""
        statuses = self._accounts.recent(self._clock.seconds(), IN_TURN)
        return Overview(statuses, self._requests_active(), self._started)

    async def overview(self) -> Overview:
        """What all processes know together."""
        return self.own_overview() if self._ask_all is None else await self._ask_all(False)

    async def _in_brief(self) -> Overview:
        """The same without accounts."""
        if self._ask_all is not None:
            return await self._ask_all(True)
        return Overview([], self._requests_active(), self._started)

    @app.route("/", methods=["GET", "HEAD"])
    def root(self, request: ApiRequest) -> bytes:
        """Clients probe this before they connect."""
        return send_value(request, {"service": "kiro2api", "version": __version__})

    @app.route("/api/hello", methods=["GET", "HEAD"])
    def hello(self, request: ApiRequest) -> bytes:
        """Claude Code's connection warm-up."""
        return send_json(request, b"{}")

    @app.route("/health", methods=["GET", "HEAD"])
    async def health(self, request: ApiRequest) -> bytes:
        """503 when the store is gone or nobody can serve; no names, since it needs no key."""
        overview = await self._in_brief()
        # Every process is told how all accounts stand.
        total, ready = self._accounts.readiness(self._clock.seconds())
        alive = self._store_alive()
        healthy = alive and (ready > 0 or not total)
        return send_value(
            request,
            {
                "status": "healthy" if healthy else "degraded",
                "version": __version__,
                "uptime": int(self._clock.seconds() - overview.started),
                "timestamp": moment(self._clock.seconds()),
                "database": "connected" if alive else "disconnected",
                "accounts": {"total": total, "ready": ready},
                "active_requests": overview.active_requests,
                **_of_several(overview),
            },
            200 if alive else 503,
        )

    @app.route("/api/models", methods=["GET"])
    def models(self, request: ApiRequest) -> bytes:
        """The names of the models on offer, for pages of the console."""
        caller = self._gate.identify(request)
        listed = [name for name in self._model_names() if self._gate.may_use(caller, name)]
        return send_value(request, {"data": [{"id": name} for name in listed]})

    @app.route("/api/explain", methods=["POST"])
    def explain(self, request: ApiRequest) -> bytes:
        """What would be sent for a client's body, in an envelope or, with ``?dialect=``, bare."""
        caller = self._gate.identify_admin(request)
        if dialect := _argument(request, b"dialect"):
            asked = ToExplain(dialect, msgspec.Raw(request.body), _argument(request, b"group"))
        else:
            try:
                asked = _TO_EXPLAIN.decode(request.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise RequestRejected(f"The request body has the wrong shape: {error}") from None
        self._gate.allow_group(caller, asked.group or self._explainer.default_group)
        told = self._explainer.explain(asked.dialect, bytes(asked.body), asked.group)
        return send_value(request, told)


def _argument(request: ApiRequest, name: bytes) -> str:
    value: bytes = request.args.get(name, [b""])[0]
    return value.decode("utf-8", "replace")


def _of_several(overview: Overview) -> dict[str, object]:
    """Only said where there are several processes."""
    if overview.workers == 1 and not overview.partial:
        return {}
    return {"workers": overview.workers, "partial": overview.partial}
