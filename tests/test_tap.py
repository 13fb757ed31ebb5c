"""`twistd kiro2api`: what an operator may type, and what each mistake is answered with."""

import os
import stat
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from kiro2api import __version__
from kiro2api.settings import TABLE, ConfigError
from kiro2api.tap import Options, read_settings
from tests.live.process import Finished, ProcessCase, busy_port, fetch, free_port


class MistakeTests(ProcessCase):
    """One line on standard error, exit status 1, nothing left behind, in either mode."""

    def assert_told(self, done: Finished, *words: str) -> None:
        """The one line has these words."""
        lines = done.err.splitlines()
        self.assertEqual((len(lines), done.status), (1, 1), done.err + done.out)
        self.assertTrue(lines[0].startswith("kiro2api: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(done.out, "")
        self.assertEqual(list(self.folder.glob("*.pid")), [])
        self.assertEqual(list(self.folder.glob("*.log")), [])

    def refused(self, *words: str, daemon: bool = False, **variables: str) -> Finished:
        """Start with these options and variables; the mode makes no difference to the mistake."""
        return self.twistd(*(() if daemon else ("-n",)), "kiro2api", *words, **variables)

    def test_bad_port(self) -> None:
        """A setting out of its range, in the foreground and in the background."""
        for daemon in (False, True):
            done = self.refused(daemon=daemon, PORT="eighty")
            self.assert_told(done, "PORT", "'eighty'", "1 to 65535")

    def test_bad_endpoint(self) -> None:
        """Endpoint strings that Twisted cannot read, before any key is made or shown."""
        for listen, word in (
            ("8080", "Twisted endpoint"),
            ("carrier:pigeon", "carrier"),
            ("tcp:8080:wings=2:interface=127.0.0.1", "wings"),
            ("ssl:8443:privateKey=/nowhere.pem:interface=127.0.0.1", "/nowhere.pem"),
        ):
            done = self.refused(KIRO_LISTEN=listen, KIRO_CLIENT_TOKEN="key")
            self.assert_told(done, "KIRO_LISTEN", word)

    def test_accounts(self) -> None:
        """Accounts that are no JSON, lack a field or lie in no file; no value is repeated."""
        broken = self.folder / "broken.json"
        broken.write_text('[{"auth": "Social", "refreshToken": "aor-canary"')
        for value, word in (
            ("[{", "KIRO_AUTH_TOKEN"),
            ('[{"auth":"Social"}]', "refreshToken"),
            ('[{"auth":"IdC","refreshToken":"aor-canary"}]', "clientId"),
            ("/nowhere/accounts.json", "KIRO_AUTH_TOKEN"),
            (str(broken), "KIRO_AUTH_TOKEN"),
            (str(self.folder), "directory"),
            ("aor-canary", "neither JSON nor the path"),
        ):
            done = self.refused(KIRO_AUTH_TOKEN=value)
            self.assert_told(done, word)
            self.assertNotIn("canary", done.err)

    def test_settings_file(self) -> None:
        """A file that was named and is not there, or is not TOML."""
        self.assert_told(self.refused(KIRO_CONFIG="nowhere.toml"), "KIRO_CONFIG", "nowhere.toml")
        (self.folder / "kiro2api.toml").write_text("port = \n")
        self.assert_told(self.refused(), "TOML", "line 1")

    def test_dotenv(self) -> None:
        """A .env that cannot be read."""
        (self.folder / ".env").write_bytes(b"PORT=\xff\n")
        self.assert_told(self.refused(), ".env", "UTF-8")

    def test_database(self) -> None:
        """A file that is no database is left as it is; a folder that cannot be made is named."""
        path = self.folder / "kiro2api.db"
        path.write_text("this is something else, and precious")
        for daemon in (False, True):
            done = self.refused(daemon=daemon, KIRO_DB_PATH=str(path))
            self.assert_told(done, str(path), "no SQLite database")
        self.assertEqual(path.read_text(), "this is something else, and precious")
        done = self.refused(daemon=True, KIRO_DB_PATH="/proc/nowhere/kiro2api.db")
        self.assert_told(done, "/proc/nowhere/kiro2api.db", "KIRO_DB_PATH")

    def test_busy_port(self) -> None:
        """In the background, too, it is told on the terminal; no key is made for nothing."""
        with busy_port() as port:
            for words in ((), ("--demo",)):
                for daemon in (False, True):
                    done = self.refused(*words, daemon=daemon, PORT=str(port))
                    self.assert_told(done, f"cannot listen on tcp:{port}:", "in use")
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])

    def test_open_to_the_network_without_a_key(self) -> None:
        """Refused before the port is opened, and no key is made."""
        port = free_port()
        for listen in (f"tcp:{port}", f"tcp:{port}:interface=0.0.0.0"):
            done = self.refused(KIRO_LISTEN=listen)
            self.assert_told(done, "KIRO_CLIENT_TOKEN", "beyond this machine")

    def test_command_line(self) -> None:
        """Options that do not exist, arguments, and secrets as options."""
        self.assert_told(self.refused("--prot=8080"), "--prot", "twistd kiro2api --help")
        self.assert_told(self.refused("8080"), "unexpected argument: 8080")
        self.assert_told(self.refused("--client-token=x"), "--client-token")
        self.assert_told(self.refused("--port"), "--port requires argument")


