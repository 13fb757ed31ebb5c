# -*- test-case-name: tests.accounts.test_keyring -*-
"""The credentials in use now, by fingerprint.

Pure. Must not know how they are renewed or stored; who puts credentials here has stored them.
"""

from collections.abc import Mapping

import msgspec

from kiro2api.accounts.account import Account, Credentials


class Keyring:
    """Holds one set of credentials per account."""

    def __init__(self, configured: Mapping[str, Credentials]) -> None:
        self._credentials = dict(configured)

    def current(self, fingerprint: str) -> Credentials:
        """What to use now."""
        return self._credentials[fingerprint]

    def put(self, fingerprint: str, credentials: Credentials) -> None:
        """Use these from now on."""
        self._credentials[fingerprint] = credentials

    def lay_over(self, account: Account, stored: Credentials) -> None:
        """Prefer the stored tokens, which may have been rotated, to the configured ones.

        The rest of the configuration wins where it is given, so that an operator can correct it.
        """
        configured = self._credentials[account.fingerprint]
        if account.method == "api_key" or not stored.refresh_token:
            return
        self._credentials[account.fingerprint] = msgspec.structs.replace(
            stored,
            client_id=configured.client_id or stored.client_id,
            client_secret=configured.client_secret or stored.client_secret,
            profile_arn=configured.profile_arn or stored.profile_arn,
        )
