# -*- test-case-name: tests.accounts.test_sources -*-
"""One configured account, read tolerantly: many tools spell the same fields differently.

Pure. Must not know where the object came from, nor the other entries. No message here repeats a
configured value, since any of them may be a secret in the wrong place.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kiro2api.accounts.account import Credentials, Method, is_profile_arn, is_token
from kiro2api.accounts.expiry import parse_expiry
from kiro2api.redaction import Secret

VARIABLE: Final = "KIRO_AUTH_TOKEN"
_KEY_PREFIX: Final = "ksk_"

_METHODS: Final[dict[str, Method]] = {
    "social": "social",
    "google": "social",
    "github": "social",
    "idc": "idc",
    "builderid": "idc",
    "enterprise": "idc",
    "apikey": "api_key",
}

_METHOD_FIELDS: Final = ("auth", "authMethod", "auth_method", "type")
_KEY_FIELDS: Final = ("apiKey", "api_key", "key")
_EXPIRY_FIELDS: Final = ("expiresAt", "expires_at")

Registration = Callable[[str], str | None]
"""Gives the text of the client registration of that ``clientIdHash``, None if there is none."""


class SourceError(ValueError):
    """The configured accounts cannot be used; one line that names entry and field."""


class Entry:
    """One configured object, read tolerantly."""

    def __init__(self, number: int, fields: dict[str, object], registration: Registration) -> None:
        self.number = number
        self._fields = fields
        self._registration = registration
        self.warnings: list[str] = []

    def text(self, *names: str) -> str:
        """The first of these fields that is given, stripped; empty if none is."""
        for name in names:
            value = self._fields.get(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise self.error(name, "must be a string")
            if value.strip():
                return value.strip()
        return ""

    def token(self, *names: str) -> str:
        """The same for a secret."""
        value = self.text(*names)
        if value and not is_token(value):
            raise self.error(names[0], "holds characters that no token has")
        return value

    def flag(self, name: str) -> bool:
        value = self._fields.get(name, False)
        if isinstance(value, str):
            value = {"true": True, "false": False, "": False}.get(value.strip().lower())
        if value is None and self._fields[name] is None:
            return False
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def expiry(self) -> float:
        for name in _EXPIRY_FIELDS:
            if self._fields.get(name) is not None:
                try:
                    return parse_expiry(self._fields[name])
                except ValueError as error:
                    raise self.error(name, str(error)) from None
        return 0.0

    def checked(self, name: str, default: str, good: Callable[[str], bool], rule: str) -> str:
        value = self.text(name) or default
        if not good(value):
            raise self.error(name, rule)
        return value

    def error(self, field: str, rule: str) -> SourceError:
        return SourceError(f"{VARIABLE}, entry {self.number}, field {field}: {rule}")

    def warn(self, text: str) -> None:
        self.warnings.append(f"{VARIABLE}, entry {self.number}: {text}")

    def api_key(self) -> str:
        key = self.token(*_KEY_FIELDS)
        if not key:
            access = self.token("accessToken", "access_token")
            key = access if access.startswith(_KEY_PREFIX) else ""
        return key

    def method(self) -> Method:
        for name in _METHOD_FIELDS:
            said = self.text(name)
            if said:
                folded = said.lower().replace("-", "").replace("_", "").replace(" ", "")
                if folded not in _METHODS:
                    raise self.error(name, "must be Social, IdC or ApiKey")
                return _METHODS[folded]
        if self.api_key().startswith(_KEY_PREFIX):
            return "api_key"
        if self.text("clientId", "client_id", "clientIdHash"):
            return "idc"
        return "social"

    def client(self) -> tuple[str, str]:
        """Client id and secret, from beside the file where only their hash is given."""
        client_id = self.text("clientId", "client_id")
        secret = self.token("clientSecret", "client_secret")
        name = self.text("clientIdHash")
        if name and not (client_id and secret):
            if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
                raise self.error("clientIdHash", "is not such a hash")
            found = self._registration(name)
            if found is None:
                raise self.error("clientIdHash", "its registration file cannot be read")
            try:
                beside = msgspec.json.decode(found, type=dict[str, object])
            except (msgspec.DecodeError, UnicodeError):
                raise self.error("clientIdHash", "its registration file is not JSON") from None
            other = Entry(self.number, beside, self._registration)
            client_id = other.text("clientId", "client_id")
            secret = other.token("clientSecret", "client_secret")
        if not client_id:
            raise self.error("clientId", "is missing")
        if not secret:
            raise self.error("clientSecret", "is missing")
        return client_id, secret

    def profile_arn(self, method: Method) -> str:
        arn = self.text("profileArn", "profile_arn")
        if arn and method == "api_key":
            self.warn("profileArn is ignored, an API key takes none")
            return ""
        if arn and not is_profile_arn(arn):
            self.warn("profileArn does not have the form of a profile ARN and is ignored")
            return ""
        return arn

    def credentials(self, method: Method) -> Credentials:
        arn = self.profile_arn(method)
        if method == "api_key":
            key = self.api_key()
            if not key:
                raise self.error("apiKey", "is missing")
            if not key.startswith(_KEY_PREFIX):
                self.warn(f"apiKey does not begin with {_KEY_PREFIX}")
            return Credentials(Secret(key), Secret(""))
        refresh = self.token("refreshToken", "refresh_token")
        if not refresh:
            raise self.error("refreshToken", "is missing")
        client_id, client_secret = self.client() if method == "idc" else ("", "")
        return Credentials(
            access_token=Secret(self.token("accessToken", "access_token")),
            refresh_token=Secret(refresh),
            expires_at=self.expiry(),
            client_id=client_id,
            client_secret=Secret(client_secret),
            profile_arn=arn,
        )
