"""The numbers: on their route, in the metrics, for a key's owner."""

import re
from typing import Any

import msgspec

from kiro2api.metering import Record
from kiro2api.statistics import BREAKDOWNS, PERIODS
from tests.test_metering import record
from tests.web.admin.operating import OperatingCase
from tests.web.test_operator_api import status

NOW = 1_000_000.0


def some() -> list[Record]:
    """Requests of the last hours."""
    return [
        record(
            request_id=f"req_{n}",
            started=NOW - n * 100,
            account="ab"[n % 2],
            key="client-1" if n % 3 else "other",
            group="default",
            upstream_model=f"m{n % 3}",
            status=500 if n % 5 == 0 else 200,
            outcome="failed" if n % 5 == 0 else "abandoned" if n % 7 == 0 else "served",
            input_tokens=10,
            output_tokens=n,
            cache_read_tokens=2,
            credits=0.5,
            first_event_seconds=0.25,
        )
        for n in range(100)
    ]


class StatsTests(OperatingCase):
    """``/api/stats``."""

    def stats(self, query: str = "") -> Any:
        """The answer."""
        reply = self.ask(f"/api/stats{query}", key="root")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def test_fresh_install(self) -> None:
        """Nothing yet is no failure, and no rate of it is told."""
        for period in PERIODS:
            told = self.stats(f"?period={period}")
            self.assertEqual((told["totals"]["requests"], told["by_model"]), (0, []))
            self.assertIsNone(told["totals"]["success_rate"])
            self.assertIsNone(told["totals"]["total_p95"])
            self.assertIsNone(told["burn"]["credits_left"])

    def test_numbers(self) -> None:
        """Totals, points of the chart and every breakdown add up to the same."""
        self.write(*some())
        told = self.stats()
        totals = told["totals"]
        self.assertEqual((totals["requests"], totals["failed"]), (100, 20))
        self.assertEqual(totals["served"] + totals["failed"] + totals["abandoned"], 100)
        self.assertAlmostEqual(totals["success_rate"], totals["served"] / (totals["served"] + 20))
        self.assertEqual((totals["credits"], totals["input_tokens"]), (50.0, 1000))
        self.assertAlmostEqual(totals["first_event_p50"], 0.25, 1)
        self.assertEqual(sum(point["requests"] for point in told["series"]), 100)
        self.assertEqual(len(told["series"]), 24)
        for name in BREAKDOWNS:
            parts = told[f"by_{name}"]
            self.assertEqual(sum(part["requests"] for part in parts), 100, name)
            self.assertEqual(sum(part["output_tokens"] for part in parts), 4950, name)
        self.assertEqual({part["name"] for part in told["by_account"]}, {"a", "b"})

    def test_filters(self) -> None:
        """Of one account, one key, one model."""
        self.write(*some())
        for query, count in (("account=a", 50), ("key=other", 34), ("model=m1", 33)):
            told = self.stats(f"?period=7d&{query}")
            self.assertEqual(told["totals"]["requests"], count, query)
            self.assertEqual(sum(part["requests"] for part in told["by_model"]), count)

    def test_pool_and_forecast(self) -> None:
        """States, and when each account and all of them run out."""
        rich = msgspec.structs.replace(
            status("a"), credits_left=50.0, resets_at=NOW + 86400.0, fingerprint="aaaa"
        )
        self.statuses = [rich, status("b", "cooling")]
        self.write(*(record(started=NOW - 1800, account="a", credits=1.0) for _ in range(10)))
        told = self.stats()
        self.assertEqual((told["pool"]["ready"], told["pool"]["cooling"]), (1, 1))
        burn = told["burn"]
        self.assertEqual((burn["credits_per_hour"], burn["credits_left"]), (10.0, 50.0))
        self.assertEqual(burn["unknown"], 1)
        first, second = burn["accounts"]
        self.assertEqual((first["id"], first["credits_per_hour"]), ("aaaa", 10.0))
        self.assertEqual(first["exhausted_at"], "1970-01-12T18:46:40+00:00")
        self.assertEqual((second["exhausted_at"], second["credits_left"]), ("", None))

    def test_wrong(self) -> None:
        """What cannot be answered is told with the field."""
        for query, param in (("period=1y", "period"), ("account=a&key=k", "key")):
            reply = self.ask(f"/api/stats?{query}", key="root")
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, param))
        self.assertEqual(self.ask("/api/stats").status, 403)

    def test_own_usage(self) -> None:
        """A key sees what it has used, and nothing of others or of accounts."""
        self.write(*some())
        told = self.ask("/api/usage?period=7d").json
        self.assertEqual((told["key"], told["totals"]["requests"]), ("client-1", 66))
        self.assertEqual(sum(point["requests"] for point in told["series"]), 66)
        self.assertEqual(set(told), {"key", "period", "from", "to", "totals", "series", "by_model"})
        self.assertEqual(self.ask("/api/usage", key="").status, 401)


class SameNumbersTests(OperatingCase):
    """The route, the metrics and the console's events say the same."""

    def test_same(self) -> None:
        """Each number of one state, compared."""
        self.statuses = [status("a"), status("b", "cooling")]
        _, wire = self.start("/api/events", key="root", method="GET")
        self.clock.advance(1)
        self.write(*some())
        self.clock.pump([1] * 7)
        events = re.findall(r"event: stats\ndata: (.*)\n", wire.value().decode())
        from_events = msgspec.json.decode(events[-1])["totals"]
        told = self.ask("/api/stats", key="root").json
        self.assertEqual(from_events, told["totals"])
        text = self.ask("/metrics", key="root").body.decode()

        def metric(name: str, **labels: str) -> float:
            """The sum of those samples that have these labels."""
            found = 0.0
            for each, inner, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M):
                has = dict(re.findall(r'(\w+)="([^"]*)"', inner))
                if each == name and all(has.get(key) == want for key, want in labels.items()):
                    found += float(value)
            return found

        totals = told["totals"]
        for outcome in ("served", "failed", "abandoned"):
            self.assertEqual(metric("kiro2api_requests_total", outcome=outcome), totals[outcome])
        for kind in ("input", "output", "cache_read", "cache_write"):
            self.assertEqual(metric("kiro2api_tokens_total", kind=kind), totals[f"{kind}_tokens"])
        self.assertEqual(metric("kiro2api_credits_total"), totals["credits"])
        self.assertEqual(metric("kiro2api_served_seconds_count"), totals["served"])
        for part in told["by_model"]:
            self.assertEqual(
                metric("kiro2api_requests_total", model=part["name"]), part["requests"]
            )
        for part in told["by_account"]:
            labels = {"account": part["name"]}
            self.assertEqual(metric("kiro2api_account_requests_total", **labels), part["requests"])
            self.assertEqual(metric("kiro2api_account_credits_total", **labels), part["credits"])
        for part in told["by_key"]:
            self.assertEqual(
                metric("kiro2api_key_credits_total", key=part["name"]), part["credits"]
            )
        for part in told["by_status"]:
            self.assertEqual(
                metric("kiro2api_responses_total", status=part["name"]), part["requests"]
            )
        for state in ("ready", "cooling"):
            self.assertEqual(metric("kiro2api_accounts", state=state), told["pool"][state])
        self.broadcast.stop()
