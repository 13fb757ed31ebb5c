"""Keys made, shown, changed and deleted through the operator's API."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from kiro2api.store.audit import AuditRows
from kiro2api.store.changes import ChangeRows
from kiro2api.store.keys import PREFIX, KeyRows, new_key
from tests.web.admin.keyed import CLIENT, NOON, ROOT, KeyedCase

LONG_KEY = "k2a_00000000-1111-2222-3333-444444444444"


class KeysApiTests(KeyedCase):
    """The routes below ``/api/keys``."""

    def test_made_once_in_clear(self) -> None:
        """The answer shows the key, which works at once; no later answer does."""
        made = self.make_key()
        self.assertTrue(made["key"].startswith(PREFIX))
        self.assertEqual(made["hint"], made["key"][-4:])
        who = self.ask("GET", "/api/who", key=made["key"])
        self.assertEqual(who.json, {"name": "laptop", "role": "client"})
        for path in ("/api/keys", f"/api/keys/{made['id']}"):
            reply = self.ask("GET", path)
            self.assertEqual(reply.status, 200)
            self.assertNotIn(made["key"].encode(), reply.raw)
        self.assertEqual(self.audited(), [("admin", "key.create", "laptop")])
        self.assertNotIn(made["key"], str(self.result_of(AuditRows(self.database).page(0, 9))))

    def test_item(self) -> None:
        """All that was said is shown, times as RFC 3339."""
        made = self.make_key(
            role="admin",
            groups=["pro"],
            models=["claude-sonnet-*"],
            requests_per_minute=60,
            max_in_flight=4,
            credits_per_day=10,
            credits_per_month=100.5,
            expires_at="2030-01-31T12:00:00Z",
        )
        shown = self.ask("GET", f"/api/keys/{made['id']}").json
        self.assertEqual(
            shown,
            {
                "id": made["id"],
                "name": "laptop",
                "role": "admin",
                "hint": made["key"][-4:],
                "enabled": True,
                "groups": ["pro"],
                "models": ["claude-sonnet-*"],
                "requests_per_minute": 60,
                "max_in_flight": 4,
                "credits_per_day": 10.0,
                "credits_per_month": 100.5,
                "spent_today": 0.0,
                "spent_month": 0.0,
                "expires_at": "2030-01-31T12:00:00+00:00",
                "last_used": "",
                "created_at": "2024-10-04T12:00:00+00:00",
                "source": "stored",
                "in_use": True,
            },
        )

    def test_use_is_shown(self) -> None:
        """What a key has spent, and when it was used last."""
        made = self.make_key()
        self.ask("GET", "/api/who", key=made["key"])
        use = self.gate.use(int(made["id"]))
        assert use is not None
        use.budget.add(1.25, NOON)
        shown = self.ask("GET", f"/api/keys/{made['id']}").json
        self.assertEqual((shown["spent_today"], shown["spent_month"]), (1.25, 1.25))
        self.assertEqual(shown["last_used"], "2024-10-04T12:00:00+00:00")

    def test_own_key(self) -> None:
        """A key may be brought along if it cannot be guessed."""
        made = self.make_key(key=LONG_KEY)
        self.assertEqual(made["key"], LONG_KEY)
        self.assertEqual(self.ask("GET", "/api/who", key=LONG_KEY).json["name"], "laptop")
        again = self.ask("POST", "/api/keys", {"name": "other", "key": LONG_KEY})
        self.assertEqual((again.status, again.json["error"]["param"]), (409, "key"))
        for wrong in ("short", "x" * 31, "é" * 40, "a b" * 20):
            reply = self.ask("POST", "/api/keys", {"name": "other", "key": wrong})
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, "key"))

    def test_configured_keys_are_shown_and_kept(self) -> None:
        """Keys of the environment: no hint of a short one, no change, no deletion."""
        items = self.ask("GET", "/api/keys").json["items"]
        self.assertEqual(
            [(item["id"], item["role"], item["source"], item["hint"]) for item in items],
            [("client-1", "client", "configured", ""), ("admin", "admin", "configured", "")],
        )
        self.assertEqual(self.ask("GET", "/api/keys/admin").json["name"], "admin")
        for method in ("PATCH", "DELETE"):
            reply = self.ask(method, "/api/keys/client-1", {})
            self.assertEqual(reply.status, 409)
            self.assertIn("KIRO_CLIENT_TOKEN", reply.json["error"]["message"])

    def test_mistakes_name_the_field(self) -> None:
        """Each wrong field: 400, its path, nothing made."""
        cases: list[tuple[object, str | None]] = [
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": 5}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": " x"}, "name"),
            ({"name": "a\nb"}, "name"),
            ({"name": "admin"}, "name"),
            ({"name": "generated"}, "name"),
            ({"name": "client-7"}, "name"),
            ({"name": "x", "role": "root"}, "role"),
            ({"name": "x", "nmae": "y"}, "nmae"),
            ({"name": "x", "groups": ["nope"]}, "groups[0]"),
            ({"name": "x", "groups": ["pro", 5]}, "groups[1]"),
            ({"name": "x", "groups": "pro"}, "groups"),
            ({"name": "x", "models": ["a b"]}, "models[0]"),
            ({"name": "x", "requests_per_minute": -1}, "requests_per_minute"),
            ({"name": "x", "max_in_flight": 1.5}, "max_in_flight"),
            ({"name": "x", "credits_per_day": "10"}, "credits_per_day"),
            ({"name": "x", "credits_per_month": -0.1}, "credits_per_month"),
            ({"name": "x", "expires_at": "soon"}, "expires_at"),
            ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"name": "x", "enabled": None}, "enabled"),
            ([], None),
            (b"{", None),
            (b"\xff", None),
        ]
        for body, param in cases:
            with self.subTest(body=body):
                reply = self.ask("POST", "/api/keys", body)
                self.assertEqual(reply.status, 400)
                self.assertEqual(reply.json["error"].get("param"), param)
        self.assertEqual(self.result_of(self.rows.digests()), ())

    def test_same_name(self) -> None:
        """Names are what records know, so there is one key of each."""
        self.make_key()
        reply = self.ask("POST", "/api/keys", {"name": "laptop"})
        self.assertEqual((reply.status, reply.json["error"]["param"]), (409, "name"))
        other = self.make_key(name="desktop")
        reply = self.ask("PATCH", f"/api/keys/{other['id']}", {"name": "laptop"})
        self.assertEqual((reply.status, reply.json["error"]["param"]), (409, "name"))
        self.assertEqual(self.ask("GET", f"/api/keys/{other['id']}").json["name"], "desktop")

    def test_change_holds_at_once(self) -> None:
        """A key that is switched off is refused with the next request, and comes back."""
        made = self.make_key()
        path = f"/api/keys/{made['id']}"
        off = self.ask("PATCH", path, {"enabled": False})
        self.assertEqual((off.status, off.json["enabled"], off.json["in_use"]), (200, False, False))
        refused = self.ask("GET", "/api/who", key=made["key"])
        self.assertEqual(refused.status, 401)
        self.assertIn("switched off", refused.json["error"]["message"])
        self.ask("PATCH", path, {"enabled": True, "name": "notebook", "role": "admin"})
        who = self.ask("GET", "/api/who", key=made["key"])
        self.assertEqual(who.json, {"name": "notebook", "role": "admin"})
        self.assertEqual(self.audited()[0], ("admin", "key.change", "laptop"))

    def test_change_of_some(self) -> None:
        """What is not said stays; an empty text or null ends an expiry; nothing said is fine."""
        made = self.make_key(groups=["pro"], expires_at="2030-01-01", credits_per_day=5)
        path = f"/api/keys/{made['id']}"
        changed = self.ask("PATCH", path, {"credits_per_day": 7}).json
        self.assertEqual((changed["groups"], changed["credits_per_day"]), (["pro"], 7.0))
        self.assertEqual(changed["expires_at"], "2030-01-01T00:00:00+00:00")
        for never in ("", None):
            self.ask("PATCH", path, {"expires_at": "2030-01-01"})
            self.assertEqual(self.ask("PATCH", path, {"expires_at": never}).json["expires_at"], "")
        before = self.audited()
        same = self.ask("PATCH", path, {})
        self.assertEqual((same.status, same.json["groups"]), (200, ["pro"]))
        self.assertEqual(self.audited(), before)
        wider = self.ask("PATCH", path, {"groups": []}).json
        self.assertEqual(wider["groups"], [])

    def test_group_that_is_gone_stays(self) -> None:
        """The name of a group that no longer exists may stay in a key, where it allows nothing."""
        key_id = self.result_of(self.rows.add("old", new_key(), "client", groups=("gone",)))
        self.result_of(Deferred.fromCoroutine(self.ledger.load()))
        path = f"/api/keys/{key_id}"
        kept = self.ask("PATCH", path, {"groups": ["gone", "pro"]})
        self.assertEqual((kept.status, kept.json["groups"]), (200, ["gone", "pro"]))
        self.assertEqual(self.ask("PATCH", path, {"groups": ["never"]}).status, 400)

    def test_delete(self) -> None:
        """A deleted key is unknown at once, and so is its number."""
        made = self.make_key()
        path = f"/api/keys/{made['id']}"
        reply = self.ask("DELETE", path)
        self.assertEqual((reply.status, reply.raw), (204, b""))
        self.assertEqual(self.ask("GET", "/api/who", key=made["key"]).status, 401)
        for method in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.ask(method, path, {}).status, 404)
        self.assertEqual(self.audited()[0], ("admin", "key.delete", "laptop"))

    def test_unknown_ids(self) -> None:
        """Whatever is no number of a key is not found."""
        for key_id in ("0", "99", "x", "-1", "99999999999999999999", "%C2%B2"):
            self.assertEqual(self.ask("GET", f"/api/keys/{key_id}").status, 404, key_id)

    def test_others_are_told(self) -> None:
        """Each change is noted for other processes."""
        made = self.make_key()
        self.ask("PATCH", f"/api/keys/{made['id']}", {"enabled": False})
        self.ask("DELETE", f"/api/keys/{made['id']}")
        _, changes = self.result_of(ChangeRows(self.database).since(0))
        self.assertEqual([(c.topic, c.subject) for c in changes], [("key", made["id"])] * 3)

    def test_only_administrators(self) -> None:
        """A client's key may do nothing here, and neither may nobody."""
        for method, path in (
            ("GET", "/api/keys"),
            ("POST", "/api/keys"),
            ("GET", "/api/keys/1"),
            ("PATCH", "/api/keys/1"),
            ("DELETE", "/api/keys/1"),
        ):
            self.assertEqual(self.ask(method, path, {}, key=CLIENT).status, 403)
            self.assertEqual(self.ask(method, path, {}, key="").status, 401)
        self.assertEqual(self.result_of(self.rows.digests()), ())

    def test_for_some_groups_only(self) -> None:
        """An administrator of some groups cannot make a key for all of them, but see what is."""
        limited = self.make_key(role="admin", groups=["pro"])
        path = f"/api/keys/{limited['id']}"
        for method, where, body in (
            ("POST", "/api/keys", {"name": "x"}),
            ("PATCH", path, {"groups": []}),
            ("DELETE", path, None),
            ("PATCH", "/api/settings", {}),
        ):
            reply = self.ask(method, where, body, key=limited["key"])
            self.assertEqual(reply.status, 403, method)
        for where in ("/api/keys", path, "/api/settings"):
            self.assertEqual(self.ask("GET", where, key=limited["key"]).status, 200)

    def test_other_methods(self) -> None:
        """405 says what is allowed."""
        reply = self.ask("PUT", "/api/keys", {})
        self.assertEqual(reply.status, 405)
        self.assertIn("POST", reply.headers["allow"])

    def test_list(self) -> None:
        """Searched, sorted, in pages."""
        for name in ("banana", "Apple", "cherry"):
            self.make_key(name=name, credits_per_day=len(name))
        names = [i["name"] for i in self.ask("GET", "/api/keys?sort=name").json["items"]]
        self.assertEqual(names, ["admin", "Apple", "banana", "cherry", "client-1"])
        found = self.ask("GET", "/api/keys?q=APP").json
        self.assertEqual(([i["name"] for i in found["items"]], found["total"]), (["Apple"], 1))
        page = self.ask("GET", "/api/keys?sort=-credits_per_day&page=2&page_size=1").json
        self.assertEqual(
            ([i["name"] for i in page["items"]], page["total"], page["page"], page["page_size"]),
            (["cherry"], 5, 2, 1),
        )
        for query, param in (
            ("sort=key", "sort"),
            ("page=0", "page"),
            ("page=x", "page"),
            ("page_size=501", "page_size"),
        ):
            reply = self.ask("GET", f"/api/keys?{query}")
            self.assertEqual((reply.status, reply.json["error"]["param"]), (400, param))


