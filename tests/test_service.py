"""The service as a process: it starts, says so once, survives what kills it, and stops."""

import os
import shutil
import signal
import stat
import time
from pathlib import Path

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.service import configured_accounts, stop_in_order
from kiro2api.settings import load
from kiro2api.starting import StartFailed
from kiro2api.wiring import catalogue_of
from tests.live.process import (
    ProcessCase,
    Running,
    fetch,
    free_port,
    question,
    refused,
    wait_for,
)

REFRESH = "aor-first-token-of-a-test"


class SettingsTests(SynchronousTestCase):
    """What settings become before anything runs."""

    def test_accounts(self) -> None:
        """From the setting; none is no mistake; a mistake is one line."""
        self.assertEqual(configured_accounts(load({}, {})).accounts, ())
        entry = '{"auth":"Social","refreshToken":"aor-x"}'
        settings = load({}, {"KIRO_AUTH_TOKEN": entry})
        self.assertEqual(len(configured_accounts(settings).accounts), 1)
        error = self.assertRaises(
            StartFailed, configured_accounts, load({}, {"KIRO_AUTH_TOKEN": "{}"})
        )
        self.assertEqual(len(str(error).splitlines()), 1)

    def test_catalogue(self) -> None:
        """Models, aliases and the fallback of the operator's file reach the catalogue."""
        text = '[models."claude-next"]\nwindow = 1000000\n[aliases]\n"gpt-4o" = "claude-next"\n'
        catalogue = catalogue_of(load({}, {"KIRO_FALLBACK_MODEL": "gpt-4o"}, None, text))
        for name in ("claude-next", "gpt-4o", "somebody-elses-model"):
            self.assertEqual(catalogue.resolve(name).name, "claude-next")
        self.assertEqual(catalogue.resolve("claude-next").window, 1_000_000)


