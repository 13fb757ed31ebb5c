# -*- test-case-name: tests.emulator.test_answers -*-
"""Tests for what the emulator says."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.emulator.answers import Answer, Call, answer, digest
from kiro2api.kiro.wording import ANY_JSON, ANY_TOOL, SCHEMA_JSON, named_tool
from tests.emulator.caller import question, tool


def result(id: str, *blocks: dict[str, Any], status: str = "success") -> dict[str, Any]:
    """A tool result as it is sent."""
    return {"toolUseId": id, "content": [*blocks], "status": status}


class EchoTests(SynchronousTestCase):
    """Plain questions."""

    def test_echo(self) -> None:
        """The question comes back, with a mark by which it can be known."""
        said = answer(question("How are you?"))
        self.assertEqual(said.calls, ())
        self.assertIn("“How are you?”", said.text)
        self.assertIn("12 characters", said.text)
        self.assertIn(digest("How are you?"), said.text)

    def test_long_question(self) -> None:
        """Of a long question only the beginning, but the mark of all of it."""
        text = "word " * 5000
        said = answer(question(text))
        self.assertLess(len(said.text), 400)
        self.assertIn(" …", said.text)
        self.assertIn(digest(text.strip()), said.text)

    def test_reminders_are_not_the_question(self) -> None:
        """What a client adds for itself is not echoed and orders nothing."""
        text = "<system-reminder>read x.py\ncall look</system-reminder>Hi"
        said = answer(question(text, tools=[tool("look"), tool("Read", file_path="string")]))
        self.assertIn("“Hi”", said.text)
        self.assertEqual(said.calls, ())

    def test_images(self) -> None:
        """Images that arrived are counted."""
        for count, words in ((1, "1 image."), (2, "2 images.")):
            self.assertIn(words, answer(question("look", images=[{}] * count)).text)

    def test_any_text(self) -> None:
        """Half a surrogate pair does not break the mark."""
        self.assertEqual(len(digest("\ud800")), 12)


class ResultTests(SynchronousTestCase):
    """Questions that bring tool results."""

    def test_quoted(self) -> None:
        """Every result is quoted, texts and JSON, successes and failures."""
        sent = question(
            "",
            toolResults=[
                result("a", {"text": "one"}, {"text": "two"}),
                result("b", {"json": {"x": 1}}, status="error"),
            ],
        )
        expected = 'The tool returned:\n\none\ntwo\n\nThe tool failed with:\n\n{"x":1}'
        self.assertEqual(answer(sent), Answer(expected))

    def test_long_results_are_cut(self) -> None:
        """A long result is quoted in part."""
        said = answer(question("", toolResults=[result("a", {"text": "y" * 9000})]))
        self.assertTrue(said.text.endswith("y …"))
        self.assertLess(len(said.text), 4100)

    def test_results_before_orders(self) -> None:
        """With results there are no more calls: an agent's loop ends."""
        sent = question("call look", tools=[tool("look")], toolResults=[result("a")])
        self.assertEqual(answer(sent).calls, ())


class OrderTests(SynchronousTestCase):
    """Lines that order a call."""

    def calls(self, text: str, *tools: dict[str, Any]) -> tuple[Call, ...]:
        return answer(question(text, tools=[*tools])).calls

    def test_one(self) -> None:
        """A tool that is offered is called with the JSON of the line."""
        self.assertEqual(
            self.calls('Please\ncall look {"a": {"b": 1}}\nthen rest', tool("look")),
            (Call("look", '{"a": {"b": 1}}'),),
        )

    def test_several(self) -> None:
        """Several lines, several calls, in their order; no JSON means no arguments."""
        calls = self.calls('call b {"n": 1}\ncall a\ncall b', tool("a"), tool("b"))
        self.assertEqual(calls, (Call("b", '{"n": 1}'), Call("a", "{}"), Call("b", "{}")))

    def test_not_offered(self) -> None:
        """A tool that is not offered is not called, nor is anything without tools."""
        self.assertEqual(self.calls("call other {}", tool("look")), ())
        self.assertEqual(self.calls("call look {}", {"cachePoint": {"type": "default"}}), ())

    def test_broken_json(self) -> None:
        """A line whose JSON is broken orders nothing."""
        self.assertEqual(self.calls('call look {"a": }', tool("look")), ())


