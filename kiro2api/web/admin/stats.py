# -*- test-case-name: tests.web.admin.test_stats -*-
"""The routes of the statistics: of everything for the operator, of one's own key for anybody.

Must not know what a number means.
"""

from klein import Klein

from kiro2api.statistics import StatisticsFilter
from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.lists import argument
from kiro2api.web.admin.stats_numbers import Numbers
from kiro2api.web.gate import Gate
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest


class StatsApi:
    """``/api/stats`` and ``/api/usage``."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, numbers: Numbers) -> None:
        self._gate = gate
        self._numbers = numbers

    @app.route("/api/stats", methods=["GET"])
    async def stats(self, request: ApiRequest) -> bytes:
        """Totals, charts, breakdowns, the pool and the forecast of a period."""
        caller = self._gate.identify_admin(request)
        asked = {name: argument(request, name) for name in StatisticsFilter.__struct_fields__}
        asked["group"] = self._gate.group_seen(caller, asked["group"])
        wanted = StatisticsFilter(**asked)
        return send_value(request, await self._numbers.told(argument(request, "period"), wanted))

    @app.route("/api/usage", methods=["GET"])
    async def usage(self, request: ApiRequest) -> bytes:
        """What the caller's own key has used."""
        caller = self._gate.identify(request)
        told = await self._numbers.usage_of(caller.name, argument(request, "period"))
        return send_value(request, told)
