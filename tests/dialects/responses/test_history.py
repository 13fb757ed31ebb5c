# -*- test-case-name: tests.dialects.responses.test_history -*-
"""Tests of items becoming turns."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import (
    Image,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from kiro2api.dialects.responses.history import result_parts, turns_of
from kiro2api.dialects.responses.sealed import seal
from kiro2api.dialects.responses.shapes import ITEM
from kiro2api.dialects.responses.tools import toolbox_of
from kiro2api.errors import RequestRejected

SPACES = [
    {"type": "namespace", "name": name, "tools": [{"type": "function", "name": "wait"}]}
    for name in ("a", "b")
]


def read(*items: Any) -> tuple[tuple[str, ...], tuple[Turn, ...]]:
    """System texts and turns of some items."""
    box = toolbox_of([(msgspec.Raw(msgspec.json.encode(SPACES)), "tools")])
    decoded = [ITEM.decode(msgspec.json.encode(item)) for item in items]
    return turns_of([(item, f"input[{n}]") for n, item in enumerate(decoded)], box)


def turn(item: Any) -> Turn:
    """The one turn of one item."""
    _, (found,) = read(item)
    return found


class MessageTests(SynchronousTestCase):
    """Messages."""

    def test_roles(self) -> None:
        """Of all names; an unknown one is the user's."""
        for role, ours in (
            ("user", "user"),
            ("assistant", "assistant"),
            ("developer", "system"),
            ("critic", "user"),
            (None, "user"),
        ):
            _, turns = read("first", {"type": "message", "role": role, "content": "a"})
            self.assertEqual(Turn(ours, (Text("a"),)), turns[1])  # type: ignore[arg-type]

    def test_without_type(self) -> None:
        """An item without a type is a message, a bare string too."""
        self.assertEqual(Turn("user", (Text("a"),)), turn({"role": "user", "content": "a"}))
        self.assertEqual(Turn("user", (Text("a"),)), turn("a"))

    def test_system(self) -> None:
        """What leads the conversation is system text, later it stays where it is."""
        system, turns = read(
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [{"type": "input_text", "text": "two"}]},
            {"role": "user", "content": "hi"},
            {"role": "developer", "content": "three"},
        )
        self.assertEqual(("one", "two"), system)
        self.assertEqual(["user", "system"], [each.role for each in turns])

    def test_system_with_picture(self) -> None:
        """A picture cannot be system text."""
        content = [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]
        system, turns = read({"role": "system", "content": content})
        self.assertEqual(((), (Turn("system", (Image("image/png", "AA"),)),)), (system, turns))

    def test_only_system(self) -> None:
        """The last text is the question then."""
        system, turns = read({"role": "system", "content": "a"}, {"role": "system", "content": "b"})
        self.assertEqual((("a",), (Turn("system", (Text("b"),)),)), (system, turns))

    def test_empty(self) -> None:
        """Nothing said is no turn."""
        self.assertEqual(((), ()), read({"role": "user", "content": ""}, {"role": "assistant"}))

    def test_misshapen(self) -> None:
        """The path of the content is named."""
        error = self.assertRaises(RequestRejected, read, {"role": "user", "content": [5]})
        self.assertEqual("input[0].content[0]", error.param)


