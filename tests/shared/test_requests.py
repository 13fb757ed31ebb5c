"""A thousand mixed requests through two processes on one store, while tokens rotate."""

from collections import Counter
from itertools import pairwise
from time import monotonic

from twisted.internet.defer import Deferred, gatherResults

from kiro2api.emulator.script import Script
from tests.live.reactor import reactor
from tests.shared.asking import Client, Question, questions
from tests.shared.case import GROUPS, KEY, MARGIN, InPostgres, SharedCase

REQUESTS = 1000
CLIENTS = 8
"""In front of each process."""

PAUSE = 0.16
"""Between two requests of a client, so that there are several expiries on the way."""

BOUND = 120.0

QUESTION = Question("/v1/messages")


class RequestsTests(SharedCase):
    """On one SQLite file."""

    async def test_a_thousand(self) -> None:
        """No token is used twice, each is renewed once, and all requests are served."""
        began = monotonic()
        first, second = await self.start()
        for group in GROUPS:
            await first.told("PUT", f"/api/groups/{group}", {"policy": "round_robin"})
        # One account of each group is in trouble now and then: the others must serve instead.
        for name in ("alan", "katherine"):
            self.emulator.script(
                Script(account=name, status=429, error="ThrottlingException", retry_after="2"),
                Script(account=name, status=500, error="InternalServerException"),
                Script(account=name, cut_at=0),
            )
        started = reactor.seconds()
        wrong: list[str] = []
        asked = iter(questions(REQUESTS, ("", "pro", "default"), pause=PAUSE, seed=20))
        done: Counter[int] = Counter()

        async def client(number: int) -> None:
            gate = (first, second)[number % 2]
            one = Client(gate.port, KEY)
            try:
                for question in asked:
                    await self.sleep(question.pause)
                    answer = await one.ask(question)
                    done[gate.port] += 1
                    if said := question.wrong(answer):
                        wrong.append(said)
            finally:
                ended = one.leave()
                if ended is not None:
                    await ended

        clients: list[Deferred[None]] = [
            Deferred.fromCoroutine(client(number)) for number in range(2 * CLIENTS)
        ]
        for one in clients:
            await one
        took = reactor.seconds() - started

        self.assertEqual(wrong, [])
        self.assertEqual(sum(done.values()), REQUESTS)
        self.assertTrue(min(done.values()) > REQUESTS / 5 and len(done) == 2, str(done))
        self.check_refreshes()
        served = Counter(c.account for c in self.emulator.generations() if c.status == 200)
        self.assertEqual(set(served), {account.name for account in self.accounts})
        self.assertEqual(len(self.emulator.scripts), 0)
        for gate in (first, second):
            listed = (await gate.told("GET", "/api/tokens?page_size=100"))["tokens"]
            bad = [one for one in listed if one["status"] not in ("ready", "cooling")]
            self.assertEqual(bad, [])
        self.check_logs()
        counts = self.emulator.counts()
        print(
            f"\n{type(self).__name__}: {REQUESTS} requests in {took:.1f} s,"
            f" {sum(counts.values())} refreshes of {len(counts)} accounts,"
            f" {monotonic() - began:.1f} s in all"
        )
        self.assertLess(monotonic() - began, BOUND)

    def check_refreshes(self) -> None:
        """Exactly one per expiry: a token is renewed only once it cannot be sent any more."""
        self.assertEqual(self.emulator.offences(), [])
        serves = self.lifetime - MARGIN
        for account in self.accounts:
            times = [one.at for one in self.emulator.book if one.account == account.name]
            gaps = [after - before for before, after in pairwise(times)]
            self.assertTrue(all(gap >= serves - 0.01 for gap in gaps), f"{account.name} {gaps}")
            self.assertGreaterEqual(len(times), 2, f"{account.name}: too short a test")
        # A token that was still sent after its end would have been refused.
        statuses = Counter(call.status for call in self.emulator.generations())
        self.assertEqual(statuses[401] + statuses[403], 0, str(statuses))


class PostgresRequestsTests(InPostgres, RequestsTests):
    """On one PostgreSQL."""


class ExpiryTests(SharedCase):
    """The same, but one expiry only: the next is far enough away on a slow machine, too."""

    lifetime = MARGIN + 8

    async def test_an_expiry_meets_everybody(self) -> None:
        """All wait for one refresh, whichever process they ask, and however long it takes."""
        gates = await self.start()
        clients = [Client(gate.port, KEY) for gate in gates for _ in range(10)]
        self.assertEqual((await clients[0].ask(QUESTION)).status, 200)
        (last,) = [one.at for one in self.emulator.book if one.account == "ada"]
        await self.sleep(max(0.0, last + self.lifetime - MARGIN + 0.1 - reactor.seconds()))
        self.emulator.hesitate("ada")
        asked = [Deferred.fromCoroutine(one.ask(QUESTION)) for one in clients]
        await self.until(lambda: self.emulator.hesitating, "the login service is asked")
        await self.sleep(1.0)
        self.assertEqual(self.emulator.hesitating, ["ada"])
        self.emulator.go_on()
        answers = await gatherResults(asked, consumeErrors=True)
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(self.emulator.counts()["ada"], 2)
        self.assertEqual({c.account for c in self.emulator.generations()}, {"ada"})
        for one in clients:
            ended = one.leave()
            if ended is not None:
                await ended
        self.check_logs()


class PostgresExpiryTests(InPostgres, ExpiryTests):
    """On one PostgreSQL."""
