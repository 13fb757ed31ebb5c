"""Tests of what commands share."""

from contextlib import redirect_stderr
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.line import Line, Parser


class LineTests(SynchronousTestCase):
    """Where words go."""

    def line(self, *, json: bool) -> tuple[Line, list[str], list[str]]:
        """A line, and what it said."""
        out: list[str] = []
        aside: list[str] = []
        return Line(out.append, aside.append, json=json), out, aside

    def test_people(self) -> None:
        """All words go to the same place, in order, and steer nothing."""
        line, out, aside = self.line(json=False)
        line.say("first\x1b")
        line.tell({"a": 1}, "result")
        line.tell({"a": 1}, "")
        self.assertEqual((out, aside), (["first?", "result"], []))

    def test_programs(self) -> None:
        """Only the value is where it is read."""
        line, out, aside = self.line(json=True)
        line.say("first\x1b")
        line.tell([1], "result")
        self.assertEqual((out, aside), (["[\n  1\n]"], ["first?"]))


class ParserTests(SynchronousTestCase):
    """Mistakes on the command line."""

    def test_one_line(self) -> None:
        """What is wrong and where to look, status 2."""
        parser = Parser(prog="thing")
        parser.add_argument("name", metavar="NAME")
        said = StringIO()
        with redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            parser.parse_args([])
        self.assertEqual(ended.exception.code, 2)
        self.assertEqual(
            said.getvalue(),
            "thing: the following arguments are required: NAME; see: thing --help\n",
        )

    def test_no_abbreviations(self) -> None:
        """A shortened option could mean another one in the next version."""
        parser = Parser(prog="thing")
        parser.add_argument("--offline", action="store_true")
        with redirect_stderr(StringIO()), self.assertRaises(SystemExit):
            parser.parse_args(["--off"])
