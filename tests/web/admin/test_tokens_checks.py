"""Accounts tried out through the operator's API."""

from twisted.internet.defer import Deferred

from kiro2api.accounts.outcome import Parked
from kiro2api.errors import UpstreamUnavailable
from tests.web.admin.case import AdminCase


class TryTests(AdminCase):
    """Refresh, test and quota of one account; refresh of many."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.add(1, name="first")
        self.path = f"/api/tokens/{self.made['id']}"

    def test_refresh(self) -> None:
        """The new expiry is shown."""
        shown = self.good("POST", f"{self.path}/refresh", {})
        self.assertEqual(self.outside.renewed, ["first"])
        self.assertTrue(shown["expires_at"])

    def test_refresh_fails(self) -> None:
        """As the fault says."""
        self.outside.fault = UpstreamUnavailable("the login service is away")
        self.assertIn("away", self.bad("POST", f"{self.path}/refresh", {}, 503)["message"])

    def test_login_mended(self) -> None:
        """An account that was in need of a login is asked again when its token can be renewed."""
        fingerprint = self.fingerprint(self.made["id"])
        self.successResultOf(self.process.rows.park(fingerprint, Parked("login")))
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        self.assertEqual(self.good("POST", f"{self.path}/refresh", {})["status"], "ready")

    def test_suspended_stays(self) -> None:
        """A renewed token says nothing about a suspension."""
        fingerprint = self.fingerprint(self.made["id"])
        self.successResultOf(self.process.rows.park(fingerprint, Parked("suspended")))
        self.successResultOf(Deferred.fromCoroutine(self.process.follow()))
        self.assertEqual(self.good("POST", f"{self.path}/refresh", {})["error"], "suspended")

    def test_api_key(self) -> None:
        """It has no token to renew: whether it is good shows a look at its credits."""
        made = self.good("POST", "/api/tokens", {"apiKey": "ksk_invented"}, 201)
        self.good("POST", f"/api/tokens/{made['id']}/refresh", {})
        self.assertEqual(self.outside.renewed, [])
        self.assertEqual(self.outside.asked, [self.fingerprint(made["id"])])

    def test_test(self) -> None:
        """One call, with a renewed token where that was old, and how long it took."""
        self.outside.seconds = lambda: self.clock.advance(0.125)
        told = self.good("POST", f"{self.path}/test", {})
        self.assertEqual(told, {"ok": True, "error": "", "milliseconds": 250, "models": 2})
        self.assertEqual(self.outside.asked, ["first:new"])
        self.good("POST", f"{self.path}/test", {})
        self.assertEqual(self.outside.renewed, ["first"])

    def test_test_fails(self) -> None:
        """That is an answer, too."""
        self.outside.fault = UpstreamUnavailable("nobody there")
        told = self.good("POST", f"{self.path}/test", {})
        self.assertEqual((told["ok"], told["error"]), (False, "nobody there"))

    def test_test_left(self) -> None:
        """Whoever leaves ends it."""
        ended: list[bool] = []
        self.outside.waiting = Deferred(lambda _: ended.append(True))
        channel, _ = self.start(f"{self.path}/test", {}, key="root")
        self.hang_up(channel)
        self.assertEqual(ended, [True])

    def test_quota(self) -> None:
        """Read now, and shown with the account from then on."""
        told = self.good("POST", f"{self.path}/quota", {})
        self.assertEqual((told["left"], told["limit"]), (8.0, 10.0))
        self.assertEqual(self.good("GET", self.path)["subscription"], "PRO")

    def test_refresh_many(self) -> None:
        """A job: of all that are switched on, of a group, or of some."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        second = self.add(2, name="second", group="pro")
        self.add(3, name="third", disabled=True)
        for body, total in (({}, 2), ({"group": "pro"}, 1), ({"ids": [second["id"]]}, 1)):
            started = self.good("POST", "/api/tokens/refresh", body, 202)
            told = self.good("GET", f"/api/jobs/{started['job']}")
            self.assertEqual((told["total"], told["done"], told["finished"]), (total, total, True))
        self.assertEqual(self.outside.renewed, ["first", "second", "second", "second"])
        self.assertEqual(self.bad("POST", "/api/tokens/refresh", {"group": "x"})["param"], "group")
        self.bad("POST", "/api/tokens/refresh", {"ids": ["x"]}, 404)
        self.assertEqual(self.bad("POST", "/api/tokens/refresh", {"all": 1})["param"], "all")
