# -*- test-case-name: tests.store.test_sealing -*-
"""Texts that only somebody with the key can read, for secrets at rest.

AES-256-GCM with a random nonce. Each text is bound to its place, so that it opens nowhere else.
Must not know what is sealed or where it is kept.

A sealed text is ``sealed.1.KEY.BASE64``, where KEY names the key (8 hexadecimal digits of its own
derivation) and BASE64 holds the nonce (12 bytes) and the ciphertext with its tag.
"""

import os
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from hashlib import scrypt
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from kiro2api.redaction import Secret
from kiro2api.store.migrate import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SHORTEST: Final = 16
CREDENTIAL: Final = "kiro2api-secret-key"

_MARK: Final = "sealed.1."
_NONCE: Final = 12
_SALT: Final = b"kiro2api secrets at rest"


class Seal(Protocol):
    """Seals and opens. ``place``: what the text belongs to; opening needs the same one.

    The empty text stays as it is.
    """

    def seal(self, text: str, place: str = "") -> str:
        """The text as it is to be kept."""

    def open(self, text: str, place: str = "") -> str:
        """The text itself; raises StoreError if that cannot be had. One that was never sealed is
        given back as it is."""

    def is_current(self, text: str) -> bool:
        """Whether it is kept as ``seal`` would keep it now."""


def make_seal(keys: Sequence[Secret]) -> Seal:
    """The first key seals, all open; without any, texts are kept in clear.

    :raises StoreError: a key is too short.
    """
    for key in keys:
        if len(key.reveal()) < SHORTEST:
            raise StoreError(f"KIRO_SECRET_KEY: a key needs at least {SHORTEST} characters")
    return _Sealing(keys) if keys else _Clear()


def secret_keys(configured: Sequence[Secret], environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """The configured keys, then those of the credential that systemd hands over.

    That is the file ``kiro2api-secret-key`` in $CREDENTIALS_DIRECTORY: one key, or several
    separated by commas or lines.

    :raises StoreError: the file is there and cannot be read.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder) / CREDENTIAL
    if not folder or not path.exists():
        return tuple(configured)
    try:
        words = path.read_text("utf-8").replace("\n", ",").split(",")
    except (OSError, UnicodeError):
        raise StoreError(f"the credential {CREDENTIAL} cannot be read") from None
    return (*configured, *(Secret(word.strip()) for word in words if word.strip()))


class _Clear:
    """No key."""

    def seal(self, text: str, place: str = "") -> str:
        return text

    def open(self, text: str, place: str = "") -> str:
        if text.startswith(_MARK):
            raise StoreError(
                "the stored credentials are encrypted and no key is set; nothing was changed."
                " Set KIRO_SECRET_KEY to the key that they were encrypted with"
            )
        return text

    def is_current(self, text: str) -> bool:
        return not text.startswith(_MARK)


class _Sealing:
    """With keys; an old one is derived only when something is met that the first did not seal."""

    def __init__(
        self, keys: Sequence[Secret], entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._waiting = list(keys)
        self._entropy = entropy
        self._first = ""
        self._known: dict[str, AESGCM] = {}

    def seal(self, text: str, place: str = "") -> str:
        if not text:
            return text
        name = self._newest()
        nonce = self._entropy(_NONCE)
        sealed = self._known[name].encrypt(nonce, text.encode("utf-8"), place.encode("utf-8"))
        return f"{_MARK}{name}.{urlsafe_b64encode(nonce + sealed).decode('ascii')}"

    def open(self, text: str, place: str = "") -> str:
        if not text.startswith(_MARK):
            return text
        from cryptography.exceptions import InvalidTag

        name, _, packed = text.removeprefix(_MARK).partition(".")
        key = self._key(name)
        try:
            content = b64decode(packed, altchars=b"-_", validate=True)
            opened = key.decrypt(content[:_NONCE], content[_NONCE:], place.encode("utf-8"))
        except (InvalidTag, NotBase64, ValueError):
            raise StoreError(
                f"the stored secret {place or '?'} was changed from outside and cannot be"
                " decrypted; nothing was changed. Put a copy of the database back, or delete that"
                " row"
            ) from None
        return opened.decode("utf-8")

    def is_current(self, text: str) -> bool:
        return not text or text.startswith(f"{_MARK}{self._newest()}.")

    def _newest(self) -> str:
        if not self._first:
            self._first = self._derive()
        return self._first

    def _key(self, name: str) -> "AESGCM":
        self._newest()
        while name not in self._known and self._waiting:
            self._derive()
        if name not in self._known:
            raise StoreError(
                "the stored credentials are encrypted with another key; nothing was changed."
                " Set KIRO_SECRET_KEY to that key, or to a new and that one, separated by a comma"
            )
        return self._known[name]

    def _derive(self) -> str:
        """Slow on purpose (about 50 ms): a key may be a phrase that somebody thought of."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        secret = self._waiting.pop(0).reveal().encode("utf-8")
        derived = scrypt(secret, salt=_SALT, n=2**14, r=8, p=1, dklen=36)
        name = derived[32:].hex()
        self._known[name] = AESGCM(derived[:32])
        return name
