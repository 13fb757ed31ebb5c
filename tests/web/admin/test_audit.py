"""What operators did, read page by page."""

from tests.web.admin.case import AdminCase


class AuditApiTests(AdminCase):
    """GET /api/audit."""

    def test_pages(self) -> None:
        """The newest first; each page says where the next begins."""
        for number in range(5):
            self.good("POST", "/api/groups", {"name": f"g{number}"}, 201)
        first = self.good("GET", "/api/audit?page_size=2")
        self.assertEqual([each["subject"] for each in first["items"]], ["g4", "g3"])
        self.assertEqual((first["total"], first["page_size"]), (5, 2))
        second = self.good("GET", f"/api/audit?page_size=3&before={first['before']}")
        self.assertEqual([each["subject"] for each in second["items"]], ["g2", "g1", "g0"])
        last = self.good("GET", f"/api/audit?before={second['before']}")
        self.assertEqual((last["items"], last["before"]), ([], None))

    def test_item(self) -> None:
        """Who did what, when, to whom."""
        made = self.add(1, name="first")
        [line] = self.good("GET", f"/api/audit?subject={made['id']}")["items"]
        self.assertEqual(
            line,
            {
                "id": 1,
                "at": "1970-01-01T00:01:40+00:00",
                "actor": "admin",
                "action": "account.add",
                "subject": made["id"],
                "detail": {"name": "first", "group": "default", "auth": "social"},
            },
        )

    def test_mistakes(self) -> None:
        """Named; and nobody else's business."""
        for query in ("before=x", "page_size=0"):
            param = query.partition("=")[0]
            self.assertEqual(self.bad("GET", f"/api/audit?{query}")["param"], param)
        for key, status in (("key", 403), ("", 401), (self.limited("pro"), 403)):
            self.assertEqual(self.call("GET", "/api/audit", key=key).status, status)
