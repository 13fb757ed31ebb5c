"""The READMEs keep up with the code."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts import penalties
from kiro2api.accounts.groups import Policy
from kiro2api.accounts.penalties import Penalty, State
from kiro2api.commands.main import parser
from kiro2api.kiro.models import BUILT_IN
from kiro2api.settings import TABLE
from tests.web.admin.test_openapi import served

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
BESIDE_READY = ("busy", "probing")
"""What an account may be although it is ready."""
OF_MODELS = ("overloaded", "lacking")
"""Reasons for which a model rests, and no account."""

Named = tuple[str, frozenset[str]]
"""A command and its actions."""


def rows(text: str) -> list[str]:
    """The lines of all tables."""
    return [line for line in text.splitlines() if line.startswith("|")]


def cells(row: str) -> list[str]:
    """What is between a row's bars."""
    return [cell.strip() for cell in row.strip("|").split("|")]


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each heading; a # within a block of code is none."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.+)$", prose, re.M)]


def anchor(words: str) -> str:
    """How a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def nameless(path: str) -> str:
    """A path in which it does not matter what a parameter is called."""
    return re.sub(r"\{.*?\}", "{}", path)


def routed() -> set[tuple[str, str]]:
    """Every method and path of all APIs."""
    return {(method, nameless(path)) for method, path in served() if method != "HEAD"}


def documented(text: str) -> set[tuple[str, str]]:
    """Every method and path in the first cell of a row, but for those of the emulator."""
    found = {
        (method, nameless(path))
        for row in rows(text)
        for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", cells(row)[0])
    }
    return {each for each in found if not each[1].startswith(("/emulator/", "/device"))}


def chosen_from(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands below a parser."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def commands() -> set[Named]:
    """Every command that there is."""
    return {
        (name, frozenset(action for action, _ in chosen_from(command)))
        for name, command in chosen_from(parser())
    }


def told_commands(text: str) -> set[Named]:
    """Every command that a table has; the actions of those that have any are in the next cell."""
    branches = {name for name, actions in commands() if actions}
    found: set[Named] = set()
    for row in rows(text):
        first, second = (*cells(row), "")[:2]
        if told := re.fullmatch(r"`kiro2api (\w+)`", first):
            actions = re.findall(r"`(\w+)`", second) if told[1] in branches else []
            found.add((told[1], frozenset(actions)))
    return found


class ReadmeTests(SynchronousTestCase):
    """Both languages say the same facts."""

    def setUp(self) -> None:
        self.texts = {name: (ROOT / name).read_text("utf-8") for name in (ENGLISH, CHINESE)}

    def test_same_headings(self) -> None:
        """Both are divided in the same way."""
        levels = [[level for level, _ in headings(text)] for text in self.texts.values()]
        self.assertEqual(levels[0], levels[1])
        self.assertGreater(len(levels[0]), 20)

    def test_same_tables(self) -> None:
        """Each table has as many rows in both, and the same codes in the first cell of each."""
        codes = [
            [
                re.findall(r"`([^`]+)`", cells(row)[0])
                for row in rows(text)
                if not set(row) <= set("|-: ")
            ]
            for text in self.texts.values()
        ]
        self.assertEqual(codes[0], codes[1])

    def test_links(self) -> None:
        """What is linked to is there: a heading of the same text, a file or a picture."""
        for name, text in self.texts.items():
            anchors = {anchor(words) for _, words in headings(text)}
            for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
                if target.startswith("#"):
                    self.assertIn(target[1:], anchors, name)
                elif not target.startswith("https://"):
                    self.assertTrue((ROOT / target).is_file(), f"{name}: {target}")

    def test_every_setting_with_its_default(self) -> None:
        """Each variable has a row, and the row names the default."""
        for name, text in self.texts.items():
            for setting in TABLE.values():
                rows = re.findall(rf"^\| `{setting.env}` \|.*$", text, re.M)
                self.assertEqual(len(rows), 1, f"{name}: {setting.env}")
                if setting.default is not None:
                    self.assertIn(f"`{setting.default}`", rows[0], name)

    def test_every_setting_means_what_it_says(self) -> None:
        """The English row has the meaning that --help-settings gives."""
        for setting in TABLE.values():
            row = next(r for r in rows(self.texts[ENGLISH]) if r.startswith(f"| `{setting.env}`"))
            self.assertEqual(cells(row)[2].replace("`", ""), setting.meaning)

    def test_every_model(self) -> None:
        """Each listed model is in the table."""
        for name, text in self.texts.items():
            for model in BUILT_IN:
                for public in model.public:
                    self.assertIn(f"`{public}`", text, name)

    def test_every_route(self) -> None:
        """The tables have every route of every API with its method, and no other."""
        for name, text in self.texts.items():
            self.assertEqual(routed() - documented(text), set(), f"{name}: missing")
            self.assertEqual(documented(text) - routed(), set(), f"{name}: not served")

    def test_every_command(self) -> None:
        """The table has every command with all of its actions, and no other."""
        for name, text in self.texts.items():
            self.assertEqual(told_commands(text), commands(), name)

    def test_every_state(self) -> None:
        """Each state has its row, with what there is to do."""
        states = {state.value for state in State}.union(BESIDE_READY)
        for name, text in self.texts.items():
            told = {
                found[1]: cells(row)
                for row in rows(text)
                if len(cells(row)) == 5 and (found := re.match(r"\| `(\w+)`", row))
            }
            self.assertEqual(states - told.keys(), set(), name)
            for state in states:
                self.assertTrue(told[state][4], f"{name}: {state}")

    def test_every_reason(self) -> None:
        """Each reason for which an account rests stands beside the right state."""
        reasons = {
            (each.state.value, each.reason)
            for thing in vars(penalties).values()
            for each in _penalties(thing)
            if each.reason not in OF_MODELS
        }
        self.assertGreater(len(reasons), 5)
        for name, text in self.texts.items():
            for state, reason in reasons:
                self.assertRegex(text, rf"(?m)^\| `{state}` \| `{reason}` \|", name)

    def test_every_policy(self) -> None:
        """Each policy has its row."""
        for name, text in self.texts.items():
            for policy in get_args(Policy):
                self.assertRegex(text, rf"(?m)^\| `{policy}` \|", name)

    def test_same_commands(self) -> None:
        """The commands are the same in both."""
        blocks = [
            [
                re.sub(r"#.*", "", block)
                for block in re.findall(r"```(?:sh|python|json|toml|sql)\n(.*?)```", t, re.S)
            ]
            for t in self.texts.values()
        ]
        self.assertEqual(
            [[line.strip() for line in b.splitlines()] for b in blocks[0]],
            [[line.strip() for line in b.splitlines()] for b in blocks[1]],
        )


def _penalties(thing: object) -> Iterator[Penalty]:
    """Those in a value of the module: itself, or what a table of them leads to."""
    if isinstance(thing, Penalty):
        yield thing
    elif isinstance(thing, dict):
        yield from (each for each in thing.values() if isinstance(each, Penalty))
    elif isinstance(thing, tuple):
        pairs = (each for each in thing if isinstance(each, tuple) and len(each) == 2)
        yield from (each for _, each in pairs if isinstance(each, Penalty))
