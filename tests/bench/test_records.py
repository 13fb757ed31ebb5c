"""The benchmark of the request log runs, if only with a few requests."""

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from tests.bench.records import main


class RecordsTests(SynchronousTestCase):
    """``python -m tests.bench.records``."""

    def test_smoke(self) -> None:
        """Every line is there, and none of them says that something took no time."""
        out = StringIO()
        with redirect_stdout(out):
            self.assertEqual(main(["--rows", "600", "--rounds", "50"]), 0)
        told = out.getvalue().splitlines()
        self.assertEqual(len(told), 30)
        self.assertEqual([line for line in told if line.endswith(" 0.0 ms")], [])
