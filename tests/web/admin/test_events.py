"""The stream of events."""

import re
from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from kiro2api.errors import Unauthorized
from kiro2api.store.keys import StoredKey
from kiro2api.store.migrate import StoreError
from kiro2api.web.admin.live import Runs
from kiro2api.web.gate import Caller
from kiro2api.web.overview import Overview
from kiro2api.web.peers import Replies
from tests.fakes.answers import END, USAGE, FakeStream
from tests.test_metering import record
from tests.web.admin.operating import OperatingCase
from tests.web.admin.test_live import running
from tests.web.case import HELLO, Wire
from tests.web.test_operator_api import status


def events(wire: Wire) -> list[tuple[str, Any]]:
    """All that was said so far."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", wire.value().decode())
    return [(name, msgspec.json.decode(data)) for name, data in found]


def names(wire: Wire) -> list[str]:
    """Their names."""
    return [name for name, _ in events(wire)]


class EventsTests(OperatingCase):
    """``/api/events``."""

    def listen(self) -> tuple[Any, Wire]:
        """A console."""
        self.addCleanup(self.broadcast.stop)
        return self.start("/api/events", key="root", method="GET")

    def seconds(self, count: int) -> None:
        """Time goes by."""
        self.clock.pump([1.0] * count)

    def test_hello(self) -> None:
        """At once, as a stream of events; then nothing while nothing happens, but it lives."""
        _, wire = self.listen()
        self.assertIn(b"text/event-stream", wire.value())
        self.assertEqual(names(wire), ["hello", "live", "stats"])
        self.seconds(10)
        self.assertEqual(names(wire), ["hello", "live", "stats"])
        self.assertNotIn(b": still here", wire.value())
        self.seconds(10)
        self.assertIn(b": still here", wire.value())

    def test_admins_only(self) -> None:
        """Not for clients, nor without a key."""
        self.assertEqual(self.ask("/api/events", method="GET").status, 403)
        self.assertEqual(self.ask("/api/events", method="GET", key="").status, 401)
        self.assertEqual(self.timers(), [])

    def test_live(self) -> None:
        """Told when something begins or ends, not because time goes by."""
        _, wire = self.listen()
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        self.start("/v1/messages", {**HELLO, "stream": True})
        self.seconds(5)
        stream.push(USAGE, END)
        stream.end()
        self.seconds(5)
        counts = [value["total"] for name, value in events(wire) if name == "live"]
        self.assertEqual(counts, [0, 1, 0])

    def test_live_elsewhere(self) -> None:
        """Requests of other processes, too; a console that comes later hears of them at once."""
        runs = Runs([running("b"), running("a", 0.1)], 2)

        async def others(about: str, subject: str) -> Replies:
            return Replies((msgspec.Raw(msgspec.json.encode(runs)),))

        self.peers.ask = others
        _, wire = self.listen()
        self.seconds(2)
        runs = Runs([running("a", 2.1), running("b", 2.2)], 2)
        self.seconds(2)
        _, later = self.listen()
        runs = Runs([], 0)
        self.seconds(2)
        counts = [value["total"] for name, value in events(wire) if name == "live"]
        self.assertEqual(counts, [2, 0])
        told = [value for name, value in events(later) if name == "live"]
        self.assertEqual([value["total"] for value in told], [2, 0])
        self.assertEqual([one["age_seconds"] for one in told[0]["items"]], [2.2, 2.1])

    def test_live_while_they_are_asked(self) -> None:
        """What runs is told once it is known; nobody is told half of it before."""
        waiting: Deferred[Replies] = Deferred()
        self.peers.ask = lambda about, subject: waiting
        wires = [self.listen()[1] for _ in range(2)]
        self.assertEqual([names(wire) for wire in wires], [["hello"], ["hello"]])
        waiting.callback(Replies(partial=True))
        for wire in wires:
            (told,) = [value for name, value in events(wire) if name == "live"]
            self.assertEqual((told["partial"], told["worker"]), (True, 2))

    def test_accounts(self) -> None:
        """Those that changed, and those that are gone."""
        self.statuses = [status("a")]
        _, wire = self.listen()
        self.seconds(2)
        self.statuses = [status("a", "cooling")]
        self.seconds(2)
        self.statuses = []
        self.seconds(2)
        told = [value for name, value in events(wire) if name == "tokens"]
        self.assertEqual([one["status"] for one in told[0]["changed"]], ["cooling"])
        self.assertEqual((told[1]["changed"], told[1]["removed"]), ([], ["12345678"]))
        self.assertEqual(len(told), 2)

    def test_records(self) -> None:
        """New ones, and how many there are beside them; then what they add up to."""
        self.write(record(request_id="old"))
        _, wire = self.listen()
        self.seconds(1)
        self.write(*(record(request_id=f"r{n}", started=1_000_000.0) for n in range(25)))
        self.seconds(6)
        told = [value["request_id"] for name, value in events(wire) if name == "record"]
        self.assertEqual(told, [f"r{n}" for n in range(5, 25)])
        self.assertIn(("lagging", {"missed": 5}), events(wire))
        last = events(wire)[-1]
        self.assertEqual((last[0], last[1]["totals"]["requests"]), ("stats", 25))

    def test_slow_listener(self) -> None:
        """Nothing is kept for it; afterwards it is told how much it has missed."""
        _, wire = self.listen()
        _, other = self.listen()
        self.seconds(1)
        producer: Any = wire.producer
        producer.pauseProducing()
        size = len(wire.value())
        self.write(*(record(request_id=f"r{n}") for n in range(7)))
        self.seconds(20)
        self.assertEqual(len(wire.value()), size)
        self.assertEqual(names(other).count("record"), 7)
        producer.resumeProducing()
        self.write(record(request_id="r8"))
        self.seconds(2)
        self.assertIn(("lagging", {"missed": 8}), events(wire))
        records = [value["request_id"] for name, value in events(wire) if name == "record"]
        self.assertEqual(records, ["r8"])

    def test_slow_for_a_moment(self) -> None:
        """Who has missed nothing is told of nothing missed."""
        _, wire = self.listen()
        producer: Any = wire.producer
        producer.pauseProducing()
        producer.resumeProducing()
        self.seconds(1)
        self.write(record(request_id="r1"))
        self.seconds(2)
        self.assertNotIn("lagging", names(wire))
        self.assertIn("record", names(wire))

    def test_many_accounts(self) -> None:
        """Compared less often; of many changes some are told, the others counted."""
        many = [msgspec.structs.replace(status("a"), fingerprint=f"{n:08x}") for n in range(1500)]
        self.statuses = many
        _, wire = self.listen()
        self.seconds(1)
        self.statuses = [msgspec.structs.replace(one, in_flight=2) for one in many]
        self.seconds(3)
        self.assertNotIn("tokens", names(wire))
        self.seconds(3)
        (told,) = [value for name, value in events(wire) if name == "tokens"]
        self.assertEqual((len(told["changed"]), told["more"]), (200, 1300))

    def test_leaving(self) -> None:
        """Nobody looks where nobody listens."""
        channel, _ = self.listen()
        self.seconds(3)
        self.hang_up(channel)
        self.assertEqual(self.broadcast.listeners, set())
        self.seconds(2)
        runs = self.database.runs
        self.seconds(5)
        self.assertEqual((self.database.runs, self.timers()), (runs, []))

    def test_bounded(self) -> None:
        """So many and no more."""
        for _ in range(3):
            self.listen()
        self.assertEqual(self.ask("/api/events", key="root", method="GET").status, 429)

    def test_stop(self) -> None:
        """All streams end properly, no timer stays, nobody comes in."""
        _, wire = self.listen()
        self.seconds(3)
        self.broadcast.stop()
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual((self.timers(), self.broadcast.listeners), ([], set()))
        self.assertEqual(self.ask("/api/events", key="root", method="GET").status, 429)

    def test_stop_while_looking(self) -> None:
        """What is waited for is given up."""
        waiting: Deferred[Overview] = Deferred()
        self.numbers.overview = lambda: waiting
        self.listen()
        self.broadcast.stop()
        self.assertEqual(self.timers(), [])

    def test_store_fails(self) -> None:
        """The streams live on, and so does what they tell afterwards."""
        _, wire = self.listen()
        self.seconds(2)
        self.database.broken = StoreError("locked")
        self.seconds(3)
        self.database.broken = None
        self.write(record())
        self.seconds(2)
        self.assertIn("record", names(wire))

    def test_a_mistake_of_ours(self) -> None:
        """Is logged with its place, and the stream goes on."""
        _, wire = self.listen()
        self.database.broken = RuntimeError("a mistake")
        self.seconds(1)
        self.database.broken = None
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.write(record())
        self.seconds(2)
        self.assertIn("record", names(wire))

    def test_key_taken_back(self) -> None:
        """Whose key is no longer good stops hearing."""
        key = StoredKey(7, "friend", b"their-own", "admin", 0.0)
        self.gate.admit(key, "admin")
        self.addCleanup(self.broadcast.stop)
        _, wire = self.start("/api/events", key="their-own", method="GET")
        self.seconds(16)
        self.assertIn(b": still here", wire.value())
        self.gate.expel(7)
        self.seconds(16)
        self.assertTrue(wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(self.broadcast.listeners, set())

    def test_session_ended_elsewhere(self) -> None:
        """The store is asked again, since nothing else may ever be asked with that cookie here."""
        ended: list[bool] = []
        store = [False]

        def settle(request: object) -> Deferred[None]:
            ended[:] = store
            return succeed(None)

        def caller(request: object, find: object) -> Caller:
            if any(ended):
                raise Unauthorized("the session has ended")
            return Caller("admin", "admin")

        self.gate.accept(SimpleNamespace(caller=caller))
        self.broadcast._settle = settle
        self.addCleanup(self.broadcast.stop)
        _, wire = self.start("/api/events", key="", method="GET")
        self.seconds(16)
        self.assertIn(b": still here", wire.value())
        store[:] = [True]
        self.seconds(16)
        self.assertEqual(self.broadcast.listeners, set())
