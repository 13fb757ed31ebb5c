"""A client that leaves takes the upstream's answer with it, at whatever moment."""

from kiro2api.emulator.script import Script
from tests.live.case import LiveCase


class LeavingTests(LiveCase):
    """The upstream connection is closed within a second, and nobody is held to account."""

    async def test_before_the_head(self) -> None:
        """While the upstream has not answered at all."""
        await self.start()
        self.emulator.script(Script(silent=True))
        caller = await self.call()
        caller.ask()
        await self.within(2, self.generations, "the question arrives")
        caller.leave()
        await self.upstream_left()
        self.assert_blameless()

    async def test_before_the_first_event(self) -> None:
        """The head is there, no event is."""
        await self.start()
        self.emulator.script(Script(stall_at=0))
        caller = await self.call()
        caller.ask()
        await self.within(2, lambda: self.emulator.calls.streams.open, "the answer begins")
        caller.leave()
        await self.upstream_left()
        self.assert_blameless()

    async def test_midway(self) -> None:
        """Some of the answer has been delivered; the client closes, or resets."""
        await self.start()
        for farewell in ("leave", "vanish"):
            self.emulator.script(Script(events=100_000, interval=0.005))
            caller = await self.call()
            caller.ask()
            await caller.until(b"text_delta")
            getattr(caller, farewell)()
            await self.upstream_left()
        self.assert_blameless()

    async def test_whole_answer(self) -> None:
        """A client that wants the answer in one piece, before its first event."""
        await self.start()
        self.emulator.script(Script(silent=True))
        caller = await self.call()
        caller.ask(stream=False)
        await self.within(2, self.generations, "the question arrives")
        caller.leave()
        await self.upstream_left()
        self.assertEqual(bytes(caller.data), b"")
        self.assert_blameless()

    async def test_whole_answer_midway(self) -> None:
        """The same while the answer is being gathered."""
        await self.start()
        self.emulator.script(Script(events=100_000, interval=0.005))
        caller = await self.call()
        caller.ask(stream=False)
        await self.within(2, lambda: self.emulator.frames > 5, "the answer begins")
        caller.leave()
        await self.upstream_left()
        self.assertEqual(bytes(caller.data), b"")
        self.assert_blameless()

    async def test_half_closed(self) -> None:
        """Twisted takes a half-closed connection for a lost one: told to the upstream at once."""
        await self.start()
        self.emulator.script(Script(events=100_000, interval=0.005))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        caller.half_close()
        await self.upstream_left()
        await caller.end()
        self.assertFalse(caller.answer().whole)

    async def test_paused(self) -> None:
        """A client that stopped reading long ago, and then leaves."""
        await self.start()
        self.emulator.script(Script(text="x" * 65_536, repeat=2_000))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        caller.pause()
        await self.sleep(0.5)
        caller.vanish()
        await self.upstream_left()
        self.assert_blameless()

    def assert_blameless(self) -> None:
        """The loan has ended (I1), and the account is as ready as before."""
        (account,) = self.gateway.parts.pool.snapshot(0.0)
        self.assertEqual((account.in_flight, account.failed, account.state), (0, 0, "ready"))
        outcomes = {record.outcome for record in self.gateway.parts.meter.recent}
        self.assertEqual(outcomes, {"abandoned"})


class LeavingWithTwistedsClientTests(LeavingTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"
