"""What operators may write, where it is found, and what they are told when it is wrong."""

import re
from pathlib import Path
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.redaction import Secret
from kiro2api.settings import (
    TABLE,
    ConfigError,
    ExtraModel,
    Settings,
    config_path,
    describe,
    load,
    loopback_only,
    option_parameters,
    redacted,
)
from kiro2api.settings_dotenv import parse_dotenv

CANARY = "canary-4711"
BAD_URLS = ("http://hôte", "http://h?q=1", "http://h#f", "http://h/a b")


class PrecedenceTests(SynchronousTestCase):
    """Which place wins."""

    def test_each_place_in_turn(self) -> None:
        """Taking the strongest place away lets the next one decide, down to the default."""
        places: list[object] = [
            {"ping-seconds": "1"},
            {"KIRO_PING_SECONDS": "2"},
            "KIRO_PING_SECONDS=3",
            "ping_seconds = 4",
        ]
        empty: list[object] = [{}, {}, None, None]
        seen = []
        for missing in range(5):
            given_places = empty[:missing] + places[missing:]
            seen.append(load(*given_places).ping_seconds)  # type: ignore[arg-type]
        self.assertEqual(seen, [1.0, 2.0, 3.0, 4.0, 15.0])

    def test_blank_is_not_given(self) -> None:
        """An empty variable, as compose files leave behind, lets weaker places decide."""
        found = load({"port": None, "listen": ""}, {"PORT": " "}, "PORT=''", "port = 99")
        self.assertEqual((found.port, found.listen.split(":")[1]), (99, "99"))

    def test_options_of_others_are_left_alone(self) -> None:
        """A mapping of options may hold keys that are no settings."""
        found = load({"help": True, "log_level": "ERROR"}, {}, None, None)
        self.assertEqual((found.log_level, found.notes), ("error", ()))


class ListenTests(SynchronousTestCase):
    """PORT and KIRO_LISTEN together."""

    def test_port_shapes_the_default(self) -> None:
        """Without KIRO_LISTEN the service stays on this machine, at PORT."""
        found = load({}, {"PORT": "9001"})
        self.assertEqual(found.listen, "tcp:9001:interface=127.0.0.1:backlog=1024")
        serverFromString(MemoryReactorClock(), found.listen)
        self.assertTrue(loopback_only(found.listen))

    def test_listen_overrides_port(self) -> None:
        """KIRO_LISTEN stands alone, and a PORT beside it is pointed out."""
        found = load({}, {"PORT": "9001", "KIRO_LISTEN": "tcp:80"})
        self.assertEqual(found.listen, "tcp:80")
        self.assertEqual(found.notes, ("PORT has no effect because KIRO_LISTEN is given",))
        self.assertEqual(load({}, {"KIRO_LISTEN": "tcp:80"}).notes, ())

    def test_loopback_only(self) -> None:
        """Only what certainly stays on this machine counts as loopback."""
        inside = [
            "unix:/run/kiro.sock",
            "unix:/run/kiro.sock:mode=600",
            "tcp:80:interface=127.0.0.1",
            "tcp:80:backlog=9:interface=127.3.2.1",
            "tcp:80:127.0.0.1",
            "tcp:80:interface=localhost",
            r"tcp:80:interface=\:\:1",
            r"tcp6:80:interface=\:\:1",
            "ssl:443:privateKey=k.pem:interface=127.0.0.1",
        ]
        outside = [
            "",
            "unix:",
            "unix",
            "tcp:80",
            "tcp",
            "tcp6:80",
            "tcp:80:interface=",
            "tcp:80:interface=0.0.0.0",
            r"tcp:80:interface=\:\:",
            "tcp:80:interface=10.0.0.1",
            "tcp:80:interface=127.0.0.1:interface=0.0.0.0",
            "tcp:80:interface=127.0.0.1.example.org",
            "tcp:80:interface=localhost.example.org",
            "tcp:80:backlog=127.0.0.1",
            "ssl:443:127.0.0.1",
            "systemd:domain=INET:index=0",
            "tls:/etc/certs:tcp:443:interface=127.0.0.1",
            "haproxy:tcp:80:interface=127.0.0.1",
            "tcp:80:interface=127.0.0.1\\",
        ]
        self.assertEqual([text for text in inside if not loopback_only(text)], [])
        # A lone backslash at the very end escapes nothing, so the last one still is loopback.
        self.assertEqual([text for text in outside if loopback_only(text)], [outside[-1]])


