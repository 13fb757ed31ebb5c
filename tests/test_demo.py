"""`--demo`: an answer without an account, and nothing left behind."""

import os
import re
import signal
import stat
from pathlib import Path

import msgspec

from kiro2api.demo import KEY
from tests.live.process import ProcessCase, fetch, free_port, question, wait_for


class DemoTests(ProcessCase):
    """The demonstration as a process."""

    def folders(self) -> list[Path]:
        """Its temporary folders."""
        return list((self.folder / "tmp").glob("kiro2api-demo-*"))

    def test_works_and_goes_away(self) -> None:
        """It says how to try it, on standard output and not as log lines; that works; nothing
        of it is left afterwards."""
        port = free_port()
        running = self.run_twistd("--logfile=demo.log", "kiro2api", "--demo", PORT=str(port))
        self.wait_until_up(running, port)
        said = running.out()
        base = f"http://127.0.0.1:{port}"
        self.assertIn(f"ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={KEY} claude", said)
        self.assertIn("Ctrl-C ends it.", said)
        self.assertNotRegex(said, r"(?m)^\d{4}-\d\d-\d\d|INFO")
        self.assertNotIn("ANTHROPIC", (self.folder / "demo.log").read_text())
        (folder,) = self.folders()
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)

        # The curl command that was printed is what is sent here.
        pasted = re.search(r"-d '(\{.*?\]\})'", said, re.S)
        assert pasted is not None
        body = msgspec.json.decode(pasted[1])
        status, answer = fetch(f"{base}/v1/messages", body, key=KEY)
        self.assertEqual(status, 200)
        self.assertIn(b"event: content_block_delta", answer)
        self.assertTrue(answer.rstrip().endswith(b'{"type":"message_stop"}'))
        self.assertEqual(fetch(f"{base}/v1/messages", question(), key="another")[0], 401)

        self.assertEqual(running.end(), -signal.SIGTERM)
        self.assertEqual(self.folders(), [])
        self.assertFalse((self.folder / "data").exists())

    def test_own_key(self) -> None:
        """A key that the operator has configured is used, and not shown."""
        port = free_port()
        running = self.run_twistd(
            "kiro2api", "--demo", PORT=str(port), KIRO_CLIENT_TOKEN="mine-alone"
        )
        self.wait_until_up(running, port)
        self.assertIn("YOUR_KEY", running.out())
        self.assertNotIn("mine-alone", running.out() + running.err())
        base = f"http://127.0.0.1:{port}"
        self.assertEqual(fetch(f"{base}/v1/messages", question(), key="mine-alone")[0], 200)
        running.end()

    def test_in_the_background(self) -> None:
        """It works there, too; the lines are printed before the terminal is left."""
        port = free_port()
        done = self.twistd("kiro2api", "--demo", PORT=str(port))
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertIn(f"http://127.0.0.1:{port}", done.out)
        self.assertNotIn("Ctrl-C", done.out)
        number = int((self.folder / "twistd.pid").read_text())
        status, _ = fetch(f"http://127.0.0.1:{port}/v1/messages", question(), key=KEY)
        os.kill(number, signal.SIGTERM)
        self.assertEqual(status, 200)
        wait_for(lambda: not self.folders(), "its folder is gone")