class CallTests(SynchronousTestCase):
    """Calls of tools and what they gave back."""

    def test_function(self) -> None:
        """Arguments are JSON in a string, or at least should be."""
        for arguments, expected in (
            ('{"a":1}', b'{"a":1}'),
            ({"a": 1}, b'{"a":1}'),
            ("", b"{}"),
            (None, b"{}"),
            ("{broken", b'"{broken"'),
        ):
            item = {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "ls",
                "arguments": arguments,
            }
            self.assertEqual(Turn("assistant", (ToolUse("call_1", "ls", expected),)), turn(item))

    def test_namespace(self) -> None:
        """The model's own name of the tool."""
        item = {"type": "function_call", "call_id": "c", "name": "wait", "namespace": "b"}
        self.assertEqual(Turn("assistant", (ToolUse("c", "b__wait", b"{}"),)), turn(item))

    def test_ids(self) -> None:
        """The item's id stands in for the call's."""
        (use,) = turn({"type": "function_call", "id": "fc_1", "name": "a"}).parts
        assert isinstance(use, ToolUse)
        self.assertEqual("fc_1", use.id)
        (use,) = turn({"type": "function_call", "name": "a"}).parts
        assert isinstance(use, ToolUse)
        self.assertEqual("call_input[0]", use.id)

    def test_custom(self) -> None:
        """Raw text becomes the member that the model knows."""
        for given, text in (("a\nb", "a\nb"), (None, ""), ({"a": 1}, '{"a":1}')):
            (use,) = turn(
                {"type": "custom_tool_call", "call_id": "c", "name": "x", "input": given}
            ).parts
            assert isinstance(use, ToolUse)
            self.assertEqual({"input": text}, msgspec.json.decode(use.input))

    def test_local_shell(self) -> None:
        """The members of the schema that the model was given."""
        action = {"type": "exec", "command": ["ls"], "env": None, "timeout_ms": 5, "user": "x"}
        item = {"type": "local_shell_call", "call_id": "c", "action": action}
        self.assertEqual(
            Turn("assistant", (ToolUse("c", "local_shell", b'{"command":["ls"],"timeout_ms":5}'),)),
            turn(item),
        )
        (use,) = turn({"type": "local_shell_call", "call_id": "c", "action": "?"}).parts
        assert isinstance(use, ToolUse)
        self.assertEqual(b"{}", use.input)

    def test_shell_and_patch(self) -> None:
        """Calls that another server made."""
        for item, name, given in (
            (
                {"type": "shell_call", "action": {"commands": ["ls"]}},
                "shell",
                b'{"commands":["ls"]}',
            ),
            (
                {"type": "apply_patch_call", "operation": {"path": "a"}},
                "apply_patch",
                b'{"path":"a"}',
            ),
        ):
            self.assertEqual(
                Turn("assistant", (ToolUse("c", name, given),)), turn({**item, "call_id": "c"})
            )

    def test_screen(self) -> None:
        """One action or several, and the picture that comes of them."""
        click = {"type": "click", "x": 1, "y": 2}
        for fields, expected in (
            ({"action": click}, click),
            ({"actions": [click]}, {"actions": [click]}),
            ({}, {}),
        ):
            (use,) = turn({"type": "computer_call", "call_id": "c", **fields}).parts
            assert isinstance(use, ToolUse)
            self.assertEqual(("computer", expected), (use.name, msgspec.json.decode(use.input)))
        picture = {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA"}
        item = {"type": "computer_call_output", "call_id": "c", "output": picture}
        self.assertEqual(Turn("user", (ToolResult("c", (Image("image/png", "AA"),)),)), turn(item))

    def test_tool_search(self) -> None:
        """What the client has searched for and found; a server's own search is nothing to say."""
        item = {"type": "tool_search_call", "call_id": "c", "arguments": {"query": "mail"}}
        self.assertEqual(
            Turn("assistant", (ToolUse("c", "tool_search", b'{"query":"mail"}'),)), turn(item)
        )
        tools: Any
        for tools, text in (
            (
                [
                    {"type": "function", "name": "send"},
                    {"type": "namespace", "name": "s", "tools": [{"name": "read"}, {}]},
                ],
                "Found, and can be called now: send, read",
            ),
            ([{"type": "odd", "name": 5}], "Found no tools."),
            (None, "Found no tools."),
        ):
            item = {"type": "tool_search_output", "call_id": "c", "tools": tools}
            self.assertEqual(Turn("user", (ToolResult("c", (Text(text),)),)), turn(item))
        for kind in ("tool_search_call", "tool_search_output"):
            self.assertEqual(((), ()), read({"type": kind, "call_id": None, "tools": []}))

    def test_outputs(self) -> None:
        """Of each kind."""
        for kind in ("function_call", "custom_tool_call", "local_shell_call", "apply_patch_call"):
            item = {"type": f"{kind}_output", "call_id": "c", "output": "done"}
            self.assertEqual(Turn("user", (ToolResult("c", (Text("done"),)),)), turn(item))

    def test_output_ids(self) -> None:
        """Some have only an id, some none at all."""
        item = {"type": "local_shell_call_output", "id": "c", "output": "x"}
        self.assertEqual(Turn("user", (ToolResult("c", (Text("x"),)),)), turn(item))
        self.assertEqual(
            Turn("user", (ToolResult("", ()),)), turn({"type": "function_call_output"})
        )

    def test_failed(self) -> None:
        """A failure is an error."""
        item = {"type": "apply_patch_call_output", "call_id": "c", "status": "failed"}
        self.assertEqual(Turn("user", (ToolResult("c", (), True),)), turn(item))

    def test_shell_output(self) -> None:
        """What was printed, and how it ended."""
        outputs = [
            {"stdout": "out", "stderr": "err", "outcome": {"type": "exit", "exit_code": 1}},
            {"stdout": "", "outcome": {"type": "timeout"}},
            {"stdout": ""},
        ]
        item = {"type": "shell_call_output", "call_id": "c", "output": outputs}
        texts = (Text("out\nerr\n[exit code 1]"), Text("[timeout]"))
        self.assertEqual(Turn("user", (ToolResult("c", texts),)), turn(item))
        for output in ("plain", None, {"odd": 1}):
            (result,) = turn({**item, "output": output}).parts
            assert isinstance(result, ToolResult)
            self.assertEqual(output is not None, bool(result.parts))

    def test_result_parts(self) -> None:
        """A text, parts with pictures, or any JSON as it is."""
        picture = {"type": "input_image", "image_url": "data:image/png;base64,AA"}
        for given, parts in (
            ("a", (Text("a"),)),
            ([{"type": "input_text", "text": "a"}, picture], (Text("a"), Image("image/png", "AA"))),
            (["a"], (Text("a"),)),
            ({"a": 1}, (Text('{"a":1}'),)),
            ([{"a": 1}], (Text('[{"a":1}]'),)),
            ([1], (Text("[1]"),)),
            (5, (Text("5"),)),
            (None, ()),
        ):
            self.assertEqual(parts, result_parts(msgspec.json.encode(given), "x"))


class OtherTests(SynchronousTestCase):
    """Everything else."""

    def test_reasoning(self) -> None:
        """Only ours comes back to the upstream."""
        for thought in (Thinking("a", "s"), RedactedThinking("AA")):
            item = {"type": "reasoning", "summary": [], "encrypted_content": seal(thought)}
            self.assertEqual(Turn("assistant", (thought,)), turn(item))
        for content in (None, "gAAAAAB", "k2a1.?"):
            other: Any = {"type": "reasoning", "summary": [], "encrypted_content": content}
            self.assertEqual(((), ()), read(other))

    def test_search_before_calls(self) -> None:
        """A search brings its result along, so it must not part calls from theirs."""
        items: list[Any] = [
            {"role": "user", "content": "a"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}},
            {"type": "function_call_output", "call_id": "1", "output": "b"},
        ]
        raw = msgspec.Raw(msgspec.json.encode([{"type": "web_search"}]))
        box = toolbox_of([(raw, "tools")])
        decoded = [ITEM.decode(msgspec.json.encode(item)) for item in items]
        _, turns = turns_of([(item, "i") for item in decoded], box)
        self.assertEqual(
            [[Text], [ToolUse, ToolResult], [ToolUse], [ToolResult]],
            [[type(part) for part in turn.parts] for turn in turns],
        )
        self.assertEqual("ws_1", turns[1].parts[0].id)  # type: ignore[union-attr]
        _, turns = read(items[2], items[1])
        self.assertEqual([Text, ToolUse], [type(turn.parts[0]) for turn in turns])

    def test_unknown(self) -> None:
        """Skipped, unless they speak like a message."""
        for item in (
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "compaction", "encrypted_content": "x"},
            {"type": "hologram", "content": "a"},
            {"type": "hologram", "role": "user", "content": 5},
        ):
            self.assertEqual(((), ()), read(item))
        self.assertEqual(
            Turn("assistant", (Text("a"),)),
            turn({"type": "new_message", "role": "assistant", "content": "a"}),
        )