class ValueTests(SynchronousTestCase):
    """What is accepted, and how a refusal reads."""

    def refused(self, variable: str, text: str) -> str:
        """The message for one bad variable; it must be one line that names it."""
        message: str = self.assertRaises(ConfigError, load, {}, {variable: text}).message
        self.assertTrue(message.startswith(f"{variable}: "), message)
        self.assertNotIn("\n", message)
        self.assertIn(f"it accepts {TABLE[self.name_of(variable)].kind.accepts}", message)
        return message

    def name_of(self, variable: str) -> str:
        return {setting.env: name for name, setting in TABLE.items()}[variable]

    def test_bounds(self) -> None:
        """The bounds themselves are accepted, what lies beyond is not."""
        cases = [
            ("PORT", ("1", "65535"), ("0", "65536", "http", "8080.5", "-1")),
            ("MAX_TOOL_DESCRIPTION_LENGTH", ("1", "10240"), ("0", "10241")),
            ("KIRO_MAX_BODY_BYTES", ("32000000", "64_000_000"), ("31999999", "1e9")),
            ("KIRO_PING_SECONDS", ("1", "600", "2.5"), ("0.9", "601", "nan", "inf", "15s")),
            ("LOG_LEVEL", ("trace", "Debug", "info", "warn", "warning", "error"), ("fatal", "2")),
            ("KIRO_DB_PATH", ("a b.db",), ("a\x00b", "a\nb")),
            ("LOG_FORMAT", ("text", "JSON"), ("xml",)),
            ("KIRO_REPLAY_THINKING", ("1", "true", "NO", "off"), ("2", "maybe")),
            ("KIRO_UPSTREAM_CLIENT", ("own", "twisted"), ("treq",)),
            ("KIRO_LISTEN", ("tcp:1", "unix:/a b"), ("8080", "tcp:", ":80", "tcp:1\n")),
            (
                "KIRO_UPSTREAM_URL",
                ("https://host", "http://127.0.0.1:9/path", "http://[::1]:9"),
                (
                    "host:80",
                    "ftp://h",
                    "https://",
                    "http://h:70000",
                    "http://h:0",
                    "http://hôte",
                    *BAD_URLS,
                ),
            ),
            (
                "KIRO_PROXY",
                ("http://proxy:3128", "https://user:word@proxy:1/"),
                ("socks5://proxy:1", "http://proxy/path", "proxy:3128", "http://proxy?x"),
            ),
        ]
        for variable, good, bad in cases:
            for text in good:
                load({}, {variable: text})
            for text in bad:
                if text.strip() != text:
                    continue
                self.refused(variable, text)

    def test_message_shows_value_and_place(self) -> None:
        """The operator sees what was wrong and where it stands."""
        self.assertEqual(
            self.refused("PORT", "http"),
            "PORT: 'http' from the environment is not accepted;"
            " it accepts a whole number from 1 to 65535",
        )
        for place, arguments in {
            "the command line": ({"port": "x"}, {}),
            ".env": ({}, {}, "PORT=x"),
            "the TOML file": ({}, {}, None, "port = 'x'"),
        }.items():
            message = self.assertRaises(ConfigError, load, *arguments).message
            self.assertIn(f"from {place} is", message)

    def test_no_secret_in_a_message(self) -> None:
        """Neither a secret setting nor a password in a URL is ever repeated."""
        self.assertNotIn(CANARY, self.refused("KIRO_PROXY", f"ftp://{CANARY}"))
        self.assertNotIn(CANARY, self.refused("KIRO_UPSTREAM_URL", f"https://me:{CANARY}@host"))
        self.assertNotIn(CANARY, self.refused("KIRO_OIDC_URL", f"https://{CANARY}@host"))
        for text in (f"KIRO_AUTH_TOKEN='{CANARY}", f"KIRO_AUTH_TOKEN {CANARY}"):
            message = self.assertRaises(ConfigError, load, {}, {}, text).message
            self.assertNotIn(CANARY, message)
        message = self.assertRaises(
            ConfigError, load, {}, {}, None, f"client_token = {{a = '{CANARY}'}}"
        ).message
        self.assertNotIn(CANARY, message)
        self.assertIn("KIRO_CLIENT_TOKEN", message)

    def test_defaults(self) -> None:
        """Every default passes its own check and has the declared type."""
        found = load({}, {})
        hints = get_type_hints(Settings)
        for name in TABLE:
            value, hint = getattr(found, name), hints[name]
            if name in ("client_token", "secret_key"):
                self.assertEqual(value, ())
            elif value is None:
                self.assertIn(type(None), hint.__args__)
            else:
                self.assertIs(type(value), hint, name)
        self.assertEqual((dict(found.models), dict(found.aliases), found.notes), ({}, {}, ()))
        self.assertEqual(found.max_body_bytes, 64 * 1024 * 1024)

    def test_client_keys(self) -> None:
        """Several keys in one variable, or as a list in TOML."""
        wanted = (Secret("a"), Secret("b"))
        self.assertEqual(load({}, {"KIRO_CLIENT_TOKEN": " a, b ,"}).client_token, wanted)
        self.assertEqual(load({}, {}, None, 'client_token = ["a", "b"]').client_token, wanted)
        self.refused("KIRO_CLIENT_TOKEN", " , ")

    def test_database(self) -> None:
        """One scheme, with or without the driver's name; other databases are refused."""
        for text in ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"):
            found = load({}, {"KIRO_DB_URL": text}).db_url
            self.assertEqual(found, Secret("postgresql+psycopg://u:p@h/d"))
        for text in ("mysql://u:p@h/d", "postgresql://", "h/d", "postgresql://u:p @h/d"):
            self.refused("KIRO_DB_URL", text)

    def test_secret_keys(self) -> None:
        """Each must be long enough not to be guessed."""
        found = load({}, {"KIRO_SECRET_KEY": "0123456789abcdef, fedcba9876543210"}).secret_key
        self.assertEqual(found, (Secret("0123456789abcdef"), Secret("fedcba9876543210")))
        self.refused("KIRO_SECRET_KEY", "0123456789abcdef,short")

    def test_last_slash_of_a_url(self) -> None:
        """Paths are appended to these URLs, so they never end in a slash."""
        found = load({}, {"KIRO_UPSTREAM_URL": "http://h:1/x/"})
        self.assertEqual(found.upstream_url, "http://h:1/x")


