# -*- test-case-name: tests.web.test_root -*-
"""The root of the resource tree: model APIs on one side, the operator's routes on the other."""

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from kiro2api.errors import ShuttingDown
from kiro2api.web.reply import send_error
from kiro2api.web.site import ApiRequest


@implementer(IResource)
class Root(Resource):
    """Klein resources side by side; each sees canonical paths only."""

    isLeaf = True

    def __init__(self, models: IResource, responses: IResource, operator: IResource) -> None:
        super().__init__()
        self._models = models
        self._responses = responses
        self._operator = operator

    def render(self, request: ApiRequest) -> int | bytes:
        """Hand the request to whoever has the path."""
        path = request.location.path
        models = path.startswith("/v1/")
        if models and request.site.draining:
            return send_error(
                request, ShuttingDown("the service is stopping; try again soon", retry_after=5.0)
            )
        chosen = self._models if models else self._operator
        if path == "/v1/responses" or path.startswith("/v1/responses/"):
            chosen = self._responses
        answer: int | bytes = chosen.render(request)
        return answer
