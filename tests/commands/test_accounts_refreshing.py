"""Tests of ``kiro2api accounts refresh``."""

from tests.commands.case import CommandCase, account, refused, tokens


def job(done: int, failed: int = 0, total: int = 2) -> dict[str, object]:
    """A job so far; the last one may have failed."""
    results = [
        {"id": f"{n}", "name": f"a{n}", "status": "ok", "error": ""} for n in range(done - failed)
    ]
    results += [{"id": "x", "name": "bad", "status": "error", "error": "no"}] * failed
    return {
        "id": "j1",
        "kind": "refresh",
        "total": total,
        "done": done,
        "failed": failed,
        "finished": done == total,
        "results": results,
    }


class RefreshTests(CommandCase):
    """One, or many as a job."""

    def test_one(self) -> None:
        """Until when its new token is good is told."""
        self.service.script("GET /api/tokens", tokens(account()))
        self.service.script(
            "POST /api/tokens/mine-id/refresh", account(expires_at="2030-01-01T00:00:00+00:00")
        )
        self.assertEqual(
            self.run_command("accounts", "refresh", "mine").words,
            "mine is refreshed, good until 2030-01-01T00:00:00+00:00",
        )

    def test_one_fails(self) -> None:
        """The service's words."""
        self.service.script("GET /api/tokens", tokens(account()))
        self.service.script("POST /api/tokens/mine-id/refresh", (502, refused("it is dead")))
        self.assertEqual(self.run_command("accounts", "refresh", "mine").message, "it is dead")

    def test_all(self) -> None:
        """Each is told once, as soon as it is known."""
        self.service.script("POST /api/tokens/refresh", (202, {"job": "j1", "total": 2}))
        self.service.script("GET /api/jobs/j1", job(0), job(1), job(1), job(2))
        outcome = self.run_command("accounts", "refresh", "--all")
        self.assertEqual(outcome.out, ["[1/2] ok    a0", "[2/2] ok    a1", "2 of 2 refreshed"])
        self.assertEqual(self.service.bodies("POST /api/tokens/refresh"), [{}])

    def test_group_in_json(self) -> None:
        """Programs get the finished job; the progress stands beside."""
        self.service.script("POST /api/tokens/refresh", (202, {"job": "j1", "total": 2}))
        self.service.script("GET /api/jobs/j1", job(2, failed=1))
        outcome = self.run_command("accounts", "refresh", "--group", "pro", "--json")
        self.assertEqual(outcome.value, job(2, failed=1))
        self.assertEqual(outcome.aside, ["[1/2] ok    a0", "[2/2] FAIL  bad: no"])
        self.assertEqual(outcome.message, "1 of 2 could not be refreshed")
        self.assertEqual(self.service.bodies("POST /api/tokens/refresh"), [{"group": "pro"}])

    def test_nobody(self) -> None:
        """A job for nobody is done at once."""
        self.service.script("POST /api/tokens/refresh", (202, {"job": "j1", "total": 0}))
        self.service.script("GET /api/jobs/j1", job(0, total=0))
        self.assertEqual(
            self.run_command("accounts", "refresh", "--all").words, "There is none to refresh."
        )

    def test_which(self) -> None:
        """Nobody refreshes all by forgetting a word."""
        with self.assertRaises(SystemExit) as ended:
            self.run_command("accounts", "refresh")
        self.assertEqual(ended.exception.code, 2)
