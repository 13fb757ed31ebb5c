"""Lines of another process."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.lines import LONGEST, Lines, marked


class LinesTests(SynchronousTestCase):
    """Cutting."""

    @given(st.lists(st.binary(max_size=20)))
    def test_pieces(self, pieces: list[bytes]) -> None:
        """However it arrives, the same lines come out, each whole."""
        lines = Lines()
        found = [line for piece in pieces for line in lines.feed(piece)] + lines.rest()
        whole = b"".join(pieces)
        expected = whole.split(b"\n")
        if not expected[-1]:
            expected.pop()
        self.assertEqual(
            found,
            [part.removesuffix(b"\r").decode("utf-8", "backslashreplace") for part in expected],
        )
        self.assertEqual(lines.rest(), [])

    def test_endless(self) -> None:
        """What never ends is cut: memory stays bounded."""
        lines = Lines()
        found = lines.feed(b"x" * (2 * LONGEST + 5))
        self.assertEqual([len(line) for line in found], [LONGEST, LONGEST])
        self.assertEqual(lines.feed(b"\n"), ["x" * 5])


class MarkedTests(SynchronousTestCase):
    """Whose line it is."""

    def test_places(self) -> None:
        """After the level, as the first JSON member, or in front of anything else."""
        self.assertEqual(
            marked("2026-11-23T05:51:10.258Z INFO  worker: hello", 2),
            "2026-11-23T05:51:10.258Z INFO  [2] worker: hello",
        )
        self.assertEqual(marked('{"time":"x"}', 3), '{"worker":3,"time":"x"}')
        self.assertEqual(marked("    File x", 1), "[1]     File x")
        self.assertEqual(marked("", 1), "[1] ")
