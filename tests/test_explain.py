# -*- test-case-name: tests.test_explain -*-
"""Explanations of requests that would be refused, and of accounts of each kind."""

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account
from kiro2api.errors import RequestRejected
from kiro2api.explain import MOST_ACCOUNTS, Explainer
from kiro2api.kiro.models import Catalogue
from kiro2api.upstream.interfaces import OfferedModel
from tests.fakes.lending import FakeOffers, account


class ExplainerTests(SynchronousTestCase):
    """What cannot be seen through the web in small tests."""

    def setUp(self) -> None:
        self.accounts: Sequence[Account] = ()
        self.offers = FakeOffers()
        self.new_id = "00000000-0000-4000-8000-000000000000"
        self.explainer = Explainer(
            Catalogue(),
            lambda group: self.accounts,
            self.offers,
            default_group="default",
            tool_description_limit=1000,
            new_id=lambda: self.new_id,
        )

    def explained(self, said: Any = "hi", **more: Any) -> dict[str, Any]:
        """The answer for a question."""
        messages = [{"role": "user", "content": said}]
        body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": messages, **more}
        return self.explainer.explain("anthropic", msgspec.json.encode(body))

    def test_too_large(self) -> None:
        """The error has the client's status and the largest parts, without any of their text."""
        told = self.explained("secret " * 1_600_000)
        error = told["error"]
        self.assertEqual((error["stage"], error["status"]), ("translation", 413))
        self.assertIn("messages[0]", error["message"])
        self.assertIsNone(told["payload"])
        self.assertNotIn("repairs", told)
        self.assertNotIn("secret", str(told))

    def test_broken_rule(self) -> None:
        """The rule and its place in the upstream's body."""
        self.new_id = "short"
        error = self.explained()["error"]
        self.assertEqual((error["stage"], error["status"]), ("translation", 400))
        self.assertTrue(error["rule"])
        self.assertIn("agentContinuationId", error["path"])

    def test_kinds_of_accounts(self) -> None:
        """API keys have no profile, and a header of their own."""
        told = self.explained()
        self.assertIn("profileArn", str(told["notes"]))
        self.assertNotIn("tokentype", told["headers"])
        self.accounts = (account("k", "api_key"),)
        told = self.explained()
        self.assertEqual(told["notes"], [])
        self.assertIn("tokentype", told["headers"])

    def test_many_accounts(self) -> None:
        """The first ones are told of, and how many there are besides."""
        self.accounts = tuple(account(f"a{n}") for n in range(MOST_ACCOUNTS))
        self.assertNotIn("more accounts", str(self.explained()["notes"]))
        self.accounts += (account("b"), account("c"))
        told = self.explained()
        self.assertEqual(len(told["accounts"]), MOST_ACCOUNTS)
        self.assertIn("2 more accounts", str(told["notes"]))

    def test_reasoning(self) -> None:
        """In fields where the model has them, else by tags."""
        self.accounts = (account("a"),)
        told = self.explained(model="claude-opus-4-7", thinking={"type": "adaptive"})
        (first,) = told["accounts"]
        self.assertEqual((first["additional_fields"], first["thinking_tags"]), (True, False))
        self.assertGreater(told["sizes"]["additional_fields"], 10)
        told = self.explained(thinking={"type": "adaptive"})
        (first,) = told["accounts"]
        self.assertEqual((first["additional_fields"], first["thinking_tags"]), (False, True))
        self.assertEqual(told["sizes"]["additional_fields"], 0)

    def test_documents(self) -> None:
        """Sent as such where the account's list says so."""
        source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}
        self.accounts = (account("a"),)
        for types, native in ((("TEXT", "DOCUMENT"), True), (("TEXT",), False)):
            self.offers.offered = (OfferedModel("claude-sonnet-4.5", input_types=types),)
            told = self.explained([{"type": "document", "source": source}])
            self.assertEqual(told["accounts"][0]["documents"], native)
            self.assertEqual(b'"documents":[' in bytes(told["payload"]), native)
            self.assertEqual("documents and addresses" in str(told["repairs"]), not native)

    def test_unknown_dialect(self) -> None:
        """Is told at once."""
        error = self.assertRaises(RequestRejected, self.explainer.explain, "x", b"{}")
        self.assertEqual(error.param, "dialect")
