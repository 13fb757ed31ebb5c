# -*- test-case-name: tests.web.admin.test_openapi -*-
"""What is said of one route in the OpenAPI document.

Must not know which routes there are.
"""

import re
from typing import Any, Final, Literal, TypeAlias

import msgspec

Role: TypeAlias = Literal["none", "client", "admin"]

JSON: Final = "application/json"
STREAM: Final = "text/event-stream"

PAGING: Final = ("q", "sort", "page", "page_size")
"""Query parameters of lists that come in numbered pages."""

_IN_PATH: Final = re.compile(r"\{([^}]+)\}")


class Operation(msgspec.Struct, frozen=True):
    """A route with one method.

    ``path`` as in the document, such as ``/api/keys/{key_id}``. ``role``: who may. ``body`` and
    ``answer``: a type, a whole JSON schema, or None for an object of which no more is said.
    ``status``: of success; 204 has no body. ``media``: types of the answer.
    """

    method: str
    path: str
    summary: str
    tag: str
    role: Role = "admin"
    query: tuple[str, ...] = ()
    body: Any = None
    answer: Any = None
    status: int = 200
    media: tuple[str, ...] = (JSON,)

    @property
    def in_path(self) -> list[str]:
        """Names of the parameters within the path."""
        return _IN_PATH.findall(self.path)


def page_of_items(item: object) -> dict[str, Any]:
    """The schema of a numbered page. :param item: the schema of one item."""
    count = {"type": "integer"}
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": item},
            "total": count,
            "page": count,
            "page_size": count,
        },
    }


def ref(of: type) -> dict[str, str]:
    """A reference to a type among the components; it must be a body or an answer, too."""
    return {"$ref": f"#/components/schemas/{of.__name__}"}