class HelpTests(ProcessCase):
    """What is printed on request."""

    def test_version(self) -> None:
        """Name and version, status 0."""
        done = self.twistd("kiro2api", "--version")
        self.assertEqual((done.status, done.out, done.err), (0, f"kiro2api {__version__}\n", ""))

    def test_help(self) -> None:
        """Every option, no secret, and where to read on; nothing wider than a terminal."""
        done = self.twistd("kiro2api", "--help")
        self.assertEqual((done.status, done.err), (0, ""))
        for name, setting in TABLE.items():
            option = f"--{name.replace('_', '-')}="
            (self.assertNotIn if setting.kind.secret else self.assertIn)(option, done.out)
        for word in ("--demo", "--help-settings", "KIRO_AUTH_TOKEN", "KIRO_CLIENT_TOKEN"):
            self.assertIn(word, done.out)
        self.assertLessEqual(max(map(len, done.out.splitlines())), 80)

    def test_settings(self) -> None:
        """Every setting with its default, and how it may be spelled."""
        done = self.twistd("kiro2api", "--help-settings")
        self.assertEqual((done.status, done.err), (0, ""))
        for setting in TABLE.values():
            self.assertIn(f"{setting.env} (default: ", done.out)
        for word in ("kiro2api.toml", ".env", "--ping-seconds=15"):
            self.assertIn(word, done.out)
        self.assertTrue(done.out.endswith("\n") and not done.out.endswith("\n\n"))


class OptionsTests(SynchronousTestCase):
    """The command line, taken apart in this process."""

    def test_settings_and_the_demo(self) -> None:
        """What is not given is not there, so that other places may give it."""
        options = Options()
        options.parseOptions(["--port=1234", "--demo"])
        self.assertEqual(options["port"], "1234")
        self.assertTrue(options["demo"])
        self.assertIsNone(options["log-level"])

    def test_arguments(self) -> None:
        """There are none."""
        self.assertRaises(UsageError, Options().parseArgs, "x")


