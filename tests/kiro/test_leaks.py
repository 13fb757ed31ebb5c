"""Tool calls in the text."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.kiro.leaks import MAX_HEAD, MAX_HELD, UNREAD, LeakedCall, Leaks, Piece

SCHEMAS = {
    "Bash": b'{"type":"object","properties":{"command":{"type":"string"},'
    b'"timeout":{"type":"integer"},"tags":{}}}',
    "Read": b"{}",
    "Odd": b"nonsense",
}


def calling(name: str, **parameters: str) -> str:
    """One call in the form of tags."""
    inner = "".join(f'<parameter name="{k}">{v}</parameter>\n' for k, v in parameters.items())
    return f'<invoke name="{name}">\n{inner}</invoke>'


def joined(pieces: list[Piece]) -> list[Any]:
    """Neighbouring texts in one; calls as pairs of name and value."""
    out: list[Any] = []
    for piece in pieces:
        if isinstance(piece, LeakedCall):
            out.append((piece.name, json.loads(piece.input)))
        elif out and isinstance(out[-1], str):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def read(*texts: str, schemas: dict[str, bytes] = SCHEMAS) -> list[Any]:
    """What these pieces of text come to."""
    leaks = Leaks(schemas)
    pieces: list[Piece] = []
    for text in texts:
        # As whoever feeds it does.
        if leaks.held or "<" in text or "[" in text:
            fed = leaks.feed(text)
            pieces += [text] if fed is None else fed
        elif text:
            leaks.unread.append(text)
            if len(leaks.unread) > UNREAD:
                leaks.catch_up()
            pieces.append(text)
    return joined(pieces + leaks.flush())


class Counted(str):
    """A text that counts how many of its characters are copied or searched."""

    read = 0

    def _taken(self, text: str) -> "Counted":
        Counted.read += len(text)
        return Counted(text)

    def __getitem__(self, key: Any) -> "Counted":
        return self._taken(str.__getitem__(self, key))

    def __add__(self, other: str) -> "Counted":
        return self._taken(str.__add__(self, other))

    def lstrip(self, chars: str | None = None) -> "Counted":
        """Copies."""
        return self._taken(str.lstrip(self, chars))

    def find(self, wanted: str, start: Any = 0, end: Any = None) -> int:
        """Searches up to what is found."""
        found = str.find(self, wanted, start)
        Counted.read += (len(self) if found < 0 else found) - int(start)
        return found


LS = ("Bash", {"command": "ls"})
FOUND: dict[str, list[Any]] = {
    calling("Bash", command="ls"): [LS],
    "I look.\n\n" + calling("Bash", command="ls"): ["I look.\n\n", LS],
    "  " + calling("Bash", command="ls") + "\ndone": ["  ", LS, "\ndone"],
    f"<function_calls>\n{calling('Bash', command='ls')}\n{calling('Read')}\n</function_calls>": [
        LS,
        ("Read", {}),
    ],
    calling("Bash", command="ls")
    .replace("</", "</antml:")
    .replace("<i", "<antml:i")
    .replace("<p", "<antml:p"): [LS],
    calling("Bash", command="a\n<b>c", timeout="5", tags='["x"]'): [
        ("Bash", {"command": "a\n<b>c", "timeout": 5, "tags": ["x"]})
    ],
    calling("Bash", command="7", timeout="soon", tags="7"): [
        ("Bash", {"command": "7", "timeout": "soon", "tags": "7"})
    ],
    calling("Odd", any="x"): [("Odd", {"any": "x"})],
    '<tool_use>{"name":"Bash","input":{"command":"ls"}}</tool_use>': [LS],
    '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>': [LS],
    '<tool_call>{"name":"Read"}</tool_call>': [("Read", {})],
    '<tool_use><name>Bash</name><arguments>{"command":"ls"}</arguments></tool_use>': [LS],
    "<tool_use>\n<name> Read </name>\n</tool_use>": [("Read", {})],
    '[Called Bash with args: {"command":"ls"}]\nthen': [LS, "\nthen"],
    '[Called Bash with args: {"command":"ls"}]': [LS],
    '[Called Bash with input: {"a":[{"b":1}]}] \n': [("Bash", {"a": [{"b": 1}]}), "\n"],
    f"```sh\nls\n```\n{calling('Read')}": ["```sh\nls\n```\n", ("Read", {})],
    f"```\nls ```\n```sh\n```\n{calling('Read')}": ["```\nls ```\n```sh\n```\n", ("Read", {})],
    f"see `x` and ``y`` there\n{calling('Read')}": ["see `x` and ``y`` there\n", ("Read", {})],
    f"see ```x``` there\n{calling('Read')}": ["see ```x``` there\n", ("Read", {})],
    f"{calling('Read')}{calling('Bash', command='ls')}": [("Read", {}), LS],
}
TEXT = (
    "",
    "a < b and [x]\n<p>hello</p>\n[1]: note\n",
    f"```xml\n{calling('Read')}\n```\n",
    f"````md\n```\n{calling('Read')}\n```\n````\n",
    f"~~~\n{calling('Read')}\n~~~",
    f"so\n  ~~~~ sh\n{calling('Read')}\n~~~\n{calling('Read')}\n",
    f"a `b` and ``` c\n{calling('Read')}",
    f"so: ```\n{calling('Read')}\n",
    f"inline {calling('Read')}",
    f"`{calling('Read')}`",
    calling("Unknown", a="b"),
    calling("Read").removesuffix("</invoke>"),
    '<invoke name="Read">what is this</invoke>',
    "<invoke name=Read></invoke>",
    "<invoked name='Read'></invoked>",
    "<function_calls>are made so</function_calls>",
    f"<function_calls>{calling('Read')}{calling('Unknown')}</function_calls>",
    f"<function_calls>{calling('Read')} and</function_calls>",
    "<function_calls",
    "<function_calls>",
    '<function_calls kind="x">' + calling("Read") + "</function_calls>",
    '<tool_use>{"name":"Unknown","input":{}}</tool_use>',
    '<tool_use>{"name":"Bash","input":[1]}</tool_use>',
    '<tool_use>{"name":5}</tool_use>',
    "<tool_use>{}</tool_use>",
    "<tool_use>is a block</tool_use>",
    "<tool_use><name>Bash</name><arguments>{</arguments></tool_use>",
    "<tool_call>{" + "[" * 5000 + "</tool_call>",
    "[Called Bash]\n",
    "[Called Bash with args: {}\n",
    '[Called Bash with args: {"a"]\n',
    "[Called Unknown with args: {}]\n",
    "[Called " + "x" * MAX_HEAD,
    '<invoke name="' + "x" * MAX_HEAD,
    "\n".join(["<invoke name='Read'>x</invoke>"] * 9) + "\n" + calling("Read"),
)


class LeaksTests(SynchronousTestCase):
    """What is found and what is not."""

    def test_found(self) -> None:
        """Every form, for declared tools, whole, where a line begins."""
        for text, wanted in FOUND.items():
            self.assertEqual(read(text), wanted, text)

    def test_text(self) -> None:
        """Everything else goes out as it came, in whatever pieces."""
        for text in TEXT:
            wanted = [text] if text else []
            self.assertEqual(read(text), wanted, text)
            self.assertEqual(read(*text), wanted, text)

    def test_every_split(self) -> None:
        """It does not matter where the text is cut."""
        for text, wanted in FOUND.items():
            for at in range(len(text)):
                self.assertEqual(read(text[:at], text[at:]), wanted, (text, at))
            self.assertEqual(read(*text), wanted, text)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.sampled_from([*FOUND, *TEXT[:12], "\n", "```\n", "x", "<", "[Called "])),
        st.data(),
    )
    def test_any_split(self, parts: list[str], data: st.DataObject) -> None:
        """Of any of these behind each other, either."""
        text = "".join(parts)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        self.assertEqual(read(*pieces), read(text))

    def test_flows(self) -> None:
        """Text that cannot be a call is never held, not even in part."""
        leaks = Leaks(SCHEMAS)
        for text in ("Hel", "lo <b", "old>\n", " * it", "em\n<table", ">\n", "[link](x)", "<d"):
            fed = leaks.feed(text)
            self.assertEqual(text if fed is None else joined(fed), text if fed is None else [text])
        self.assertEqual(leaks.flush(), [])

    def test_held_no_longer_than_needed(self) -> None:
        """A tool that was not declared is known by its head."""
        leaks = Leaks(SCHEMAS)
        self.assertEqual(leaks.feed('<invoke name="Unk'), [])
        self.assertEqual(leaks.feed('nown">'), ['<invoke name="Unknown">'])

    def test_bounded(self) -> None:
        """A call without an end is given back."""
        head = '<invoke name="Bash"><parameter name="command">'
        leaks = Leaks(SCHEMAS)
        out = leaks.feed(head)
        assert out is not None
        count = MAX_HELD // 1000 + 1
        for _ in range(count):
            fed = leaks.feed("x" * 1000)
            out += ["x" * 1000] if fed is None else fed
        self.assertEqual(joined(out), [head + "x" * 1000 * count])
        self.assertEqual(leaks.flush(), [])

    def test_gives_up(self) -> None:
        """After several of them, nothing is searched any more: a text about calls costs no more
        than another."""
        leaks = Leaks(SCHEMAS)
        for _ in range(8):
            self.assertEqual(
                joined(leaks.feed("<invoke name='Read'>x</invoke>\n") or []),
                ["<invoke name='Read'>x</invoke>\n"],
            )
        self.assertIs(leaks.feed(calling("Read") + "\n"), None)

    def test_linear(self) -> None:
        """Whatever an event holds, each of its characters is read a few times at most: twice the
        text is twice the work."""
        for unit in (
            "<\n",
            "<invoker>\n",
            "[Called \n",
            "\n   <invoke\n",
            "`\n<x\n",
            "<tool_use>\n",
            calling("Read"),
            "<invoke name='Read'>\n",
            "\n[Called Read with args: {}]",
            f"\n{calling('Unknown')}",
        ):
            work = []
            for count in (1000, 2000, 8000):
                Counted.read = 0
                leaks = Leaks(SCHEMAS)
                leaks.feed(Counted(unit * count))
                leaks.feed(Counted(unit * count))
                work.append(Counted.read)
            self.assertLess(work[1], 2.2 * work[0] + 1, unit)
            self.assertLess(work[2], 8.8 * work[0] + 1, unit)

    def test_refused_calls_do_not_cut_the_text(self) -> None:
        """What is no call does not make more events of the text."""
        self.assertEqual(Leaks(SCHEMAS).feed("<invoker>\n" * 50), ["<invoker>\n" * 50])

    def test_blanks_around_a_name(self) -> None:
        """Any number of them: they are not tried in every way."""
        text = f"<tool_use><name>{' ' * 50_000}</tool_use>"
        self.assertEqual(read(text), [text])

    def test_unread(self) -> None:
        """Fences are seen in what was put aside as well, however much of it there is."""
        lines = ["line\n"] * (2 * UNREAD)
        call = calling("Read")
        self.assertEqual(
            read(*lines, "``", "`\n", *lines, call), joined([*lines, "```\n", *lines, call])
        )
        self.assertEqual(read(*lines, call)[1:], [("Read", {})])
        leaks = Leaks(SCHEMAS)
        for _ in range(8):
            leaks.feed("<invoke name='Read'>x</invoke>\n")
        for _ in range(2 * UNREAD):
            self.assertIs(leaks.feed(call), None)
        self.assertLess(len(leaks.unread), UNREAD + 1)
