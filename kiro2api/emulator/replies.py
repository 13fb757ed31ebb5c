# -*- test-case-name: tests.emulator.test_app -*-
"""Whole replies of the emulator, and refusals in the upstream's two spellings.

Wire: data plane and control plane name an error in ``x-amzn-ErrorType`` and answer
``{"message", "reason"}``; the login services answer ``{"error", "error_description"}``.
"""

from typing import Final

import msgspec

JSON: Final = "application/json"
INVALID_JSON: Final = "REQUEST_BODY_INVALID_JSON"

_STATUS = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "ExpiredTokenException": 403,
    "InternalServerException": 500,
    "InvalidClientException": 401,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 401,
}


class Reply(msgspec.Struct, frozen=True):
    """A complete HTTP reply."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """Ends an operation with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"refused with {reply.status}")
        self.reply = reply


def json_reply(value: object) -> Reply:
    """200 with JSON."""
    return Reply(200, msgspec.json.encode(value))


def status_of(error: str) -> int:
    """The usual status of a named exception."""
    return _STATUS.get(error, 400)


def refusal(
    error: str,
    message: str,
    reason: str | None = None,
    *,
    status: int = 0,
    retry_after: str = "",
) -> Reply:
    """An exception of the data or control plane."""
    body = msgspec.json.encode({"message": message, "reason": reason})
    return Reply(status or status_of(error), body, JSON, _headers(error, retry_after))


def oauth_refusal(
    error: str, code: str, message: str, *, status: int = 0, retry_after: str = ""
) -> Reply:
    """An exception of a login service; ``code`` is its OAuth name."""
    body = msgspec.json.encode({"error": code, "error_description": message})
    return Reply(status or status_of(error), body, JSON, _headers(error, retry_after))


def invalid(message: str, reason: str | None) -> Refused:
    """A ValidationException, to be raised."""
    return Refused(refusal("ValidationException", message, reason))


def denied(message: str, reason: str | None = None) -> Refused:
    """An AccessDeniedException, to be raised."""
    return Refused(refusal("AccessDeniedException", message, reason))


def _headers(error: str, retry_after: str) -> tuple[tuple[str, str], ...]:
    headers = []
    if error:
        headers.append(("x-amzn-ErrorType", error))
    if retry_after:
        headers.append(("Retry-After", retry_after))
    return tuple(headers)
