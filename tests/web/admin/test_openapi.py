"""The OpenAPI document says what is there, and all of it."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec
from klein import Klein
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import kiro2api.web
import kiro2api.web.admin
from kiro2api import __version__
from kiro2api.redaction import Secret
from kiro2api.web.admin.openapi import OPERATIONS, OpenApi, document
from kiro2api.web.admin.openapi_operations import Operation
from kiro2api.web.gate import Gate
from kiro2api.web.reply import rendered
from kiro2api.web.site import ApiSite
from tests.web.case import Reply, Wire


def apps() -> Iterator[Klein]:
    """Every Klein application of the web room."""
    for package in (kiro2api.web, kiro2api.web.admin):
        for found in pkgutil.iter_modules(package.__path__):
            module = import_module(f"{package.__name__}.{found.name}")
            for name, thing in vars(module).items():
                mine = isinstance(thing, type) and thing.__module__ == module.__name__
                if mine and isinstance(vars(thing).get("app"), Klein):
                    yield vars(module)[name].app


def served() -> set[tuple[str, str]]:
    """Every method and path that is routed."""
    return {
        (method, re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule))
        for app in apps()
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def references(value: Any) -> Iterator[str]:
    """Every reference within."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


class DocumentTests(SynchronousTestCase):
    """Against the routes themselves."""

    def setUp(self) -> None:
        self.document = msgspec.json.decode(msgspec.json.encode(document(OPERATIONS, "1.2.3")))

    def test_every_route(self) -> None:
        """What is served is documented, and what is documented is served, method by method."""
        documented = {
            (method.upper(), path)
            for path, methods in self.document["paths"].items()
            for method in methods
        }
        routes = served()
        self.assertGreater(len(routes), 50)
        self.assertEqual(sorted(routes - documented), [])
        self.assertEqual(sorted(documented - routes), [])
        self.assertEqual(len(OPERATIONS), len(documented))

    def test_references(self) -> None:
        """Each leads somewhere."""
        schemas = self.document["components"]["schemas"]
        found = set(references(self.document))
        self.assertIn("#/components/schemas/KeyItem", found)
        missing = {each for each in found if each.rpartition("/")[2] not in schemas}
        self.assertEqual(missing, set())
        for name in schemas:
            self.assertRegex(name, r"\A[A-Za-z0-9._-]+\Z")

    def test_parameters(self) -> None:
        """Those of the path are declared, and no name is used twice."""
        for path, methods in self.document["paths"].items():
            for operation in methods.values():
                declared = [(p["in"], p["name"]) for p in operation["parameters"]]
                self.assertEqual(len(declared), len(set(declared)))
                in_path = {name for where, name in declared if where == "path"}
                self.assertEqual(in_path, set(re.findall(r"\{(\w+)\}", path)))

    def test_ids(self) -> None:
        """Are unique names."""
        ids = [
            operation["operationId"]
            for methods in self.document["paths"].values()
            for operation in methods.values()
        ]
        self.assertEqual(len(ids), len(set(ids)))
        for each in ids:
            self.assertTrue(each.isidentifier(), each)

    def test_who_may(self) -> None:
        """Sessions are no way into the model APIs; a login needs nothing."""
        paths = self.document["paths"]
        self.assertNotIn({"session": []}, paths["/v1/messages"]["post"]["security"])
        self.assertIn({"session": []}, paths["/api/keys"]["get"]["security"])
        self.assertEqual(paths["/api/session"]["post"]["security"], [])
        self.assertIn("(admin)", paths["/api/keys"]["get"]["summary"])

    def test_bodies(self) -> None:
        """Structures and their limits are told as the code checks them."""
        keys = self.document["paths"]["/api/keys"]["post"]
        schema = keys["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(schema, {"$ref": "#/components/schemas/NewKey"})
        new_key = self.document["components"]["schemas"]["NewKey"]
        self.assertEqual(new_key["required"], ["name"])
        self.assertEqual(new_key["properties"]["credits_per_day"]["minimum"], 0)
        deleted = self.document["paths"]["/api/keys/{key_id}"]["delete"]["responses"]["204"]
        self.assertNotIn("content", deleted)

    def test_of_one(self) -> None:
        """Nothing more than what is said is needed."""
        told = document([Operation("GET", "/x", "X", "T")], "1")
        self.assertEqual(list(told["paths"]), ["/x"])
        self.assertEqual(told["info"]["version"], "1")


class RouteTests(SynchronousTestCase):
    """The route ``/api/openapi.json``."""

    def setUp(self) -> None:
        gate = Gate(lambda key: key.encode())
        gate.configure([Secret("key")], Secret("root"))
        self.site = ApiSite(
            OpenApi(gate).app.resource(),
            clock=Clock(),
            max_body_bytes=1000,
            refusal=rendered,
            new_id=lambda: "1",
        )

    def ask(self, key: str) -> Reply:
        """The document."""
        channel, wire = self.site.buildProtocol(None), Wire()
        channel.makeConnection(wire)
        head = f"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n"
        channel.dataReceived(head.encode())
        return Reply(wire.value())

    def test_show(self) -> None:
        """Any key may see it, nobody else."""
        reply = self.ask("key")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.json["info"]["version"], __version__)
        self.assertEqual(self.ask("wrong").status, 401)
