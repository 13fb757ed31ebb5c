# -*- test-case-name: tests.kiro.test_pictures -*-
"""Tests of the image limits."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.conversation.question import Image, Part, Text, ToolResult, Turn
from kiro2api.kiro.pictures import PER_MESSAGE, TOTAL, TOTAL_BYTES, fit_pictures
from kiro2api.kiro.turns import Picture, Side, alternating
from tests.kiro.strategies import JPEG, PNG


def sized(octets: int) -> Image:
    return Image("image/png", PNG + "A" * (octets // 4 * 4 - len(PNG)))


def fitted(*turns: Sequence[Part]) -> list[Side]:
    """The user's sides of turns that the assistant answered in between."""
    whole: list[Turn] = []
    for parts in turns:
        whole += (Turn("user", tuple(parts)), Turn("assistant", (Text("ok"),)))
    sides = alternating(whole[:-1])
    fit_pictures(sides)
    return [side for side in sides if not side.assistant]


def kinds(side: Side) -> list[str]:
    return [type(piece).__name__ for group in side.groups for piece in group]


class FitPicturesTests(SynchronousTestCase):
    """Which images stay."""

    def test_good_image(self) -> None:
        """An image stays in its place, with the format that its bytes show."""
        (side,) = fitted([Text("a"), Image("image/png", JPEG), Text("b")])
        self.assertEqual(side.groups, [[Text("a"), Picture("jpeg", JPEG), Text("b")]])

    def test_bad_image(self) -> None:
        """A bad image becomes a note with the reason, and takes no place from others."""
        (side,) = fitted([Image("image/tiff", "!!")] + [Image("image/png", PNG)] * PER_MESSAGE)
        self.assertEqual(kinds(side), ["Text"] + ["Picture"] * PER_MESSAGE)
        note = side.groups[0][0]
        assert isinstance(note, Text)
        self.assertIn("image/tiff", note.text)

    def test_per_message(self) -> None:
        """Of too many images in one message the last ones stay."""
        (side,) = fitted([Image("image/png", PNG)] * (PER_MESSAGE + 2))
        self.assertEqual(kinds(side), ["Text"] * 2 + ["Picture"] * PER_MESSAGE)

    def test_total(self) -> None:
        """Of too many images in the conversation the newest stay, whichever message they are in."""
        sides = fitted(*[[Image("image/png", PNG)] * 8 for _ in range(3)])
        self.assertEqual(TOTAL, 20)
        self.assertEqual(kinds(sides[0]), ["Text"] * 4 + ["Picture"] * 4)
        self.assertEqual(kinds(sides[2]), ["Picture"] * 8)

    def test_bytes(self) -> None:
        """An image over the byte budget is left out; a smaller, older one may still fit."""
        half = sized(TOTAL_BYTES // 2)
        sides = fitted([sized(1000)], [half], [half], [sized(4000)])
        self.assertEqual(list(map(kinds, sides)), [["Picture"], ["Text"], ["Picture"], ["Picture"]])

    def test_lifted_from_result(self) -> None:
        """Images of a result stand behind it, in order; the result says so in their place."""
        result = ToolResult(
            "t",
            (Text("a"), Image("x", PNG), Image("image/x", "!!"), Image("x", JPEG), Text("b")),
            True,
        )
        (side,) = fitted([result, Text("c")])
        (group,) = side.groups
        self.assertEqual(group[1:], [Picture("png", PNG), Picture("jpeg", JPEG), Text("c")])
        lifted = group[0]
        assert isinstance(lifted, ToolResult)
        self.assertTrue(lifted.is_error)
        self.assertEqual(lifted.id, "t")
        texts = [part.text for part in lifted.parts if isinstance(part, Text)]
        self.assertEqual(len(texts), 5)
        self.assertEqual((texts[0], texts[4]), ("a", "b"))
        self.assertIn("image/x", texts[2])

    def test_groups_keep_their_order(self) -> None:
        """Merged turns with images stay in order."""
        sides = alternating(
            [
                Turn("user", (Text("1"), Image("x", PNG))),
                Turn("user", (Text("2"), ToolResult("t", (Text("r"),)))),
            ]
        )
        fit_pictures(sides)
        self.assertEqual(
            sides[0].groups,
            [[Text("1"), Picture("png", PNG)], [Text("2"), ToolResult("t", (Text("r"),))]],
        )

    def test_untouched_without_images(self) -> None:
        """A side without images keeps its very groups."""
        parts = (Text("a"), ToolResult("t", (Text("b"),)))
        sides = alternating([Turn("user", parts)])
        fit_pictures(sides)
        self.assertIs(sides[0].groups[0], parts)
