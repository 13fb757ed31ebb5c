# -*- test-case-name: tests.web.admin.test_audit -*-
"""The route of the audit: what operators did.

Must not know what an action does.
"""

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from klein import Klein

from kiro2api.web.admin.failures import install_operator_errors
from kiro2api.web.admin.lists import LARGEST_PAGE, PAGE_SIZE, argument, whole
from kiro2api.web.gate import Gate
from kiro2api.web.operator_api import moment
from kiro2api.web.reply import send_value
from kiro2api.web.site import ApiRequest

_LAST_ID: Final = 999_999_999


class Audited(Protocol):
    """One action."""

    @property
    def id(self) -> int:
        """Grows."""

    @property
    def at(self) -> float:
        """Epoch seconds."""

    @property
    def actor(self) -> str:
        """The name of the key."""

    @property
    def action(self) -> str:
        """Such as ``account.change``."""

    @property
    def subject(self) -> str:
        """On what."""

    @property
    def detail(self) -> object:
        """What JSON can say."""


class Audit(Protocol):
    """Where it is kept."""

    def page(self, before_id: int, limit: int, subject: str = "") -> Awaitable[Sequence[Audited]]:
        """The newest first, from before that id (0: from the newest)."""

    def count(self, subject: str = "") -> Awaitable[int]:
        """How many there are."""


class AuditApi:
    """The route ``/api/audit``, for those whose key is for all groups."""

    app = Klein()
    install_operator_errors(app)

    def __init__(self, gate: Gate, audit: Audit) -> None:
        self._gate = gate
        self._audit = audit

    @app.route("/api/audit", methods=["GET"])
    async def lines(self, request: ApiRequest) -> bytes:
        """The newest first; ``before`` (an id) for those before it, ``subject`` for one only.

        By id and not by page number, so that nothing moves while somebody reads on.
        """
        self._gate.identify_owner(request)
        size = whole(request, "page_size", PAGE_SIZE, LARGEST_PAGE)
        before = whole(request, "before", 0, _LAST_ID)
        subject = argument(request, "subject")
        found = await self._audit.page(before, size, subject)
        return send_value(
            request,
            {
                "items": [_item(each) for each in found],
                "total": await self._audit.count(subject),
                "page_size": size,
                "before": found[-1].id if len(found) == size else None,
            },
        )


def _item(each: Audited) -> dict[str, object]:
    return {
        "id": each.id,
        "at": moment(each.at),
        "actor": each.actor,
        "action": each.action,
        "subject": each.subject,
        "detail": each.detail,
    }
