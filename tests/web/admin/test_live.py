"""What runs, and ending it."""

from typing import Any

from twisted.internet.defer import Deferred

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import TextDelta
from tests.fakes.answers import END, USAGE, FakeStream
from tests.web.admin.operating import OperatingCase
from tests.web.case import HELLO, Reply


class LiveTests(OperatingCase):
    """``/api/live``."""

    def setUp(self) -> None:
        super().setUp()
        self.stream = FakeStream(self.clock)

    def running(self) -> dict[str, object]:
        """The only one."""
        told = self.ask("/api/live", key="root").json
        self.assertEqual(told["total"], 1)
        found: dict[str, object] = told["items"][0]
        return found

    def cancel(self, request_id: object) -> Reply:
        """End it."""
        return self.ask(f"/api/live/{request_id}/cancel", key="root", method="POST")

    def test_states(self) -> None:
        """From the first moment to the last."""
        opened: Any = Deferred()
        self.client.results.append(opened)
        self.start("/v1/messages", {**HELLO, "stream": True})
        self.clock.advance(2)
        shown = self.running()
        self.assertEqual((shown["state"], shown["age_seconds"]), ("asking", 2.0))
        self.assertEqual(
            (shown["account"], shown["key"], shown["group"]), ("a", "client-1", "default")
        )
        opened.callback(self.stream)
        self.stream.push(TextDelta("lo"))
        self.assertEqual(self.running()["state"], "answering")
        self.stream.push(USAGE, END)
        self.stream.end()
        self.assertEqual(self.ask("/api/live", key="root").json, {"items": [], "total": 0})

    def test_cancel_a_stream(self) -> None:
        """The client is told in-band, the upstream is left, the account is not blamed."""
        self.client.results.append(self.stream)
        _, wire = self.start("/v1/messages", {**HELLO, "stream": True})
        self.assertEqual(self.cancel(self.running()["request_id"]).status, 200)
        told = Reply(wire.value()).body
        self.assertIn(b"cancelled by the operator", told)
        self.assertIn(b"event: error", told)
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertTrue(self.stream.abandoned)
        self.assertEqual([o.end for o in self.pool.leases[0].outcomes], [End.ABANDONED])
        (record,) = self.meter.recent
        self.assertEqual((record.outcome, record.error), ("failed", "cancelled_by_operator"))
        self.assertEqual(self.timers(), [])

    def test_cancel_while_gathering(self) -> None:
        """Who waits for a whole answer gets an error that is not worth another try."""
        self.client.results.append(self.stream)
        _, wire = self.start("/v1/chat/completions", HELLO)
        self.cancel(self.running()["request_id"])
        reply = Reply(wire.value())
        self.assertEqual(reply.status, 400)
        self.assertIn("cancelled by the operator", reply.json["error"]["message"])
        self.assertEqual(self.meter.recent[0].error, "cancelled_by_operator")
        self.assertTrue(self.stream.abandoned)
        self.assertEqual(self.timers(), [])

    def test_cancel_while_waiting(self) -> None:
        """Also before an account was found, streamed or not; what was waited for is given up."""
        for stream in (True, False):
            given_up: list[object] = []
            self.pool.waiting = Deferred(given_up.append)
            _, wire = self.start("/v1/messages", {**HELLO, "stream": stream})
            shown = self.running()
            self.assertEqual((shown["state"], shown["account"]), ("waiting", ""))
            self.cancel(shown["request_id"])
            self.assertEqual(len(given_up), 1)
            reply = Reply(wire.value())
            self.assertEqual((reply.status, self.meter.recent[-1].outcome), (400, "failed"))
        self.assertEqual(self.timers(), [])

    def test_cancel_after_a_ping(self) -> None:
        """A stream that has begun with pings ends like any other."""
        self.pool.waiting = Deferred(lambda _: None)
        _, wire = self.start("/v1/messages", {**HELLO, "stream": True})
        self.clock.pump([5, 5, 5])
        self.assertIn(b"200 OK", wire.value())
        self.cancel(self.running()["request_id"])
        self.assertIn(b"cancelled by the operator", wire.value())
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))

    def test_cancel_twice(self) -> None:
        """The second finds nothing to end; others are left alone."""
        for _ in range(2):
            opening: Any = Deferred(lambda _: None)
            self.client.results.append(opening)
            self.start("/v1/messages", HELLO)
        first, second = self.live.running()
        self.assertTrue(self.live.cancel(second.request_id))
        self.assertFalse(self.live.cancel(second.request_id))
        self.assertEqual([one.request_id for one in self.live.running()], [first.request_id])

    def test_cancel_nothing(self) -> None:
        """What is over, or never was, is not found; nor may a client do it."""
        self.assertEqual(self.cancel("req_x").status, 404)
        self.assertEqual(self.ask("/api/live/req_x/cancel", method="POST").status, 403)
        self.assertEqual(self.ask("/api/live").status, 403)

    def test_one_of_several(self) -> None:
        """Whoever sees only his own says so."""
        self.live.worker = 2
        told = self.ask("/api/live", key="root").json
        self.assertEqual((told["worker"], told["partial"]), (2, True))
