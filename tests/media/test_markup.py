"""Pages to text."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.media.limits import Halt
from kiro2api.media.markup import is_page, page_text
from tests.media.files import unwanted, wanted

PAGE = """<!DOCTYPE html><html><head><title>Prices</title><style>p {color: red}</style>
<script>alert("x < y")</script></head><body>
<svg/><svg><text>unseen</text></svg>
<h2>Fruit &amp; more</h2>
<p>Two   <b>kinds</b>
of fruit,<br>sold&nbsp;here.</p>
<ul><li>Apples<li>Pears</ul>
<table><tr><th>Kind</th><th>Price</th></tr><tr><td>Apple</td><td>2</td></tr></table>
<pre>a = 1
  b = 2</pre><img src="x" alt="A pear"><img src="y">
</body></html>"""


def text_of(page: str, limit: int = 10_000) -> str:
    """The text of a page."""
    return page_text(page, limit, wanted)


TAGS = ["<p>", "</p>", "<svg>", "</svg>", "<pre>", "</pre>", "<br/>", "<td>", "x", "&", "<",
        "<!--", "-->", "<![CDATA["]  # fmt: skip


class MarkupTests(SynchronousTestCase):
    """What a reader would see."""

    def test_page(self) -> None:
        """Blocks are lines, cells are columns, scripts and styles are not there."""
        self.assertEqual(
            text_of(PAGE),
            "Prices\n## Fruit & more\nTwo kinds of fruit,\nsold here.\n- Apples\n- Pears\n"
            "Kind\tPrice\nApple\t2\na = 1\n  b = 2\n[image: A pear]",
        )

    def test_malformed(self) -> None:
        """Ends without beginnings and beginnings without ends."""
        self.assertEqual(text_of("</p></pre>a<script>b</div>c</script>d<p>e"), "ad\ne")
        self.assertEqual(text_of("<iframe><object>x</iframe>y"), "y")

    def test_limit(self) -> None:
        """A long page is not read to its end."""
        self.assertLess(len(text_of("<p>word</p>" * 100_000, 1000)), 70_000)

    def test_halt(self) -> None:
        """Work that nobody waits for stops."""
        self.assertRaises(Halt, page_text, PAGE, 10, unwanted)

    def test_is_page(self) -> None:
        """By its beginning."""
        for page in (PAGE, "\n<HTML lang=en>", "<?xml version='1.0'?>\n<html>", "<!-- a --><html>"):
            self.assertTrue(is_page(page), page)
        for text in ("", "<p>hello", "<?xml version='1.0'?><feed/>", "the <html> element"):
            self.assertFalse(is_page(text), text)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from(TAGS)))
    def test_never_fails(self, pieces: list[str]) -> None:
        """Any order of tags."""
        self.assertIsInstance(text_of("".join(pieces)), str)
