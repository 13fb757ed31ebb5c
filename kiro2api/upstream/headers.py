# -*- test-case-name: tests.upstream.test_headers -*-
"""The headers of our requests, and what we read of the answers' headers.

Must not know when a request is made nor what it asks. Header values hold the access token: nothing
here is ever logged.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from twisted.web.http_headers import Headers

from kiro2api.accounts.account import Account, Credentials

EVENT_STREAM: Final = b"application/vnd.amazon.eventstream"
JSON: Final = b"application/json"

_INVOCATION: Final = b"amz-sdk-invocation-id"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")
_REMEMBERED: Final = 1024


class _Prepared(NamedTuple):
    credentials: Credentials
    answering: Headers

    def __repr__(self) -> str:
        # Twisted's headers show their values, the access token among them.
        return f"<prepared headers with {self.credentials!r}>"


class RequestHeaders:
    """Makes requests' headers; the constant part is kept per account.

    Wire: only ``Authorization`` and the content type are demanded; ``tokentype`` tells an API key
    from a session. We name ourselves and imitate nobody.

    :param version: of kiro2api, for the user agent.
    :param entropy: gives a new UUID as text.
    """

    def __init__(self, version: str, entropy: Callable[[], str]) -> None:
        self._agent = f"kiro2api/{version}".encode("ascii", "replace")
        self._entropy = entropy
        self._prepared: dict[str, _Prepared] = {}

    def answering(self, account: Account, credentials: Credentials) -> Headers:
        """For a request whose answer is an event stream. The caller owns the result."""
        prepared = self._prepared.get(account.fingerprint)
        if prepared is None or prepared.credentials is not credentials:
            if len(self._prepared) >= _REMEMBERED:
                self._prepared.clear()
            headers = self._common(account, credentials)
            headers.setRawHeaders(b"content-type", [JSON])
            headers.setRawHeaders(b"accept", [EVENT_STREAM])
            headers.setRawHeaders(b"x-amzn-codewhisperer-optout", [b"true"])
            headers.setRawHeaders(b"x-amzn-kiro-agent-mode", [b"vibe"])
            prepared = self._prepared[account.fingerprint] = _Prepared(credentials, headers)
        return self._identified(prepared.answering.copy())

    def asking(self, account: Account, credentials: Credentials, *, body: bool) -> Headers:
        """For a request of the control plane, whose answer is JSON."""
        headers = self._common(account, credentials)
        headers.setRawHeaders(b"accept", [JSON])
        if body:
            headers.setRawHeaders(b"content-type", [JSON])
        return self._identified(headers)

    def forget(self, account: Account) -> None:
        """Drop what is kept for an account that was removed."""
        self._prepared.pop(account.fingerprint, None)

    def _common(self, account: Account, credentials: Credentials) -> Headers:
        token = credentials.access_token.reveal()
        headers = Headers(
            {
                b"authorization": [b"Bearer " + token.encode("utf-8")],
                b"amz-sdk-request": [b"attempt=1; max=1"],
                b"user-agent": [self._agent],
                b"x-amz-user-agent": [self._agent],
            }
        )
        if account.method == "api_key":
            headers.setRawHeaders(b"tokentype", [b"API_KEY"])
        return headers

    def _identified(self, headers: Headers) -> Headers:
        headers.setRawHeaders(_INVOCATION, [self._entropy().encode("ascii", "replace")])
        return headers


def request_id_of(headers: Headers) -> str:
    """The upstream's id of the call, "" if there is none that is safe to show."""
    value = _first(headers, b"x-amzn-requestid")
    return value.decode("ascii") if _REQUEST_ID.fullmatch(value) else ""


def is_event_stream(headers: Headers) -> bool:
    """Whether the body is announced as an event stream; no announcement is believed too, the
    frames' checksums tell."""
    value = _first(headers, b"content-type")
    return value in (EVENT_STREAM, b"") or (
        value.partition(b";")[0].strip().lower() == EVENT_STREAM
    )


def plain(headers: Headers) -> dict[str, str]:
    """Lower-case names to their first value, as text."""
    return {
        name.decode("latin-1").lower(): values[0].decode("latin-1")
        for name, values in headers.getAllRawHeaders()
        if values
    }


def _first(headers: Headers, name: bytes) -> bytes:
    values = headers.getRawHeaders(name)
    return values[0] if values else b""
