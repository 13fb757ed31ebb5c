"""An upstream that says hostile things: its texts stay texts (I12)."""

import io
from pathlib import Path

from twisted.logger import globalLogPublisher

from kiro2api.emulator.script import Script, ToolCall
from kiro2api.logs import line_observer
from tests.live.case import KEYED, LiveCase
from tests.live.client import Answer

HOSTILE = (
    "{log_source} {0} {account.credentials!r} %s %(asctime)s {f()}"
    "\r\nset-cookie: a=b\r\n\r\n<script>\x1b[31m\u2028\u202e../../etc/passwd"
)


class HostileTests(LiveCase):
    """Format marks, line ends, control characters and paths, wherever the upstream may put them."""

    def setUp(self) -> None:
        """Collect the log's lines."""
        super().setUp()
        self.log = io.StringIO()
        observer = line_observer(self.log, "trace", "text")
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    async def ask(self, script: Script, *, stream: bool) -> Answer:
        """The answer to a question that is answered like that."""
        self.emulator.script(script)
        caller = await self.call()
        caller.ask(stream=stream)
        await caller.whole()
        caller.leave()
        return caller.answer()

    def assert_unharmed(self, answer: Answer) -> None:
        """No header of theirs, no line of their own in the log, nothing interpreted."""
        self.assertNotIn("set-cookie", answer.headers)
        self.assertNotIn("\r", "".join(answer.headers.values()))
        lines = self.log.getvalue().splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[\d:.]+Z (TRACE|DEBUG|INFO|WARN|ERROR) ")
        for piece in ("Unable to format", "<secret>", "ksk_", "\x1b", "set-cookie: a=b\n"):
            self.assertNotIn(piece, self.log.getvalue())
        self.assertEqual([path.name for path in Path(self.folder).iterdir()], [])

    async def test_refusals(self) -> None:
        """In the message, the reason and the headers of a refusal."""
        await self.start(KEYED)
        for status, error in ((400, "ValidationException"), (429, HOSTILE[:20]), (418, "X")):
            for stream in (False, True):
                script = Script(
                    status=status,
                    error=error,
                    reason=HOSTILE,
                    message=HOSTILE,
                    retry_after="{0} ../../x",
                    times=2,
                )
                answer = await self.ask(script, stream=stream)
                self.assertGreaterEqual(answer.status, 400)
                self.assertEqual(answer.headers["content-type"], "application/json")
                answer.json()
                self.assert_unharmed(answer)
                for account in self.gateway.configured.accounts:
                    self.gateway.parts.pool.release(account.fingerprint)

    async def test_frames(self) -> None:
        """In exception frames and error frames, before and after the first event."""
        for script in (
            Script(exception_at=0, exception=HOSTILE, message=HOSTILE, times=2),
            Script(exception_at=2, delay=0.01, exception=HOSTILE, message=HOSTILE, times=2),
            Script(error_at=0, error=HOSTILE, message=HOSTILE, times=2),
        ):
            await self.start(KEYED)
            self.assert_unharmed(await self.ask(script, stream=True))
            await self.gateway.stopService()

    async def test_answers(self) -> None:
        """In texts, names and ids of a good answer: passed on as JSON, whole."""
        await self.start(KEYED)
        call = ToolCall(name=HOSTILE[:30], id=HOSTILE, raw_input='{"{0}": "\\r\\n"}')
        script = Script(text=HOSTILE, calls=(call,), stop_reason=HOSTILE)
        answer = await self.ask(script, stream=False)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["content"][0]["text"], HOSTILE)
        self.assert_unharmed(answer)
        answer = await self.ask(script, stream=True)
        # Not one event more than the service itself wrote: each begins after an empty line.
        for block in answer.body.decode().rstrip("\n").split("\n\n"):
            self.assertRegex(block, r'^event: [a-z_]+\ndata: \{"type":"[a-z_]+".*\}$')
        self.assert_unharmed(answer)
