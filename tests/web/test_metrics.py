"""What Prometheus reads."""

import json
import re
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web.metrics import MetricsApi, Process
from kiro2api.web.metrics_lag import LagGauge
from kiro2api.web.reply import rendered
from kiro2api.web.site import ApiSite
from tests.test_metering import record
from tests.web.admin.operating import OperatingCase
from tests.web.test_operator_api import status

ETC = Path(__file__).resolve().parents[2] / "etc"
NOW = 1_000_000.0


class MetricsTests(OperatingCase):
    """``/metrics``."""

    def setUp(self) -> None:
        super().setUp()
        self.statuses = [
            msgspec.structs.replace(status("a"), credits_left=5.0, resets_at=NOW + 60),
            status("b", "cooling", "pro"),
        ]
        self.refreshes["renewed"] = 3

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """All samples by name and labels."""
        reply = self.ask("/metrics", key="root")
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["content-type"].startswith("text/plain"))
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(reply.body.decode())
            for sample in family.samples
        }

    def test_everything(self) -> None:
        """Requests, accounts and the process itself."""
        self.write(
            record(started=NOW, first_event_seconds=0.1, credits=0.5, upstream_model="m"),
            record(started=NOW, status=429, outcome="failed", upstream_model="m"),
        )
        found = self.samples()
        for name, labels, value in (
            ("kiro2api_requests_total", {"model": "m", "outcome": "served"}, 1),
            ("kiro2api_requests_total", {"model": "m", "outcome": "failed"}, 1),
            ("kiro2api_responses_total", {"status": "429"}, 1),
            ("kiro2api_credits_total", {"model": "m"}, 0.5),
            ("kiro2api_first_event_seconds_bucket", {"model": "m", "le": "0.064"}, 0),
            ("kiro2api_first_event_seconds_bucket", {"model": "m", "le": "0.128"}, 1),
            ("kiro2api_first_event_seconds_sum", {"model": "m"}, 0.1),
            ("kiro2api_served_seconds_count", {"model": "m"}, 1),
            ("kiro2api_accounts", {"group": "pro", "state": "cooling"}, 1),
            ("kiro2api_accounts_in_flight", {"group": "default"}, 1),
            ("kiro2api_accounts_working", {"group": "default"}, 1),
            ("kiro2api_account_credits_left", {"account": "a"}, 5),
            ("kiro2api_account_credits_reset_timestamp_seconds", {"account": "a"}, NOW + 60),
            ("kiro2api_requests_in_flight", {}, 0),
            ("kiro2api_refreshes_total", {"worker": "0", "result": "renewed"}, 3),
            ("kiro2api_start_time_seconds", {"worker": "0"}, 5),
            ("kiro2api_records_dropped_total", {"worker": "0"}, 0),
        ):
            self.assertEqual(found[name, tuple(sorted(labels.items()))], value, (name, labels))
        self.assertNotIn(("kiro2api_account_credits_left", (("account", "b"),)), found)

    def test_bounded_models(self) -> None:
        """However many models are invented, few are told apart; none is lost."""
        self.write(
            *(record(started=NOW, upstream_model=f"m{n % 9}", request_id=str(n)) for n in range(30))
        )
        served = {
            dict(labels)["model"]: value
            for (name, labels), value in self.samples().items()
            if name == "kiro2api_requests_total" and dict(labels)["outcome"] == "served"
        }
        self.assertEqual((len(served), sum(served.values())), (5, 30))
        self.assertEqual(served["other"], 30 - 4 - 4 - 4 - 3)

    def test_strange_names(self) -> None:
        """No name breaks the format."""
        self.write(record(started=NOW, key='a"b\\c\nd', upstream_model='m"} 1\nx 2'))
        found = self.samples()
        labels = (("key", 'a"b\\c\nd'), ("outcome", "served"))
        self.assertEqual(found["kiro2api_key_requests_total", labels], 1)

    def test_who_may(self) -> None:
        """The admin's key here; none where only the operator's own machines come."""
        self.assertEqual(self.ask("/metrics").status, 403)
        self.assertEqual(self.ask("/metrics", key="").status, 401)
        self.site = ApiSite(
            MetricsApi(self.metrics, None).app.resource(),
            clock=self.clock,
            max_body_bytes=1000,
            refusal=rendered,
            new_id=self.new_id,
        )
        self.assertEqual(self.ask("/metrics", key="").status, 200)
        self.assertEqual(self.ask("/api/tokens", key="").status, 404)

    def test_defaults(self) -> None:
        """A process that counts nothing."""
        process = Process(1.0)
        self.assertEqual((process.dropped_records(), process.waiting_records()), (0, 0))
        self.assertEqual((process.counts(), process.refreshes()), ({}, {}))

    def test_files_name_what_exists(self) -> None:
        """The rules and the board ask for metrics and labels that are there."""
        self.write(record(started=NOW, first_event_seconds=0.1))
        self.counts["repairs"] = 1
        labels: dict[str, set[str]] = {}
        for name, pairs in self.samples():
            labels.setdefault(name, set()).update(key for key, _ in pairs)
        board = json.loads((ETC / "grafana-kiro2api.json").read_text("utf-8"))
        asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        rules = (ETC / "prometheus-rules.yml").read_text("utf-8")
        asked += re.findall(r"^ +expr: (.*)$", rules, re.M)
        self.assertGreater(len(asked), 20)
        for expression in asked:
            named = re.findall(r"(kiro2api_\w+)(?:\{([^}]*)\})?", expression)
            self.assertTrue(named, expression)
            for name, inner in named:
                self.assertIn(name, labels, expression)
                for label in re.findall(r"(\w+)=~?\"", inner):
                    self.assertIn(label, labels[name], expression)


class LagTests(SynchronousTestCase):
    """How late the event loop is."""

    def test_late(self) -> None:
        """The worst of the last minute; afterwards it is forgotten."""
        clock = Clock()
        gauge = LagGauge(clock)
        self.assertEqual(gauge.worst, 0.0)
        gauge.start()
        clock.advance(1)
        self.assertEqual(gauge.worst, 0.0)
        clock.advance(1.75)
        self.assertEqual(gauge.worst, 0.75)
        clock.pump([1] * 61)
        self.assertEqual(gauge.worst, 0.0)
        gauge.stop()
        gauge.stop()
        self.assertEqual(clock.getDelayedCalls(), [])
