"""Configured accounts and their rows: nothing that was rotated or changed is lost."""

from threading import Event

from msgspec.structs import replace
from sqlalchemy import Connection

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.interfaces import Parked, StoredAccount
from kiro2api.accounts.sources import Configured
from kiro2api.redaction import Secret
from kiro2api.store.accounts import AccountRows
from kiro2api.store.accounts_adoption import configured_digest
from tests.store.case import InPostgres, StoreCase
from tests.store.pumped import PATIENCE

ONE = Account("f1", "one", "idc", region="eu-west-1", order=0)
TWO = Account("f2", "two", "social", group="team", order=1)
KEY = Account("f3", "key", "api_key", order=2)

GIVEN = {
    "f1": Credentials(
        Secret(""), Secret("given-1"), client_id="client", client_secret=Secret("hidden")
    ),
    "f2": Credentials(Secret(""), Secret("given-2")),
    "f3": Credentials(Secret("ksk_given"), Secret("")),
}
ROTATED = replace(
    GIVEN["f1"], access_token=Secret("a2"), refresh_token=Secret("r2"), expires_at=9.0
)
ADDED = Account("f9", "added", "social", order=5)


def configured(*accounts: Account, disabled: str = "", **given: Credentials) -> Configured:
    """A configuration of these."""
    credentials = {**GIVEN, **given}
    mine = {account.fingerprint: credentials[account.fingerprint] for account in accounts}
    return Configured(accounts, mine, frozenset(disabled.split()))