class LastAdministratorTests(KeyedCase):
    """Where no key is configured."""

    clients = ()
    admin = ""

    def setUp(self) -> None:
        super().setUp()
        key = new_key()
        self.key = key.reveal()
        self.key_id = self.result_of(self.rows.add("generated", key, "client"))
        self.result_of(Deferred.fromCoroutine(self.ledger.load()))

    def test_generated_key_administrates(self) -> None:
        """The key of the first start may do everything while there is no key for that."""
        item = self.ask("GET", "/api/keys", key=self.key).json["items"][0]
        self.assertEqual((item["role"], item["source"]), ("admin", "generated"))
        renamed = self.ask("PATCH", f"/api/keys/{self.key_id}", {"name": "generated"}, key=self.key)
        self.assertEqual(renamed.status, 200)

    def test_renamed_it_keeps_its_power(self) -> None:
        """Under another name it is a key like any other, of an administrator."""
        path = f"/api/keys/{self.key_id}"
        item = self.ask("PATCH", path, {"name": "me"}, key=self.key).json
        self.assertEqual((item["name"], item["role"], item["source"]), ("me", "admin", "stored"))
        self.assertEqual(self.ask("GET", path, key=self.key).status, 200)

    def test_nobody_is_locked_out(self) -> None:
        """The last administrator's key can neither be deleted, ended nor made a client's."""
        path = f"/api/keys/{self.key_id}"
        for method, body in (
            ("DELETE", None),
            ("PATCH", {"enabled": False}),
            ("PATCH", {"role": "client"}),
            ("PATCH", {"expires_at": "2030-01-01"}),
        ):
            reply = self.ask(method, path, body, key=self.key)
            self.assertEqual(reply.status, 409, body)
            self.assertIn("last", reply.json["error"]["message"])
        other = self.ask("POST", "/api/keys", {"name": "me", "role": "admin"}, key=self.key).json
        self.assertEqual(self.ask("DELETE", path, key=other["key"]).status, 204)
        self.assertEqual(
            self.ask("DELETE", f"/api/keys/{other['id']}", key=other["key"]).status, 409
        )


