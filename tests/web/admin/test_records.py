"""The request log."""

import csv
from io import StringIO
from typing import Any

from kiro2api.metering import Attempt
from kiro2api.web.admin.records_csv import COLUMNS, cell
from tests.fakes.answers import END, USAGE, FakeStream
from tests.test_metering import record
from tests.web.admin.operating import OperatingCase
from tests.web.case import HELLO, Reply, Wire


def producer_of(wire: Wire) -> Any:
    """Who writes to this connection."""
    return wire.producer


class LogTests(OperatingCase):
    """Pages and single requests."""

    def test_pages(self) -> None:
        """The newest first, on to the last."""
        self.write(*(record(request_id=f"req_{n}", started=1000.0 + n) for n in range(5)))
        first = self.ask("/api/requests?page_size=3", key="root").json
        self.assertEqual([one["request_id"] for one in first["items"]], ["req_4", "req_3", "req_2"])
        self.assertEqual(first["items"][0]["started"], "1970-01-01T00:16:44.000+00:00")
        rest = self.ask(f"/api/requests?page_size=3&before={first['next']}", key="root").json
        self.assertEqual([one["request_id"] for one in rest["items"]], ["req_1", "req_0"])
        self.assertIsNone(rest["next"])

    def test_filters(self) -> None:
        """Every parameter of the query counts."""
        odd = record(
            request_id="req_x",
            started=1_700_000_000.0,
            account="x",
            key="k",
            group="g",
            status=429,
            outcome="failed",
            dialect="chat",
            upstream_model="m2",
            error="throttled",
        )
        self.write(record(request_id="req_0", started=1_600_000_000.0), odd)
        for query in (
            "account=x",
            "key=k",
            "group=g",
            "status=429",
            "status=4xx",
            "outcome=failed",
            "dialect=chat",
            "model=m2",
            "q=THROTT",
            "q=req_x",
            "from=2023-11-14T00:00:00Z",
            "from=2023-11-14T00:00:00%2B00:00",
            "from=2023-11-14&to=2023-11-14",
        ):
            found = self.ask(f"/api/requests?{query}", key="root").json["items"]
            self.assertEqual([one["request_id"] for one in found], ["req_x"], query)
        self.assertEqual(
            self.ask("/api/requests?to=2023-11-13", key="root").json["items"][0]["id"], 1
        )

    def test_wrong(self) -> None:
        """A mistake is told with its parameter."""
        for query, param in (
            ("status=abc", "status"),
            ("outcome=good", "outcome"),
            ("from=yesterday", "from"),
            ("to=2023-99-99", "to"),
            ("page_size=0", "page_size"),
            ("page_size=501", "page_size"),
            ("before=-1", "before"),
        ):
            reply = self.ask(f"/api/requests?{query}", key="root")
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, param), query)
        for path in ("/api/requests", "/api/requests/req_1", "/api/requests.csv"):
            self.assertEqual(self.ask(path).status, 403)

    def test_one(self) -> None:
        """With its attempts."""
        tried = Attempt("a", "m", "throttled", 429, 0.5)
        self.write(record(request_id="req_1", attempts_detail=(tried,), repairs=("fields",)))
        told = self.ask("/api/requests/req_1", key="root").json
        self.assertEqual(told["attempts_detail"][0]["outcome"], "throttled")
        self.assertEqual(told["repairs"], ["fields"])
        self.assertEqual(self.ask("/api/requests/req_2", key="root").status, 404)

    def test_from_request_to_log(self) -> None:
        """What a client asked for is found in the log."""
        self.meter.listeners.append(lambda done: self.write(done))
        stream = FakeStream(self.clock)
        self.client.results.append(stream)
        _, wire = self.start("/v1/messages", HELLO)
        stream.push(USAGE, END)
        stream.end()
        request_id = Reply(wire.value()).headers["request-id"]
        told = self.ask(f"/api/requests/{request_id}", key="root").json
        self.assertEqual((told["account"], told["status"], told["key"]), ("a", 200, "client-1"))
        self.assertEqual([one["outcome"] for one in told["attempts_detail"]], ["served"])


class CsvTests(OperatingCase):
    """The export."""

    def test_everything(self) -> None:
        """All records over all pages, each once, under the names of their columns."""
        self.write(*(record(request_id=f"req_{n}", started=1000.0 + n) for n in range(1203)))
        reply = self.ask("/api/requests.csv?account=main", key="root")
        self.assertEqual(reply.headers["content-type"], "text/csv; charset=utf-8")
        rows = list(csv.reader(StringIO(reply.body.decode())))
        self.assertEqual(rows[0], list(COLUMNS))
        self.assertEqual(len({row[1] for row in rows[1:]}), 1203)
        self.assertEqual(self.ask("/api/requests.csv?account=x", key="root").body.count(b"\n"), 1)

    def test_slow_client(self) -> None:
        """No more is read while the client does not take it; it goes on afterwards."""
        self.write(*(record(request_id=f"req_{n}", started=1000.0 + n) for n in range(1203)))
        channel, wire = self.connect()
        runs = self.database.runs
        write = wire.write

        def slow(data: bytes) -> None:
            write(data)
            wire.write = write  # type: ignore[method-assign]
            producer_of(wire).pauseProducing()

        wire.write = slow  # type: ignore[method-assign]
        channel.dataReceived(
            b"GET /api/requests.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n"
        )
        self.assertEqual(self.database.runs - runs, 1)
        producer_of(wire).resumeProducing()
        rows = Reply(wire.value()).body.decode().count("\n")
        self.assertEqual(rows, 1204)

    def test_client_leaves(self) -> None:
        """Nothing more is read."""
        self.write(*(record(request_id=f"req_{n}", started=1000.0 + n) for n in range(1203)))
        channel, wire = self.connect()
        wire.write = lambda data: producer_of(wire).pauseProducing()  # type: ignore[method-assign]
        channel.dataReceived(
            b"GET /api/requests.csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer root\r\n\r\n"
        )
        runs = self.database.runs
        self.hang_up(channel)
        self.assertEqual(self.database.runs, runs)
        self.assertEqual(self.timers(), [])

    def test_formulas(self) -> None:
        """No cell is run by a spreadsheet."""
        for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "＝1", "＠x"):  # noqa: RUF001
            self.assertEqual(cell(text), f"'{text}")
        self.assertEqual(
            [cell(None), cell(True), cell(-1.5), cell("a=b")], ["", "yes", -1.5, "a=b"]
        )
