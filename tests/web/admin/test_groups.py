"""Groups through the operator's API."""

from typing import Any

from kiro2api.accounts.quota import Quota
from tests.web.admin.case import AdminCase


class GroupsApiTests(AdminCase):
    """The routes below ``/api/groups``."""

    def test_list(self) -> None:
        """The default one first; how many accounts, how many can serve, what is left."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        made = self.add(1, group="pro")
        self.add(2, group="pro", disabled=True)
        self.outside.quota = Quota(left=8.0)
        self.good("POST", f"/api/tokens/{made['id']}/quota", {})
        shown = self.good("GET", "/api/groups")
        self.assertEqual(shown["groups"], shown["items"])
        self.assertEqual([each["name"] for each in shown["groups"]], ["default", "pro"])
        self.assertEqual(
            shown["groups"][1],
            {
                "name": "pro",
                "display_name": "",
                "policy": "sequential",
                "affinity": True,
                "max_in_flight": 0,
                "requests_per_minute": 0,
                "cooldown_seconds": 0.0,
                "token_count": 2,
                "active_count": 1,
                "credits_left": 8.0,
            },
        )
        self.assertIsNone(shown["groups"][0]["credits_left"])

    def test_sorted_and_searched(self) -> None:
        """Like every list."""
        for name in ("b", "a"):
            self.good("POST", "/api/groups", {"name": name, "display_name": f"Team {name}"}, 201)
        found = self.good("GET", "/api/groups?q=team&sort=-name")["groups"]
        self.assertEqual([each["name"] for each in found], ["b", "a"])

    def test_create(self) -> None:
        """With all that it can be told."""
        body = {
            "name": "pro",
            "display_name": "The pros",
            "policy": "round_robin",
            "affinity": False,
            "max_in_flight": 2,
            "requests_per_minute": 60,
            "cooldown_seconds": 1.5,
        }
        shown = self.good("POST", "/api/groups", body, 201)
        self.assertEqual({field: shown[field] for field in body}, body)
        self.assertEqual(self.good("GET", "/api/groups/pro"), shown)
        self.assertEqual(self.lending.policies["pro"].policy, "round_robin")
        self.assertEqual(self.actions(), [("admin", "group.create")])

    def test_mistakes(self) -> None:
        """The field is named."""
        for body, param in (
            ({}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": "v1"}, "name"),
            ({"name": "pro", "policy": "random"}, "policy"),
            ({"name": "pro", "max_in_flight": -1}, "max_in_flight"),
            ({"name": "pro", "colour": 1}, "colour"),
        ):
            self.assertEqual(self.bad("POST", "/api/groups", body)["param"], param)
        self.assertEqual(self.bad("POST", "/api/groups", {"name": "default"}, 409)["param"], "name")

    def test_change(self) -> None:
        """Some of it; nothing else changes."""
        self.good("POST", "/api/groups", {"name": "pro", "max_in_flight": 2}, 201)
        shown = self.good("PUT", "/api/groups/pro", {"policy": "least_used"})
        self.assertEqual((shown["policy"], shown["max_in_flight"]), ("least_used", 2))
        self.assertEqual(self.bad("PUT", "/api/groups/pro", {"name": "x"})["param"], "name")
        self.bad("PUT", "/api/groups/nowhere", {}, 404)

    def test_rename(self) -> None:
        """Accounts follow; the default group stays what it is."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        made = self.add(1, group="pro")
        shown = self.good("POST", "/api/groups/pro/rename", {"new_name": "team"})
        self.assertEqual((shown["name"], shown["token_count"]), ("team", 1))
        self.assertEqual(self.good("GET", f"/api/tokens/{made['id']}")["group"], "team")
        self.bad("GET", "/api/groups/pro", status=404)
        path = "/api/groups/team/rename"
        self.assertEqual(self.bad("POST", path, {})["param"], "new_name")
        self.assertEqual(self.bad("POST", path, {"new_name": "v1"})["param"], "new_name")
        self.bad("POST", path, {"new_name": "default"}, 409)
        self.bad("POST", "/api/groups/default/rename", {"new_name": "x"})

    def test_remove(self) -> None:
        """Its accounts go to the default group."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        made = self.add(1, group="pro")
        self.good("DELETE", "/api/groups/pro", status=204)
        self.assertEqual(self.good("GET", f"/api/tokens/{made['id']}")["group"], "default")
        self.bad("DELETE", "/api/groups/pro", status=404)
        self.bad("DELETE", "/api/groups/default")

    def test_permissions(self) -> None:
        """Administrators only, and of those each for the groups of his key."""
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/api/groups/default", None),
            ("PUT", "/api/groups/default", {}),
            ("POST", "/api/groups/default/rename", {"new_name": "x"}),
            ("DELETE", "/api/groups/pro", None),
            ("POST", "/api/groups", {"name": "new"}),
        )
        limited = self.limited("pro")
        for method, path, body in (*routes, ("GET", "/api/groups", None)):
            for key, status in (("key", 403), ("", 401)):
                self.assertEqual(self.call(method, path, body, key=key).status, status, path)
        for method, path, body in routes:
            self.assertEqual(self.call(method, path, body, key=limited).status, 403, path)
        shown = self.call("GET", "/api/groups", key=limited).json
        self.assertEqual([each["name"] for each in shown["groups"]], ["pro"])
        self.assertEqual(self.call("PUT", "/api/groups/pro", {}, key=limited).status, 200)