class TomlTests(SynchronousTestCase):
    """The configuration file."""

    def test_typed_values(self) -> None:
        """Numbers, truth values and texts of TOML are taken as such."""
        found = load({}, {}, None, 'port = 81\nreplay_thinking = true\nping_seconds = "7"\n')
        self.assertEqual((found.port, found.replay_thinking, found.ping_seconds), (81, True, 7.0))

    def test_wrong_types(self) -> None:
        """A list or a date where a scalar belongs is named."""
        for text in ("port = [1]", "port = 2026-01-01", "client_token = [[]]"):
            message = self.assertRaises(ConfigError, load, {}, {}, None, text).message
            self.assertIn("in the TOML file has the wrong type", message)

    def test_models_and_aliases(self) -> None:
        """Tables add models and other names for them."""
        found = load(
            {},
            {},
            None,
            '[models."m-5"]\ncandidates = ["m5", "m4"]\nwindow = 5000\n[models.plain]\n'
            '[aliases]\n"gpt-x" = "m-5"\n',
        )
        self.assertEqual(
            found.models,
            {"m-5": ExtraModel(candidates=("m5", "m4"), window=5000), "plain": ExtraModel()},
        )
        self.assertEqual(found.aliases, {"gpt-x": "m-5"})

    def test_bad_tables(self) -> None:
        """A bad entry is refused with its path."""
        for text, part in {
            "[models.m]\nwindow = 'big'": "window",
            "[models.m]\nwindow = 1": "window",
            "[models.m]\nwindw = 1": "windw",
            "models = 1": "[models.NAME]",
            "[aliases]\na = 1": "[aliases]",
            "port = x": "line 1",
        }.items():
            message = self.assertRaises(ConfigError, load, {}, {}, None, text).message
            self.assertIn("TOML file", message)
            self.assertIn(part, message)

    def test_unknown_keys_are_noted(self) -> None:
        """A misspelt key is no error, but it is said, with the likely name."""
        found = load({}, {}, None, "prot = 1\nconfig = 'x'\n\"a\\nb\" = 1")
        self.assertEqual(
            found.notes,
            (
                "'prot' in the TOML file is not a setting; did you mean port?",
                "'config' in the TOML file is not a setting",
                "'a\\nb' in the TOML file is not a setting",
            ),
        )

    def test_example_file(self) -> None:
        """The example speaks of every setting, and with all its marks removed it is accepted."""
        text = Path(__file__).parent.parent.joinpath("etc/kiro2api.toml.example").read_text("utf-8")
        bare = re.sub(r"^#(?=[\w\[\"])", "", text, flags=re.M)
        found = load({}, {}, None, bare)
        self.assertEqual(found.notes, ("PORT has no effect because KIRO_LISTEN is given",))
        self.assertEqual(len(found.models), 1)
        self.assertEqual(len(found.aliases), 2)
        missing = [name for name in TABLE if not re.search(rf"^{name} = ", bare, re.M)]
        self.assertEqual(missing, ["config"])
        silent = [s.env for n, s in TABLE.items() if n != "config" and f"({s.env})" not in text]
        self.assertEqual(silent, [])
        for name, setting in TABLE.items():
            if setting.default is not None and name not in ("config", "fallback_model"):
                self.assertEqual(getattr(found, name), getattr(load({}, {}), name), name)


