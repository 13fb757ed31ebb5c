"""Tests of reasoning by tags."""

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
)
from kiro2api.conversation.question import Reasoning
from kiro2api.kiro.thinking import ThinkingSplitter, preface
from tests.kiro import told
from tests.kiro.told import END, USAGE, call, fed, merged, pieces


class PrefaceTests(SynchronousTestCase):
    """What asks for reasoning."""

    def test_modes(self) -> None:
        """By budget, by effort, or not at all."""
        self.assertEqual(preface(Reasoning()), "")
        self.assertEqual(preface(Reasoning("disabled", 5000)), "")
        self.assertEqual(
            preface(Reasoning("enabled", 5000)),
            "<thinking_mode>enabled</thinking_mode><max_thinking_length>5000</max_thinking_length>",
        )
        self.assertEqual(
            preface(Reasoning("enabled")),
            "<thinking_mode>enabled</thinking_mode>"
            "<max_thinking_length>16000</max_thinking_length>",
        )
        self.assertEqual(
            preface(Reasoning("adaptive", effort="low")),
            "<thinking_mode>adaptive</thinking_mode><thinking_effort>low</thinking_effort>",
        )

    def test_no_foreign_tags(self) -> None:
        """A client's word for the effort cannot smuggle anything in."""
        for effort, shown in (("<b>x</b>", "bxb"), ("<>", "high")):
            text = preface(Reasoning("adaptive", effort=effort))
            self.assertTrue(text.endswith(f"<thinking_effort>{shown}</thinking_effort>"), text)


class SplitterTests(SynchronousTestCase):
    """Telling reasoning and text apart."""

    def split(self, text: str) -> list[StreamEvent]:
        """The events of a text, which are the same wherever it is cut."""
        expected = fed(ThinkingSplitter(), [[TextDelta(text), USAGE, END]])
        for at in range(len(text) + 1):
            batches: list[list[StreamEvent]] = [
                [TextDelta(text[:at])],
                [TextDelta(text[at:])],
                [USAGE, END],
            ]
            self.assertEqual(fed(ThinkingSplitter(), batches), expected, (text, at))
        by_character: list[list[StreamEvent]] = [[TextDelta(char)] for char in text]
        self.assertEqual(fed(ThinkingSplitter(), [*by_character, [USAGE, END]]), expected)
        self.assertEqual(expected[-2:], [USAGE, END])
        return expected[:-2]

    def test_usual(self) -> None:
        """Reasoning, then text; the white space around the reasoning goes with the tags."""
        self.assertEqual(
            self.split("\n<thinking>hm, <b></thinking>\n\nHello <thinking>"),
            [ThinkingDelta("hm, <b>"), TextDelta("Hello <thinking>")],
        )

    def test_no_tags(self) -> None:
        """Text stays as it is, white space included, whatever it looks like."""
        for text in (
            "Hello",
            " \n Hello",
            "<thinkin",
            "<think>x</think>",
            "  ",
            "<",
            "a <thinking>",
        ):
            self.assertEqual(self.split(text), [TextDelta(text)])

    def test_only_at_the_beginning(self) -> None:
        """Tags in a text that has begun are text, in code fences and elsewhere."""
        text = "```xml\n<thinking>x</thinking>\n```\n<thinking>y</thinking>"
        self.assertEqual(self.split(text), [TextDelta(text)])

    def test_several(self) -> None:
        """More reasoning before the text has begun."""
        self.assertEqual(
            self.split("<thinking>a</thinking>\n<thinking>b</thinking>\nc"),
            [ThinkingDelta("ab"), TextDelta("c")],
        )

    def test_never_closed(self) -> None:
        """All of it is reasoning, nothing is lost."""
        self.assertEqual(self.split("<thinking>a </thinkin"), [ThinkingDelta("a </thinkin")])
        self.assertEqual(self.split("<thinking>"), [])

    def test_never_said_more(self) -> None:
        """White space after the reasoning is no text; a tag that was only begun is."""
        self.assertEqual(self.split("<thinking>a</thinking>\n\n"), [ThinkingDelta("a")])
        self.assertEqual(self.split("<thinking></thinking>\n<thin"), [TextDelta("<thin")])

    def test_calls_and_native_reasoning(self) -> None:
        """A call ends tagged reasoning that was left open; native reasoning begins no text."""
        events: list[StreamEvent] = [
            TextDelta(" "),
            ThinkingDelta("native"),
            ThinkingSigned("c2ln"),
            TextDelta("<thinking>tagged</th"),
            *call("a"),
            TextDelta("<thinking>text"),
            END,
        ]
        self.assertEqual(
            fed(ThinkingSplitter(), [events]),
            [
                ThinkingDelta("native"),
                ThinkingSigned("c2ln"),
                ThinkingDelta("tagged</th"),
                *call("a"),
                TextDelta("<thinking>text"),
                END,
            ],
        )

    def test_failed_answer(self) -> None:
        """What is held comes out."""
        subject = ThinkingSplitter()
        subject.feed([TextDelta("<thi")])
        self.assertEqual(subject.flush(), [TextDelta("<thi")])
        self.assertEqual(subject.flush(), [])

    @settings(max_examples=100, deadline=None)
    @given(told.answers, told.cuts)
    def test_any_cuts(self, answer: list[StreamEvent], cuts: list[int]) -> None:
        """Any answer gives the same however it is cut, and loses only tags and white space."""
        whole = fed(ThinkingSplitter(), [answer])
        cut = fed(ThinkingSplitter(), [[event] for event in pieces(answer, cuts)])
        self.assertEqual(cut, whole)

        def shown(events: list[StreamEvent]) -> str:
            texts = (e.text for e in events if isinstance(e, (TextDelta, ThinkingDelta)))
            plain = "".join(sorted("".join(texts)))
            for char in "<>/thinkg \n":
                plain = plain.replace(char, "")
            return plain

        self.assertEqual(shown(whole), shown(merged(answer)))
