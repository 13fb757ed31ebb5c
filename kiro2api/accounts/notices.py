# -*- test-case-name: tests.accounts.test_pool -*-
"""What one process tells the others that lend the same accounts.

Pure values, also as JSON. Must not know how they travel. No secret is in them: renewed credentials
are read from the store.
"""

from typing import TypeAlias

import msgspec


class Turned(msgspec.Struct, frozen=True, tag="turned"):
    """An account's new standing: ``state`` is a ``State`` value, the rest as in ``Change``."""

    fingerprint: str
    state: str
    reason: str
    until: float
    lasting: bool
    plain: bool = False


class Renewed(msgspec.Struct, frozen=True, tag="renewed"):
    """The credentials in the account's row are new."""

    fingerprint: str


Notice: TypeAlias = Turned | Renewed
