"""What runs, and ending it."""

from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.interfaces import End
from kiro2api.conversation.answer import TextDelta
from kiro2api.web.admin.live import MOST, Live, Runs
from kiro2api.web.peers import Peers, Replies
from kiro2api.web.progress import Progress, Running
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
        first, second = self.live.own().items
        self.assertTrue(self.live.cancel_own(second.request_id))
        self.assertFalse(self.live.cancel_own(second.request_id))
        self.assertEqual([one.request_id for one in self.live.own().items], [first.request_id])

    def test_cancel_nothing(self) -> None:
        """What is over, or never was, is not found; nor may a client do it."""
        self.assertEqual(self.cancel("req_x").status, 404)
        self.assertEqual(self.ask("/api/live/req_x/cancel", method="POST").status, 403)
        self.assertEqual(self.ask("/api/live").status, 403)

    def test_many(self) -> None:
        """The oldest are shown, all are counted."""
        moments = [float(number) for number in range(MOST + 20)]
        live = Live(
            lambda: [cast(Progress, Runner(moment)) for moment in reversed(moments)],
            self.clock,
            Peers(),
            default_group="default",
        )
        runs = live.own()
        self.assertEqual((len(runs.items), runs.total), (MOST, MOST + 20))
        self.assertEqual([runs.items[0].request_id, runs.items[-1].request_id], ["r0.0", "r499.0"])


class SeveralTests(OperatingCase):
    """``/api/live`` in one of several processes."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[str, str]] = []
        self.replies: list[object] = []
        self.partial = False
        self.peers.ask = self.others

    async def others(self, about: str, subject: str) -> Replies:
        """As the test says."""
        self.asked.append((about, subject))
        told = [msgspec.Raw(msgspec.json.encode(reply)) for reply in self.replies]
        return Replies(tuple(told), self.partial)

    def test_theirs(self) -> None:
        """Those of all processes, the oldest first; all are counted."""
        self.client.results.append(FakeStream(self.clock))
        self.start("/v1/messages", {**HELLO, "stream": True})
        self.clock.advance(5)
        (own,) = self.live.own().items
        self.replies = [
            Runs([running("older", 9.0), running("newer", 1.0)], 700),
            Runs([], 0),
        ]
        self.addCleanup(self.live.cancel_own, own.request_id)
        told = self.ask("/api/live", key="root").json
        found = [one["request_id"] for one in told.pop("items")]
        self.assertEqual(found, ["older", own.request_id, "newer"])
        self.assertEqual(told, {"total": 701})
        self.assertEqual(self.asked, [("running", "")])

    def test_what_is_told(self) -> None:
        """To others, only what this process has, in the shape that they read."""
        self.client.results.append(FakeStream(self.clock))
        self.start("/v1/messages", {**HELLO, "stream": True})
        runs = msgspec.json.decode(self.peers.answer("running", ""), type=Runs)
        self.assertEqual(runs, self.live.own())
        request_id = runs.items[0].request_id
        self.assertEqual(bytes(self.peers.answer("cancel", "req_x")), b"false")
        self.assertEqual(bytes(self.peers.answer("cancel", request_id)), b"true")
        self.assertEqual((self.live.own().total, self.asked), (0, []))

    def test_partial(self) -> None:
        """Who does not know all says so."""
        self.partial = True
        told = self.ask("/api/live", key="root").json
        self.assertEqual(told, {"items": [], "total": 0, "worker": 2, "partial": True})

    def test_cancel(self) -> None:
        """Of others: it is there, or nobody has it. Own ones are not asked for elsewhere."""
        self.replies = [False, True]
        url = "/api/live/req_x/cancel"
        self.assertEqual(self.ask(url, key="root", method="POST").status, 200)
        self.assertEqual(self.asked, [("cancel", "req_x")])
        self.replies = [False, None]
        self.assertEqual(self.ask(url, key="root", method="POST").status, 404)
        self.assertEqual(self.ask(url, method="POST").status, 403)
        self.client.results.append(FakeStream(self.clock))
        self.start("/v1/messages", {**HELLO, "stream": True})
        (own,) = self.live.own().items
        url = f"/api/live/{own.request_id}/cancel"
        self.assertEqual(self.ask(url, key="root", method="POST").status, 200)
        self.assertEqual(len(self.asked), 2)


def running(request_id: str, age: float = 0.0) -> Running:
    """A request as another process tells of it."""
    return Running(
        request_id=request_id,
        model="m",
        account="a",
        key="k",
        group="default",
        dialect="anthropic",
        stream=True,
        age_seconds=age,
        output_tokens=0,
        state="answering",
    )


class Runner:
    """In the place of a Progress."""

    def __init__(self, started: float) -> None:
        self.started = started

    def running(self, now: float, default_group: str) -> Running:
        """As it is now."""
        return running(f"r{self.started}", now - self.started)
