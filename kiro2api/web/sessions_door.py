# -*- test-case-name: tests.web.test_sessions_door -*-
"""The resource in front of all others: what the store must say of a session is read first.

Must not know what a session is. The model APIs, which know no sessions, are never kept waiting.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from kiro2api.errors import Kind, KiroError
from kiro2api.web.reply import send_error
from kiro2api.web.site import ApiRequest


@implementer(IResource)
class SessionDoor(Resource):
    """Passes requests on.

    :param settle: fires when a request can be identified.
    """

    isLeaf = True
    log = Logger()

    def __init__(self, inner: IResource, settle: Callable[[ApiRequest], Deferred[None]]) -> None:
        super().__init__()
        self._inner = inner
        self._settle = settle

    def render(self, request: ApiRequest) -> int | bytes:
        """Pass it on, at once if nothing has to be read."""
        if request.location.path.startswith("/v1/") or not request.getHeader(b"cookie"):
            return self._pass_on(request)
        outcome: list[object] = []
        settling = self._settle(request).addBoth(outcome.append)
        if outcome:
            return self._answer(request, outcome[0])
        left: list[object] = []
        request.notifyFinish().addErrback(left.append)

        def later(result: object) -> None:
            if left:
                return
            if isinstance(outcome[0], Failure):
                request.write(self._failed(request, outcome[0]))
                request.finish()
            else:
                request.render(self._inner)

        settling.addCallback(later).addErrback(request.processingFailed)
        return NOT_DONE_YET

    def _answer(self, request: ApiRequest, outcome: object) -> int | bytes:
        if isinstance(outcome, Failure):
            return self._failed(request, outcome)
        return self._pass_on(request)

    def _pass_on(self, request: ApiRequest) -> int | bytes:
        answer: int | bytes = self._inner.render(request)
        return answer

    def _failed(self, request: ApiRequest, failure: Failure) -> bytes:
        self.log.warn("a session could not be read: {reason}", reason=failure.getErrorMessage())
        unavailable = KiroError(
            "the session cannot be read at the moment; try again",
            kind=Kind.UNAVAILABLE,
            retry_after=1.0,
        )
        return send_error(request, unavailable)
