"""What an administrator's key for some groups shows of what runs and ran in all of them."""

from kiro2api.store.keys import StoredKey
from tests.fakes.answers import FakeStream
from tests.test_metering import record
from tests.web.admin.operating import OperatingCase
from tests.web.case import HELLO
from tests.web.test_operator_api import status


class LimitedTests(OperatingCase):
    """Everything but the accounts themselves, for which see ``test_tokens_permissions``."""

    def setUp(self) -> None:
        super().setUp()
        for number, (key, groups) in enumerate((("one", ("pro",)), ("two", ("pro", "vip"))), 7):
            stored = StoredKey(number, key, key.encode(), "admin", 0.0, groups=groups)
            self.gate.admit(stored, "admin")
        self.now = self.clock.seconds() - 10
        for group in ("default", "pro", "vip"):
            name = f"of-{group}"
            self.write(record(request_id=name, group=group, account=name, started=self.now))

    def seen(self, path: str, key: str) -> list[str]:
        """The ids of the requests of a list."""
        reply = self.ask(path, key=key)
        self.assertEqual(reply.status, 200, reply.body)
        return [each["request_id"] for each in reply.json["items"]]

    def test_records(self) -> None:
        """Those of its group; of several, one has to be named."""
        self.assertEqual(len(self.seen("/api/requests", "root")), 3)
        self.assertEqual(self.seen("/api/requests", "one"), ["of-pro"])
        self.assertEqual(self.seen("/api/requests?group=vip", "two"), ["of-vip"])
        csv = self.ask("/api/requests.csv", key="one").body.decode()
        self.assertIn("of-pro", csv)
        self.assertNotIn("of-default", csv)
        for path, key, word in (
            ("/api/requests?group=vip", "one", "vip"),
            ("/api/requests.csv?group=default", "one", "default"),
            ("/api/requests", "two", "pro, vip"),
            ("/api/requests/of-vip", "one", "vip"),
        ):
            reply = self.ask(path, key=key)
            self.assertEqual((path, reply.status), (path, 403))
            self.assertIn(word, reply.json["error"]["message"])
        self.assertEqual(self.ask("/api/requests/of-pro", key="one").status, 200)

    def test_numbers(self) -> None:
        """Only its group's, of accounts as well."""
        self.statuses = [status("of-pro", group="pro"), status("of-vip", group="vip")]
        told = self.ask("/api/stats", key="one").json
        self.assertEqual([each["name"] for each in told["by_account"]], ["of-pro"])
        self.assertEqual((told["totals"]["requests"], told["pool"]["total"]), (1, 1))
        self.assertEqual(self.ask("/api/stats?group=vip", key="one").status, 403)
        self.assertEqual(self.ask("/api/stats", key="two").status, 403)

    def test_live(self) -> None:
        """Only its group's are shown and can be ended."""
        self.client.results.append(FakeStream(self.clock))
        channel, _ = self.start("/v1/messages", {**HELLO, "stream": True})
        self.addCleanup(self.hang_up, channel)
        [shown] = self.seen("/api/live", "root")
        self.assertEqual(self.seen("/api/live", "one"), [])
        self.assertEqual(self.ask("/api/live", key="one").json["total"], 0)
        path = f"/api/live/{shown}/cancel"
        self.assertEqual(self.ask(path, key="one", method="POST").status, 404)
        self.assertEqual(self.ask("/api/live/other/cancel", key="one", method="POST").status, 404)
        self.gate.admit(StoredKey(9, "3", b"3", "admin", 0.0, groups=("default",)), "admin")
        self.assertEqual(self.seen("/api/live", "3"), [shown])
        self.assertEqual(self.ask(path, key="3", method="POST").status, 200)

    def test_all_or_nothing(self) -> None:
        """What cannot be told apart by groups is for keys that are for all of them."""
        for path, method in (
            ("/api/events", "GET"),
            ("/metrics", "GET"),
            ("/api/captures", "GET"),
            ("/api/captures", "POST"),
            ("/api/captures", "DELETE"),
            ("/api/captures/of-pro", "GET"),
        ):
            reply = self.ask(path, key="one", method=method)
            self.assertEqual((path, method, reply.status), (path, method, 403))

    def test_explain(self) -> None:
        """Names accounts, and so only those of its groups."""
        for group in ("", "default"):
            body = {"dialect": "anthropic", "body": HELLO, "group": group}
            self.assertEqual(self.ask("/api/explain", body, key="one").status, 403)
        self.assertEqual(
            self.ask("/api/explain?dialect=anthropic&group=vip", HELLO, key="one").status, 403
        )
