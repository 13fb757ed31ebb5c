"""An upstream that falls silent: the client hears that it is being served, and then the truth."""

from kiro2api.emulator.script import Script
from tests.live.case import KEYED, LiveCase


class SilenceTests(LiveCase):
    """Signs of life, and the end of patience."""

    async def test_before_the_first_event(self) -> None:
        """A client is promised an answer and told that somebody is there."""
        await self.start(ping_seconds=0.2)
        self.emulator.script(Script(headers_after=1.2, text="at last"))
        caller = await self.call()
        began = self.now()
        caller.ask()
        await caller.until(b"event: ping")
        self.assertLess(self.now() - began, 1.0)
        await caller.whole()
        body = caller.answer().body
        self.assertEqual(body.count(b"event: message_start"), 1)
        self.assertGreaterEqual(body.count(b"event: ping"), 3)
        self.assertIn(b"at last", body)
        self.assertTrue(body.endswith(b'data: {"type":"message_stop"}\n\n'))

    async def test_midway(self) -> None:
        """Pings while it is silent, an error in the stream when it has been for too long; the
        response itself ends properly and the upstream is closed."""
        await self.start(KEYED, ping_seconds=0.2, upstream_silence_seconds=0.8)
        self.emulator.script(Script(text="", events=10, interval=0.01, stall_at=3))
        caller = await self.call()
        caller.ask()
        await caller.until(b'"text":"2 "')
        began = self.now()
        before = len(caller.data)
        await caller.until(lambda: b"event: ping" in caller.data[before:])
        self.assertLess(self.now() - began, 0.7)
        await caller.whole()
        silent = self.now() - began
        self.assertTrue(0.7 < silent < 3.0, silent)
        body = caller.answer().body
        self.assertGreaterEqual(caller.data[before:].count(b"event: ping"), 2)
        self.assertIn(b"event: error", body)
        self.assertNotIn(b"message_stop", body)
        await self.upstream_left()
        # The account rests; the connection to the client is as good as before.
        caller.ask(stream=False)
        await caller.whole(2)
        self.assertEqual(caller.answers()[1].status, 200)

    async def test_whole_answer(self) -> None:
        """Without a stream there is nothing to ping; patience ends all the same."""
        await self.start(upstream_silence_seconds=0.5)
        self.emulator.script(Script(text="", events=10, interval=0.01, stall_at=3))
        caller = await self.call()
        caller.ask(stream=False)
        await caller.whole()
        self.assertGreaterEqual(caller.answer().status, 500)
        self.assertEqual(caller.answer().json()["type"], "error")
        await self.upstream_left()

    async def test_upstream_that_never_closes(self) -> None:
        """An answer that has everything is whole after five silent seconds at most."""
        await self.start(ping_seconds=1.0)
        self.emulator.script(Script(text="all of it", linger=True))
        caller = await self.call()
        began = self.now()
        caller.ask()
        await caller.whole()
        self.assertLess(self.now() - began, 6.5)
        body = caller.answer().body
        self.assertIn(b"all of it", body)
        self.assertTrue(body.endswith(b'data: {"type":"message_stop"}\n\n'))
        await self.upstream_left()
        self.assertEqual(self.gateway.parts.meter.recent[-1].outcome, "served")


class SilenceWithTwistedsClientTests(SilenceTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"
