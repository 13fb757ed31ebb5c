"""Tests of ``kiro2api groups``."""

from tests.commands.case import CommandCase, page, refused

GROUP = {
    "name": "pro",
    "display_name": "",
    "policy": "sequential",
    "affinity": True,
    "max_in_flight": 0,
    "requests_per_minute": 20,
    "cooldown_seconds": 0.0,
    "token_count": 3,
    "active_count": 2,
    "credits_left": None,
}


class GroupsTests(CommandCase):
    """Each action."""

    def test_list(self) -> None:
        """Limits of nothing are shown as none."""
        self.service.script("GET /api/groups", page(GROUP))
        words = self.run_command("groups", "list").words.split("\n")[1].split()
        self.assertEqual(words, ["pro", "-", "sequential", "yes", "-", "20", "3", "2", "-"])
        self.assertEqual(self.run_command("groups", "list", "--json").value, [GROUP])

    def test_add(self) -> None:
        """Only what was said is sent; where it serves is told."""
        self.service.script("POST /api/groups", (201, GROUP))
        outcome = self.run_command(
            "groups",
            "add",
            "pro",
            "--policy",
            "least_used",
            "--no-affinity",
            "--max-in-flight",
            "0",
        )
        self.assertIn("/pro/v1", outcome.words)
        self.assertEqual(
            self.service.bodies("POST /api/groups"),
            [{"name": "pro", "policy": "least_used", "affinity": False, "max_in_flight": 0}],
        )

    def test_add_refused(self) -> None:
        """In the service's words."""
        self.service.script("POST /api/groups", (400, refused("v1 is reserved", "name")))
        self.assertEqual(self.run_command("groups", "add", "v1").message, "v1 is reserved")

    def test_set(self) -> None:
        """How it is afterwards is shown."""
        self.service.script("PUT /api/groups/pro", GROUP)
        outcome = self.run_command("groups", "set", "pro", "--cooldown-seconds", "30")
        self.assertIn("sequential", outcome.words)
        self.assertEqual(self.service.bodies("PUT /api/groups/pro"), [{"cooldown_seconds": 30.0}])

    def test_set_nothing(self) -> None:
        """That is a mistake."""
        self.assertIn("nothing to change", self.run_command("groups", "set", "pro").message)
        self.assertEqual(self.service.asked, [])

    def test_rename(self) -> None:
        """Its new name is sent."""
        self.service.script("POST /api/groups/pro/rename", {**GROUP, "name": "team"})
        self.assertEqual(
            self.run_command("groups", "rename", "pro", "team").words, "pro is called team now"
        )
        self.assertEqual(self.service.bodies("POST /api/groups/pro/rename"), [{"new_name": "team"}])

    def test_remove(self) -> None:
        """A strange name stays one part of the path."""
        self.service.script("DELETE /api/groups/a%2Fb", (204, None))
        self.assertEqual(self.run_command("groups", "remove", "a/b").words, "a/b was removed")
