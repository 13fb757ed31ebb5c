"""The benchmark of the choice works. Nothing here looks at a time."""

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from tests.bench.choosing import POLICIES, main, measured


class ChoosingTests(SynchronousTestCase):
    """A tiny run."""

    def test_every_case_is_measured(self) -> None:
        """Four cases for each policy, with few and many accounts."""
        found = measured(3, sizes=(2, 20))
        self.assertEqual(len(found), len(POLICIES) * 4 * 2)
        self.assertTrue(all(spent > 0 for _, _, spent in found))

    def test_printed(self) -> None:
        """A row per case; no turns at all are refused."""
        with redirect_stdout(StringIO()) as text:
            self.assertEqual(main(["--turns", "1"]), 0)
        self.assertEqual(len(text.getvalue().splitlines()), 1 + len(POLICIES) * 4)
        self.assertRaises(SystemExit, main, ["--turns", "0"])
