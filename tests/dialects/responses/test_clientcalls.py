# -*- test-case-name: tests.dialects.responses.test_clientcalls -*-
"""Tests of calls that have item types of their own."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.dialects.responses.clientcalls import CALLS
from kiro2api.dialects.responses.output import Status
from kiro2api.dialects.responses.tools import Callee

ACTIONS = ("local_shell", "shell", "apply_patch", "computer", "computer_preview", "tool_search")


def item(kind: Any, text: str, status: Status = "completed") -> Any:
    """The item of a call."""
    call = CALLS[kind]("ab", 0, "tooluse_x", Callee(kind, kind))
    call.fragments.append(text)
    return json.loads(call.json(status))


class ActionTests(SynchronousTestCase):
    """Each kind."""

    def test_local_shell(self) -> None:
        """A program; a text is a line for a shell."""
        found = item("local_shell", '{"command":["ls","-l"],"timeout_ms":5}')
        self.assertEqual("local_shell_call", found["type"])
        self.assertEqual(
            (["ls", "-l"], 5), (found["action"]["command"], found["action"]["timeout_ms"])
        )
        found = item("local_shell", '{"command":"ls -l"}')
        self.assertEqual(["bash", "-lc", "ls -l"], found["action"]["command"])

    def test_shell(self) -> None:
        """Lines for a shell."""
        self.assertEqual(
            {
                "id": "sh_ab00",
                "call_id": "call_x",
                "status": "completed",
                "type": "shell_call",
                "action": {"commands": ["ls", "pwd"], "timeout_ms": 9, "max_output_length": None},
                "environment": {"type": "local"},
            },
            item("shell", '{"commands":["ls","pwd"],"timeout_ms":9}'),
        )
        self.assertEqual(["ls"], item("shell", '{"commands":"ls"}')["action"]["commands"])

    def test_patch(self) -> None:
        """One file; nothing is said of what changes in one that goes."""
        for operation in (
            {"type": "create_file", "path": "a", "diff": "+x"},
            {"type": "update_file", "path": "a", "diff": "@@\n-x\n+y"},
            {"type": "delete_file", "path": "a"},
        ):
            found = item("apply_patch", json.dumps(operation))
            self.assertEqual(("apply_patch_call", operation), (found["type"], found["operation"]))
        found = item("apply_patch", '{"type":"delete_file","path":"a","diff":"x"}')
        self.assertEqual({"type": "delete_file", "path": "a"}, found["operation"])
        found = item("apply_patch", '{"type":"create_file","path":"a","diff":null}')
        self.assertEqual("", found["operation"]["diff"])

    def test_screen(self) -> None:
        """Every action has the fields that a client reads, and no others."""
        for given_action, shown in (
            (
                {"type": "click", "x": 1, "y": 2},
                {"type": "click", "button": "left", "x": 1, "y": 2},
            ),
            (
                {"type": "click", "x": 1.0, "y": 2, "button": "right", "keys": ["shift"]},
                {"type": "click", "button": "right", "x": 1, "y": 2, "keys": ["shift"]},
            ),
            ({"type": "keypress", "keys": ["a"], "x": 5}, {"type": "keypress", "keys": ["a"]}),
            (
                {"type": "drag", "path": [{"x": 1, "y": 2}]},
                {"type": "drag", "path": [{"x": 1, "y": 2}]},
            ),
            ({"type": "type", "text": "hi"}, {"type": "type", "text": "hi"}),
            ({"type": "wait"}, {"type": "wait"}),
            ({"type": "zoom"}, {"type": "screenshot"}),
        ):
            one = item("computer_preview", json.dumps(given_action))
            self.assertEqual(("computer_call", shown), (one["type"], one["action"]))
            self.assertEqual([], one["pending_safety_checks"])
            several = item("computer", json.dumps({"actions": [given_action, {"type": "wait"}]}))
            self.assertEqual([shown, {"type": "wait"}], several["actions"])

    def test_tool_search(self) -> None:
        """Whatever the client's schema asks for."""
        found = item("tool_search", '{"query":"mail","limit":3}')
        self.assertEqual(
            ("tool_search_call", "client", {"query": "mail", "limit": 3}),
            (found["type"], found["execution"], found["arguments"]),
        )

    def harmless(self, found: Any) -> None:
        """Nothing that a client would carry out changes anything."""
        action = found.get("action", {})
        self.assertEqual([], action.get("command", []))
        self.assertEqual([], action.get("commands", []))
        self.assertEqual("", found.get("operation", {}).get("path", ""))
        for each in found.get("actions", [action]):
            self.assertIn(each.get("type", "exec"), ("screenshot", "exec"))

    def test_cut(self) -> None:
        """Half a call does nothing, even if it looks whole."""
        wholes = {
            "local_shell": '{"command":["rm"]}',
            "shell": '{"commands":["rm"]}',
            "apply_patch": '{"type":"delete_file","path":"a"}',
            "computer": '{"actions":[{"type":"click"}]}',
            "computer_preview": '{"type":"click"}',
            "tool_search": '{"query":"a"}',
        }
        for kind in ACTIONS:
            for status in ("in_progress", "incomplete"):
                self.harmless(item(kind, wholes[kind], status))

    @given(st.sampled_from(ACTIONS), st.text(max_size=40))
    def test_unreadable(self, kind: str, text: str) -> None:
        """What is no call does nothing."""
        self.harmless(item(kind, "x" + text))
        self.harmless(item(kind, "[" * 50_000))
