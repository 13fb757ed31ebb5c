"""Tests of the tool calls of one answer."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.errors import ProtocolViolation
from kiro2api.kiro.payloads import ToolFragment
from kiro2api.kiro.tally import Tally
from kiro2api.kiro.tooluse import MAX_CHECKED, MAX_SLICE, ToolCalls


class Bench:
    """Tool calls under test."""

    def __init__(self, names: dict[str, str] | None = None, **limits: int) -> None:
        self.tally = Tally()
        self.ignored: dict[str, int] = {}
        self.calls = ToolCalls(names or {}, self.tally, self.ignored, **limits)
        self.out: list[StreamEvent] = []

    def take(self, id: str, input: object = None, *, stop: bool = False, name: str = "t") -> None:
        fields = {"toolUseId": id, "name": name, "input": input, "stop": stop}
        payload = msgspec.json.encode(fields)
        self.calls.take(msgspec.json.decode(payload, type=ToolFragment), self.out)

    def text(self, text: str) -> None:
        if self.calls.open:
            self.calls.hold(TextDelta(text))
        else:
            self.out.append(TextDelta(text))

    def inputs(self) -> dict[str, str]:
        """The joined input by id."""
        joined: dict[str, str] = {}
        for event in self.out:
            if isinstance(event, ToolInputDelta):
                joined[event.id] = joined.get(event.id, "") + event.json
        return joined


class OneCallTests(SynchronousTestCase):
    """A single call."""

    def test_usual(self) -> None:
        """Begin, pieces, stop; the name is on each fragment."""
        bench = Bench({"short": "the client's own name"})
        bench.take("a", name="short")
        self.assertEqual(bench.calls.open, "a")
        bench.take("a", '{"path":', name="short")
        bench.take("a", '"x"}', name="short")
        bench.take("a", stop=True, name="short")
        self.assertEqual(
            bench.out,
            [
                ToolBegun("a", "the client's own name"),
                ToolInputDelta("a", '{"path":'),
                ToolInputDelta("a", '"x"}'),
                ToolEnded("a"),
            ],
        )
        self.assertEqual(bench.calls.open, "")
        self.assertTrue(bench.calls.called)

    def test_all_at_once(self) -> None:
        """The first fragment may be the last."""
        bench = Bench()
        bench.take("a", '{"x":1}', stop=True)
        self.assertEqual(
            bench.out, [ToolBegun("a", "t"), ToolInputDelta("a", '{"x":1}'), ToolEnded("a")]
        )

    def test_no_arguments(self) -> None:
        """No input, an empty text, an empty object: the client gets an empty object."""
        nothing: tuple[object, ...] = (None, "", {})
        for input in nothing:
            bench = Bench()
            bench.take("a", input)
            bench.take("a", input, stop=True)
            self.assertEqual(
                bench.out, [ToolBegun("a", "t"), ToolInputDelta("a", "{}"), ToolEnded("a")]
            )
        bench = Bench()
        bench.take("a", " \n", stop=True)
        self.assertEqual(bench.inputs(), {"a": " \n{}"})

    def test_after_stop(self) -> None:
        """A phantom repetition of a finished call is counted, not told."""
        bench = Bench()
        bench.take("a", "{}", stop=True)
        told = list(bench.out)
        bench.take("a")
        bench.take("a", "{}", stop=True)
        self.assertEqual(bench.out, told)
        self.assertEqual(bench.ignored, {"toolUseEvent after stop": 2})

    def test_names_and_ids_are_needed(self) -> None:
        """A call that nobody could answer is a violation."""
        self.assertRaises(ProtocolViolation, Bench().take, "", name="t")
        self.assertRaises(ProtocolViolation, Bench().take, "a", name="")

    def test_long_pieces_are_sliced(self) -> None:
        """No event carries more than 8 KiB, and nothing is lost."""
        for char in ("x", "語", "\U0001f600"):
            bench = Bench()
            text = msgspec.json.encode({"t": char * 9000}).decode()
            bench.take("a", text, stop=True)
            pieces = [e.json for e in bench.out if isinstance(e, ToolInputDelta)]
            self.assertEqual("".join(pieces), text)
            self.assertLessEqual(max(len(piece.encode()) for piece in pieces), MAX_SLICE)
        bench = Bench()
        bench.take("a", "[" + "1" * (MAX_SLICE - 1))
        self.assertEqual(len(bench.out), 2)

    def test_counted_as_output(self) -> None:
        """Name and input are output of the model."""
        bench = Bench({"u": "client"})
        bench.take("a", "{}", name="u", stop=True)
        wanted = Tally()
        wanted.put_out("client{}")
        self.assertEqual(bench.tally.usage(0, 0), wanted.usage(0, 0))

    def test_truncated_input(self) -> None:
        """A stop after half an input does not end the call; nothing may follow it."""
        bench = Bench()
        bench.take("a", '{"content":"half a fi')
        bench.text("held")
        bench.take("a", stop=True)
        self.assertTrue(bench.calls.cut)
        self.assertEqual(bench.calls.open, "a")
        bench.text("dropped")
        bench.take("b", "{}", stop=True)
        bench.take("a", "le", stop=True)
        self.assertEqual(len(bench.out), 2)
        self.assertEqual(
            bench.ignored,
            {"event after a truncated tool call": 3, "toolUseEvent after stop": 1},
        )

    def test_wrong_input_is_passed_on(self) -> None:
        """JSON that is wrong, not cut, is the client's to judge."""
        bench = Bench()
        bench.take("a", '{"a":1}}', stop=True)
        self.assertIsInstance(bench.out[-1], ToolEnded)

    def test_very_long_input_is_not_checked(self) -> None:
        """The check keeps no more than so much text."""
        bench = Bench()
        piece = "x" * (MAX_CHECKED // 2)
        bench.take("a", '{"t":"' + piece)
        bench.take("a", piece)
        bench.take("a", stop=True)
        self.assertIsInstance(bench.out[-1], ToolEnded)


class ObjectTests(SynchronousTestCase):
    """Input that comes as objects."""

    def test_one_object(self) -> None:
        """Told once, as the text it was, at the end."""
        bench = Bench()
        payload = b'{"toolUseId":"a","name":"t","input":{"n":1.50,"big":12345678901234567890123}}'
        bench.calls.take(msgspec.json.decode(payload, type=ToolFragment), bench.out)
        self.assertEqual(bench.out, [ToolBegun("a", "t")])
        bench.take("a", stop=True)
        self.assertEqual(bench.inputs(), {"a": '{"n":1.50,"big":12345678901234567890123}'})

    def test_merged_deeply(self) -> None:
        """Later members are added, or replace; objects are merged within."""
        bench = Bench()
        bench.take("a", {"o": {"x": 1, "y": {"p": 1}}, "l": [1], "s": "old"})
        bench.take("a", {})
        bench.take("a", {"o": {"y": {"q": 2}}, "l": {"k": 1}, "s": "new", "n": None})
        bench.take("a", {"o": 5, "more": True}, stop=False)
        bench.take("a", {"o": {"z": 1}}, stop=True)
        self.assertEqual(
            msgspec.json.decode(bench.inputs()["a"]),
            {"o": {"z": 1}, "l": {"k": 1}, "s": "new", "n": None, "more": True},
        )
        bench = Bench()
        bench.take("a", {"o": {"x": 1, "y": {"p": 1}}})
        bench.take("a", {"o": {"y": {"q": 2}}}, stop=True)
        self.assertEqual(
            msgspec.json.decode(bench.inputs()["a"]), {"o": {"x": 1, "y": {"p": 1, "q": 2}}}
        )

    def test_empty_object_before_text(self) -> None:
        """An empty object says nothing; text may follow it, and it may follow text."""
        bench = Bench()
        bench.take("a", {})
        bench.take("a", '{"x":1}')
        bench.take("a", {}, stop=True)
        self.assertEqual(bench.inputs(), {"a": '{"x":1}'})
        self.assertEqual(bench.ignored, {})

    def test_mixed(self) -> None:
        """The first kind stands, so that the input stays JSON."""
        bench = Bench()
        bench.take("a", {"x": 1})
        bench.take("a", '{"y":2}', stop=True)
        bench.take("b", '{"y":2}')
        bench.take("b", {"x": 1}, stop=True)
        self.assertEqual(bench.inputs(), {"a": '{"x":1}', "b": '{"y":2}'})
        self.assertEqual(sum(bench.ignored.values()), 2)

    def test_bounded(self) -> None:
        """Objects that wait for the end are counted."""
        bench = Bench(max_held=1000)
        bench.take("a", {"x": "y" * 600})
        self.assertRaises(ProtocolViolation, bench.take, "a", {"x": "y" * 600})


class InterleavedTests(SynchronousTestCase):
    """Several calls, and other events among them."""

    def test_text_waits(self) -> None:
        """What comes inside a call follows it, in order."""
        bench = Bench()
        bench.take("a", "{")
        bench.text("one")
        bench.text("two")
        bench.take("a", "}")
        bench.take("a", stop=True)
        bench.text("three")
        self.assertEqual(bench.out[-4:-2], [ToolEnded("a"), TextDelta("one")])
        self.assertEqual(bench.out[-2:], [TextDelta("two"), TextDelta("three")])

    def test_calls_are_serialised(self) -> None:
        """Three calls woven into each other, with text, come out one after the other."""
        bench = Bench()
        bench.take("a", "{")
        bench.take("b", "[")
        bench.text("x")
        bench.take("c", '"c')
        bench.take("b", "]", stop=True)
        bench.take("c", '"', stop=True)
        bench.take("a", "}", stop=True)
        self.assertEqual(
            bench.out,
            [
                ToolBegun("a", "t"),
                ToolInputDelta("a", "{"),
                ToolInputDelta("a", "}"),
                ToolEnded("a"),
                ToolBegun("b", "t"),
                ToolInputDelta("b", "["),
                ToolInputDelta("b", "]"),
                ToolEnded("b"),
                TextDelta("x"),
                ToolBegun("c", "t"),
                ToolInputDelta("c", '"c'),
                ToolInputDelta("c", '"'),
                ToolEnded("c"),
            ],
        )

    def test_bounded(self) -> None:
        """An open call does not make us hold everything."""
        bench = Bench(max_held=1000)
        bench.take("a")
        bench.text("x" * 900)
        self.assertRaises(ProtocolViolation, bench.text, "x")
        bench = Bench(max_held=1000)
        bench.take("a")
        self.assertRaises(ProtocolViolation, bench.take, "b", "x" * 1000)
        bench = Bench(max_held=1000)
        bench.take("a")
        self.assertRaises(ProtocolViolation, bench.calls.hold, ThinkingDelta("x" * 1000))

    def test_room_is_given_back(self) -> None:
        """What has been told no longer counts."""
        bench = Bench(max_held=1000)
        for number in range(20):
            bench.take(str(number))
            bench.text("x" * 500)
            bench.take(str(number), stop=True)
        self.assertEqual(len(bench.out), 80)

    @settings(max_examples=100)
    @given(st.lists(st.tuples(st.sampled_from("abcd "), st.booleans()), max_size=40))
    def test_any_weave(self, script: list[tuple[str, bool]]) -> None:
        """Whatever the order: calls never overlap, each id once, nothing lost or invented."""
        bench = Bench()
        given_inputs: dict[str, str] = {}
        stopped: set[str] = set()
        texts = []
        for number, (id, stop) in enumerate(script):
            if id == " ":
                bench.text(str(number))
                texts.append(str(number))
                continue
            # Each piece is a whole array element, so that only the end decides on the rest.
            piece = f'"{number}",' if id in given_inputs else f'["{number}",'
            if id not in stopped:
                given_inputs[id] = given_inputs.get(id, "") + piece + ("0]" if stop else "")
                if stop:
                    stopped.add(id)
            bench.take(id, piece + ("0]" if stop else ""), stop=stop)
        for id in given_inputs:
            if id not in stopped:
                given_inputs[id] += "0]"
                bench.take(id, "0]", stop=True)
        self.assertEqual(bench.calls.open, "")
        self.assertEqual(bench.inputs(), given_inputs)
        self.assertEqual([e.text for e in bench.out if isinstance(e, TextDelta)], texts)
        current = None
        begun = []
        for event in bench.out:
            if isinstance(event, ToolBegun):
                self.assertIsNone(current)
                current = event.id
                begun.append(current)
            elif isinstance(event, ToolEnded | ToolInputDelta):
                self.assertEqual(event.id, current)
                if isinstance(event, ToolEnded):
                    current = None
            else:
                self.assertIsNone(current)
        self.assertEqual(len(begun), len(set(begun)))
