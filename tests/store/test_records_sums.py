"""Sums in the store are those of the records."""

from typing import Any

from kiro2api.metering import Record
from kiro2api.statistics import StatisticsFilter
from kiro2api.statistics_sums import HOUR, Sums, begin_of
from kiro2api.store.records import RecordRows
from kiro2api.store.records_sums import SumRows
from tests.store.case import InPostgres
from tests.store.test_records import RowsCase
from tests.test_metering import record

NOW = 1_700_000_000.0
START = begin_of(NOW, HOUR) - 49 * HOUR


def mixed() -> list[Record]:
    """Requests over three days."""
    return [
        record(
            request_id=f"req_{n}",
            started=NOW - n * 1000,
            account=f"account-{n % 3}",
            key=f"key-{n % 2}",
            group="pro" if n % 3 == 2 else "default",
            dialect="chat" if n % 5 == 0 else "anthropic",
            upstream_model=f"m{n % 4}",
            status=500 if n % 7 == 0 else 200,
            outcome="failed" if n % 7 == 0 else "served",
            credits=0.25,
            input_tokens=n,
            first_event_seconds=0.1 * (1 + n % 9),
        )
        for n in range(250)
    ]


class SumRowsTests(RowsCase):
    """Found again, whatever is asked for."""

    def setUp(self) -> None:
        super().setUp()
        self.sums = SumRows(self.database)
        self.records = mixed()
        for begin in range(0, len(self.records), 60):
            self.wait(self.rows.write(self.records[begin : begin + 60]))

    def expected(self, start: float, **fields: Any) -> Sums:
        """The same from the records themselves."""
        sums = Sums()
        for each in self.records:
            if each.started >= start and all(getattr(each, k) == v for k, v in fields.items()):
                sums.add(each)
        return sums

    def same(self, one: Sums, other: Sums, classes: bool = True) -> None:
        """The same but for the noise of fractions."""
        for name in Sums.__struct_fields__:
            if name.endswith("classes"):
                if classes:
                    self.assertEqual(getattr(one, name), getattr(other, name))
            else:
                self.assertAlmostEqual(getattr(one, name), getattr(other, name), 6, name)

    def test_totals(self) -> None:
        """With each filter and without any, and for ever."""
        for wanted, fields in (
            (StatisticsFilter(), {}),
            (StatisticsFilter(group="pro"), {"group": "pro"}),
            (StatisticsFilter(model="m1"), {"upstream_model": "m1"}),
            (StatisticsFilter(account="account-1"), {"account": "account-1"}),
            (StatisticsFilter(key="key-1"), {"key": "key-1"}),
            (
                StatisticsFilter(account="account-2", group="pro", model="m2"),
                {"account": "account-2", "group": "pro", "upstream_model": "m2"},
            ),
            (StatisticsFilter(key="key-1", model="m3"), {"key": "key-1", "upstream_model": "m3"}),
        ):
            for start in (START, START - 23 * HOUR, begin_of(NOW, 86400)):
                found = self.wait(self.sums.found(start, wanted))
                self.same(found.totals, self.expected(start, **fields))
                self.assertEqual(
                    sum(sums.requests for sums in found.series.values()), found.totals.requests
                )
        self.same(self.wait(self.sums.ever()).totals, self.expected(0))

    def test_breakdowns(self) -> None:
        """Each part is right, and the parts are the whole."""
        found = self.wait(self.sums.found(START, StatisticsFilter()))
        fields = {
            "model": "upstream_model",
            "account": "account",
            "key": "key",
            "group": "group",
            "dialect": "dialect",
        }
        for name, field in fields.items():
            total = 0
            for value, sums in found.by[name].items():
                wanted = self.expected(START, **{field: value})
                self.same(sums, wanted, classes=name != "account")
                total += sums.requests
            self.assertEqual(total, found.totals.requests, name)
        self.assertEqual(found.by["status"]["500"].failed, self.expected(START, status=500).failed)

    def test_filtered_breakdowns(self) -> None:
        """Of one group: its accounts, keys and models."""
        found = self.wait(self.sums.found(START, StatisticsFilter(group="pro")))
        self.assertEqual(set(found.by["account"]), {"account-2"})
        self.assertEqual(set(found.by["key"]), {"key-0", "key-1"})
        of_key = self.wait(self.sums.found(START, StatisticsFilter(key="key-0")))
        self.assertEqual(set(of_key.by["key"]), {"key-0"})
        self.assertEqual(of_key.by["account"], {})

    def test_spent(self) -> None:
        """Credits by key since an hour."""
        spent = self.wait(self.sums.spent_by_key(START + 5))
        for key in ("key-0", "key-1"):
            self.assertAlmostEqual(spent[key], self.expected(START, key=key).credits)
        self.assertEqual(self.wait(self.sums.spent_by_key(NOW + 86400)), {})


class PostgresSumRowsTests(InPostgres, SumRowsTests):
    """The same on a server."""

    def test_two_processes(self) -> None:
        """Who adds at the same time loses nothing."""
        other = RecordRows(self.opened())
        before = self.wait(self.sums.ever()).totals.requests
        under_way = [
            rows.write([record(request_id=f"{n}", started=NOW)])
            for n in range(20)
            for rows in (self.rows, other)
        ]
        for one in under_way:
            self.wait(one)
        found = self.wait(self.sums.ever())
        self.assertEqual(found.totals.requests, before + 40)
        self.assertEqual(found.by["account"]["main"].requests, 40)
