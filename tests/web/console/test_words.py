"""The console's words: the same in both languages, and all that are used exist."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.web import console

STATIC = Path(console.__file__).parent / "static"
ENTRY = re.compile(r'"([\w.-]+)":\s*"((?:[^"\\]|\\.)*)"')
PLACE = re.compile(r"\{(\w+)\}")
USED = re.compile(r"""\bt\(\s*"([\w.-]+)"|\bt\([^()"`]*\?\s*"([\w.-]+)"\s*:\s*"([\w.-]+)\"""")


def dictionary(path: Path, language: str) -> dict[str, str]:
    """The words of one file in one language."""
    text = path.read_text("utf-8")
    body = text.split(f"export const {language} = {{", 1)[1].split("};", 1)[0]
    return dict(ENTRY.findall(body))


class WordsTests(SynchronousTestCase):
    """Dictionaries and who uses them."""

    def setUp(self) -> None:
        self.files = sorted((STATIC / "i18n").glob("*.js"))
        self.english = {
            key: value for path in self.files for key, value in dictionary(path, "en").items()
        }

    def test_both_languages_know_the_same(self) -> None:
        """A missing translation would show English in the middle of Chinese."""
        self.assertGreater(len(self.english), 200)
        for path in self.files:
            with self.subTest(file=path.name):
                english, chinese = dictionary(path, "en"), dictionary(path, "zh")
                self.assertEqual(list(english), list(chinese))
                for key in english:
                    self.assertEqual(
                        sorted(PLACE.findall(english[key])),
                        sorted(PLACE.findall(chinese[key])),
                        key,
                    )

    def test_no_key_is_told_twice(self) -> None:
        """The later one would win without a word."""
        count = sum(len(dictionary(path, "en")) for path in self.files)
        self.assertEqual(count, len(self.english))

    def test_every_used_key_exists(self) -> None:
        """A key nobody knows shows itself to the reader."""
        used: set[str] = set()
        for path in [*STATIC.glob("*.js"), *STATIC.glob("parts/*.js"), *STATIC.glob("views/*.js")]:
            for found in USED.findall(path.read_text("utf-8")):
                used.update(filter(None, found))
        self.assertGreater(len(used), 150)
        self.assertEqual(used - set(self.english), set())

    def test_every_dictionary_is_loaded(self) -> None:
        """A file that nobody imports would be left out."""
        text = (STATIC / "i18n.js").read_text("utf-8")
        for path in self.files:
            self.assertIn(f'"./i18n/{path.name}"', text)


class PolicyTests(SynchronousTestCase):
    """What the content security policy would refuse is not written in the first place."""

    def test_nothing_inline(self) -> None:
        """No inline style or script, no address of another host but links to follow."""
        for path in [*STATIC.glob("*.*"), *STATIC.glob("parts/*.js"), *STATIC.glob("views/*.js")]:
            text = path.read_text("utf-8")
            with self.subTest(file=path.name):
                self.assertNotRegex(text, r"\sstyle=")
                self.assertNotRegex(text, r"\son\w+=\"")
                self.assertNotIn("innerHTML", text)
                self.assertNotRegex(text, r"(?:import|from|src=|url\()\s*[\"']?https?:")
