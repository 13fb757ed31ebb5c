"""The operator's routes."""

from kiro2api import __version__
from kiro2api.accounts.status import AccountStatus
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

    def test_degraded(self) -> None:
        """Nobody can serve: said, but the process is alive. Without its store it is not."""
        self.statuses = [status("a", "cooling")]
        reply = self.ask("/health", key="")
        self.assertEqual((reply.status, reply.json["status"]), (200, "degraded"))
        self.alive = False
        reply = self.ask("/health", key="")
        self.assertEqual((reply.status, reply.json["database"]), (503, "disconnected"))


class TokensTests(WebCase):
    """The state of the accounts."""

    def test_lists_accounts(self) -> None:
        """State, reason, times and counts of each; totals of what is shown."""
        self.statuses = [status("a"), status("b", "cooling", "pro")]
        reply = self.ask("/api/tokens", key="root").json
        self.assertEqual((reply["total_tokens"], reply["active_tokens"]), (2, 1))
        self.assertEqual(reply["pool_stats"]["global_in_flight"], 2)
        first, second = reply["tokens"]
        self.assertEqual((first["name"], first["status"], first["last_used"]), ("a", "ready", ""))
        self.assertEqual(second["error"], "throttled")
        self.assertEqual(second["returns_at"], "1970-01-12T13:47:10+00:00")
        self.assertEqual((second["request_count"], second["failure_count"]), (4, 1))

    def test_one_group(self) -> None:
        """The totals follow the filter."""
        self.statuses = [status("a"), status("b", "ready", "pro")]
        reply = self.ask("/api/tokens?group=pro", key="root").json
        self.assertEqual([token["name"] for token in reply["tokens"]], ["b"])
        self.assertEqual(reply["total_tokens"], 1)

    def test_admin_only(self) -> None:
        """A client key is not enough once there is an admin key."""
        self.assertEqual(self.ask("/api/tokens").status, 403)
        self.assertEqual(self.ask("/api/tokens", key="").status, 401)
