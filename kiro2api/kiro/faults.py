# -*- test-case-name: tests.kiro.test_faults -*-
"""What a refusal of the upstream means: status, headers, body or exception frame → one fault.

The tables below are the whole knowledge; whoever reads a fault decides only from its class, scope
and kind. Must not know what is done about a fault, nor any dialect.

Wire: the services name errors in three places and with two suffixes, give a ``reason`` only
sometimes, and use one status for different things; the clearest sign is therefore asked first:
reason, then phrases, then the error's name, then the status.
"""

import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Final, NamedTuple

import msgspec

from kiro2api.errors import (
    AccessRefused,
    AccountSuspended,
    CredentialsRejected,
    Kind,
    ModelOverloaded,
    QuotaExhausted,
    Scope,
    Throttled,
    UpstreamFault,
    UpstreamRefused,
    UpstreamUnavailable,
)
from kiro2api.kiro.payloads import Fault
from kiro2api.wire.eventstream import Frame

MAX_MESSAGE: Final = 500


class Verdict(NamedTuple):
    """One meaning. ``kind`` and ``scope`` override those of the class."""

    fault: type[UpstreamFault]
    wording: str
    kind: Kind | None = None
    scope: Scope | None = None


_OVERFLOW: Final = Verdict(
    UpstreamRefused, "the prompt is too long for the model", Kind.CONTEXT_OVERFLOW
)
_OVERLOADED: Final = Verdict(ModelOverloaded, "the model has no capacity at the moment")
_QUOTA: Final = Verdict(QuotaExhausted, "the account's quota is used up")
_SUSPENDED: Final = Verdict(AccountSuspended, "the provider has suspended the account")
_MODEL: Final = Verdict(
    UpstreamRefused,
    "the upstream does not offer this model",
    Kind.MODEL_NOT_FOUND,
    Scope.ACCOUNT_MODEL,
)
_THROTTLED: Final = Verdict(Throttled, "the upstream limits the rate of requests")
_CREDENTIALS: Final = Verdict(CredentialsRejected, "the upstream does not accept the access token")
_ACCESS: Final = Verdict(AccessRefused, "the upstream does not allow this account the call")
_REFUSED: Final = Verdict(UpstreamRefused, "the upstream refused the request")
_TOO_LARGE: Final = Verdict(
    UpstreamRefused, "the request is too large for the upstream", Kind.TOO_LARGE
)
_UNAVAILABLE: Final = Verdict(UpstreamUnavailable, "the upstream failed")
_BLOCKED: Final = Verdict(
    AccessRefused, "something in front of the upstream blocked the call", scope=Scope.SERVICE
)
_CONVERSATION: Final = Verdict(UpstreamRefused, "the upstream ended this conversation")

_BY_REASON: Final[Mapping[str, Verdict]] = {
    "CONTENT_LENGTH_EXCEEDS_THRESHOLD": _OVERFLOW,
    "PROMPT_TOO_LONG": _OVERFLOW,
    "INSUFFICIENT_MODEL_CAPACITY": _OVERLOADED,
    "MODEL_TEMPORARILY_UNAVAILABLE": _OVERLOADED,
    "MONTHLY_REQUEST_COUNT": _QUOTA,
    "DAILY_REQUEST_COUNT": _QUOTA,
    "OVERAGE_REQUEST_LIMIT_EXCEEDED": _QUOTA,
    "CONVERSATION_LIMIT_EXCEEDED": _CONVERSATION,
    "TEMPORARILY_SUSPENDED": _SUSPENDED,
    "INVALID_MODEL_ID": _MODEL,
}

# All texts of one row must occur, in lower case, in what the upstream says; the rows for one
# status (0: any) only there. The reasons stand here again because old planes put them into texts.
_BY_PHRASE: Final[tuple[tuple[int, tuple[str, ...], Verdict], ...]] = (
    (0, ("input is too long",), _OVERFLOW),
    (0, ("insufficient_model_capacity",), _OVERLOADED),
    (500, ("encountered unexpectedly high load",), _OVERLOADED),
    (0, ("monthly_request_count",), _QUOTA),
    (0, ("suspended", "locked your account"), _SUSPENDED),
    (403, ("bearer token", "invalid"), _CREDENTIALS),
    (403, ("bearer token", "expired"), _CREDENTIALS),
    (400, ("profilearn",), _ACCESS),
)

# The status that an error's name stands for, wherever it was sent with another one.
_STATUS_OF: Final[Mapping[str, int]] = {
    "Validation": 400,
    "ExpiredToken": 401,
    "UnrecognizedClient": 401,
    "Unauthorized": 401,
    "ServiceQuotaExceeded": 402,
    "AccessDenied": 403,
    "ResourceNotFound": 404,
    "Conflict": 409,
    "ContentLengthExceeded": 413,
    "Throttling": 429,
    "TooManyRequests": 429,
    "InternalServer": 500,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}

