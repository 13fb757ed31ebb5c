"""Accounts as they are typed and imported."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.registry_entries import MAX_ENTRIES, entries_of, parse_entry
from kiro2api.errors import RequestRejected

SOCIAL = {"auth": "Social", "refreshToken": "aor-invented"}


class ParseEntryTests(SynchronousTestCase):
    """One entry."""

    def test_parsed(self) -> None:
        """Account, credentials, switch, and whether the name was given."""
        parsed = parse_entry({**SOCIAL, "name": "mine", "disabled": True})
        self.assertEqual(parsed.newcomer.account.name, "mine")
        self.assertEqual(parsed.newcomer.credentials.refresh_token.reveal(), "aor-invented")
        self.assertEqual((parsed.newcomer.enabled, parsed.named), (False, True))
        self.assertFalse(parse_entry({**SOCIAL, "name": " "}).named)

    def test_group(self) -> None:
        """The one it is told beats the one it says; where nothing can live, nothing is born."""
        self.assertEqual(parse_entry({**SOCIAL, "group": "a"}, "b").newcomer.account.group, "b")
        parsed = parse_entry({**SOCIAL, "group": "exhausted"})
        self.assertEqual(parsed.newcomer.account.group, "default")

    def test_warnings(self) -> None:
        """Said without the words of the configuration."""
        parsed = parse_entry({**SOCIAL, "profileArn": "nonsense"})
        self.assertEqual(len(parsed.warnings), 1)
        self.assertNotIn("KIRO_AUTH_TOKEN", parsed.warnings[0])

    def test_mistakes(self) -> None:
        """The field is named, its value is not, nor is the configuration."""
        wrong: tuple[tuple[Any, str | None], ...] = (
            ({}, "refreshToken"),
            ({"refreshToken": 7}, "refreshToken"),
            ({"refreshToken": "canary value"}, "refreshToken"),
            ({**SOCIAL, "expiresAt": "canary"}, "expiresAt"),
            ({**SOCIAL, "name": "canary" * 20}, "name"),
            ({"refreshToken": "x", "clientIdHash": "canary"}, "clientIdHash"),
            (7, None),
            ("canary", None),
        )
        for entry, param in wrong:
            error = self.assertRaises(RequestRejected, parse_entry, entry)
            self.assertEqual(error.param, param)
            self.assertNotIn("canary", error.message)
            self.assertNotIn("KIRO_AUTH_TOKEN", error.message)

    def test_no_json(self) -> None:
        """What cannot be JSON was not typed by anybody."""
        error = self.assertRaises(RequestRejected, parse_entry, {**SOCIAL, "x": object()})
        self.assertIsNone(error.param)


class EntriesOfTests(SynchronousTestCase):
    """What is around them."""

    def test_shapes(self) -> None:
        """An array, an object that holds one, or one account."""
        for document in ([SOCIAL], {"tokens": [SOCIAL]}, {"accounts": [SOCIAL]}, SOCIAL):
            self.assertEqual(entries_of(document), [SOCIAL])

    def test_mistakes(self) -> None:
        """Nothing, too much, or something else."""
        wrong: tuple[Any, ...] = ([], {"tokens": {}}, 7, "x", [SOCIAL] * (MAX_ENTRIES + 1))
        for document in wrong:
            error = self.assertRaises(RequestRejected, entries_of, document)
            self.assertEqual(error.param, "tokens")
