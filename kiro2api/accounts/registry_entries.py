# -*- test-case-name: tests.accounts.test_registry_entries -*-
"""Accounts as an operator types or imports them, read like those of the configuration.

Must not know the store or the other accounts. No message here repeats a value, since any of them
may be a secret in the wrong place.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from kiro2api.accounts.account import DEFAULT_GROUP
from kiro2api.accounts.entries import VARIABLE
from kiro2api.accounts.registry_store import Newcomer
from kiro2api.accounts.sources import SourceError, parse_accounts
from kiro2api.errors import RequestRejected

MAX_ENTRIES: Final = 20_000
"""Accounts that may be added at once."""

LIMBO: Final = frozenset({"banned", "exhausted"})
"""Groups of the original in which it kept what could not serve; no place to be born in."""


class Parsed(msgspec.Struct, frozen=True):
    """One entry as an account; ``named``: whether the name was given."""

    newcomer: Newcomer
    named: bool
    warnings: tuple[str, ...] = ()


def parse_entry(fields: object, group: str = "") -> Parsed:
    """One object of any of the known forms.

    :param group: where the account goes instead of where the entry says.
    :raises RequestRejected: ``param`` names the field.
    """
    if not isinstance(fields, dict):
        raise RequestRejected("an account is given as an object")
    given = dict(fields)
    if group:
        given["group"] = group
    elif given.get("group") in LIMBO:
        given["group"] = DEFAULT_GROUP
    try:
        found = parse_accounts(msgspec.json.encode([given]).decode("utf-8"))
    except SourceError as error:
        raise _named(str(error)) from None
    except (TypeError, UnicodeError, RecursionError):
        raise RequestRejected("the account cannot be read") from None
    account = found.accounts[0]
    newcomer = Newcomer(
        account,
        found.credentials[account.fingerprint],
        account.fingerprint not in found.disabled,
    )
    name = fields.get("name")
    return Parsed(
        newcomer,
        named=isinstance(name, str) and bool(name.strip()),
        warnings=tuple(text.partition(": ")[2] for text in found.warnings),
    )


def entries_of(document: object) -> list[object]:
    """The entries of a document: an array, an object with ``tokens``, or one account.

    :raises RequestRejected: it is none of these, holds nothing or too much.
    """
    entries: object = document
    if isinstance(document, Mapping):
        entries = document.get("tokens", document.get("accounts"))
        if entries is None:
            entries = [document]
    if not isinstance(entries, list):
        raise RequestRejected("tokens must be an array of accounts", param="tokens")
    if not entries:
        raise RequestRejected("there is no account in it", param="tokens")
    if len(entries) > MAX_ENTRIES:
        raise RequestRejected(f"at most {MAX_ENTRIES} accounts at once", param="tokens")
    return entries


def _named(text: str) -> RequestRejected:
    """The configuration's message as one about a request."""
    text = text.removeprefix(VARIABLE).removeprefix(", entry 1").removeprefix(", ")
    text = text.removeprefix(": ")
    if text.startswith("field "):
        field, _, rule = text.removeprefix("field ").partition(": ")
        return RequestRejected(f"{field} {rule}", param=field)
    return RequestRejected(text)
