"""Tests of ``kiro2api login``."""

from twisted.internet.defer import CancelledError

from kiro2api.commands.login import LOOK_SECONDS
from tests.commands.case import CommandCase, account, refused, tokens

PENDING = {
    "id": "l1",
    "status": "pending",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://device.test/",
    "verification_uri_complete": "https://device.test/?user_code=ABCD-EFGH",
    "expires_at": "2030-01-01T00:10:00+00:00",
    "error": "",
    "account": "",
}
DONE = {**PENDING, "status": "done", "account": "0123456789abcdef"}


class LoginTests(CommandCase):
    """From the code to the account."""

    def test_done(self) -> None:
        """The code is shown at once, the end when it is there."""
        self.service.script("POST /api/logins", (201, PENDING))
        self.service.script("GET /api/logins/l1", PENDING, DONE)
        going, outcome = self.begin("login", "--name", "mine")
        self.assertIn("https://device.test/?user_code=ABCD-EFGH", outcome.words)
        self.assertIn("ABCD-EFGH", outcome.words)
        self.clock.advance(LOOK_SECONDS)
        self.assertNoResult(going)
        self.clock.advance(LOOK_SECONDS)
        self.successResultOf(going)
        self.assertEqual(outcome.out[-1], "The account was added (id 0123456789abcdef).")
        self.assertEqual(
            self.service.bodies("POST /api/logins"), [{"kind": "builder_id", "name": "mine"}]
        )

    def test_json(self) -> None:
        """The code stands beside, since somebody must see it; the result is the login."""
        self.service.script("POST /api/logins", (201, PENDING))
        self.service.script("GET /api/logins/l1", DONE)
        outcome = self.run_command("login", "--json")
        self.assertEqual(outcome.value, DONE)
        self.assertIn("ABCD-EFGH", "\n".join(outcome.aside))

    def test_kinds(self) -> None:
        """Each is begun with what it needs."""
        self.service.script("POST /api/logins", (201, DONE))
        self.run_command("login", "idc", "--start-url", "https://x.test/start", "--region", "r-1")
        self.run_command("login", "social", "--provider", "GitHub", "--group", "pro")
        self.assertEqual(
            self.service.bodies("POST /api/logins"),
            [
                {"kind": "idc", "start_url": "https://x.test/start", "region": "r-1"},
                {"kind": "social", "provider": "github", "group": "pro"},
            ],
        )

    def test_no_start_url(self) -> None:
        """It is asked for before anything is begun."""
        self.assertIn("--start-url", self.run_command("login", "idc").message)
        self.assertEqual(self.service.asked, [])

    def test_replace(self) -> None:
        """An account is logged in again by its id, whatever it was named by, and as it was."""
        self.service.script("GET /api/tokens", tokens(account()))
        self.service.script("POST /api/logins", (201, DONE))
        outcome = self.run_command("login", "--replace", "mine")
        self.assertEqual(outcome.out[-1], "The account is logged in again (id 0123456789abcdef).")
        self.assertEqual(
            self.service.bodies("POST /api/logins"),
            [{"kind": "social", "provider": "google", "replace": "mine-id"}],
        )

    def test_replace_in_another_way(self) -> None:
        """What cannot become of it is said before anybody confirms a code in vain."""
        for method, said, words in (
            ("social", "idc", "by social"),
            ("idc", "social", "by builder-id or idc"),
            ("api_key", "", "nobody logs in"),
        ):
            self.service.script("GET /api/tokens", tokens(account(auth_type=method)))
            given = ["login", *([said] if said else []), "--replace", "mine"]
            self.assertIn(words, self.run_command(*given).message)
        self.assertEqual(self.service.bodies("POST /api/logins"), [])

    def test_refused(self) -> None:
        """In the service's words."""
        self.service.script("POST /api/logins", (400, refused("there is no group 'x'", "group")))
        self.assertEqual(self.run_command("login", "--group", "x").message, "there is no group 'x'")

    def test_ends(self) -> None:
        """However it ends, that is told."""
        self.service.script("POST /api/logins", (201, PENDING))
        for status, error, words in (
            ("expired", "", "the code has expired; begin again"),
            ("failed", "access was denied", "the login failed: access was denied"),
            ("cancelled", "", "the login was cancelled"),
            ("puzzled", "", "puzzled"),
        ):
            self.service.script("GET /api/logins/l1", {**PENDING, "status": status, "error": error})
            self.assertEqual(self.run_command("login").message, words)

    def test_interrupted(self) -> None:
        """The service is told that nobody waits any more."""
        self.service.script("POST /api/logins", (201, PENDING))
        self.service.script("DELETE /api/logins/l1", (204, None))
        going, _ = self.begin("login")
        going.cancel()
        self.failureResultOf(going, CancelledError)
        self.assertEqual(self.service.asked[-1].method, "DELETE")

    def test_interrupted_by_silence(self) -> None:
        """Not even then it waits for long."""
        self.service.script("POST /api/logins", (201, PENDING))
        self.service.script("DELETE /api/logins/l1", ...)
        going, _ = self.begin("login")
        going.cancel()
        self.clock.advance(5)
        self.failureResultOf(going, CancelledError)
