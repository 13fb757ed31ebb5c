"""A client that reads slowly slows the upstream down; nothing piles up in between (I4)."""

from kiro2api.emulator.script import Script
from tests.live.case import LiveCase
from tests.live.client import Caller

READ = 65_536
"""Bytes that Twisted takes from a socket at a time."""

BUFFER = 65_536
"""Bytes that a transport holds before it pauses its producer."""

SPREAD = 4
"""How many bytes one byte of the upstream may become, at the very most, in what clients get."""


class BackpressureTests(LiveCase):
    """64 MB are ready to be sent; how much is on its way shows who holds what."""

    def user_space(self) -> int:
        """Bytes that wait in the gateway's own memory for clients to take them."""
        waiting = 0
        for channel in self.gateway.parts.site.connections:
            transport = channel.transport
            waiting += len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        return waiting

    async def slow_caller(self) -> Caller:
        """A client that has seen the beginning, and reads no further."""
        self.emulator.script(Script(text="x" * READ, repeat=1_000))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        caller.pause()
        return caller

    async def stalled(self) -> int:
        """The number of frames sent, once no more are."""
        before = -1
        while self.emulator.frames != before:
            before = self.emulator.frames
            await self.sleep(0.25)
        return before

    async def test_upstream_stops(self) -> None:
        """The emulator is left with most of its frames, goes on when the client does, and
        stops again; at no time is more held here than one read and one buffer."""
        await self.start()
        caller = await self.slow_caller()
        frames = await self.stalled()
        # What the kernel's buffers of two connections take, at most.
        self.assertLess(frames, 25_000)
        self.assertLess(self.user_space(), BUFFER + SPREAD * READ)
        self.assertGreater(self.user_space(), 0)
        received = len(caller.data)
        caller.resume()
        await caller.until(lambda: len(caller.data) > received + 8_000_000)
        caller.pause()
        further = await self.stalled()
        self.assertGreater(further, frames)
        self.assertLess(further, 45_000)
        self.assertLess(self.user_space(), BUFFER + SPREAD * READ)
        caller.vanish()
        await self.upstream_left()

    async def test_nothing_is_lost(self) -> None:
        """A client that reads by fits and starts gets all of it, in order."""
        await self.start()
        count = 3_000
        self.emulator.script(Script(text="", events=count, context_percent=1.0))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        for _ in range(5):
            caller.pause()
            await self.sleep(0.02)
            caller.resume()
            await self.sleep(0.01)
        await caller.whole()
        body = caller.answer().body
        place = 0
        for number in range(count):
            place = body.index(b'"text":"%d "' % number, place)
        self.assertIn(b"event: message_stop", body[place:])
        # It took no second question, and the connection is of use again.
        self.assertEqual(len(self.generations()), 1)
        self.assertEqual(self.generations()[0].outcome, "completed")

    async def test_stalled_client_is_cut(self) -> None:
        """A client that takes nothing for long is given up, and so is its answer."""
        await self.start(client_stall_seconds=0.5, ping_seconds=0.2)
        caller = await self.slow_caller()
        await self.within(3, lambda: not self.gateway.parts.site.connections, "it is cut")
        await self.upstream_left()
        caller.resume()
        await caller.end()
        self.assertFalse(caller.answer().whole)
        self.assertNotIn(b"message_stop", caller.data)


class BackpressureWithTwistedsClientTests(BackpressureTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"
