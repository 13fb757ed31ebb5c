"""The console script as an operator runs it: in processes of its own."""

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.live.process import SECONDS, Finished, ProcessCase, fetch, free_port, wait_for

SCRIPT = "from kiro2api.commands.main import main; main()"
ADMIN = "an-invented-admin-key"
ACCOUNT = '{"auth":"Social","refreshToken":"aor-invented-1","name":"one"}'


class CommandsCase(ProcessCase):
    """Runs commands."""

    def command(self, *words: str, given: str = "", **variables: str) -> Finished:
        """Run one to its end."""
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            cwd=self.folder,
            env=self.environment(**variables),
            input=given.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertNotIn("Traceback", done.stderr.decode())
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def value(self, *words: str, **variables: str) -> Any:
        """The JSON that a command prints, and nothing else."""
        done = self.command(*words, "--json", **variables)
        self.assertEqual((done.status, done.err), (0, ""))
        return msgspec.json.decode(done.out)

    def files(self) -> list[str]:
        """What is in the folder, less what the tests themselves put there."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        names = [str(path.relative_to(self.folder)) for path in found]
        return sorted(name for name in names if not name.startswith("tmp/"))


class MistakesTests(CommandsCase):
    """What ends in one line."""

    def fails(self, *words: str, status: int = 1, **variables: str) -> str:
        """The line."""
        done = self.command(*words, **variables)
        self.assertEqual((done.status, done.out), (status, ""), done.err)
        self.assertEqual(done.err.count("\n"), 1, done.err)
        return done.err

    def test_nobody_there(self) -> None:
        """What can be done about it is said."""
        line = self.fails("accounts", "list", PORT=str(free_port()))
        self.assertIn("connection refused", line)
        self.assertIn("--offline", line)

    def test_wrong_words(self) -> None:
        """Status 2."""
        self.assertIn("--help", self.fails("accounts", "lsit", status=2))
        self.assertIn("--help", self.fails(status=2))

    def test_wrong_settings(self) -> None:
        """As the service itself would say it, without and with a database."""
        self.assertIn("KIRO_PING_SECONDS", self.fails("keys", "list", KIRO_PING_SECONDS="soon"))
        (self.folder / "data").write_text("a file where a folder should be")
        self.fails("keys", "list", "--offline")
        self.assertEqual(self.files(), ["data"])

    def test_broken_database(self) -> None:
        """Refused, and left as it is."""
        (self.folder / "x.db").write_bytes(b"this is no database" * 100)
        self.fails("keys", "list", "--offline", KIRO_DB_PATH="x.db")
        self.assertEqual((self.folder / "x.db").read_bytes(), b"this is no database" * 100)

    def test_reader_leaves(self) -> None:
        """``| head`` is no error worth a word."""
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "keys", "list", "--offline"],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        with process:
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(SECONDS), 1)


class OfflineTests(CommandsCase):
    """Without a service, and beside one."""

    def test_alone(self) -> None:
        """All is kept; nothing but the database is left, and nothing is logged."""
        made = self.value("keys", "add", "laptop", "--offline")
        self.assertTrue(made["key"])
        added = self.command("accounts", "add", "-", "--offline", given=ACCOUNT)
        self.assertEqual((added.status, added.err), (0, ""))
        self.assertEqual(
            [key["name"] for key in self.value("keys", "list", "--offline")], ["laptop"]
        )
        (account,) = self.value("accounts", "list", "--offline")
        self.assertEqual(account["name"], "one")
        self.assertEqual(self.files(), ["data/kiro2api.db"])
        mode = (self.folder / "data/kiro2api.db").stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_backup(self) -> None:
        """From one database to another."""
        secret = {"KIRO2API_PASSPHRASE": "correct horse battery"}
        self.command("accounts", "add", "-", "--offline", given=ACCOUNT)
        self.command("export", "out.json", "--offline", **secret)
        there = {"KIRO_DB_PATH": "other.db"}
        told = self.value("import", "out.json", "--offline", **secret, **there)
        self.assertEqual((told["added"], told["skipped"]), (1, []))
        wrong = {"KIRO2API_PASSPHRASE": "wrong horse battery"}
        self.assertEqual(self.command("import", "out.json", "--offline", **wrong).status, 1)

    def test_beside_a_service(self) -> None:
        """The port is taken, the database in use; the service follows what is changed."""
        port = free_port()
        settings = {"PORT": str(port), "KIRO_ADMIN_TOKEN": ADMIN, "KIRO_CLIENT_TOKEN": "a-client"}
        # Nobody's real services.
        settings |= dict.fromkeys(
            ("KIRO_UPSTREAM_URL", "KIRO_SOCIAL_AUTH_URL", "KIRO_OIDC_URL"), "http://127.0.0.1:9"
        )
        running = self.run_twistd("--pidfile=", "kiro2api", **settings)
        self.wait_until_up(running, port)
        added = self.command("accounts", "add", "-", "--offline", given=ACCOUNT, **settings)
        self.assertEqual((added.status, added.err), (0, ""))
        wait_for(
            lambda: [each["name"] for each in self.value("accounts", "list", **settings)],
            "the service knows of it",
        )
        keys = self.value("keys", "list", "--offline", **settings)
        self.assertEqual(keys, self.value("keys", "list", **settings))
        running.end()


class ServiceTests(CommandsCase):
    """With a service that runs."""

    def setUp(self) -> None:
        """A demonstration."""
        super().setUp()
        self.port = free_port()
        self.settings = {"PORT": str(self.port), "KIRO_ADMIN_TOKEN": ADMIN}
        running = self.run_twistd("--pidfile=", "kiro2api", "--demo", **self.settings)
        self.wait_until_up(running, self.port)
        self.addCleanup(running.end)

    def test_check(self) -> None:
        """Every API does as its clients expect, at once and streamed."""
        done = self.command("check", "--ask", **self.settings)
        self.assertEqual((done.status, done.err), (0, ""), done.out)
        self.assertIn("Nothing is wrong.", done.out)

    def test_check_as_a_client(self) -> None:
        """An address and a client's key are enough."""
        done = self.command("check", "--url", f"127.0.0.1:{self.port}", KIRO2API_KEY="demo-key")
        self.assertEqual(done.status, 0, done.out + done.err)
        self.assertIn("this needs an admin's key", done.out)

    def test_wrong_key(self) -> None:
        """Which setting it was, and not what."""
        done = self.command("keys", "list", **{**self.settings, "KIRO_ADMIN_TOKEN": "wrong-key"})
        self.assertEqual(done.status, 1)
        self.assertIn("KIRO_ADMIN_TOKEN", done.err)
        self.assertNotIn("wrong-key", done.err)

    def test_accounts(self) -> None:
        """Listed, tested, refreshed, all together."""
        first = self.value("accounts", "list", **self.settings)[0]
        self.assertTrue(self.value("accounts", "test", first["id"], **self.settings)["ok"])
        job = self.command("accounts", "refresh", "--all", "--json", **self.settings)
        told = msgspec.json.decode(job.out)
        self.assertEqual((job.status, told["finished"], told["failed"]), (0, True, 0), job.err)
        self.assertEqual(job.err.count("ok  "), told["total"])

    def test_interrupted(self) -> None:
        """Ctrl-C ends a login here and at the service, in one line."""
        out = Path(self.folder / "tmp" / "login.out")
        with out.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, "login"],
                cwd=self.folder,
                env=self.environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
            )
        self.addCleanup(process.kill)
        wait_for(lambda: b"Ctrl-C" in out.read_bytes() or process.poll() is not None, "a code")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
        self.assertEqual((process.returncode, said), (130, b"kiro2api: interrupted\n"))
        _, logins = fetch(f"http://127.0.0.1:{self.port}/api/logins", key=ADMIN)
        self.assertEqual(
            [each["status"] for each in msgspec.json.decode(logins)["items"]], ["cancelled"]
        )

    def test_interrupted_while_reading(self) -> None:
        """Also where it waits for somebody to type."""
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "accounts", "add", "-", "--offline"],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.kill)
        wait_for(lambda: (self.folder / "data/kiro2api.db").exists(), "it works")
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(SECONDS), 130)
        out, said = process.communicate(timeout=SECONDS)
        self.assertEqual((out, said), (b"", b"kiro2api: interrupted\n"))
        self.assertEqual(self.files(), ["data/kiro2api.db"])