class GeneratedKeyTests(KeyedCase):
    """Where keys are configured after a first start without."""

    def test_generated_key_rests(self) -> None:
        """It is shown, and lets nobody in."""
        key = new_key()
        self.result_of(self.rows.add("generated", key, "client"))
        self.result_of(Deferred.fromCoroutine(self.ledger.load()))
        self.assertEqual(self.ask("GET", "/api/who", key=key.reveal()).status, 401)
        item = self.ask("GET", "/api/keys", key=ROOT).json["items"][-1]
        self.assertEqual(
            (item["source"], item["in_use"], item["spent_today"]), ("generated", False, None)
        )


class Vanishing(KeyRows):
    """Keys that somebody else deletes at the last moment."""

    gone = False

    def find(self, ids: Any) -> Any:
        """There, until they are gone."""
        return succeed({}) if self.gone else super().find(ids)

    def add(self, *args: Any, **terms: Any) -> Any:
        """Deleted as soon as it is there."""
        self.gone = True
        return super().add(*args, **terms)

    def patch(self, key_id: int, **terms: Any) -> Any:
        """Too late."""
        return succeed(None)

    def remove(self, key_id: int, **terms: Any) -> Any:
        """Too late."""
        return succeed(False)


class VanishingKeyTests(KeyedCase):
    """Two operators at the same time."""

    def make_rows(self) -> KeyRows:
        """Of the one who comes second."""
        return Vanishing(self.database, self.clock.seconds)

    def test_too_late(self) -> None:
        """What is gone is not found, and does not come back."""
        others = KeyRows(self.database)
        key_id = self.result_of(others.add("laptop", new_key(), "client"))
        for method in ("PATCH", "DELETE"):
            self.assertEqual(self.ask(method, f"/api/keys/{key_id}", {}).status, 404)
        self.assertEqual(self.ask("POST", "/api/keys", {"name": "x"}).status, 404)
        self.assertEqual(list(self.gate.uses), [])
