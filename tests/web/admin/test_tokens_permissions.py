"""Whose accounts somebody may see and change through the operator's API."""

from typing import Any

from tests.web.admin.case import AdminCase


class PermissionTests(AdminCase):
    """Who may do what."""

    def setUp(self) -> None:
        super().setUp()
        self.good("POST", "/api/groups", {"name": "pro"}, 201)
        self.mine = self.add(1, name="mine", group="pro")
        self.other = self.add(2, name="other")

    def test_admins_only(self) -> None:
        """Clients are told so, strangers too, before anything else is looked at."""
        one = f"/api/tokens/{self.other['id']}"
        routes = (
            ("GET", "/api/tokens"),
            ("POST", "/api/tokens"),
            ("POST", "/api/tokens/bulk"),
            ("POST", "/api/tokens/refresh"),
            ("GET", one),
            ("PATCH", one),
            ("DELETE", one),
            ("PUT", f"{one}/move"),
            *(
                ("POST", f"{one}/{verb}")
                for verb in ("enable", "disable", "unpark", "refresh", "test", "quota")
            ),
        )
        for method, path in routes:
            for key, status in (("key", 403), ("", 401)):
                reply = self.call(method, path, b"not JSON", key=key)
                self.assertEqual((path, reply.status), (path, status))
        self.assertTrue(self.registry.find(self.other["id"]).enabled)

    def test_groups_of_a_key(self) -> None:
        """A key for some groups sees and changes no others; the default group is one of them."""
        key = self.limited("pro")
        shown = self.call("GET", "/api/tokens", key=key).json
        self.assertEqual([each["name"] for each in shown["tokens"]], ["mine"])
        self.assertEqual(shown["total"], 1)
        one = f"/api/tokens/{self.other['id']}"
        mine = f"/api/tokens/{self.mine['id']}"
        forbidden: tuple[tuple[str, str, Any], ...] = (
            ("GET", one, None),
            ("PATCH", one, {"name": "x"}),
            ("DELETE", one, None),
            ("PUT", f"{one}/move", {"group": "pro"}),
            ("PUT", f"{mine}/move", {"group": "default"}),
            ("PATCH", mine, {"group": "default"}),
            ("POST", "/api/tokens", {"refreshToken": "aor-9"}),
            ("POST", "/api/tokens/refresh", {"group": "default"}),
            ("POST", "/api/tokens/refresh", {"ids": [self.other["id"]]}),
            *(
                ("POST", f"{one}/{verb}", {})
                for verb in ("enable", "disable", "unpark", "refresh", "test", "quota")
            ),
        )
        for method, path, body in forbidden:
            reply = self.call(method, path, body, key=key)
            self.assertEqual((path, reply.status), (path, 403))
        self.assertEqual(self.call("PATCH", mine, {"name": "m"}, key=key).status, 200)
        entries = [{"refreshToken": "aor-8"}, {"refreshToken": "aor-9", "group": "pro"}]
        done = self.call("POST", "/api/tokens/bulk", entries, key=key).json
        self.assertEqual((done["added"], len(done["skipped"])), (1, 1))
        told = self.call("POST", "/api/tokens/refresh", {}, key=key).json
        self.assertEqual(told["total"], 2)
