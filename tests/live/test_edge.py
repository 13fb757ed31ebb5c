"""The HTTP edge towards clients, as real sockets show it."""

from kiro2api.emulator.script import Script
from tests.live.case import LiveCase

LIMIT = 1_000_000
PIECE = b"x" * 65_536


class UploadTests(LiveCase):
    """A body over the limit is answered while it is still being sent."""

    async def test_declared(self) -> None:
        """The length alone is enough: the answer is there before the body is."""
        await self.start(max_body_bytes=LIMIT)
        caller = await self.call()
        caller.send(
            b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (5 * LIMIT)
        )
        await caller.whole()
        self.assertEqual(caller.answer().status, 413)
        answer = caller.answer()
        self.assertEqual(answer.json()["error"]["type"], "request_too_large")
        self.assertEqual(answer.headers["connection"], "close")
        # A client that notices late sends everything: it is not reset meanwhile.
        for _ in range(5 * LIMIT // len(PIECE)):
            caller.send(PIECE)
            await self.sleep(0.001)
        await self.sleep(0.1)
        self.assertFalse(caller.closed)

    async def test_chunked(self) -> None:
        """Where no length is declared, what arrives is counted."""
        await self.start(max_body_bytes=LIMIT)
        caller = await self.call()
        caller.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        sent = 0
        while not caller.answers():
            caller.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            sent += len(PIECE)
            await self.sleep(0.001)
            self.assertLess(sent, 50 * LIMIT)
        await caller.whole()
        answer = caller.answer()
        self.assertEqual(answer.status, 413)
        self.assertIn("message", answer.json()["error"])
        caller.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        await self.sleep(0.02)
        self.assertFalse(caller.closed)

    async def test_just_below(self) -> None:
        """A large body within the limit is served."""
        await self.start(max_body_bytes=LIMIT)
        caller = await self.call()
        caller.ask("x" * (LIMIT // 2), stream=False)
        await caller.whole()
        self.assertEqual(caller.answer().status, 200)


class ConnectionTests(LiveCase):
    """What clients may do with their connection."""

    async def test_pipelined(self) -> None:
        """Three questions sent at once are answered in order, each whole."""
        await self.start()
        caller = await self.call()
        self.emulator.script(*(Script(text=f"answer {number}") for number in range(3)))
        for stream in (False, True, False):
            caller.ask(stream=stream)
        await caller.whole(3)
        for number, answer in enumerate(caller.answers()):
            self.assertEqual(answer.status, 200)
            self.assertIn(b"answer %d" % number, answer.body)
        self.assertFalse(caller.closed)

    async def test_stream_after_stream(self) -> None:
        """A connection serves many streams."""
        await self.start()
        caller = await self.call()
        for count in range(1, 6):
            caller.ask()
            await caller.whole(count)
        self.assertEqual({answer.status for answer in caller.answers()}, {200})

    async def test_http_1_0(self) -> None:
        """A client of the old protocol gets no chunks; the close is the end."""
        await self.start()
        caller = await self.call()
        caller.ask(version="1.0")
        await caller.end()
        answer = caller.answer()
        self.assertEqual(answer.status, 200)
        self.assertNotIn("transfer-encoding", answer.headers)
        self.assertTrue(answer.body.startswith(b"event: message_start\n"))
        self.assertTrue(answer.body.endswith(b'data: {"type":"message_stop"}\n\n'))

    async def test_first_byte_is_not_held_back(self) -> None:
        """What the upstream says is passed on at once, event by event."""
        await self.start()
        self.emulator.script(Script(text="", events=20, interval=0.1))
        caller = await self.call()
        caller.ask()
        for number in range(4):
            await caller.until(b'"text":"%d "' % number)
            self.assertNotIn(b'"text":"%d "' % (number + 2), caller.data)

    async def test_malformed(self) -> None:
        """What is no HTTP is answered 400 and closed, and the service goes on."""
        await self.start()
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n"):
            caller = await self.call()
            caller.send(noise)
            await caller.end()
        caller = await self.call()
        caller.ask(stream=False)
        await caller.whole()
        self.assertEqual(caller.answer().status, 200)
