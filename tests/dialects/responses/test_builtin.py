# -*- test-case-name: tests.dialects.responses.test_builtin -*-
"""Tests of tools that are named by their type alone."""

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.builtin import NAMES, Builtin, builtin_of, label_of, model_name
from kiro2api.dialects.responses.shapes import TOOL, Tool
from kiro2api.errors import RequestRejected


def built(kind: str, **fields: Any) -> Builtin | None:
    """What is made of a tool."""
    tool = TOOL.decode(json.dumps({"type": kind, **fields}))
    assert isinstance(tool, Tool)
    return builtin_of(tool, "tools[0]")


class BuiltinTests(SynchronousTestCase):
    """Each kind."""

    def test_schemas(self) -> None:
        """Every schema is sound, and asks for nothing that it does not describe."""
        for kind in NAMES:
            found = built(kind, execution="client")
            assert found is not None
            schema = json.loads(found.spec.schema)
            self.assertEqual("object", schema["type"])
            self.assertLessEqual(set(schema["required"]), set(schema["properties"]))
            self.assertTrue(found.spec.description)
            self.assertEqual(model_name(kind), found.spec.name)
        self.assertEqual("", model_name("function"))
        self.assertIs(None, built("function"))

    def test_local_shell(self) -> None:
        """One program at a time."""
        found = built("local_shell")
        assert found is not None
        self.assertIn(b'"command"', found.spec.schema)

    def test_shell(self) -> None:
        """On the user's machine, which is meant where nothing is said; not in a container."""
        for environment in (None, {"type": "local", "skills": []}, {}):
            found = built("shell", environment=environment)
            assert found is not None
            self.assertEqual("shell", found.kind)
        for kind in ("container_auto", "container_reference"):
            error = self.assertRaises(RequestRejected, built, "shell", environment={"type": kind})
            self.assertEqual("tools[0].environment.type", error.param)
            self.assertIn(kind, error.message)

    def test_screen(self) -> None:
        """One action or several; the size where it is known."""
        several, one = built("computer"), built("computer_use_preview")
        sized = built("computer_use_preview", display_width=1024, display_height=768)
        strange = built("computer_use_preview", display_width="wide", display_height=768)
        assert several and one and sized and strange
        self.assertEqual(("computer", "computer_preview"), (several.kind, one.kind))
        action = json.loads(one.spec.schema)
        self.assertEqual(action, json.loads(several.spec.schema)["properties"]["actions"]["items"])
        self.assertIn("1024 pixels wide and 768 high", sized.spec.description)
        self.assertEqual(one, strange)

    def test_tool_search(self) -> None:
        """The client's own, as it describes it; there is nothing for the server to search."""
        self.assertIs(None, built("tool_search"))
        self.assertIs(None, built("tool_search", execution="server"))
        schema = {"type": "object", "properties": {"limit": {"type": "number"}}}
        found = built("tool_search", execution="client", description="d", parameters=schema)
        assert found is not None
        self.assertEqual(("d", schema), (found.spec.description, json.loads(found.spec.schema)))
        for parameters in (None, 5):
            found = built("tool_search", execution="client", parameters=parameters)
            assert found is not None
            self.assertIn("query", json.loads(found.spec.schema)["properties"])

    def test_label(self) -> None:
        """Of a server, as far as there is one."""
        for tool, label in ((b'{"server_label":"x"}', "x"), (b"{}", "mcp"), (b"[]", "mcp")):
            self.assertEqual(label, label_of(msgspec.Raw(tool)))
