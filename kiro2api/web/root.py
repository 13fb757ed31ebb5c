# -*- test-case-name: tests.web.test_root -*-
"""The root of the resource tree: model APIs on one side, the operator's routes on the other."""

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from kiro2api.errors import ShuttingDown
from kiro2api.web.reply import send_error
from kiro2api.web.site import ApiRequest


@implementer(IResource)
class Root(Resource):
    """Two Klein resources side by side; each sees canonical paths only."""

    isLeaf = True

    def __init__(self, models: IResource, operator: IResource) -> None:
        super().__init__()
        self._models = models
        self._operator = operator

    def render(self, request: ApiRequest) -> int | bytes:
        """Hand the request to whoever has the path."""
        models = request.location.path.startswith("/v1/")
        if models and request.site.draining:
            return send_error(
                request, ShuttingDown("the service is stopping; try again soon", retry_after=5.0)
            )
        chosen = self._models if models else self._operator
        answer: int | bytes = chosen.render(request)
        return answer
