# -*- test-case-name: tests.test_errors -*-
"""Every failure that kiro2api can name, as one tree.

Knows neither HTTP libraries nor dialects: a failure says what happened (``kind``), a dialect says
how that looks to its client, the exchange decides from ``scope`` whether another account may try.
Messages are shown to clients and written to logs, so they never hold a secret or a body.
"""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What went wrong, in the client's terms; each dialect maps it to a status and a type."""

    INVALID_REQUEST = "invalid_request"
    THREAD_UNSUPPORTED = "thread_unsupported"
    CONTEXT_OVERFLOW = "context_overflow"
    UNAUTHENTICATED = "unauthenticated"
    QUOTA_EXHAUSTED = "quota_exhausted"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    MODEL_NOT_FOUND = "model_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class Scope(Enum):
    """Whom a fault of the upstream concerns, and so who may try instead."""

    REQUEST = "request"
    """The request itself: no account would fare better, nobody is parked."""
    CREDENTIALS = "credentials"
    """The access token: refresh it once, then try the next account."""
    ACCOUNT = "account"
    """This account: park it, try the next."""
    ACCOUNT_MODEL = "account_model"
    """This account with this model: it is not asked for it for a while; another may have it."""
    MODEL = "model"
    """This model at this moment: one more account may try, nobody is parked; for others of the
    same group the model rests for some seconds."""
    SERVICE = "service"
    """The service or the way to it: cool the account down briefly, try the next."""


class KiroError(Exception):
    """The root. ``message`` is safe for clients and logs.

    :param retry_after: seconds after which a new try makes sense, if known.
    :param param: path of the offending field in the client's own body, e.g. ``messages[2].role``.
    :param code: a dialect-independent machine-readable detail, e.g. an upstream reason.
    :param details: small extra facts that a dialect may render.
    """

    default_kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        kind: Kind | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        code: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = self.default_kind if kind is None else kind
        self.retry_after = retry_after
        self.param = param
        self.code = code
        self.details: Mapping[str, object] = {} if details is None else details


# ── the client's side ────────────────────────────────────────────────────────


class RequestRejected(KiroError):
    """The client's request cannot be served as it is; ``param`` names the field."""

    default_kind = Kind.INVALID_REQUEST


class Unauthorized(KiroError):
    """No key, or a wrong one."""

    default_kind = Kind.UNAUTHENTICATED


class Forbidden(KiroError):
    """A good key that may not do this."""

    default_kind = Kind.FORBIDDEN


class NotFound(KiroError):
    """No such path or object."""

    default_kind = Kind.NOT_FOUND


class MethodNotAllowed(KiroError):
    """The path exists, the method does not."""

    default_kind = Kind.METHOD_NOT_ALLOWED


class ModelNotFound(KiroError):
    """No account offers this model."""

    default_kind = Kind.MODEL_NOT_FOUND


class Conflict(KiroError):
    """An operator wants what cannot be had beside what is there; ``details`` may show that.

    Only the operator's API meets it, which answers 409.
    """

    default_kind = Kind.INVALID_REQUEST


class BodyTooLarge(KiroError):
    """The request body exceeds the configured limit."""

    default_kind = Kind.TOO_LARGE


# ── our own side ─────────────────────────────────────────────────────────────


class NoAccountAvailable(KiroError):
    """Nobody can serve now; ``retry_after`` is when the first account returns, if known."""

    default_kind = Kind.RATE_LIMITED


class ShuttingDown(KiroError):
    """The service is draining and takes no new work."""

    default_kind = Kind.UNAVAILABLE


# ── the upstream's side ──────────────────────────────────────────────────────


class UpstreamFault(KiroError):
    """The upstream answered with, or amounted to, a failure.

    :param status: HTTP status of the upstream, or None where there was none.
    :param request_id: the upstream's ``x-amzn-requestid``, for its support.
    :param scope: overrides the scope of the class where the case at hand differs.
    """

    default_scope: ClassVar[Scope] = Scope.SERVICE

    def __init__(
        self,
        message: str,
        *,
        kind: Kind | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        details: Mapping[str, object] | None = None,
        status: int | None = None,
        request_id: str | None = None,
        scope: Scope | None = None,
    ) -> None:
        super().__init__(message, kind=kind, retry_after=retry_after, code=code, details=details)
        self.status = status
        self.request_id = request_id
        self.scope = self.default_scope if scope is None else scope


class Throttled(UpstreamFault):
    """This account is asked too often."""

    default_kind = Kind.RATE_LIMITED
    default_scope = Scope.ACCOUNT


class QuotaExhausted(UpstreamFault):
    """This account's credits are spent until they are reset."""

    default_kind = Kind.QUOTA_EXHAUSTED
    default_scope = Scope.ACCOUNT


class AccountSuspended(UpstreamFault):
    """The provider has locked this account; only its owner can have that lifted."""

    default_kind = Kind.FORBIDDEN
    default_scope = Scope.ACCOUNT


class CredentialsRejected(UpstreamFault):
    """The access token is invalid or expired; a refresh may mend it."""

    default_kind = Kind.UNAVAILABLE
    default_scope = Scope.CREDENTIALS


class AccessRefused(UpstreamFault):
    """The account may not make this call (wrong profile, region or feature)."""

    default_kind = Kind.FORBIDDEN
    default_scope = Scope.ACCOUNT


class ModelOverloaded(UpstreamFault):
    """The model has no capacity at the moment."""

    default_kind = Kind.OVERLOADED
    default_scope = Scope.MODEL


class UpstreamRefused(UpstreamFault):
    """The upstream finds the request itself at fault (validation, size, model id)."""

    default_kind = Kind.INVALID_REQUEST
    default_scope = Scope.REQUEST


class UpstreamUnavailable(UpstreamFault):
    """A 5xx, a refused or broken connection, a timeout before the answer began."""

    default_kind = Kind.UNAVAILABLE
    default_scope = Scope.SERVICE


class ProtocolViolation(UpstreamFault):
    """The upstream's bytes are not a valid event stream."""

    default_kind = Kind.UNAVAILABLE


class StreamTruncated(UpstreamFault):
    """The answer stopped before its end."""

    default_kind = Kind.UNAVAILABLE


class StreamStalled(UpstreamFault):
    """The answer fell silent for longer than allowed."""

    default_kind = Kind.TIMEOUT
