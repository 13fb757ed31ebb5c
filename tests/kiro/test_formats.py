"""Tests of answers that must be JSON."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    Ended,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from kiro2api.conversation.question import OutputFormat
from kiro2api.errors import Kind, Scope
from kiro2api.kiro.formats import CODE, Formed, formed
from tests.kiro import told
from tests.kiro.told import CALLED, END, USAGE, call, fed, pieces

OBJECT = OutputFormat("json_object")


def schema(**rules: object) -> OutputFormat:
    """A wanted format of this schema."""
    return OutputFormat("json_schema", msgspec.json.encode(rules))


PERSON = schema(
    type="object",
    properties={"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    required=["name"],
    additionalProperties=False,
)


class FormedTests(SynchronousTestCase):
    """Texts that are, or are not, what is wanted."""

    def good(self, text: str, wanted: OutputFormat, expected: str) -> None:
        self.assertEqual(formed(text, wanted), (expected, None))

    def bad(self, text: str, wanted: OutputFormat) -> str:
        found, problem = formed(text, wanted)
        self.assertEqual(found, "")
        assert problem is not None
        return f"{problem.message} | {problem.instruction}"

    def test_plain(self) -> None:
        """White space around it is dropped, nothing else changes."""
        self.good(' {"a": 1.50}\n', OBJECT, '{"a": 1.50}')

    def test_wrapped(self) -> None:
        """A code fence, prose around a fence, prose around the value."""
        self.good('```json\n{"a":1}\n```', OBJECT, '{"a":1}')
        self.good('```\n{"a":1}```', OBJECT, '{"a":1}')
        self.good('Here it is:\n```json\n{"a":1}\n```\nAnything else?', OBJECT, '{"a":1}')
        self.good('Sure! {"a":{"b":1}} Done.', OBJECT, '{"a":{"b":1}}')
        self.good("The list is [1,2].", schema(type="array"), "[1,2]")

    def test_fences_inside_a_text(self) -> None:
        """Fences within a JSON text are part of it."""
        text = '{"code":"```py\\nx\\n```"}'
        self.good(text, OBJECT, text)

    def test_no_json(self) -> None:
        """Neither prose nor a broken value will do, nor what strict readers refuse."""
        for text in ("", "Hello", '{"a":', "{'a': 1}", '{"a":NaN}', "[" * 100_000):
            self.assertIn("JSON", self.bad(text, OBJECT))

    def test_no_object(self) -> None:
        """Without a schema an object is wanted."""
        for wanted in (OBJECT, OutputFormat("json_schema", b" ")):
            self.assertIn("object", self.bad("[1]", wanted))

    def test_half_a_pair(self) -> None:
        """Half a surrogate pair in escapes is the model's own business."""
        self.good('{"a":"\\ud83d"}', OBJECT, '{"a":"\\ud83d"}')

    def test_schema(self) -> None:
        """Met, or not; the model is told all, the client nothing of the answer."""
        self.good('{"name":"Ann","age":3}', PERSON, '{"name":"Ann","age":3}')
        for text, where, rule in (
            ('{"age":3}', "$", "required"),
            ('{"name":"Ann","age":"secret"}', "$.age", "type"),
            ('{"name":"Ann","age":-1}', "$.age", "minimum"),
            ('{"name":"Ann","size":1}', "$", "additionalProperties"),
        ):
            message, _, instruction = self.bad(text, PERSON).partition(" | ")
            self.assertEqual(message, f"{where} does not meet {rule!r} of the schema")
            self.assertTrue(instruction.startswith(f"at {where}: "), instruction)
            self.assertNotIn("secret", message)

    def test_older_drafts(self) -> None:
        """A schema says which draft it is written in."""
        draft = "http://json-schema.org/draft-04/schema#"
        wanted = OutputFormat(
            "json_schema",
            msgspec.json.encode({"$schema": draft, "minimum": 1, "exclusiveMinimum": True}),
        )
        self.good("2", wanted, "2")
        self.assertIn("minimum", self.bad("1", wanted))

    def test_references(self) -> None:
        """Within the schema they hold; nothing is ever fetched."""
        wanted = schema(**{"$defs": {"n": {"type": "number"}}, "$ref": "#/$defs/n"})
        self.good("1", wanted, "1")
        self.assertIn("type", self.bad('"x"', wanted))
        self.good('"x"', schema(**{"$ref": "http://127.0.0.1:9/x.json"}), '"x"')

    def test_schemas_that_cannot_be_checked(self) -> None:
        """The client gets its JSON all the same, and nobody waits for ever."""
        bomb: dict[str, object] = {"a0": {"type": "string"}}
        for step in range(1, 40):
            inner = {"$ref": f"#/$defs/a{step - 1}"}
            bomb[f"a{step}"] = {"anyOf": [inner, inner]}
        for wanted in (
            OutputFormat("json_schema", b"{nonsense"),
            schema(type="nonsense"),
            schema(**{"$defs": bomb, "$ref": "#/$defs/a39"}),
            schema(pattern="(a+)+$"),
            schema(uniqueItems=True),
        ):
            self.good('["%s"]' % ("a" * 40 + "!"), wanted, '["%s"]' % ("a" * 40 + "!"))


