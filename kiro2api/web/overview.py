# -*- test-case-name: tests.web.test_operator_api -*-
"""What the operator is shown: of this process, or of all that serve together.

Pure values, also as JSON. Must not know how several processes tell each other.
"""

import msgspec

from kiro2api.accounts.status import AccountStatus


class Overview(msgspec.Struct, frozen=True):
    """The accounts in the order of choice (none where it was asked in brief), and the requests
    under way.

    ``started`` in epoch seconds. ``partial``: there are more processes, which did not answer.
    """

    statuses: list[AccountStatus]
    active_requests: int
    started: float
    workers: int = 1
    partial: bool = False