class StopTests(SynchronousTestCase):
    """The parts, one after the other."""

    def test_one_fails(self) -> None:
        """What comes after a part that fails is stopped all the same, and in order."""
        said: list[str] = []
        last: Deferred[None] = Deferred()

        def breaks() -> None:
            raise ValueError("invented")

        stopping = Deferred.fromCoroutine(
            stop_in_order(
                breaks,
                lambda: fail(ValueError("invented")),
                lambda: said.append("first"),
                lambda: last,
                lambda: said.append("second"),
            )
        )
        self.assertEqual(said, ["first"])
        self.assertNoResult(stopping)
        last.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(said, ["first", "second"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_cancelled(self) -> None:
        """Whoever gives up waiting is obeyed."""
        waiting: Deferred[None] = Deferred()
        stopping = Deferred.fromCoroutine(stop_in_order(lambda: waiting, self.fail))
        stopping.cancel()
        self.failureResultOf(stopping, CancelledError)


class ForegroundTests(ProcessCase):
    """`twistd -n kiro2api`."""

    def start(self, *words: str, **variables: str) -> tuple[Running, str]:
        """A running service and its URL."""
        port = free_port()
        variables = {"KIRO_CLIENT_TOKEN": "key", "PORT": str(port)} | variables
        running = self.run_twistd("kiro2api", *words, **variables)
        self.wait_until_up(running, port)
        return running, f"http://127.0.0.1:{port}"

    def test_what_it_says(self) -> None:
        """Where it listens and keeps its data, each once; GIN_MODE is accepted with a note."""
        running, base = self.start(GIN_MODE="release", KIRO_DB_PATH="keep/it.db")
        self.wait_while(
            running, lambda: "there are no accounts" in running.out(), "it has said all"
        )
        lines = running.out().splitlines()
        told = {
            f"serves {base}": "INFO",
            f"database: {self.folder}/keep/it.db": "INFO",
            "GIN_MODE in the environment has no effect": "WARN",
            "there are no accounts": "WARN",
        }
        for text, level in told.items():
            found = [line for line in lines if text in line]
            self.assertEqual(len(found), 1, f"{text}\n{running.out()}")
            self.assertIn(f" {level} ", found[0])
        self.assertNotIn("PORT has no effect", running.out())
        self.assertEqual(running.err(), "")
        self.assertEqual(stat.S_IMODE((self.folder / "keep").stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.folder / "keep/it.db").stat().st_mode), 0o600)
        running.end()

    def test_stop(self) -> None:
        """SIGTERM and SIGINT end it soon, by that signal, with the pid file gone."""
        for how in (signal.SIGTERM, signal.SIGINT):
            running, base = self.start()
            self.assertTrue((self.folder / "twistd.pid").exists())
            self.assertEqual(fetch(f"{base}/health")[0], 200)
            began = time.monotonic()
            self.assertEqual(running.end(how), -how)
            self.assertLess(time.monotonic() - began, 5.0)
            self.assertFalse((self.folder / "twistd.pid").exists())
            self.assertIn("kiro2api has stopped", running.out())
            self.assertEqual(running.err(), "")

    def test_another_working_directory(self) -> None:
        """Relative paths are those of where it was started, whatever twistd makes of it."""
        port = free_port()
        running = self.run_twistd(
            "--rundir=tmp", "kiro2api", PORT=str(port), KIRO_CLIENT_TOKEN="key"
        )
        self.wait_until_up(running, port)
        running.end()
        self.assertTrue((self.folder / "data/kiro2api.db").exists())

    def test_home(self) -> None:
        """A tilde, which no shell expands in .env, means the home folder."""
        (self.folder / ".env").write_text("KIRO_DB_PATH=~/mine/x.db\n")
        running, _ = self.start()
        running.end()
        self.assertTrue((self.folder / "mine/x.db").exists())

    def test_places_of_settings(self) -> None:
        """Option, environment, .env and TOML, seen in what the process then does."""
        (self.folder / "kiro2api.toml").write_text(
            'client_token = "from-toml"\ndb_path = "from-toml.db"\nlog_format = "json"\n'
            'admin_token = "from-toml"\n'
        )
        (self.folder / ".env").write_text(
            "KIRO_ADMIN_TOKEN=from-dotenv\nKIRO_DB_PATH=from-dotenv.db\n"
        )
        running, base = self.start(
            "--db-path=from-option.db", KIRO_DB_PATH="from-environment.db", KIRO_CLIENT_TOKEN=""
        )
        self.assertEqual(fetch(f"{base}/v1/models", key="from-toml")[0], 200)
        self.assertEqual(fetch(f"{base}/api/tokens", key="from-dotenv")[0], 200)
        self.assertEqual([p.name for p in self.folder.glob("*.db")], ["from-option.db"])
        running.end()
        for line in running.out().splitlines():
            msgspec.json.decode(line)

    def test_unix_socket(self) -> None:
        """Any Twisted endpoint will do; only the file's owner and group can reach this one."""
        path = self.folder / "x.sock"
        running = self.run_twistd("kiro2api", KIRO_LISTEN=f"unix:{path}:mode=600")
        self.wait_while(running, lambda: f"serves unix:{path}" in running.out(), "it is up")
        self.assertTrue(path.is_socket())
        running.end()
        self.assertFalse(path.exists())


class DaemonTests(ProcessCase):
    """`twistd kiro2api`: in the background."""

    def test_two_runs(self) -> None:
        """It leaves the terminal, appends to its log, stops on SIGTERM, frees what it took."""
        port = free_port()
        log, pid = self.folder / "logs.txt", self.folder / "x.pid"
        for run in (1, 2):
            done = self.twistd(
                f"--logfile={log}",
                f"--pidfile={pid}",
                "kiro2api",
                PORT=str(port),
                KIRO_CLIENT_TOKEN="key",
            )
            self.assertEqual((done.status, done.out, done.err), (0, "", ""))
            number = int(pid.read_text())
            self.addCleanup(_kill, number)
            # The port is open and the pid file written as soon as the command has returned.
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/health")[0], 200)
            os.kill(number, signal.SIGTERM)
            wait_for(lambda n=number: _gone(n), "it ends")  # type: ignore[misc]
            self.assertFalse(pid.exists())
            self.assertTrue(refused(port))
            text = log.read_text()
            self.assertEqual(text.count(f"serves http://127.0.0.1:{port}"), run)
            self.assertEqual(text.count("kiro2api has stopped"), run)
        self.assertEqual(stat.S_IMODE(log.stat().st_mode), 0o600)
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_default_log(self) -> None:
        """Without options it is twistd.log and twistd.pid in the working directory."""
        port = free_port()
        done = self.twistd("kiro2api", PORT=str(port), KIRO_CLIENT_TOKEN="key")
        self.assertEqual((done.status, done.err), (0, ""))
        number = int((self.folder / "twistd.pid").read_text())
        self.addCleanup(_kill, number)
        # Who answers has begun to listen to signals as well.
        self.assertEqual(fetch(f"http://127.0.0.1:{port}/health")[0], 200)
        os.kill(number, signal.SIGTERM)
        wait_for(lambda: _gone(number), "it ends")
        self.assertIn("kiro2api has stopped", (self.folder / "twistd.log").read_text())


class KillTests(ProcessCase):
    """A process that is killed loses no refresh token, although the old one is dead (I9)."""

    def setUp(self) -> None:
        """The emulator as a process of its own. Its account gets a new refresh token at every
        refresh, and access tokens that live so short that every start has to renew them."""
        super().setUp()
        accounts = self.folder / "emulated.json"
        account = {
            "name": "rotating",
            "refresh_token": REFRESH,
            "rotates": True,
            "token_lifetime": 20,
        }
        accounts.write_bytes(msgspec.json.encode([account]))
        self.emulator_port = free_port()
        emulator = self.run_twistd(
            "--pidfile=",
            "kiro2api-emulator",
            f"--listen=tcp:{self.emulator_port}:interface=127.0.0.1",
            f"--accounts={accounts}",
        )
        self.wait_until_up(emulator, self.emulator_port)
        self.emulator = f"http://127.0.0.1:{self.emulator_port}"

    def start(self) -> tuple[Running, str]:
        """The service, always configured with the first token."""
        port = free_port()
        running = self.run_twistd(
            "--pidfile=",
            "kiro2api",
            PORT=str(port),
            KIRO_CLIENT_TOKEN="key",
            KIRO_AUTH_TOKEN=msgspec.json.encode(
                [{"auth": "Social", "refreshToken": REFRESH}]
            ).decode(),
            KIRO_UPSTREAM_URL=self.emulator,
            KIRO_SOCIAL_AUTH_URL=self.emulator,
        )
        self.wait_until_up(running, port)
        return running, f"http://127.0.0.1:{port}"

    def refreshes(self) -> list[int]:
        """The status of each refresh so far."""
        calls = msgspec.json.decode(fetch(f"{self.emulator}/emulator/calls")[1])["calls"]
        return [call["status"] for call in calls if call["path"] == "/refreshToken"]

    def test_killed_right_after_a_refresh(self) -> None:
        """Three times: refreshed, killed at once, started again with the old configuration."""
        for count in range(1, 4):
            running, base = self.start()
            self.assertEqual(fetch(f"{base}/v1/messages", question(), key="key")[0], 200)
            self.assertEqual(running.end(signal.SIGKILL), -signal.SIGKILL)
            self.assertEqual(self.refreshes(), [200] * count)
        running, base = self.start()
        self.assertEqual(fetch(f"{base}/v1/messages", question(), key="key")[0], 200)
        self.assertEqual(self.refreshes(), [200] * 4)
        running.end()

    def test_configured_token_is_dead(self) -> None:
        """Without what was stored, the same configuration is of no use: so it is the store that
        saves the account."""
        running, base = self.start()
        self.assertEqual(fetch(f"{base}/v1/messages", question(), key="key")[0], 200)
        running.end(signal.SIGKILL)
        shutil.rmtree(self.folder / "data")
        running, base = self.start()
        self.assertNotEqual(fetch(f"{base}/v1/messages", question(), key="key")[0], 200)
        running.end()


def _gone(pid: int) -> bool:
    """Whether the process has ended; in a container, nobody may have buried it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _kill(pid: int) -> None:
    if not _gone(pid):
        os.kill(pid, signal.SIGKILL)
