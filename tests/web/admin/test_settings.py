"""Settings through the operator's API."""

from twisted.internet.defer import Deferred

from kiro2api.settings import load
from kiro2api.settings_live import LiveSettings
from kiro2api.settings_table import TABLE
from kiro2api.store.changes import ChangeRows
from kiro2api.store.setting_rows import SettingRows
from kiro2api.web.admin.settings import StoredSettings
from tests.web.admin.keyed import CLIENT, KeyedCase


class SettingsApiTests(KeyedCase):
    """The routes below ``/api/settings``."""

    environment = {"KIRO_ATTEMPTS": "4", "KIRO_ADMIN_TOKEN": "a-secret-of-mine"}

    def setUp(self) -> None:
        super().setUp()
        self.applied: list[float] = []
        self.live.subscribe(
            ["ping_seconds", "attempts"],
            lambda settings: self.applied.append(settings.ping_seconds),
        )

    def shown(self, name: str) -> dict[str, object]:
        """One setting."""
        settings = self.ask("GET", "/api/settings").json["settings"]
        found: dict[str, object] = next(each for each in settings if each["name"] == name)
        return found

    def test_show(self) -> None:
        """All of them, in order, without any secret."""
        reply = self.ask("GET", "/api/settings")
        self.assertEqual(reply.status, 200)
        self.assertEqual([each["name"] for each in reply.json["settings"]], list(TABLE))
        self.assertNotIn(b"a-secret-of-mine", reply.raw)
        self.assertEqual(self.shown("attempts")["source"], "environment")

    def test_change(self) -> None:
        """Takes effect before the answer, is stored, noted and audited; null takes it back."""
        reply = self.ask("PATCH", "/api/settings", {"ping_seconds": 20})
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.applied, [20.0])
        shown = self.shown("ping_seconds")
        self.assertEqual((shown["value"], shown["source"]), (20.0, "stored"))
        self.assertEqual(self.audited(), [("admin", "setting.change", "ping_seconds")])
        self.ask("PATCH", "/api/settings", {"ping_seconds": None})
        self.assertEqual(self.applied, [20.0, 15.0])
        self.assertEqual(self.shown("ping_seconds")["source"], "default")
        _, changes = self.result_of(ChangeRows(self.database).since(0))
        self.assertEqual([(c.topic, c.subject) for c in changes], [("setting", "ping_seconds")] * 2)

    def test_mistakes(self) -> None:
        """Name the field, and then nothing at all is changed."""
        for body, status, param in (
            ({"ping_seconds": 20, "nonsense": 1}, 400, "nonsense"),
            ({"ping_seconds": 0}, 400, "ping_seconds"),
            ({"ping_seconds": 20, "attempts": 5}, 409, "attempts"),
            ({"ping_seconds": 20, "port": 1}, 409, "port"),
            ({"client_token": "x"}, 409, "client_token"),
            ([], 400, None),
        ):
            reply = self.ask("PATCH", "/api/settings", body)
            self.assertEqual((reply.status, reply.json["error"].get("param")), (status, param))
        self.assertEqual((self.applied, self.audited()), ([], []))
        self.assertEqual(self.ask("PATCH", "/api/settings", {}).status, 200)

    def test_only_administrators(self) -> None:
        """Nobody else sees or changes them."""
        for method in ("GET", "PATCH"):
            self.assertEqual(self.ask(method, "/api/settings", {}, key=CLIENT).status, 403)
            self.assertEqual(self.ask(method, "/api/settings", {}, key="").status, 401)

    def test_other_processes(self) -> None:
        """Follow, and a restart finds what was stored."""
        other = LiveSettings(load({}, {}))
        other.subscribe(["ping_seconds"], lambda settings: None)
        stored = StoredSettings(other, SettingRows(self.database))
        self.ask("PATCH", "/api/settings", {"ping_seconds": 20})
        _, changes = self.result_of(ChangeRows(self.database).since(0))
        self.result_of(Deferred.fromCoroutine(stored.follow([])))
        self.assertEqual(other.current.ping_seconds, 15.0)
        self.result_of(Deferred.fromCoroutine(stored.follow(changes)))
        self.assertEqual(other.current.ping_seconds, 20.0)
