"""Tests of ``kiro2api accounts``: listing, showing, and what is done to single ones."""

from tests.commands.case import CommandCase, account, refused, tokens

QUOTA = {
    "used": 40.0,
    "limit": 50.0,
    "left": 10.0,
    "reset_at": "2030-02-01T00:00:00+00:00",
    "checked_at": "2030-01-31T12:00:00+00:00",
    "overage": False,
}


class ListTests(CommandCase):
    """``accounts list``."""

    def test_table(self) -> None:
        """Each account is a line below the titles, with its credits."""
        self.service.script(
            "GET /api/tokens", tokens(account(quota=QUOTA), account("other", status="cooling"))
        )
        title, first, second = self.run_command("accounts", "list").words.split("\n")
        self.assertEqual(title.split()[:3], ["ID", "NAME", "GROUP"])
        self.assertEqual(first.split()[:5], ["mine-id", "mine", "default", "social", "ready"])
        self.assertIn(" 10 ", first)
        self.assertIn("cooling", second)
        self.assertEqual(title.index("STATE"), second.index("cooling"))

    def test_json(self) -> None:
        """Programs get the items as the service gives them."""
        self.service.script("GET /api/tokens", tokens(account(quota=QUOTA)))
        self.assertEqual(
            self.run_command("accounts", "list", "--json").value, [account(quota=QUOTA)]
        )

    def test_json_before(self) -> None:
        """The common options may stand before the command as well."""
        self.service.script("GET /api/tokens", tokens())
        self.assertEqual(self.run_command("--json", "accounts", "list").value, [])

    def test_filters(self) -> None:
        """What is not wanted is left to the service."""
        self.service.script("GET /api/tokens", tokens())
        outcome = self.run_command(
            "accounts", "list", "--group", "a b", "--state", "ready", "--sort=-left"
        )
        self.assertEqual(
            self.service.asked[0].path,
            "/api/tokens?group=a+b&state=ready&sort=-left&page=1&page_size=500",
        )
        self.assertEqual(outcome.words, "No account is like that.")

    def test_nobody(self) -> None:
        """An empty table would only be puzzling."""
        self.service.script("GET /api/tokens", tokens())
        self.assertEqual(self.run_command("accounts", "list").words, "There are no accounts yet.")

    def test_pages(self) -> None:
        """All pages are read."""
        self.service.script(
            "GET /api/tokens",
            {"tokens": [account("a")] * 500, "total": 501},
            {"tokens": [account("b")], "total": 501},
        )
        self.assertEqual(len(self.run_command("accounts", "list", "--json").value), 501)
        self.assertIn("page=2", self.service.asked[1].path)

    def test_pages_that_shrink(self) -> None:
        """Accounts that vanish meanwhile do not make it ask for ever."""
        self.service.script(
            "GET /api/tokens",
            {"tokens": [account("a")], "total": 9},
            {"tokens": [], "total": 9},
        )
        self.assertEqual(len(self.run_command("accounts", "list", "--json").value), 1)

    def test_wrong_sort(self) -> None:
        """What the service refuses is told in its words, with the parameter."""
        self.service.script("GET /api/tokens", (400, refused("lists are sorted by name", "sort")))
        outcome = self.run_command("accounts", "list", "--sort", "age")
        self.assertEqual(outcome.message, "lists are sorted by name")
        assert outcome.failed is not None
        self.assertEqual(outcome.failed.param, "sort")

    def test_something_else(self) -> None:
        """A service with other lists is told from kiro2api."""
        self.service.script("GET /api/tokens", {"data": []})
        self.assertIn("not as kiro2api does", self.run_command("accounts", "list").message)