class HeldTests(SynchronousTestCase):
    """An answer that waits for its end."""

    def test_good(self) -> None:
        """One text without what was around it, behind the reasoning."""
        subject = Formed(OBJECT)
        self.assertEqual(subject.feed([TextDelta('```json\n{"a"')]), [])
        self.assertEqual(subject.feed([ThinkingDelta("hm"), TextDelta(":1}\n```")]), [])
        self.assertEqual(
            subject.feed([USAGE, END]), [ThinkingDelta("hm"), TextDelta('{"a":1}'), USAGE, END]
        )
        self.assertEqual(subject.feed([TextDelta("more")]), [TextDelta("more")])

    def test_bad(self) -> None:
        """The end is not given."""
        subject = Formed(PERSON)
        self.assertEqual(fed(subject, [[TextDelta("{}"), USAGE, END]]), [])
        unmet = subject.unmet
        assert unmet is not None and unmet.fault is not None
        self.assertEqual((unmet.said, unmet.usage, unmet.remains), ("{}", USAGE, ()))
        self.assertIn("name", unmet.instruction)
        self.assertEqual((unmet.fault.code, unmet.fault.scope), (CODE, Scope.REQUEST))
        self.assertIs(unmet.fault.kind, Kind.INVALID_REQUEST)

    def test_calls(self) -> None:
        """An answer that calls a tool is none yet."""
        events: list[StreamEvent] = [
            TextDelta("I look"),
            *call("1"),
            TextDelta("so"),
            USAGE,
            CALLED,
        ]
        for batches in ([events], [events[:1], events[1:3], events[3:]]):
            self.assertEqual(fed(Formed(OBJECT), batches), events)

    def test_cut(self) -> None:
        """A part of the value is what a client expects of a cut answer."""
        events: list[StreamEvent] = [TextDelta('{"a":'), USAGE, Ended(StopReason.MAX_TOKENS)]
        self.assertEqual(fed(Formed(OBJECT), [events]), events)

    def test_too_long(self) -> None:
        """More than is kept can never be checked."""
        subject = Formed(OBJECT, max_held=1000)
        self.assertEqual(subject.feed([TextDelta("x" * 500)]), [])
        self.assertFalse(subject.done)
        self.assertEqual(subject.feed([TextDelta("x" * 500)]), [])
        self.assertTrue(subject.done)
        assert subject.fault is not None
        self.assertEqual(subject.fault.code, CODE)

    def test_failed_answer(self) -> None:
        """A part of a value is of no use."""
        subject = Formed(OBJECT)
        subject.feed([TextDelta("{")])
        self.assertEqual(subject.flush(), [])

    @settings(max_examples=60, deadline=None)
    @given(told.answers, told.cuts, st.sampled_from(["", '{"a":1}', '```\n{"a":"<"}\n```']))
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int], more: str) -> None:
        """Any answer is the same however it is cut."""
        answer = [TextDelta(more), *answer]
        one, other = Formed(OBJECT), Formed(OBJECT)
        whole = fed(one, [answer])
        self.assertEqual(fed(other, [[event] for event in pieces(answer, cuts)]), whole)
        self.assertEqual(one.unmet is None, bool(whole))
        self.assertEqual(other.unmet is None, bool(whole))
