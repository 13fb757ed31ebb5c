# -*- test-case-name: tests.kiro.test_turns -*-
"""Tests of the normalisation of roles."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Image, Text, ToolResult, ToolUse, Turn
from kiro2api.kiro.turns import Side, alternating
from kiro2api.kiro.wording import CONTINUE, OPENING
from tests.kiro import strategies


def turn(role: str, *texts: str) -> Turn:
    return Turn(role, tuple(map(Text, texts)))  # type: ignore[arg-type]


def shape(sides: list[Side]) -> list[tuple[str, list[list[str]]]]:
    return [
        (
            "A" if side.assistant else "U",
            [[piece.text for piece in group if isinstance(piece, Text)] for group in side.groups],
        )
        for side in sides
    ]


class AlternatingTests(SynchronousTestCase):
    """Any roles to alternating sides."""

    def test_table(self) -> None:
        """Roles are normalised, then merged, then both ends are made the user's."""
        u, a, s = (turn("user", "u"), turn("assistant", "a"), turn("system", "s"))
        U, A = ("U", [["u"]]), ("A", [["a"]])
        for turns, wanted in (
            ([], [("U", [[CONTINUE]])]),
            ([u], [U]),
            ([s], [("U", [["s"]])]),
            ([a], [("U", [[OPENING]]), A, ("U", [[CONTINUE]])]),
            ([u, a], [U, A, ("U", [[CONTINUE]])]),
            ([u, u], [("U", [["u"], ["u"]])]),
            ([u, s, u], [("U", [["u"], ["s"], ["u"]])]),
            ([u, a, s, u], [U, A, ("U", [["s"], ["u"]])]),
            ([u, a, a, s], [U, ("A", [["a"], ["a"]]), ("U", [["s"]])]),
            ([u, a, s, a, u], [U, A, ("U", [["s"]]), A, U]),
        ):
            self.assertEqual(shape(alternating(turns)), wanted, [t.role for t in turns])

    def test_results_of_an_assistant_turn(self) -> None:
        """Results and images that stand in an assistant's turn move to the user's after it."""
        use, result, image = ToolUse("t", "ls"), ToolResult("t"), Image("image/png", "")
        sides = alternating([Turn("assistant", (use, result, Text("a"), image)), turn("user", "u")])
        self.assertEqual([side.assistant for side in sides], [False, True, False])
        self.assertEqual(sides[1].groups, [[use, Text("a")]])
        self.assertEqual(sides[2].groups, [[result, image], (Text("u"),)])

    @settings(max_examples=50)
    @given(st.lists(strategies.turns, max_size=8))
    def test_any_roles(self, turns: list[Turn]) -> None:
        """Sides alternate, begin and end with the user, and hold every part."""
        sides = alternating(turns)
        self.assertEqual(
            [side.assistant for side in sides], [bool(i % 2) for i in range(len(sides))]
        )
        self.assertFalse(sides[-1].assistant)
        held = [id(piece) for side in sides for group in side.groups for piece in group]
        for one in turns:
            for part in one.parts:
                self.assertIn(id(part), held)
