# -*- test-case-name: tests.web.test_root -*-
"""The root of the resource tree: model APIs, the operator's routes, and the console's files."""

from collections.abc import Mapping

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from kiro2api.errors import KiroError, MethodNotAllowed, NotFound, ShuttingDown
from kiro2api.web.console.files import ConsoleFiles, wants_page
from kiro2api.web.reply import send_error
from kiro2api.web.site import ApiRequest

_STATIC = "/static/"
_READ = "GET, HEAD"


@implementer(IResource)
class Root(Resource):
    """Klein resources side by side; each sees canonical paths only.

    :param areas: by the second segment of a path below ``/api``, who answers it; all others are
        the ``operator``'s.
    :param files: of the console; None: there is none.
    """

    isLeaf = True

    def __init__(
        self,
        models: IResource,
        responses: IResource,
        operator: IResource,
        areas: Mapping[str, IResource] | None = None,
        files: ConsoleFiles | None = None,
    ) -> None:
        super().__init__()
        self._models = models
        self._responses = responses
        self._operator = operator
        self._areas = dict(areas or {})
        self._files = files

    def render(self, request: ApiRequest) -> int | bytes:
        """Hand the request to whoever has the path."""
        path = request.location.path
        models = path.startswith("/v1/")
        if models and request.site.draining:
            return send_error(
                request, ShuttingDown("the service is stopping; try again soon", retry_after=5.0)
            )
        if not models and self._files is not None:
            if path.startswith(_STATIC):
                return self._file(request, self._files, path[len(_STATIC) :])
            if path == "/" and wants_page(request):
                return self._file(request, self._files, "index.html")
        answer: int | bytes = self._chosen(path, models).render(request)
        return answer

    def _chosen(self, path: str, models: bool) -> IResource:
        if path == "/v1/responses" or path.startswith("/v1/responses/"):
            return self._responses
        if models:
            return self._models
        if path.startswith("/api/"):
            return self._areas.get(path.split("/", 3)[2], self._operator)
        return self._areas.get(path[1:], self._operator)

    def _file(self, request: ApiRequest, files: ConsoleFiles, path: str) -> bytes:
        try:
            if request.method not in (b"GET", b"HEAD"):
                raise MethodNotAllowed(f"allowed here: {_READ}", code=_READ)
            body = files.send(request, path)
        except NotFound as missing:
            # A file that is gone after an upgrade must not be remembered as missing.
            request.setHeader(b"Cache-Control", b"no-store")
            return send_error(request, missing)
        except KiroError as error:
            return send_error(request, error)
        return b"" if request.method == b"HEAD" else body
