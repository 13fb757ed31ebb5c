"""Tests of ``kiro2api keys``."""

from kiro2api.commands.calling import Key
from kiro2api.redaction import Secret
from tests.commands.case import CommandCase, page, refused

STORED = {"id": "7", "name": "laptop", "role": "client", "hint": "9f3a", "enabled": True}
CONFIGURED = {**STORED, "id": "client-1", "name": "client-1", "groups": [], "spent_today": None}


class KeysTests(CommandCase):
    """Each action."""

    def test_list(self) -> None:
        """A line for each; nothing that could be used as a key."""
        self.service.script("GET /api/keys", page(CONFIGURED, {**STORED, "groups": ["a", "b"]}))
        title, first, second = self.run_command("keys", "list").words.split("\n")
        self.assertEqual(first.split()[:5], ["client-1", "client-1", "client", "9f3a", "yes"])
        self.assertIn("a,b", second)
        self.assertIn("ENDS WITH", title)

    def test_add(self) -> None:
        """The key is shown; only what was said is sent."""
        self.service.script("POST /api/keys", (201, {**STORED, "key": "sk-made"}))
        outcome = self.run_command("keys", "add", "laptop", "--group", "a", "--max-in-flight", "2")
        self.assertEqual(outcome.words, "The key of laptop, which is shown only now:\nsk-made")
        self.assertEqual(
            self.service.bodies("POST /api/keys"),
            [{"name": "laptop", "groups": ["a"], "max_in_flight": 2}],
        )
        self.assertEqual(
            self.run_command("keys", "add", "laptop", "--json").value["key"], "sk-made"
        )

    def test_add_refused(self) -> None:
        """With the field."""
        self.service.script("POST /api/keys", (400, refused("this time has passed", "expires_at")))
        outcome = self.run_command("keys", "add", "laptop", "--expires", "1999-01-01")
        self.assertEqual(outcome.message, "this time has passed")

    def test_set(self) -> None:
        """An empty text takes a limit away."""
        self.service.script("GET /api/keys", page(CONFIGURED, STORED))
        self.service.script("PATCH /api/keys/7", STORED)
        self.run_command(
            "keys", "set", "laptop", "--name", "desk", "--model", "", "--expires", "",
            "--credits-per-day", "1.5",
        )  # fmt: skip
        self.assertEqual(
            self.service.bodies("PATCH /api/keys/7"),
            [{"name": "desk", "models": [], "expires_at": "", "credits_per_day": 1.5}],
        )

    def test_set_nothing(self) -> None:
        """That is a mistake."""
        self.assertIn("nothing to change", self.run_command("keys", "set", "laptop").message)

    def test_turn(self) -> None:
        """On and off."""
        self.service.script("GET /api/keys", page(STORED))
        self.service.script("PATCH /api/keys/7", STORED)
        self.assertEqual(self.run_command("keys", "disable", "7").words, "laptop is disabled now")
        self.assertEqual(self.run_command("keys", "enable", "7").words, "laptop is enabled now")
        self.assertEqual(
            self.service.bodies("PATCH /api/keys/7"), [{"enabled": False}, {"enabled": True}]
        )

    def test_remove(self) -> None:
        """Or why not."""
        self.service.script("GET /api/keys", page(STORED, CONFIGURED))
        self.service.script("DELETE /api/keys/7", (204, None))
        self.service.script(
            "DELETE /api/keys/client-1",
            (409, refused("this key is configured: change KIRO_CLIENT_TOKEN instead")),
        )
        self.assertEqual(self.run_command("keys", "remove", "laptop").words, "laptop was removed")
        self.assertIn(
            "change KIRO_CLIENT_TOKEN", self.run_command("keys", "remove", "client-1").message
        )

    def test_unknown(self) -> None:
        """It is said where the names are."""
        self.service.script("GET /api/keys", page())
        self.assertEqual(
            self.run_command("keys", "remove", "desk").message,
            "there is no key 'desk'; see: kiro2api keys list",
        )

    def test_the_key_itself(self) -> None:
        """A key that somebody types is not repeated."""
        message = self.run_command("keys", "remove", "sk-secret").message
        self.assertNotIn("secret", message)
        self.assertEqual(self.service.asked, [])

    def test_key_of_the_command(self) -> None:
        """One that was made for this command alone is not shown."""
        self.api.key = Key(Secret("k"), "this command", made=True)
        self.service.script("GET /api/keys", page({**CONFIGURED, "id": "admin"}, STORED))
        self.assertEqual(self.run_command("keys", "list", "--json").value, [STORED])