_BY_STATUS: Final[Mapping[int, Verdict]] = {
    400: _REFUSED,
    401: _CREDENTIALS,
    402: _QUOTA,
    403: _ACCESS,
    404: _REFUSED,
    409: _REFUSED,
    413: _TOO_LARGE,
    422: _REFUSED,
    429: _THROTTLED,
}

_JSON: Final = msgspec.json.Decoder(Fault)
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Tokens, signatures and the like; and the values that validation messages quote back.
_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/=_-]{40,}|\bksk_\S+|\beyJ\S+|(?<=earer )[\w.+/=-]{16,}")
_QUOTED: Final = re.compile(r"(?<=alue )'.*?'(?= at )|(?<=alue )\".*?\"(?= at )", re.DOTALL)


def classify(status: int, headers: Mapping[str, str], body: bytes, now: float) -> UpstreamFault:
    """The fault that an HTTP answer other than a good one amounts to.

    :param headers: by lower-case name.
    :param body: as much of it as was read.
    :param now: epoch seconds, for a ``Retry-After`` that is a date.
    """
    said = _parse(body)
    name = headers.get("x-amzn-errortype") or (said.type if said else "") or ""
    request_id = headers.get("x-amzn-requestid", "")
    return _fault(
        status,
        name or (said.code if said else "") or "",
        said,
        body.decode("utf-8", "replace"),
        http_status=status,
        retry_after=_retry_after(headers.get("retry-after", ""), now),
        request_id=request_id if _WORD.fullmatch(request_id) else None,
    )


def from_exception_frame(frame: Frame) -> UpstreamFault:
    """The fault of a frame with ``:message-type: exception``.

    Wire: ``:exception-type: error`` is the one modelled member, an InternalServerException; its
    payload may name something more precise.
    """
    said = _parse(frame.payload)
    name = frame.headers.exception_type
    if said is not None and name in ("", "error"):
        name = said.type or said.code or name
    return _fault(0, name, said, "")


def from_error_frame(frame: Frame) -> UpstreamFault:
    """The fault of a frame with ``:message-type: error``: a code and a message in its headers."""
    said = Fault(message=frame.headers.error_message)
    return _fault(0, frame.headers.error_code, said, "")


def from_invalid_state(reason: str, message: str) -> UpstreamFault:
    """The fault of an ``invalidStateEvent``: the conversation cannot be continued like this."""
    return UpstreamRefused(_message(_CONVERSATION.wording, message), code=_word(reason))


def _fault(
    status: int,
    name: str,
    said: Fault | None,
    body: str,
    *,
    http_status: int | None = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> UpstreamFault:
    """:param status: 0 inside a stream, where only the name tells.
    :param said: the error's JSON, None where it was something else."""
    name = name.rpartition("#")[2].partition(":")[0].strip()
    reason = (said.reason if said else "") or ""
    message = ((said.message or said.Message) if said else "") or ""
    if status != 401:
        # The status 401 is never about anything else than the token.
        status = _STATUS_OF.get(_base(name), status)
    spoken = f"{reason} {message}" if said else body
    verdict = _BY_REASON.get(reason) or _by_phrase(status, spoken.lower())
    if verdict is None:
        # An error page of a firewall or proxy says nothing about the account.
        verdict = _BLOCKED if status == 403 and said is None else _BY_STATUS.get(status)
    fault, wording, kind, scope = verdict or _UNAVAILABLE
    return fault(
        _message(wording, message),
        kind=kind,
        scope=scope,
        code=_word(reason) or _word(name),
        status=http_status,
        retry_after=retry_after,
        request_id=request_id,
    )


def _by_phrase(status: int, spoken: str) -> Verdict | None:
    for only, phrases, verdict in _BY_PHRASE:
        # Status 0: a frame whose name says nothing.
        fits = only in (0, status) or (only == 500 and status in (0, 503))
        if fits and all(phrase in spoken for phrase in phrases):
            return verdict
    return None


def _parse(body: bytes) -> Fault | None:
    """The body's JSON object as far as it has the expected shape, None where it is no object."""
    try:
        return _JSON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    return msgspec.convert(texts, Fault)


def _base(name: str) -> str:
    return name.removesuffix("Exception").removesuffix("Error")


def _word(text: str) -> str | None:
    return text if _WORD.fullmatch(text) else None


def _message(wording: str, message: str) -> str:
    """Our words, then the upstream's, without what could be a secret, content or a control."""
    quoted = _QUOTED.sub("'…'", message[: 8 * MAX_MESSAGE])
    plain = _OPAQUE.sub("…", quoted)
    shown = "".join(char if char.isprintable() else " " for char in plain).strip()
    if len(shown) > MAX_MESSAGE:
        shown = shown[: MAX_MESSAGE - 1] + "…"
    return f"{wording}: {shown}" if shown else wording


def _retry_after(value: str, now: float) -> float | None:
    """Wire: seconds, or a date as HTTP writes it."""
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        date = parsedate_tz(value[:64])
        return None if date is None else max(0.0, mktime_tz(date) - now)
    except (ValueError, OverflowError):
        return None
