"""The console's files over HTTP."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import NotFound
from kiro2api.web.console.files import POLICY, ConsoleFiles
from tests.web.case import WebCase

PAGE = {"Accept": "text/html,application/xhtml+xml"}


class PageTests(WebCase):
    """Addresses a browser asks for."""

    def test_page_for_browsers(self) -> None:
        """A browser gets the page, with what it may load."""
        reply = self.ask("/", headers=PAGE, key="")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(reply.headers["content-security-policy"], POLICY)
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
        self.assertIn(b'<script type="module" src="/static/app.js">', reply.body)

    def test_probe_of_clients(self) -> None:
        """An API client that probes the same address gets JSON."""
        self.assertEqual(self.ask("/", key="").json["service"], "kiro2api")

    def test_known_version_is_not_sent_again(self) -> None:
        """Each file is asked for again, and sent only when it has changed."""
        first = self.ask("/static/app.js", key="")
        self.assertEqual(first.headers["cache-control"], "no-cache")
        again = self.ask("/static/app.js", headers={"If-None-Match": first.headers["etag"]}, key="")
        self.assertEqual((again.status, again.body), (304, b""))
        other = self.ask("/static/app.js", headers={"If-None-Match": '"other"'}, key="")
        self.assertEqual((other.status, other.body), (200, first.body))

    def test_head(self) -> None:
        """HEAD tells the size and sends nothing."""
        reply = self.ask("/static/base.css", method="HEAD", key="")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertGreater(int(reply.headers["content-length"]), 1000)

    def test_missing_file(self) -> None:
        """A missing file is JSON like any other error, and not remembered."""
        reply = self.ask("/static/none.js", key="")
        self.assertEqual(reply.status, 404)
        self.assertEqual(reply.headers["cache-control"], "no-store")

    def test_only_reading(self) -> None:
        """Nothing is posted to a file."""
        reply = self.ask("/static/app.js", {}, key="")
        self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET, HEAD"))


class ConsoleFilesTests(SynchronousTestCase):
    """What can be found."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "static"
        self.folder.mkdir(parents=True)
        (self.folder / "a.js").write_bytes(b"first")
        (self.folder / "b.py").write_bytes(b"no file of the console")
        (self.folder.parent / "secret.txt").write_bytes(b"outside")
        self.files = ConsoleFiles(lambda: self.folder)

    def test_found(self) -> None:
        """A file is read once."""
        found = self.files.find("a.js")
        (self.folder / "a.js").write_bytes(b"second")
        self.assertEqual(found.body, b"first")
        self.assertIs(self.files.find("a.js"), found)

    def test_refused(self) -> None:
        """Only plain names of known kinds, never out of the folder."""
        for path in (
            "../secret.txt",
            "..",
            "b.py",
            "",
            "a.js/",
            "/a.js",
            "x/../a.js",
            ".a.js",
            "c.js",
            f"{'c' * 300}.js",
            "a.js/b.js",
        ):
            with self.subTest(path=path):
                self.assertRaises(NotFound, self.files.find, path)
