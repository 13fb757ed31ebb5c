# -*- test-case-name: tests.kiro.test_interpret_text -*-
"""Tests of the interpreter: calls of tools in the text."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.answer import (
    StopReason,
    StreamEvent,
    TextDelta,
    ToolBegun,
    ToolEnded,
    ToolInputDelta,
)
from kiro2api.kiro.interpret import Interpreter
from kiro2api.kiro.leaks import UNREAD, Leaks
from kiro2api.wire.eventstream import Frame
from tests.kiro.frames import event, metering, said, tool
from tests.kiro.test_interpret import CUT, ended


class TextCallTests(SynchronousTestCase):
    """Calls of tools that the model wrote into its text."""

    text = 'Look:\n<invoke name="run"><parameter name="p">1</parameter></invoke>\n'

    def told(self, *frames: Frame) -> tuple[Interpreter, list[StreamEvent]]:
        """The events of a whole answer."""
        leaks = Leaks({"run": b"{}", "other": b"{}"})
        reader = Interpreter(
            window=1000, input_estimate=77, names={"run": "Run"}, leaks=leaks, salt="s"
        )
        return reader, reader.feed(frames) + reader.finish()

    def test_made(self) -> None:
        """At the end, by the client's name, with an id that looks like any other, and counted as
        output like any other."""
        reader, events = self.told(said(self.text), said("So."))
        (begun,) = (event for event in events if isinstance(event, ToolBegun))
        self.assertEqual(begun.name, "Run")
        self.assertRegex(begun.id, r"^tooluse_[0-9a-f]{22}$")
        self.assertEqual(
            events[:-2],
            [
                TextDelta("Look:\n"),
                TextDelta("\n"),
                TextDelta("So."),
                begun,
                ToolInputDelta(begun.id, '{"p":"1"}'),
                ToolEnded(begun.id),
            ],
        )
        self.assertIs(ended(events), StopReason.TOOL_USE)
        self.assertEqual(reader.calls_from_text, 1)
        self.assertEqual(reader.tally.chars, len("Look:\n\nSo.Run") + len('{"p":"1"}'))

    def test_long_answer(self) -> None:
        """Code fences are known however much text they came in, and marks within lines are text."""
        frames = [
            *[said("a <b> [c]\n"), said("x")] * (2 * UNREAD),
            said("\n```\n"),
            said(self.text),
        ]
        _, events = self.told(*frames)
        self.assertIs(ended(events), StopReason.END_TURN)
        self.assertEqual(len(events), len(frames) + 2)

    def test_nothing_else(self) -> None:
        """An answer may be nothing but such a call."""
        _, events = self.told(said(self.text[6:]))
        self.assertIs(ended(events), StopReason.TOOL_USE)

    def test_made_twice(self) -> None:
        """Where the model makes the call properly as well, that one stands alone."""
        reader, events = self.told(said(self.text), tool("a", "run", input="{}", stop=True))
        self.assertEqual([e.id for e in events if isinstance(e, ToolBegun)], ["a"])
        self.assertEqual(reader.calls_from_text, 0)

    def test_several(self) -> None:
        """Each has an id of its own; a proper call of another tool takes nothing away."""
        _, events = self.told(
            said(self.text), said(self.text[6:]), tool("a", "other", input="{}", stop=True)
        )
        ids = [event.id for event in events if isinstance(event, ToolBegun)]
        self.assertEqual((ids[0], len(set(ids))), ("a", 3))

    def test_unfinished(self) -> None:
        """What is held when something else follows, or the end, is text."""
        for frame in (
            tool("a", "run", input="{}", stop=True),
            event("reasoningContentEvent", {"text": "hm"}),
            metering(),
            CUT,
        ):
            _, events = self.told(said('a\n<invoke name="run">'), frame)
            texts = [e.text for e in events if isinstance(e, TextDelta)]
            self.assertEqual("".join(texts), 'a\n<invoke name="run">')
            self.assertIsInstance(events[1], TextDelta)

    def test_half_a_character(self) -> None:
        """What waits for its other half is part of the text that is searched."""
        half = event("assistantResponseEvent", b'{"content":"<in\\ud83d"}')
        _, events = self.told(said("a\n"), half)
        texts = [e.text for e in events if isinstance(e, TextDelta)]
        self.assertEqual("".join(texts), "a\n<in\N{REPLACEMENT CHARACTER}")

    def test_failed(self) -> None:
        """When the answer fails, what is held is text; inside an open call it is dropped, as other
        text there without input is."""
        for frames, texts in (
            ((said("<invoke"),), ["<invoke"]),
            ((tool("a", "run"), said("<invoke")), []),
        ):
            reader = Interpreter(window=1, input_estimate=1, names={}, leaks=Leaks({"run": b"{}"}))
            reader.feed(frames)
            self.assertEqual([e.text for e in reader.flush() if isinstance(e, TextDelta)], texts)

    def test_open_call(self) -> None:
        """What was begun and not completed can be named."""
        reader = Interpreter(window=1000, input_estimate=77, names={"t": "Tee"})
        self.assertEqual(reader.open_call, "")
        reader.feed([tool("a", input='{"p":')])
        self.assertEqual(reader.open_call, "Tee")
        reader.feed([tool("a", input="1}", stop=True)])
        self.assertEqual(reader.open_call, "")

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(0, 69), max_size=6, unique=True))
    def test_any_split(self, cuts: list[int]) -> None:
        """However the text is cut, the same text and calls."""
        bounds = [0, *sorted(cuts), len(self.text)]
        frames = [said(self.text[a:b]) for a, b in pairwise(bounds)]
        _, events = self.told(*frames)
        _, whole = self.told(said(self.text))
        self.assertEqual(joined(events), joined(whole))


def joined(events: list[StreamEvent]) -> list[StreamEvent]:
    """With neighbouring texts in one."""
    out: list[StreamEvent] = []
    for each in events:
        if isinstance(each, TextDelta) and out and isinstance(out[-1], TextDelta):
            out[-1] = TextDelta(out[-1].text + each.text)
        else:
            out.append(each)
    return out
