"""Tests of what is printed."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.commands.printing import as_json, cell, facts, one_line, printable, table, width


class PrintingTests(SynchronousTestCase):
    """Tables, single values, and texts that come from elsewhere."""

    def test_table(self) -> None:
        """Columns stand below each other, also where characters are wide or have none."""
        rows: list[dict[str, object]] = [
            {"a": "日本", "b": 1},
            {"a": "e\u0301e", "b": 2},
            {"a": "long name", "b": None},
        ]
        lines = table(rows, (("a", "A"), ("b", "B"))).split("\n")
        self.assertEqual(
            lines, ["A          B", "日本       1", "e\u0301e         2", "long name  -"]
        )

    def test_empty_table(self) -> None:
        """The titles alone."""
        self.assertEqual(table([], (("a", "A"), ("b", "B"))), "A  B")

    def test_facts(self) -> None:
        """A line for each field."""
        told = facts({"a": "x", "b": True}, (("a", "Name"), ("b", "On"), ("c", "Rest")))
        self.assertEqual(told, "Name:  x\nOn:    yes\nRest:  -")

    def test_cells(self) -> None:
        """Values in few words."""
        for value, text in (
            (None, "-"),
            ("", "-"),
            ([], "-"),
            (0, "0"),
            (True, "yes"),
            (False, "no"),
            (1.0, "1"),
            (1.256, "1.26"),
            (100.0, "100"),
            (["a", 1], "a,1"),
            ("a\n b", "a b"),
        ):
            self.assertEqual(cell(value), text)

    def test_terminal(self) -> None:
        """Nothing that a service says steers the terminal."""
        nasty = "a\x1b[31mb\x9bc\u202ed\re\nf"
        self.assertEqual(printable(nasty), "a?[31mb?c?d?e\nf")
        self.assertEqual(one_line(nasty), "a?[31mb?c?d e f")
        self.assertEqual(printable("plain\nänd ünicode 日本"), "plain\nänd ünicode 日本")

    def test_json(self) -> None:
        """Values survive, and steer no terminal either."""
        text = as_json({"a": "\x9b\u202e\x1b日"})
        self.assertEqual(text, '{\n  "a": "\\u009b\\u202e\\u001b日"\n}')

    def test_width(self) -> None:
        """Columns, not characters."""
        self.assertEqual([width("abc"), width("日"), width("e\u0301")], [3, 2, 1])
