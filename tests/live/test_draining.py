"""A stop delivers what is running, whole, and never leaves a half that looks whole (I13)."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError

from kiro2api.emulator.script import Script
from tests.live.case import LiveCase
from tests.live.client import Caller


class DrainingTests(LiveCase):
    """What ``stopService`` does to connections in every state."""

    async def streaming(self, events: int) -> Caller:
        """A client in the middle of an answer."""
        self.emulator.script(Script(text="", events=events, interval=0.01))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        return caller

    async def test_running_answers_are_delivered(self) -> None:
        """Streams and whole answers end as they would have; their connections say so."""
        await self.start(drain_seconds=10.0)
        streams = [await self.streaming(40) for _ in range(5)]
        self.emulator.script(Script(text="", events=40, interval=0.01))
        gathered = await self.call()
        gathered.ask(stream=False)
        await self.within(2, lambda: len(self.generations()) == 6, "the last question arrives")
        stopped: Deferred[None] = self.gateway.stopService()
        for caller in streams:
            await caller.end()
            self.assertEqual(caller.closed, "closed")
            answer = caller.answer()
            self.assertTrue(answer.whole)
            self.assertIn(b'"text":"39 "', answer.body)
            self.assertTrue(
                answer.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
            )
        await gathered.end()
        answer = gathered.answer()
        self.assertTrue(answer.whole)
        self.assertEqual(answer.headers.get("connection"), "close")
        self.assertTrue(answer.json()["content"][0]["text"].endswith("39 "))
        await stopped
        outcomes = [record.outcome for record in self.gateway.parts.meter.recent]
        self.assertEqual(outcomes, ["served"] * 6)

    async def test_nobody_new(self) -> None:
        """Idle connections are closed, new ones refused, at once, while an answer still runs."""
        await self.start(drain_seconds=10.0)
        idle = await self.call()
        idle.ask(stream=False)
        await idle.whole()
        running = await self.streaming(80)
        stopped: Deferred[None] = self.gateway.stopService()
        await idle.end()
        self.assertFalse(running.closed)
        with self.assertRaises(ConnectError):
            await self.call()
        await running.end()
        self.assertTrue(running.answer().whole)
        await stopped

    async def test_deadline(self) -> None:
        """An answer that takes too long is cut so that nobody takes it for whole."""
        await self.start()
        running = await self.streaming(100_000)
        began = self.now()
        await self.gateway.stopService()
        self.assertLess(self.now() - began, 3.0)
        await running.end()
        answer = running.answer()
        self.assertEqual((answer.status, answer.whole), (200, False))
        self.assertNotIn(b"message_stop", answer.body)
        self.assertEqual(self.generations()[-1].outcome, "aborted")

    async def test_client_that_does_not_read(self) -> None:
        """The deadline holds for a client that takes nothing, too."""
        await self.start()
        self.emulator.script(Script(text="x" * 65_536, repeat=1_000))
        caller = await self.call()
        caller.ask()
        await caller.until(b"text_delta")
        caller.pause()
        await self.sleep(0.2)
        began = self.now()
        await self.gateway.stopService()
        self.assertLess(self.now() - began, 3.0)
        caller.resume()
        await caller.end()
        self.assertFalse(caller.answer().whole)

    async def test_question_under_way(self) -> None:
        """A request whose body is still arriving when the stop begins is told to try again."""
        await self.start()
        caller = await self.call()
        caller.send(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{")
        await self.within(
            2, lambda: any(c.requests for c in self.gateway.parts.site.connections), "it arrives"
        )
        stopped: Deferred[None] = self.gateway.stopService()
        caller.send(b"}")
        await caller.end()
        answer = caller.answer()
        self.assertEqual((answer.status, answer.whole), (503, True))
        self.assertEqual(answer.headers["connection"], "close")
        self.assertIn("retry-after", answer.headers)
        await stopped

    async def test_idle_service(self) -> None:
        """With nobody there, a stop takes no time."""
        await self.start()
        began = self.now()
        await self.gateway.stopService()
        self.assertLess(self.now() - began, 0.9)


class DrainingWithTwistedsClientTests(DrainingTests):
    """The same with the other HTTP client."""

    client_kind = "twisted"
