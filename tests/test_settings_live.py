"""Settings that change while the service runs."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import Conflict, RequestRejected
from kiro2api.settings import load
from kiro2api.settings_live import Described, LiveSettings
from kiro2api.settings_table import TABLE, Settings

LIVE = ("ping_seconds", "attempts", "log_level", "fallback_model", "fetch_urls")


class LiveSettingsTests(SynchronousTestCase):
    """One source of truth."""

    def live(self, *names: str, **given: str) -> LiveSettings:
        """Settings of which those named are applied by somebody."""
        live = LiveSettings(load({}, given))
        self.told: list[Settings] = []
        if names:
            live.subscribe(names, self.told.append)
        return live

    def described(self, live: LiveSettings, name: str) -> Described:
        """One of them."""
        return next(each for each in live.described() if each.name == name)

    def test_stored_ones_are_applied(self) -> None:
        """Whoever applies a setting is told of it, once for each change."""
        live = self.live("ping_seconds", "attempts")
        self.assertEqual(live.apply({"ping_seconds": "20", "attempts": "5"}), {*LIVE[:2]})
        self.assertEqual((live.current.ping_seconds, live.current.attempts), (20.0, 5))
        self.assertEqual([s.ping_seconds for s in self.told], [20.0])
        self.assertEqual(live.apply({"ping_seconds": "20", "attempts": "5"}), frozenset())
        self.assertEqual(len(self.told), 1)

    def test_back_to_the_default(self) -> None:
        """A setting that is no longer stored is as at the start."""
        live = self.live("ping_seconds")
        live.apply({"ping_seconds": "20"})
        live.apply({})
        self.assertEqual([s.ping_seconds for s in self.told], [20.0, 15.0])
        self.assertEqual(self.described(live, "ping_seconds").source, "default")

    def test_only_who_wants_it_is_told(self) -> None:
        """A change of one setting is no change of another."""
        live = self.live("ping_seconds")
        others: list[Settings] = []
        live.subscribe(["attempts"], others.append)
        live.apply({"attempts": "7"})
        self.assertEqual((len(others), self.told), (1, []))

    def test_what_does_not_count(self) -> None:
        """Explicit ones win; what nobody applies or accepts is not shown as if it held."""
        live = self.live("ping_seconds", "attempts", KIRO_PING_SECONDS="30")
        changed = live.apply({"ping_seconds": "20", "attempts": "0", "port": "1", "nonsense": "1"})
        self.assertEqual((changed, self.told), (frozenset(), []))
        self.assertEqual(live.current.ping_seconds, 30.0)
        for name, source in (
            ("ping_seconds", "environment"),
            ("attempts", "default"),
            ("port", "default"),
        ):
            self.assertEqual(self.described(live, name).source, source)

    def test_texts_to_store(self) -> None:
        """JSON values become what an operator would write; nothing goes back to the default."""
        live = self.live(*LIVE)
        for name, value, text in (
            ("ping_seconds", 20, "20"),
            ("ping_seconds", 20.5, "20.5"),
            ("ping_seconds", "20", "20"),
            ("attempts", 4.0, "4"),
            ("fetch_urls", True, "true"),
            ("fetch_urls", False, "false"),
            ("log_level", "DEBUG", "DEBUG"),
            ("fallback_model", " claude-x ", "claude-x"),
            ("fallback_model", "", None),
            ("ping_seconds", None, None),
        ):
            self.assertEqual(live.checked(name, value), text, (name, value))

    def test_values_that_are_not_accepted(self) -> None:
        """The message says what is, and the field is named."""
        live = self.live(*LIVE)
        for name, value in (
            ("ping_seconds", 0),
            ("ping_seconds", True),
            ("attempts", 1.5),
            ("attempts", "many"),
            ("log_level", "loud"),
            ("fetch_urls", 2),
            ("fallback_model", ["x"]),
            ("fallback_model", {"x": 1}),
        ):
            error = self.assertRaises(RequestRejected, live.checked, name, value)
            self.assertEqual(error.param, name)
            self.assertIn("accepts", error.message)
        error = self.assertRaises(RequestRejected, live.checked, "pnig_seconds", 1)
        self.assertEqual(error.param, "pnig_seconds")

    def test_what_cannot_change(self) -> None:
        """Explicit ones, and those that nobody applies; both say where to change them."""
        live = self.live("ping_seconds", KIRO_PING_SECONDS="30")
        for name, words in (
            ("ping_seconds", "explicitly (environment)"),
            ("port", "new start"),
            ("client_token", "KIRO_CLIENT_TOKEN"),
        ):
            error = self.assertRaises(Conflict, live.checked, name, "1")
            self.assertEqual(error.param, name)
            self.assertIn(words, error.message)

    def test_secrets_never_change(self) -> None:
        """Nor does what is no setting."""
        live = self.live()
        for name in ("client_token", "proxy", "nonsense", "notes"):
            self.assertRaises(ValueError, live.subscribe, [name], print)

    def test_described(self) -> None:
        """What a setting is, and where its value comes from."""
        live = LiveSettings(
            load(
                {"port": "9000"},
                {"KIRO_ADMIN_TOKEN": "a-secret-of-mine", "LOG_LEVEL": "warning"},
                "KIRO_ATTEMPTS=4",
                "cooldown_seconds = 60",
            )
        )
        live.subscribe(["ping_seconds", "log_level"], lambda settings: None)
        live.apply({"ping_seconds": "20"})
        shown = {each.name: each for each in live.described()}
        self.assertEqual(list(shown), list(TABLE))
        self.assertEqual(
            msgspec.to_builtins(shown["ping_seconds"]),
            {
                "name": "ping_seconds",
                "env": "KIRO_PING_SECONDS",
                "value": 20.0,
                "default": 15.0,
                "source": "stored",
                "unit": "seconds",
                "meaning": TABLE["ping_seconds"].meaning,
                "live": True,
                "locked": False,
                "kind": "number",
                "accepts": "a number of seconds from 1 to 600",
                "choices": (),
            },
        )
        level = shown["log_level"]
        self.assertEqual((level.value, level.kind, level.locked), ("warn", "choice", True))
        self.assertIn("debug", level.choices)
        sources = {name: each.source for name, each in shown.items() if each.source != "default"}
        self.assertEqual(
            sources,
            {
                "admin_token": "environment",
                "port": "option",
                "log_level": "environment",
                "attempts": "environment",
                "cooldown_seconds": "file",
                "ping_seconds": "stored",
            },
        )
        kinds = {shown[name].kind for name in ("attempts", "fetch_urls", "listen", "proxy")}
        self.assertEqual(kinds, {"integer", "boolean", "text", "secret"})
        self.assertEqual((shown["admin_token"].value, shown["proxy"].value), (True, False))
        self.assertEqual(shown["client_token"].default, False)
        self.assertNotIn("a-secret-of-mine", str(shown))
