# -*- test-case-name: tests.web.admin.test_backup_sealed -*-
"""A text that is given away only with a passphrase: AES-256-GCM under a key derived by scrypt.

Must not know what is in it. Slow on purpose and so not for the reactor's thread. The document is
JSON: ``format``, ``version``, ``kdf`` {name, n, r, p, salt}, ``cipher``, ``nonce``, ``data``, with
octets in base64; all of the head is authenticated with the content.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import scrypt
from typing import Any, Final, Literal

import msgspec

from kiro2api.errors import RequestRejected
from kiro2api.redaction import Secret

FORMAT: Final = "kiro2api-backup"
SHORTEST: Final = 12
SALT: Final = 16
NONCE: Final = 12

_N: Final = 2**15
_LARGEST_N: Final = 2**17
_R: Final = 8
_CIPHER: Final = "AES-256-GCM"


class Derivation(msgspec.Struct, frozen=True):
    """How the key follows from the passphrase."""

    salt: str
    n: int = _N
    r: int = _R
    p: int = 1
    name: Literal["scrypt"] = "scrypt"


class Sealed(msgspec.Struct, frozen=True):
    """The document."""

    kdf: Derivation
    nonce: str
    data: str
    format: str = FORMAT
    version: int = 1
    cipher: str = _CIPHER
    created_at: str = ""


def seal(content: bytes, passphrase: Secret, entropy: bytes, created_at: str) -> Sealed:
    """The document for this content.

    :param entropy: ``SALT + NONCE`` fresh random octets.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = entropy[:SALT], entropy[SALT:][:NONCE]
    head = Sealed(Derivation(_text(salt)), _text(nonce), "", created_at=created_at)
    data = AESGCM(_key(passphrase, head.kdf)).encrypt(nonce, content, _authenticated(head))
    return msgspec.structs.replace(head, data=_text(data))


def is_sealed(document: object) -> bool:
    """Whether that is such a document, whole or not."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def unseal(document: Any, passphrase: Secret) -> bytes:
    """The content.

    :raises RequestRejected: the passphrase is not the one, or the document is damaged or newer.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        sealed = msgspec.convert(document, Sealed)
    except msgspec.ValidationError:
        raise RequestRejected("the document is damaged", param="document") from None
    if sealed.version != 1 or sealed.cipher != _CIPHER:
        raise RequestRejected(
            "the document was written by a newer version of kiro2api", param="document"
        )
    if not passphrase:
        raise RequestRejected("the document needs its passphrase", param="passphrase")
    try:
        data, nonce = b64decode(sealed.data, validate=True), b64decode(sealed.nonce, validate=True)
        key = _key(passphrase, sealed.kdf)
        return AESGCM(key).decrypt(nonce, data, _authenticated(sealed))
    except InvalidTag:
        raise RequestRejected(
            "this is not the passphrase, or the document was changed", param="passphrase"
        ) from None
    except (NotBase64, ValueError, OverflowError):
        raise RequestRejected("the document is damaged", param="document") from None


def _key(passphrase: Secret, kdf: Derivation) -> bytes:
    if not (2 <= kdf.n <= _LARGEST_N and kdf.r == _R and kdf.p == 1):
        # Others would cost more memory or time than anybody should be made to spend.
        raise ValueError("unknown parameters")
    salt = b64decode(kdf.salt, validate=True)
    return scrypt(
        passphrase.reveal().encode("utf-8"),
        salt=salt,
        n=kdf.n,
        r=kdf.r,
        p=kdf.p,
        maxmem=2 * 128 * kdf.n * kdf.r,
        dklen=32,
    )


def _authenticated(sealed: Sealed) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(sealed, data=""), order="deterministic")


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