class NotesTests(SynchronousTestCase):
    """What is worth a line but no refusal."""

    def test_unknown_and_ignored_variables(self) -> None:
        """A misspelt KIRO_ variable and GIN_MODE are pointed out, other variables are not."""
        found = load({}, {"GIN_MODE": "debug", "KIRO_LISTN": "x", "HOME": "/"}, "KIRO_ABCXYZ=1")
        self.assertEqual(
            found.notes,
            (
                "GIN_MODE in the environment has no effect here",
                "KIRO_LISTN in the environment is not a setting; did you mean KIRO_LISTEN?",
                "KIRO_ABCXYZ in .env is not a setting",
            ),
        )


class DotenvTests(SynchronousTestCase):
    """The .env file."""

    def test_forms(self) -> None:
        """Comments, export, quotes, several lines and Windows line ends."""
        text = (
            "\ufeff# a comment\r\n\r\n  export A = plain text  # said\r\n"
            "B='single # \"kept\"' # x\n"
            'C="double \\"q\\" \\n\\t\\r\\\\ \\$"\nD=\nE=a#b\n'
            'F=\'[\n {"refreshToken": "x\\ny"}\n]\'\n'
            'G=[{"auth":"Social"}]\nA=again'
        )
        self.assertEqual(
            parse_dotenv(text),
            {
                "A": "again",
                "B": 'single # "kept"',
                "C": 'double "q" \n\t\r\\ $',
                "D": "",
                "E": "a#b",
                "F": '[\n {"refreshToken": "x\\ny"}\n]',
                "G": '[{"auth":"Social"}]',
            },
        )

    def test_bad_lines(self) -> None:
        """A line that cannot be read is counted, through values of several lines."""
        for text, line in {
            "A=1\nwhat is this\n": 2,
            "A='1\n2\n3'\n=x": 4,
            "A='open": 1,
            'A="{"a":1}"': 1,
            "A='x' y": 1,
        }.items():
            error = self.assertRaises(ValueError, parse_dotenv, text)
            self.assertEqual(str(error), f"line {line} is not NAME=VALUE with matching quotes")
        message = self.assertRaises(ConfigError, load, {}, {}, "A").message
        self.assertTrue(message.startswith(".env: line 1"), message)

    @given(st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z"), st.text(max_size=40)))
    def test_double_quotes_hold_anything(self, values: dict[str, str]) -> None:
        """Any text survives being written in double quotes."""
        values = {name: text.replace("\r", "") for name, text in values.items()}
        lines = []
        for name, text in values.items():
            escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'{name}="{escaped}"\n')
        self.assertEqual(parse_dotenv("".join(lines)), values)

    @given(st.text(alphabet="A=' \"\\#\n", max_size=12))
    def test_never_another_error(self, text: str) -> None:
        """Whatever the file holds, it is either understood or refused as unreadable."""
        try:
            parse_dotenv(text)
        except ValueError as refused:
            self.assertIn("is not NAME=VALUE", str(refused))


