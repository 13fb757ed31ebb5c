"""One of two processes on one store is killed while it renews a token."""

from twisted.internet.defer import Deferred

from tests.live.reactor import reactor
from tests.shared.asking import Client, Question
from tests.shared.case import KEY, MARGIN, InPostgres, SharedCase

QUESTION = Question("/v1/messages")

SETTLED = 1.0
"""Seconds in which a token that was handed out before is stored, on a busy machine, too."""


class KilledTests(SharedCase):
    """On one SQLite file."""

    lifetime = MARGIN + 4

    async def expired(self) -> None:
        """Wait until the token of the account that serves cannot be sent any more."""
        last = max(one.at for one in self.emulator.book if one.account == "ada")
        await self.sleep(max(0.0, last + self.lifetime - MARGIN + 0.1 - reactor.seconds()))

    def hesitate(self) -> None:
        """Let no login service answer anybody.

        A token that is handed out to a process which dies before it has stored it is lost for
        good, whatever anybody does: so nobody is killed while one is on its way.
        """
        self.emulator.hesitate(*(account.name for account in self.accounts))

    async def asked_in_vain(self, client: Client) -> None:
        """The service dies before it answers."""
        try:
            answer = await client.ask(QUESTION)
        except AssertionError:
            return
        self.fail(f"answered: {answer}")

    async def test_in_the_middle_of_a_refresh(self) -> None:
        """The other takes the lease over at once, and so does the dead one once it is back."""
        first, second = await self.start()
        self.assertEqual((await first.client.ask(QUESTION)).status, 200)
        await self.expired()

        self.hesitate()
        lost = Deferred.fromCoroutine(self.asked_in_vain(first.client))
        await self.until(lambda: "ada" in self.emulator.hesitating, "it renews")
        await self.sleep(SETTLED)
        await first.kill()
        await lost
        self.emulator.go_on()
        before = self.emulator.counts()["ada"]
        began = reactor.seconds()
        answer = await second.client.ask(QUESTION)
        took = reactor.seconds() - began
        self.assertEqual(answer.status, 200, str(answer))
        # The lease would have lasted for 25 seconds.
        self.assertLess(took, 15.0)
        self.assertEqual(self.emulator.counts()["ada"], before + 1)
        self.assertEqual({c.account for c in self.emulator.generations()}, {"ada"})

        first.start()
        await first.up()
        await self.expired()
        self.assertEqual((await first.client.ask(QUESTION)).status, 200)
        for gate in (first, second):
            self.assertEqual((await gate.token("ada"))["status"], "ready")
        self.assertEqual(self.emulator.offences(), [])
        self.check_logs()

    async def test_it_alone(self) -> None:
        """With nobody else there, it finds its own dead lease and goes on where it was."""
        (only,) = await self.start(1)
        self.hesitate()
        lost = Deferred.fromCoroutine(self.asked_in_vain(only.client))
        await self.until(lambda: "ada" in self.emulator.hesitating, "it renews")
        await self.sleep(SETTLED)
        await only.kill()
        await lost
        self.emulator.go_on()
        only.start()
        await only.up()
        began = reactor.seconds()
        self.assertEqual((await only.client.ask(QUESTION)).status, 200)
        self.assertLess(reactor.seconds() - began, 15.0)
        self.assertEqual(self.emulator.offences(), [])
        self.assertEqual((await only.token("ada"))["status"], "ready")
        self.check_logs()

    async def test_again_and_again(self) -> None:
        """Killed at any moment under load: what was stored is good, who is left serves on."""
        first, second = await self.start()
        stopped: list[bool] = []
        statuses: list[int] = []

        async def load(number: int) -> None:
            client = Client(second.port, KEY)
            count = 0
            while not stopped:
                count += 1
                text = f"{number}-{count}"
                answer = await client.ask(Question("/v1/messages", text=text))
                statuses.append(answer.status)
                await self.sleep(0.05)
            ended = client.leave()
            if ended is not None:
                await ended

        async def doomed() -> None:
            client = Client(first.port, KEY)
            while not stopped:
                try:
                    await client.ask(QUESTION)
                except Exception:  # noqa: BLE001  (that is what happens when it is killed)
                    await self.sleep(0.05)

        loads = [Deferred.fromCoroutine(load(number)) for number in range(3)]
        loads.append(Deferred.fromCoroutine(doomed()))
        for lives in (0.3, 1.1, 0.7):
            await self.sleep(lives)
            self.hesitate()
            await self.sleep(SETTLED)
            await first.kill()
            self.emulator.go_on()
            first.start()
            await first.up()
        await self.sleep(0.5)
        stopped.append(True)
        for each in loads:
            await each
        self.assertEqual(set(statuses), {200})
        self.assertEqual(self.emulator.offences(), [])
        self.assertEqual((await second.token("ada"))["status"], "ready")
        self.check_logs()


class PostgresKilledTests(InPostgres, KilledTests):
    """On one PostgreSQL."""
