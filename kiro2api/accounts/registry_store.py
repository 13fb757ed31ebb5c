# -*- test-case-name: tests.accounts.test_registry -*-
"""The seam between what an operator changes and where it is kept.

Must not know how rows are written, only that a change and its line in the audit are one
transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred

from kiro2api.accounts.account import Account, Credentials
from kiro2api.accounts.groups import GroupPolicy
from kiro2api.accounts.interfaces import StoredAccount


class Said(msgspec.Struct, frozen=True):
    """One line of the audit: who did what to whom; ``detail`` is shown, so without secrets."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, object] = {}


class Newcomer(msgspec.Struct, frozen=True):
    """An account that is to be stored."""

    account: Account
    credentials: Credentials
    enabled: bool = True


class Stored(msgspec.Struct, frozen=True):
    """What became of newcomers, by fingerprint, and what is stored of each."""

    added: Mapping[str, StoredAccount]
    there: Mapping[str, StoredAccount]


class OperatorStore(Protocol):
    """Rows of accounts and groups. Each change notes itself for other processes, too."""

    def read(self, fingerprint: str) -> Deferred[StoredAccount | None]:
        """One account; None if there is none, or it is not in the configuration any more."""

    def groups(self) -> Deferred[dict[str, GroupPolicy]]:
        """Every stored policy by name."""

    def add(self, newcomers: Sequence[Newcomer], said: Said) -> Deferred[Stored]:
        """Store these; those that are there already stay as they are."""

    def patch(
        self, fingerprint: str, changes: Mapping[str, object], said: Said
    ) -> Deferred[StoredAccount | None]:
        """Change fields of an account; as it is then, None if there is none."""

    def replace(self, account: Account, credentials: Credentials, said: Said) -> Deferred[None]:
        """Other credentials for an account, which is not parked any more."""

    def unpark(self, fingerprint: str, said: Said) -> Deferred[None]:
        """Forget why an account was not to be asked."""

    def remove(self, fingerprint: str, said: Said) -> Deferred[bool]:
        """Forget an account; whether there was one."""

    def put_group(self, policy: GroupPolicy, said: Said) -> Deferred[None]:
        """A new group, or a known one as it shall be."""

    def rename_group(self, old: str, policy: GroupPolicy, said: Said) -> Deferred[None]:
        """The group's policy under its new name, with its accounts and the keys for it."""

    def remove_group(self, name: str, said: Said) -> Deferred[None]:
        """Forget a group; its accounts go to the default group."""

    def wrote(self, said: Said) -> Deferred[None]:
        """Only the line in the audit, of something that changes nothing here."""
