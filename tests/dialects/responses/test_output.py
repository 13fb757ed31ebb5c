# -*- test-case-name: tests.dialects.responses.test_output -*-
"""Tests of items and their JSON."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import RedactedThinking, Thinking
from kiro2api.dialects.responses.clientcalls import LocalShellCall
from kiro2api.dialects.responses.output import Call, CustomCall, Message, Reasoning
from kiro2api.dialects.responses.sealed import unseal
from kiro2api.dialects.responses.tools import Callee


class ItemTests(SynchronousTestCase):
    """Each kind."""

    def test_message(self) -> None:
        """Empty at first, with its one part afterwards."""
        item = Message("ab", 3)
        item.fragments += ["a", "b"]
        self.assertEqual("msg_ab03", item.id)
        self.assertEqual([], json.loads(item.json("in_progress"))["content"])
        (part,) = json.loads(item.json("incomplete"))["content"]
        self.assertEqual("ab", part["text"])

    def test_reasoning(self) -> None:
        """Shown in words, sealed, or neither."""
        item = Reasoning("ab", 0)
        item.fragments.append("hm")
        self.assertEqual(
            {"id": "rs_ab00", "summary": [], "type": "reasoning"},
            json.loads(item.json(False, True)),
        )
        item.sign("s")
        shown = json.loads(item.json(True, True))
        self.assertEqual([{"text": "hm", "type": "summary_text"}], shown["summary"])
        self.assertEqual(Thinking("hm", "s"), unseal(shown["encrypted_content"]))
        item.hide("AA")
        shown = json.loads(item.json(False, True))
        self.assertEqual(RedactedThinking("AA"), unseal(shown["encrypted_content"]))
        self.assertNotIn("encrypted_content", json.loads(item.json(True, False)))

    def test_calls(self) -> None:
        """Ids of their own beside those of the calls; half an input is not shown as raw text."""
        call = Call("ab", 0, "tooluse_x", Callee("function", "f"))
        call.fragments.append('{"a')
        shown = json.loads(call.json("incomplete"))
        self.assertEqual(
            ("fc_ab00", "call_x", '{"a'), tuple(shown[k] for k in ("id", "call_id", "arguments"))
        )
        self.assertNotIn("namespace", shown)
        custom = CustomCall("ab", 1, "x", Callee("custom", "f", "space"))
        custom.fragments.append('{"input":"a')
        shown = json.loads(custom.json("incomplete"))
        self.assertEqual(
            ("ctc_ab01", "", "space"), tuple(shown[k] for k in ("id", "input", "namespace"))
        )

    def action(self, text: str) -> Any:
        """What the shell is told for some input."""
        call = LocalShellCall("ab", 0, "x", Callee("local_shell", "local_shell"))
        call.fragments.append(text)
        return json.loads(call.json("completed"))["action"]

    def test_shell(self) -> None:
        """A list of words, a line for a shell, or nothing that would run."""
        self.assertEqual(["ls", "-l"], self.action('{"command":["ls","-l"]}')["command"])
        self.assertEqual(["bash", "-lc", "ls -l"], self.action('{"command":"ls -l"}')["command"])
        for broken in ("{}", '{"command":5}', "rm -rf x", '{"comm'):
            self.assertEqual([], self.action(broken)["command"])
        self.assertEqual(
            {
                "type": "exec",
                "command": ["ls"],
                "env": {"A": "b"},
                "timeout_ms": 5,
                "working_directory": "/",
                "user": None,
            },
            self.action(
                '{"command":["ls"],"env":{"A":"b"},"timeout_ms":5,"working_directory":"/"}'
            ),
        )
