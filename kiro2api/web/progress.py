# -*- test-case-name: tests.web.test_serving -*-
"""What is known of a request while it is served, and the record that it becomes.

Must not know how it is served.
"""

from kiro2api.conversation.answer import Usage
from kiro2api.dialects.dialect import Asked, Dialect
from kiro2api.errors import KiroError
from kiro2api.exchange import Asking
from kiro2api.metering import Record
from kiro2api.web.gate import Caller
from kiro2api.web.reply import id_of
from kiro2api.web.site import ApiRequest


class Progress:
    """What is known of a request while it is served; becomes its record."""

    def __init__(self, request: ApiRequest, dialect: Dialect, caller: Caller, now: float) -> None:
        self.request = request
        self.dialect = dialect
        self.caller = caller
        self.started = now
        self.first_event: float | None = None
        self.asked: Asked | None = None
        self.asking: Asking | None = None
        self.usage: Usage | None = None
        self.fault: KiroError | None = None
        self.outcome = "failed"

    def record(self, now: float, default_group: str) -> Record:
        """The finished request as one flat record."""
        asked, asking, usage, fault = self.asked, self.asking, self.usage, self.fault
        return Record(
            request_id=id_of(self.request),
            dialect=self.dialect.name,
            model=asked.model if asked else "",
            upstream_model=asking.upstream_model if asking else "",
            group=self.request.group or default_group,
            account=asking.account if asking else "",
            key=self.caller.name,
            stream=asked.stream if asked else False,
            status=self.dialect.status(fault) if fault is not None else 200,
            outcome=self.outcome,
            error=(fault.code or fault.kind.value) if fault is not None else "",
            started=self.started,
            queue_seconds=(asking.lent_at - self.started) if asking and asking.lent_at else 0.0,
            first_event_seconds=None
            if self.first_event is None
            else self.first_event - self.started,
            total_seconds=now - self.started,
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
            cache_read_tokens=usage.cache_read_tokens if usage else 0,
            cache_write_tokens=usage.cache_write_tokens if usage else 0,
            usage_provenance=usage.provenance if usage else "",
            credits=usage.credits if usage else 0.0,
            attempts=asking.attempts if asking else 0,
            upstream_request_id=asking.upstream_request_id if asking else "",
        )
