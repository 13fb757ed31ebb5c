"""Failed requests are kept when an operator asks for it."""

from kiro2api.errors import UpstreamRefused
from kiro2api.store.audit import AuditRows
from kiro2api.store.migrate import StoreError
from tests.web.admin.operating import OperatingCase
from tests.web.case import HELLO


class CapturesTests(OperatingCase):
    """``/api/captures``."""

    def switch(self, minutes: object) -> int:
        """On or off; the status of the answer."""
        return self.ask("/api/captures", {"minutes": minutes}, key="root").status

    def fail_once(self, text: str = "hello") -> str:
        """A failed request; its id."""
        self.client.results.append(UpstreamRefused("bad input", code="ODD"))
        body = {**HELLO, "messages": [{"role": "user", "content": text}]}
        return self.ask("/v1/messages", body).headers["request-id"]

    def kept(self) -> list[str]:
        """The ids of what is kept."""
        told = self.ask("/api/captures", key="root").json
        return [one["request_id"] for one in told["items"]]

    def test_off(self) -> None:
        """Nothing is kept unless asked for."""
        self.fail_once()
        told = self.ask("/api/captures", key="root").json
        self.assertEqual((told["items"], told["active"], told["until"]), ([], False, ""))

    def test_failed_ones(self) -> None:
        """What went wrong is there, with what the client sent, less his secrets."""
        self.assertEqual(self.switch(10), 200)
        request_id = self.fail_once("my key is sk-ant-abcdefghijklmnop, mail me@home.example.org")
        self.assertEqual(self.kept(), [request_id])
        told = self.ask(f"/api/captures/{request_id}", key="root").json
        self.assertEqual((told["error"]["code"], told["path"]), ("ODD", "/v1/messages"))
        self.assertEqual(
            told["body"]["messages"][0]["content"], "my key is <removed>, mail <address>"
        )
        self.assertEqual(told["record"]["account"], "a")
        self.assertNotIn("authorization", told["headers"])
        self.assertEqual(self.ask("/api/captures/req_x", key="root").status, 404)

    def test_ends_by_itself(self) -> None:
        """An hour at most."""
        for minutes in (61, -1, "x"):
            self.assertEqual(self.switch(minutes), 400)
        self.switch(1)
        self.assertTrue(self.ask("/api/captures", key="root").json["active"])
        self.clock.advance(61)
        self.fail_once()
        self.assertEqual(self.kept(), [])
        self.assertFalse(self.ask("/api/captures", key="root").json["active"])

    def test_switched_elsewhere(self) -> None:
        """Another process has switched it on: seen after a few seconds, without a timer."""
        self.fail_once()
        now = self.clock.seconds()
        self.successResultOf(self.capture_rows.switch(now + 600, "other", now))
        self.clock.advance(11)
        first, second = self.fail_once(), self.fail_once()
        self.assertEqual(set(self.kept()), {first, second})

    def test_off_costs_little(self) -> None:
        """The store is not asked about each failure."""
        self.fail_once()
        runs = self.database.runs
        for _ in range(20):
            self.fail_once()
        self.assertEqual(self.database.runs, runs)

    def test_many(self) -> None:
        """A flood of failures is not a flood of captures."""
        self.switch(10)
        for _ in range(40):
            self.fail_once()
        self.assertEqual(len(self.kept()), 20)

    def test_clear(self) -> None:
        """All gone, and off."""
        self.switch(10)
        self.fail_once()
        told = self.ask("/api/captures", key="root", method="DELETE").json
        self.assertEqual(told, {"dropped": 1})
        self.fail_once()
        self.assertEqual(self.kept(), [])

    def test_audited(self) -> None:
        """Who did it."""
        self.switch(10)
        self.switch(0)
        self.ask("/api/captures", key="root", method="DELETE")
        audit = AuditRows(self.database.real, self.clock.seconds)
        found = self.successResultOf(audit.page(0, 10))
        self.assertEqual(
            [(one.actor, one.action) for one in found],
            [("admin", "capture.clear"), ("admin", "capture.stop"), ("admin", "capture.start")],
        )

    def test_store_fails(self) -> None:
        """The client gets its answer all the same."""
        self.switch(10)
        self.database.broken = StoreError("no space is left")
        self.assertTrue(self.fail_once())

    def test_admins_only(self) -> None:
        """On every route."""
        for path, body, method in (
            ("/api/captures", None, "GET"),
            ("/api/captures", {"minutes": 1}, "POST"),
            ("/api/captures", None, "DELETE"),
            ("/api/captures/req_1", None, "GET"),
        ):
            self.assertEqual(self.ask(path, body, method=method).status, 403)
