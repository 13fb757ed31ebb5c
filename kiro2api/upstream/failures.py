# -*- test-case-name: tests.upstream.test_failures -*-
"""What the HTTP and TLS libraries raise before an answer began, in our own terms.

The one place that names the libraries' errors. Must not know operations or accounts. A foreign
message never becomes part of ours: it may hold addresses or data.
"""

from collections.abc import Iterator
from typing import Final

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.error import (
    TimeoutError as ConnectTimeout,
)
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss

from kiro2api.errors import UpstreamUnavailable

_WRAPPERS: Final = (ResponseFailed, RequestGenerationFailed, RequestTransmissionFailed)
_CANCELLED: Final = (CancelledError, ConnectingCancelledError)

FOREIGN: Final = (
    *_WRAPPERS,
    *_CANCELLED,
    PotentialDataLoss,
    ConnectError,
    ConnectionClosed,
    ConnectionAborted,
    ConnectTimeout,
    DNSLookupError,
    TLSError,
    VerificationError,
    OSError,
)
"""Everything that a request may fail with because of the network or the other side."""


def timed_out() -> UpstreamUnavailable:
    """Our own time limit struck before the answer began."""
    return UpstreamUnavailable("the upstream did not answer in time", code="timeout")


def fault_of(error: BaseException) -> UpstreamUnavailable:
    """The fault that one of ``FOREIGN`` amounts to."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, UpstreamUnavailable):  # of a proxy on the way
            return cause
    if _any(causes, (TLSError, VerificationError)):
        return UpstreamUnavailable(
            "no trusted TLS connection to the upstream is possible", code="tls_failed"
        )
    if _any(causes, (ConnectTimeout,)):
        return timed_out()
    if _any(causes, (ConnectError, DNSLookupError)):
        return UpstreamUnavailable("the upstream cannot be reached", code="connect_failed")
    return UpstreamUnavailable("the connection to the upstream broke off", code="connection_lost")


def was_cancelled(error: BaseException) -> bool:
    """Whether somebody cancelled the request; the libraries wrap that in errors of their own."""
    return _any(_causes(error), _CANCELLED)


def went_stale(error: BaseException) -> bool:
    """Whether the connection was closed without a single byte of an answer.

    That is how a kept connection looks which the other side gave up while it was idle.
    """
    if not isinstance(error, ResponseNeverReceived | RequestTransmissionFailed):
        return False
    causes = [cause for cause in _causes(error) if not isinstance(cause, _WRAPPERS)]
    return bool(causes) and all(
        isinstance(cause, ConnectionClosed) and not isinstance(cause, ConnectionAborted)
        for cause in causes
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps."""
    yield error
    if isinstance(error, _WRAPPERS):
        for reason in error.reasons:
            yield from _causes(reason.value)


def _any(causes: Iterator[BaseException] | list[BaseException], kinds: tuple[type, ...]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)