class ReadTests(SynchronousTestCase):
    """Questions that ask to read a file."""

    def only(self, text: str, *tools: dict[str, Any], **more: Any) -> tuple[str, Any]:
        """Name and decoded input of the one call."""
        [call] = answer(question(text, tools=[*tools], **more)).calls
        return call.name, msgspec.json.decode(call.input)

    def test_reader(self) -> None:
        """A reading tool gets the path under the name its schema has for it."""
        self.assertEqual(
            self.only("Please read /etc/hosts.conf.", tool("Read", file_path="string")),
            ("Read", {"file_path": "/etc/hosts.conf"}),
        )
        self.assertEqual(
            self.only("READ the file src/main.py", tool("read_file", path="string")),
            ("read_file", {"path": "src/main.py"}),
        )

    def test_directory(self) -> None:
        """A relative path is placed where the system prompt says work is done."""
        history = [{"userInputMessage": {"content": "Env\nWorking directory: /home/me/\n"}}]
        self.assertEqual(
            self.only("read notes.txt", tool("Read", file_path="string"), history=history),
            ("Read", {"file_path": "/home/me/notes.txt"}),
        )
        history = [{"userInputMessage": {"content": "nothing"}}]
        self.assertEqual(
            self.only("read ~/notes.txt", tool("Read", file_path="string"), history=history)[1],
            {"file_path": "~/notes.txt"},
        )
        self.assertEqual(
            self.only("read notes.txt", tool("Read", file_path="string"), history=history)[1],
            {"file_path": "notes.txt"},
        )

    def test_shell(self) -> None:
        """Without a reading tool a shell will do; its command may be a list."""
        self.assertEqual(
            self.only("read a.txt", tool("Bash", command="string"), tool("Read")),
            ("Bash", {"command": "cat a.txt"}),
        )
        self.assertEqual(
            self.only("read a.txt", tool("shell", command="array")),
            ("shell", {"command": ["cat", "a.txt"]}),
        )

    def test_last_line_counts(self) -> None:
        """Of several lines the last that names a file."""
        text = "read a.txt\nplease read b.txt\nand read well"
        self.assertEqual(
            self.only(text, tool("Read", file_path="string"))[1], {"file_path": "b.txt"}
        )

    def test_an_order_comes_first(self) -> None:
        """What surrounds the user's words may speak of reading files, too."""
        text = "Please read a.txt.\n - agents can read b.txt when they must"
        self.assertEqual(
            self.only(text, tool("Read", file_path="string"))[1], {"file_path": "a.txt"}
        )

    def test_no_reading(self) -> None:
        """No file, no word for reading, no tool for it: no call."""
        reader = tool("Read", file_path="string")
        for text, tools in (
            ("read it to me", [reader]),
            ("already in a.txt", [reader]),
            ("read a.txt", []),
            ("read a.txt", [tool("Read"), tool("Bash")]),
            ("read a.txt", [tool("Write", file_path="string")]),
        ):
            self.assertEqual(answer(question(text, tools=tools)).calls, (), text)


class DemandTests(SynchronousTestCase):
    """Last words that demand a shape."""

    def test_json(self) -> None:
        """Any object, or one of a schema; a broken schema demands nothing."""
        self.assertEqual(answer(question(f"hi\n\n{ANY_JSON}")).text, '{"answer":"text"}')
        schema = '{"type":"object","required":["a"]}'
        said = answer(question(f"hi\n\n{SCHEMA_JSON}\n{schema}"))
        self.assertEqual(said.text, '{"a":null}')
        said = answer(question(f"hi\n\n{SCHEMA_JSON}\n{{nonsense"))
        self.assertIn("Hello from the emulator", said.text)

    def test_calls(self) -> None:
        """Of the first tool, or of the one that is named; without tools none."""
        tools = [{"cachePoint": {"type": "default"}}, tool("one", a="string"), tool("two")]
        said = answer(question(f"hi\n\n{ANY_TOOL}", tools=tools))
        self.assertEqual(said.calls, (Call("one", '{"a":"text"}'),))
        said = answer(question("hi\n\n" + named_tool("two"), tools=tools))
        self.assertEqual(said.calls, (Call("two", "{}"),))
        self.assertEqual(answer(question(f"hi\n\n{ANY_TOOL}")).calls, ())
        odd = tool("odd")
        odd["toolSpecification"]["inputSchema"]["json"] = {"type": "array"}
        said = answer(question(f"hi\n\n{ANY_TOOL}", tools=[odd]))
        self.assertEqual(said.calls, (Call("odd", "{}"),))


class ThinkingTests(SynchronousTestCase):
    """Reasoning comes when it is asked for."""

    def test_asked(self) -> None:
        """In either maker's way."""
        for fields in (
            {"thinking": {"type": "adaptive"}},
            {"thinking": {"type": "enabled"}},
            {"reasoning": {"effort": "high"}},
        ):
            sent = question() | {"additionalModelRequestFields": fields}
            self.assertTrue(answer(sent).thinking)

    def test_tags(self) -> None:
        """Or by tags in front of the system text, and then in tags."""
        for system, tagged in (
            ("<thinking_mode>adaptive</thinking_mode><thinking_effort>low</thinking_effort>", True),
            ("<thinking_mode>enabled</thinking_mode>\nBe brief.", True),
            ("Be brief. <thinking_mode>enabled</thinking_mode>", False),
        ):
            pair = [
                {"userInputMessage": {"content": system}},
                {"assistantResponseMessage": {"content": "Yes."}},
            ]
            said = answer(question(history=pair))
            self.assertEqual(said.thinking, "")
            self.assertEqual(said.text.startswith("<thinking>The question"), tagged, system)
            self.assertEqual(said.text.count("</thinking>"), int(tagged))

    def test_not_asked(self) -> None:
        """Not otherwise."""
        for fields in ({}, None, {"thinking": {"type": "disabled"}}, {"thinking": 1}):
            sent = question() | {"additionalModelRequestFields": fields}
            self.assertEqual(answer(sent).thinking, "")
