"""Accounts chosen and shown."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.quota import Quota
from kiro2api.accounts.registry_roll import Card, Roll
from kiro2api.errors import RequestRejected
from kiro2api.redaction import Secret
from kiro2api.web.admin.tokens_view import (
    SORTS,
    Row,
    Wanted,
    chosen,
    item,
    left,
    masked,
    quota_of,
    unseen,
)

NOTHING = Credentials(Secret(""), Secret(""))


def card(number: int, **more: object) -> Card:
    """An invented account."""
    account = Account(f"{number:032x}"[::-1], f"name-{number}", "social", order=number)
    return msgspec.structs.replace(Card(account), **more)


class MaskedTests(SynchronousTestCase):
    """E-mail addresses."""

    def test_masked(self) -> None:
        """First and last letter and the top-level domain; of a short name nothing."""
        for email, shown in (
            ("someone@mail.example.com", "s***e@***.com"),
            ("bob@example.co.uk", "b***b@***.uk"),
            ("ab@example.com", "***@***.com"),
            ("someone@localhost", "s***e@***"),
            ("no address", "***"),
            ("@example.com", "***"),
            ("", ""),
        ):
            self.assertEqual(masked(email), shown)


class LeftTests(SynchronousTestCase):
    """Credits that are left."""

    def test_whose_word(self) -> None:
        """The pool's, which deducts what was spent; else the last read; else nobody knows."""
        known = card(1, quota=Quota(left=9.0))
        row = Row(unseen(known), known)
        self.assertEqual(left(row), 9.0)
        spent = Row(msgspec.structs.replace(unseen(known), credits_left=4.0), known)
        self.assertEqual(left(spent), 4.0)
        shown = quota_of(spent)
        assert shown is not None
        self.assertEqual(shown["left"], 4.0)
        self.assertIsNone(left(Row(unseen(card(2)), card(2))))
        self.assertIsNone(quota_of(Row(unseen(card(2)), card(2))))

    def test_sorted(self) -> None:
        """Unknown ones have least, those without a bound most."""
        cards = [card(1, quota=Quota()), card(2, quota=Quota(left=3.0)), card(3)]
        roll = Roll()
        for each in cards:
            roll.put(each)
        rows = chosen(map(unseen, cards), roll, Wanted(sort="left"), lambda group: True)
        self.assertEqual([row.card for row in rows], [cards[2], cards[1], cards[0]])


class ChosenTests(SynchronousTestCase):
    """Which accounts, in which order."""

    def setUp(self) -> None:
        self.roll = Roll()
        self.cards = [card(1), card(2, enabled=False), card(3, email="someone@example.com")]
        for each in self.cards:
            self.roll.put(each)

    def names(self, **wanted: str) -> list[str]:
        """Those that are wanted."""
        statuses = map(unseen, self.cards)
        rows = chosen(statuses, self.roll, Wanted(**wanted), lambda group: True)
        return [row.card.account.name for row in rows]

    def test_order_of_choice(self) -> None:
        """Unless something else is wanted."""
        self.assertEqual(self.names(), ["name-1", "name-2", "name-3"])
        self.assertEqual(self.names(sort="-order"), ["name-3", "name-2", "name-1"])
        self.assertRaises(RequestRejected, self.names, sort="-")

    def test_search(self) -> None:
        """By e-mail address, too, which is not shown."""
        self.assertEqual(self.names(q="SOMEONE@"), ["name-3"])
        self.assertEqual(self.names(q="nobody"), [])

    def test_state(self) -> None:
        """The switch counts."""
        self.assertEqual(self.names(state="disabled"), ["name-2"])

    def test_hidden(self) -> None:
        """Groups that the key is not for."""
        statuses = map(unseen, self.cards)
        self.assertEqual(chosen(statuses, self.roll, Wanted(), lambda group: False), [])

    def test_stale_reason(self) -> None:
        """A switch that others have still to hear of leaves no reason behind."""
        status = msgspec.structs.replace(unseen(self.cards[0]), state="disabled", reason="disabled")
        shown = item(1, Row(status, self.cards[0]), NOTHING)
        self.assertEqual((shown["status"], shown["error"]), ("ready", ""))

    def test_every_field_sorts(self) -> None:
        """None of them needs what is not there."""
        for field in SORTS:
            self.assertEqual(len(self.names(sort=field)), 3)
