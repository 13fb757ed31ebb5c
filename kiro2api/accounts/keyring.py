# -*- test-case-name: tests.accounts.test_keyring -*-
"""The credentials in use now, by fingerprint.

Pure. Must not know how they are renewed or stored; who puts credentials here has stored them.
"""

from collections.abc import Callable, Mapping

import msgspec

from kiro2api.accounts.account import Account, Credentials


class Keyring:
    """Holds one set of credentials per account."""

    def __init__(self, configured: Mapping[str, Credentials]) -> None:
        self._credentials = dict(configured)
        # Profiles that were turned to, for neither the store nor the login service knows of it.
        self._turned: dict[str, str] = {}
        self.gone: Callable[[str], object] = _tell_nobody
        """Told the fingerprint when what was learnt of its login does not hold any more."""

    def current(self, fingerprint: str) -> Credentials:
        """What to use now."""
        return self._credentials[fingerprint]

    def knows(self, fingerprint: str) -> bool:
        """Whether there are credentials of this account."""
        return fingerprint in self._credentials

    def find(self, fingerprint: str) -> Credentials | None:
        """The same; None for an account that is gone."""
        return self._credentials.get(fingerprint)

    def forget(self, fingerprint: str) -> None:
        """The account is gone."""
        self._credentials.pop(fingerprint, None)
        self._turned.pop(fingerprint, None)
        self.gone(fingerprint)

    def begin(self, fingerprint: str, credentials: Credentials) -> None:
        """Use these of a new login; nothing that was learnt of the one before holds."""
        self.forget(fingerprint)
        self.put(fingerprint, credentials)

    def turn(self, fingerprint: str, arn: str) -> None:
        """Use this profile, or with an empty one none, whatever is stored or renewed beside it:
        with the other the account is refused."""
        self._turned[fingerprint] = arn
        self.put(fingerprint, self._credentials[fingerprint])

    def turned(self, fingerprint: str) -> bool:
        """Whether its profile was turned to."""
        return fingerprint in self._turned

    def admit(self, account: Account, given: Credentials, *, dead: bool) -> bool:
        """Credentials that somebody read or was given, for an account that is added or changed.

        Those in use may be newer, for a token is rotated at any time: they stay, unless the given
        ones expire later, or those in use are ``dead``. Tells whether others are used now.
        """
        current = self._credentials.get(account.fingerprint)
        if current is None:
            self._credentials[account.fingerprint] = given
            return True
        # A row may hold no more than how the account stands.
        if not given.access_token and not given.refresh_token:
            return False
        same = (given.access_token, given.refresh_token) == (
            current.access_token,
            current.refresh_token,
        )
        newer = dead or account.method == "api_key" or given.expires_at > current.expires_at
        if dead and not same:
            self.begin(account.fingerprint, given)
        elif same or newer:
            self.put(account.fingerprint, given)
        return newer and not same

    def put(self, fingerprint: str, credentials: Credentials) -> None:
        """Use these from now on."""
        arn = self._turned.get(fingerprint, credentials.profile_arn)
        if arn != credentials.profile_arn:
            credentials = msgspec.structs.replace(credentials, profile_arn=arn)
        self._credentials[fingerprint] = credentials

    def lay_over(self, account: Account, stored: Credentials) -> None:
        """Prefer the stored tokens, which may have been rotated, to the configured ones.

        The rest of the configuration wins where it is given, so that an operator can correct it.
        """
        configured = self._credentials[account.fingerprint]
        if account.method == "api_key" or not stored.refresh_token:
            return
        laid = msgspec.structs.replace(
            stored,
            client_id=configured.client_id or stored.client_id,
            client_secret=configured.client_secret or stored.client_secret,
            profile_arn=configured.profile_arn or stored.profile_arn,
        )
        self.put(account.fingerprint, laid)


def _tell_nobody(fingerprint: str) -> None:
    """Nobody has learnt anything."""