class OneTests(CommandCase):
    """Commands on one account."""

    def setUp(self) -> None:
        """Two of one name, one of another."""
        super().setUp()
        self.service.script(
            "GET /api/tokens",
            tokens(
                account("mine", quota=QUOTA, max_in_flight=0),
                account("twin", id="t1"),
                account("twin", id="t2"),
                account("t2", id="t3"),
            ),
        )

    def test_show(self) -> None:
        """Everything that is known, a line each; what is not known has none."""
        words = self.run_command("accounts", "show", "mine").words
        self.assertIn("Kept in:", words)
        self.assertIn("the database", words)
        self.assertIn("10 left, 40 of 50 used", words)
        self.assertNotIn("At once", words)
        self.assertEqual(
            self.run_command("accounts", "show", "mine", "--json").value["id"], "mine-id"
        )

    def test_unknown(self) -> None:
        """It is said where the names are."""
        outcome = self.run_command("accounts", "test", "nobody")
        self.assertEqual(
            outcome.message, "there is no account 'nobody'; see: kiro2api accounts list"
        )

    def test_ambiguous(self) -> None:
        """Of two with that name none is chosen."""
        outcome = self.run_command("accounts", "remove", "twin")
        self.assertEqual(outcome.message, "2 accounts are called 'twin': say which by id, t1, t2")
        self.assertEqual([each.method for each in self.service.asked], ["GET"])

    def test_id_first(self) -> None:
        """An id is meant, even if somebody else is called like it."""
        self.service.script("POST /api/tokens/t2/enable", account("twin", status="ready"))
        self.assertEqual(self.run_command("accounts", "enable", "t2").words, "twin is ready now")

    def test_actions(self) -> None:
        """Of each it is told how the account stands now."""
        self.service.script(
            "POST /api/tokens/mine-id/unpark", account(status="cooling", error="throttled")
        )
        self.service.script(
            "POST /api/tokens/mine-id/disable", account(status="disabled", error="disabled")
        )
        self.service.script("POST /api/tokens/mine-id/quota", QUOTA, None)
        self.assertEqual(
            self.run_command("accounts", "unpark", "mine").words, "mine is cooling (throttled) now"
        )
        self.assertEqual(
            self.run_command("accounts", "disable", "mine").words, "mine is disabled now"
        )
        self.assertEqual(
            self.run_command("accounts", "quota", "mine").words,
            "mine: 10 left, 40 of 50 used, reset 2030-02-01T00:00:00+00:00",
        )
        self.assertEqual(
            self.run_command("accounts", "quota", "mine").words,
            "mine: nothing is known of its credits",
        )

    def test_works(self) -> None:
        """A good call is told with what came of it."""
        self.service.script(
            "POST /api/tokens/mine-id/test",
            {"ok": True, "error": "", "milliseconds": 210, "models": 12},
        )
        self.assertEqual(
            self.run_command("accounts", "test", "mine").words,
            "mine works: 12 models, in 210 ms",
        )

    def test_works_not(self) -> None:
        """A bad call is a failure of the command; programs get the whole answer beside."""
        told = {"ok": False, "error": "the token is refused", "milliseconds": 9, "models": 0}
        self.service.script("POST /api/tokens/mine-id/test", told)
        outcome = self.run_command("accounts", "test", "mine")
        self.assertEqual(outcome.message, "mine does not work: the token is refused")
        self.assertEqual(outcome.out, [])
        self.assertEqual(self.run_command("accounts", "test", "mine", "--json").value, told)

    def test_move(self) -> None:
        """The group is sent; a wrong one is the service's to refuse."""
        self.service.script(
            "PUT /api/tokens/mine-id/move",
            account(group="pro"),
            (400, refused("there is no group 'x'", "group")),
        )
        self.assertEqual(
            self.run_command("accounts", "move", "mine", "pro").words, "mine is in group pro now"
        )
        self.assertEqual(
            self.run_command("accounts", "move", "mine", "x").message, "there is no group 'x'"
        )

    def test_remove(self) -> None:
        """The answer has no body; programs are told the id."""
        self.service.script("DELETE /api/tokens/mine-id", (204, None))
        self.assertEqual(self.run_command("accounts", "remove", "mine").words, "mine was removed")
        self.assertEqual(
            self.run_command("accounts", "remove", "mine", "--json").value, {"removed": "mine-id"}
        )

    def test_configured(self) -> None:
        """One of the configuration stays; the service says why."""
        self.service.script(
            "DELETE /api/tokens/mine-id", (409, refused("it is in KIRO_AUTH_TOKEN"))
        )
        self.assertEqual(
            self.run_command("accounts", "remove", "mine").message, "it is in KIRO_AUTH_TOKEN"
        )

    def test_strange_answer(self) -> None:
        """An answer of another shape is no traceback."""
        self.service.script("POST /api/tokens/mine-id/test", ["what"])
        self.assertIn("is not understood", self.run_command("accounts", "test", "mine").message)
