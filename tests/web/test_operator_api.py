"""The operator's routes."""

from twisted.internet.defer import Deferred, succeed

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
from kiro2api.web.overview import Overview
from tests.web.case import WebCase


def status(name: str, state: str = "ready", group: str = "default") -> AccountStatus:
    """An account as shown."""
    return AccountStatus(
        name=name,
        group=group,
        method="social",
        state=state,
        reason="" if state == "ready" else "throttled",
        until=0.0 if state == "ready" else 1_000_030.0,
        expires_at=1_003_600.0,
        in_flight=1,
        served=3,
        failed=1,
        order=0,
        last_used=0.0,
        fingerprint="12345678",
    )


class ProbeTests(WebCase):
    """What clients and load balancers probe, without a key."""

    def test_probes(self) -> None:
        """GET and HEAD of the root, and the warm-up."""
        self.assertEqual(self.ask("/", key="").json["service"], "kiro2api")
        for path in ("/", "/api/hello"):
            reply = self.ask(path, key="", method="HEAD")
            self.assertEqual((reply.status, reply.raw), (200, b""))

    def test_healthy(self) -> None:
        """Counts, no names."""
        self.statuses = [status("secret-name"), status("other", "cooling")]
        self.clock.advance(5)
        reply = self.ask("/health", key="")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.json["status"], "healthy")
        self.assertEqual(reply.json["version"], __version__)
        self.assertEqual(reply.json["uptime"], 5)
        self.assertEqual(reply.json["accounts"], {"total": 2, "ready": 1})
        self.assertNotIn(b"secret-name", reply.body)

    def test_many_accounts(self) -> None:
        """They are counted, and not looked at one by one."""
        self.statuses = [status("a")]
        self.patch(self, "snapshot", None)
        self.assertEqual(self.ask("/health", key="").json["accounts"], {"total": 1, "ready": 1})

    def test_degraded(self) -> None:
        """Nobody can serve: said, but the process is alive. Without its store it is not."""
        self.statuses = [status("a", "cooling")]
        reply = self.ask("/health", key="")
        self.assertEqual((reply.status, reply.json["status"]), (200, "degraded"))
        self.alive = False
        reply = self.ask("/health", key="")
        self.assertEqual((reply.status, reply.json["database"]), (503, "disconnected"))


class ModelsTests(WebCase):
    """The names of models."""

    def test_names(self) -> None:
        """Any key may ask."""
        names = [each["id"] for each in self.ask("/api/models").json["data"]]
        self.assertIn("claude-sonnet-4-5-20250929", names)
        self.assertEqual(self.ask("/api/models", key="").status, 401)


class CompanyTests(WebCase):
    """One of several processes."""

    def test_view_of_all(self) -> None:
        """Counts and accounts are those of all, and it is said how many they are."""
        self.statuses = [status("a"), status("b")]
        brief = Overview([], 7, self.clock.seconds() - 50, workers=3)
        everything = Overview([status("a"), status("b")], 7, brief.started, workers=3)
        self.operator.ask_all(lambda short: succeed(brief if short else everything))
        health = self.ask("/health", key="").json
        self.assertEqual((health["active_requests"], health["uptime"]), (7, 50))
        self.assertEqual(health["accounts"], {"total": 2, "ready": 2})
        self.assertEqual((health["workers"], health["partial"]), (3, False))
        shown = self.successResultOf(Deferred.fromCoroutine(self.operator.overview()))
        self.assertEqual(shown, everything)

    def test_alone(self) -> None:
        """A process that serves alone says nothing of others."""
        self.assertNotIn("workers", self.ask("/health", key="").json)

    def test_partial(self) -> None:
        """Said also by the only one left."""
        self.operator.ask_all(lambda short: succeed(Overview([], 0, 0.0, workers=1, partial=True)))
        self.assertTrue(self.ask("/health", key="").json["partial"])