class PrecedenceTests(SynchronousTestCase):
    """Options, environment, .env, TOML, default: the first that speaks wins."""

    def setUp(self) -> None:
        """A working directory with both files."""
        before = Path.cwd()
        os.chdir(self.mktemp_folder())
        self.addCleanup(os.chdir, before)
        Path(".env").write_text("KIRO_ATTEMPTS=22\nKIRO_PING_SECONDS=22\nLOG_LEVEL=warn\n")
        Path("kiro2api.toml").write_text(
            'attempts = 11\nping_seconds = 11\nlog_level = "error"\ncooldown_seconds = 11\n'
        )

    def mktemp_folder(self) -> str:
        """A new folder."""
        folder = Path(self.mktemp())
        folder.mkdir()
        return str(folder)

    def test_order(self) -> None:
        """Each place, seen where the stronger ones are silent."""
        options = Options()
        options.parseOptions(["--attempts=44"])
        environment = {"KIRO_ATTEMPTS": "33", "KIRO_PING_SECONDS": "33"}
        settings = read_settings(options, environment)
        self.assertEqual(settings.attempts, 44)
        self.assertEqual(settings.ping_seconds, 33)
        self.assertEqual(settings.log_level, "warn")
        self.assertEqual(settings.cooldown_seconds, 11)
        self.assertEqual(settings.port, 8080)

    def test_another_file(self) -> None:
        """KIRO_CONFIG names the TOML file, in .env as well; it must exist then."""
        Path("other.toml").write_text("cooldown_seconds = 12\n")
        self.assertEqual(read_settings({}, {"KIRO_CONFIG": "other.toml"}).cooldown_seconds, 12)
        Path(".env").write_text("KIRO_CONFIG=other.toml\n")
        self.assertEqual(read_settings({}, {}).cooldown_seconds, 12)
        self.assertRaises(ConfigError, read_settings, {"config": "no.toml"}, {})

    def test_unreadable(self) -> None:
        """A file that is there and cannot be read is a mistake, not a missing file."""
        Path("kiro2api.toml").unlink()
        Path("kiro2api.toml").mkdir()
        error = self.assertRaises(ConfigError, read_settings, {}, {})
        self.assertIn("kiro2api.toml cannot be read", str(error))


class FirstStartTests(ProcessCase):
    """Without a key, one is made, shown once and kept as a digest."""

    def test_key(self) -> None:
        """Shown on standard output, not in the log, and used; nothing is shown again."""
        port = free_port()
        running = self.run_twistd("--logfile=x.log", "kiro2api", PORT=str(port))
        self.wait_until_up(running, port)
        first, second = running.out().splitlines()
        self.assertIn("KIRO_CLIENT_TOKEN", first)
        key = second.strip()
        base = f"http://127.0.0.1:{port}"
        self.assertEqual(fetch(f"{base}/v1/models", key=key)[0], 200)
        self.assertEqual(fetch(f"{base}/api/tokens", key=key)[0], 200)
        self.assertEqual(fetch(f"{base}/v1/models", key="sk-kiro-another")[0], 401)
        running.end()
        folder = self.folder / "data"
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        for path in folder.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertNotIn(key.encode(), path.read_bytes())
        self.assertNotIn(key, (self.folder / "x.log").read_text())
        self.assertNotIn(key, running.err())

        again = self.run_twistd("--logfile=x.log", "kiro2api", PORT=str(port))
        self.wait_until_up(again, port)
        self.assertEqual(again.out(), "")
        self.assertEqual(fetch(f"{base}/v1/models", key=key)[0], 200)
        again.end()
        # A key that is configured takes the place of the one that was made.
        third = self.run_twistd("kiro2api", PORT=str(port), KIRO_CLIENT_TOKEN="configured")
        self.wait_until_up(third, port)
        self.assertEqual(fetch(f"{base}/v1/models", key="configured")[0], 200)
        self.assertEqual(fetch(f"{base}/v1/models", key=key)[0], 401)
        third.end()

    def test_admin_key(self) -> None:
        """With an admin key, the key that was made is a client's only."""
        port = free_port()
        running = self.run_twistd("kiro2api", PORT=str(port), KIRO_ADMIN_TOKEN="admin-key")
        self.wait_until_up(running, port)
        key = running.out().splitlines()[1].strip()
        base = f"http://127.0.0.1:{port}"
        self.assertEqual(fetch(f"{base}/api/tokens", key=key)[0], 403)
        self.assertEqual(fetch(f"{base}/api/tokens", key="admin-key")[0], 200)
        running.end()