class AdoptionTests(StoreCase):
    """What is there after each start."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = AccountRows(self.database, self.clock)

    def adopt(
        self, *accounts: Account, disabled: str = "", **given: Credentials
    ) -> dict[str, StoredAccount]:
        """Start with these; what counts."""
        found = self.done(self.rows.adopt(configured(*accounts, disabled=disabled, **given)))
        for fingerprint, stored in found.items():
            self.assertEqual(self.done(self.rows.read(fingerprint)), stored)
        return dict(found)

    def test_first_start(self) -> None:
        """Each entry gets a row, as it is configured."""
        found = self.adopt(ONE, TWO, KEY, disabled="f2")
        self.assertEqual(
            found,
            {
                "f1": StoredAccount(GIVEN["f1"], account=ONE),
                "f2": StoredAccount(GIVEN["f2"], account=TWO, enabled=False),
                "f3": StoredAccount(GIVEN["f3"], account=KEY),
            },
        )
        self.assertEqual(list(found), ["f1", "f2", "f3"])
        self.assertEqual(self.noted(), [("account", name) for name in ("f1", "f2", "f3")])

    def test_restart(self) -> None:
        """A start that changes nothing writes nothing."""
        first = self.adopt(ONE, TWO, KEY)
        stamps = "SELECT sum(updated_at) FROM accounts"
        before, noted = self.first(stamps), self.noted()
        self.now += 100.0
        self.assertEqual(self.adopt(ONE, TWO, KEY), first)
        self.assertEqual((self.first(stamps), self.noted()), (before, noted))

    def test_rotated_token_survives(self) -> None:
        """So does parking; an API key is always the configured one."""
        self.adopt(ONE, KEY)
        self.done(self.rows.save(ONE, ROTATED))
        self.done(self.rows.park("f1", Parked("quota", 5000.0)))
        found = self.adopt(ONE, KEY)
        self.assertEqual(found["f1"], StoredAccount(ROTATED, Parked("quota", 5000.0), account=ONE))

    def test_corrected_entry(self) -> None:
        """What belongs to the credential and can be corrected is taken from the configuration."""
        self.adopt(ONE)
        self.done(self.rows.save(ONE, ROTATED))
        given = replace(GIVEN["f1"], client_secret=Secret("corrected"), profile_arn="arn:given")
        found = self.adopt(ONE, f1=given)["f1"].credentials
        self.assertEqual(
            found, replace(ROTATED, client_secret=Secret("corrected"), profile_arn="arn:given")
        )
        self.assertEqual(
            self.adopt(ONE)["f1"].credentials, replace(found, client_secret=Secret("hidden"))
        )

    def test_new_login_survives(self) -> None:
        """The registration that came with a new login stays with its tokens."""
        self.adopt(ONE)
        login = replace(ROTATED, client_id="another", client_secret=Secret("another"))
        self.done(self.rows.replace(ONE, login))
        self.assertEqual(self.adopt(ONE)["f1"].credentials, login)

    def test_patch_survives(self) -> None:
        """What an operator changed stays as long as the entry does."""
        self.adopt(ONE, TWO)
        self.done(self.rows.patch("f1", name="mine", group="g", enabled=False, max_in_flight=3))
        found = self.adopt(ONE, TWO)
        wanted = replace(ONE, name="mine", group="g", max_in_flight=3)
        self.assertEqual((found["f1"].account, found["f1"].enabled), (wanted, False))

    def test_edited_entry_wins(self) -> None:
        """A field that is edited in the configuration wins over what was changed here; the other
        fields stay as they were changed."""
        self.adopt(ONE)
        self.done(self.rows.patch("f1", name="mine", group="g", enabled=False, order=7))
        found = self.adopt(replace(ONE, name="edited", region="us-west-2"))["f1"]
        wanted = replace(ONE, name="edited", region="us-west-2", group="g", order=7)
        self.assertEqual((found.account, found.enabled), (wanted, False))
        found = self.adopt(replace(ONE, name="edited", region="us-west-2", order=3), disabled="f1")[
            "f1"
        ]
        self.assertEqual((found.account, found.enabled), (replace(wanted, order=3), False))
        self.assertIs(self.adopt(ONE)["f1"].enabled, True)

    def test_entry_before_others(self) -> None:
        """An entry that is put before others moves and renames them, and changes nothing else."""
        self.adopt(replace(TWO, name="social-1", order=0))
        self.done(self.rows.patch("f2", enabled=False, requests_per_minute=5))
        found = self.adopt(ONE, replace(TWO, name="social-2"))["f2"]
        self.assertEqual(found.account, replace(TWO, name="social-2", requests_per_minute=5))
        self.assertIs(found.enabled, False)

    def test_entry_is_gone(self) -> None:
        """Its row stays and does not count, until the entry is back."""
        self.adopt(ONE, TWO)
        self.done(self.rows.save(ONE, ROTATED))
        self.assertEqual(list(self.adopt(TWO)), ["f2"])
        kept = self.done(self.rows.load())["f1"]
        self.assertEqual(kept.credentials, ROTATED)
        self.assertFalse(self.rows.counts("f1", kept))
        self.assertEqual(self.adopt(ONE, TWO)["f1"].credentials, ROTATED)

    def test_added_ones(self) -> None:
        """Added accounts come after the configured ones, in their own order."""
        for fingerprint, order in (("f7", 9), ("f8", 5)):
            account = replace(ADDED, fingerprint=fingerprint, name=fingerprint, order=order)
            self.done(self.rows.add(account, GIVEN["f2"]))
        self.done(self.rows.add(ADDED, GIVEN["f2"]))
        found = self.adopt(ONE)
        self.assertEqual(list(found), ["f1", "f8", "f9", "f7"])
        self.assertEqual(found["f9"].source, "stored")
        self.assertTrue(self.rows.counts("f9", found["f9"]))

    def test_added_becomes_configured(self) -> None:
        """An added account that appears in the configuration is an entry from then on: what the
        entry says holds, the tokens and the limits stay."""
        self.done(self.rows.add(replace(ONE, name="x", group="g", max_in_flight=4), ROTATED))
        found = self.adopt(ONE, TWO)["f1"]
        self.assertEqual(found, StoredAccount(ROTATED, account=replace(ONE, max_in_flight=4)))
        self.assertEqual(list(self.adopt(TWO)), ["f2"])

    def test_from_an_older_version(self) -> None:
        """Rows that were never compared take all from their entry, and keep their tokens."""
        self.done(self.rows.save(replace(ONE, name="old"), ROTATED))
        self.done(self.rows.park("f1", Parked("login")))
        found = self.adopt(ONE)["f1"]
        self.assertEqual(found, StoredAccount(ROTATED, Parked("login"), account=ONE))

    def test_only_parked(self) -> None:
        """An account of which only its parking was known becomes whole."""
        self.done(self.rows.park("f3", Parked("suspended")))
        wanted = StoredAccount(GIVEN["f3"], Parked("suspended"), account=KEY)
        self.assertEqual(self.adopt(KEY), {"f3": wanted})

    def test_many(self) -> None:
        """A thousand accounts are no matter."""
        accounts = [replace(TWO, fingerprint=f"n{n}", name=f"n{n}", order=n) for n in range(1000)]
        given = {account.fingerprint: GIVEN["f2"] for account in accounts}
        self.assertEqual(len(self.adopt_many(accounts, given)), 1000)
        self.assertEqual(len(self.adopt_many(accounts, given)), 1000)
        self.assertEqual(len(self.noted()), 1000)

    def adopt_many(
        self, accounts: list[Account], given: dict[str, Credentials]
    ) -> dict[str, StoredAccount]:
        """Start with these."""
        found = self.done(self.rows.adopt(Configured(tuple(accounts), given)))
        return dict(found)

    def test_digest(self) -> None:
        """It changes with each field that is compared, and with nothing secret."""
        base = configured_digest(ONE, True)
        self.assertEqual(base, configured_digest(replace(ONE, fingerprint="x"), True))
        others = [
            configured_digest(replace(ONE, name="x"), True),
            configured_digest(replace(ONE, group="x"), True),
            configured_digest(replace(ONE, region="x"), True),
            configured_digest(replace(ONE, order=9), True),
            configured_digest(ONE, False),
        ]
        self.assertEqual(len({base, *others}), 6)
        self.assertNotIn("one", base)


class AdoptionInPostgresTests(InPostgres, AdoptionTests):
    """The same there."""

    def test_save_meanwhile(self) -> None:
        """A token that another process saves while this one starts is not overwritten."""
        self.adopt(ONE)
        other = AccountRows(self.opened(), self.clock)
        saving, go_on = Event(), Event()
        database = self.opened()
        slow_rows = AccountRows(database, self.clock)

        def slow(connection: Connection) -> None:
            slow_rows.replaced(connection, ONE, ROTATED)
            saving.set()
            go_on.wait(PATIENCE)

        saved = database.run(slow)
        self.assertTrue(saving.wait(PATIENCE))
        given = replace(GIVEN["f1"], profile_arn="arn:given")
        started = other.adopt(configured(ONE, f1=given))
        go_on.set()
        self.done(saved)
        found = self.done(started)["f1"].credentials
        self.assertEqual(found, replace(ROTATED, profile_arn="arn:given"))

    def test_two_starts(self) -> None:
        """Two processes that start at once agree."""
        other = AccountRows(self.opened(), self.clock)
        both = [rows.adopt(configured(ONE, TWO, KEY)) for rows in (self.rows, other)]
        first, second = (self.done(one) for one in both)
        self.assertEqual(first, second)
        self.assertEqual(len(self.noted()), 3)