class ConfigPathTests(SynchronousTestCase):
    """Which TOML file is read."""

    def test_places(self) -> None:
        """A named file must exist, the default one need not."""
        self.assertEqual(config_path({}, {}, None), ("kiro2api.toml", False))
        self.assertEqual(config_path({}, {}, "KIRO_CONFIG=c"), ("c", True))
        self.assertEqual(config_path({}, {"KIRO_CONFIG": "b"}, "KIRO_CONFIG=c"), ("b", True))
        self.assertEqual(config_path({"config": "a"}, {"KIRO_CONFIG": "b"}, None), ("a", True))


class TellingTests(SynchronousTestCase):
    """What is printed about settings."""

    def test_describe(self) -> None:
        """Each setting is there with its default and what it accepts."""
        text = describe()
        for setting in TABLE.values():
            self.assertIn(f"{setting.env} (default: ", text)
            self.assertIn(setting.meaning, text)
            self.assertIn(setting.kind.accepts, text)
        self.assertIn("KIRO_PING_SECONDS (default: 15 seconds)", text)
        self.assertIn("KIRO_ADMIN_TOKEN (default: not set)", text)

    def test_redacted(self) -> None:
        """Of a secret it is only said whether it is there."""
        secret = {s.env: f"http://{CANARY}" for s in TABLE.values() if s.kind.secret}
        secret["KIRO_DB_URL"] = f"postgresql://me:{CANARY}@localhost/kiro"
        self.assertEqual(len(secret), 6)
        found = load({}, secret)
        shown = redacted(found)
        self.assertNotIn(CANARY, repr(shown) + repr(found))
        self.assertEqual({shown[n] for n, s in TABLE.items() if s.kind.secret}, {"set"})
        self.assertEqual(redacted(load({}, {}))["proxy"], "not set")
        self.assertEqual((shown["port"], shown["upstream_url"]), (8080, "not set"))
        self.assertEqual({type(value) for value in shown.values()} - {str, int, float, bool}, set())

    def test_options(self) -> None:
        """The command line offers every setting that is no secret, and load understands it."""

        class Options(usage.Options):
            optParameters = option_parameters()

        options = Options()
        options.parseOptions(["--ping-seconds", "9", "--listen=tcp:1"])
        found = load(options, {})
        self.assertEqual((found.ping_seconds, found.listen), (9.0, "tcp:1"))
        names = {row[0] for row in option_parameters()}
        self.assertIn("log-level", names)
        self.assertEqual(names & {"client-token", "admin-token", "auth-token", "proxy"}, set())
