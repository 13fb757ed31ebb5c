"""Times of the operator's API; its lists are tested where they are shown."""

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.errors import RequestRejected
from kiro2api.web.admin.lists import read_moment


class MomentTests(SynchronousTestCase):
    """RFC 3339."""

    def test_read(self) -> None:
        """With a zone or without, a day alone, and nothing."""
        for text, epoch in (
            ("1970-01-01T00:01:00Z", 60.0),
            ("1970-01-01T01:01:00+01:00", 60.0),
            ("1970-01-01T00:01:00", 60.0),
            ("1970-01-02", 86_400.0),
            (" ", 0.0),
            ("", 0.0),
        ):
            self.assertEqual(read_moment(text, "at"), epoch, text)

    def test_wrong(self) -> None:
        """What is no time, or none that could be meant."""
        for text in ("soon", "2024-13-01", "1960-01-01", "0001-01-01T00:00:00+14:00", "12:00"):
            error = self.assertRaises(RequestRejected, read_moment, text, "expires_at")
            self.assertEqual(error.param, "expires_at", text)
