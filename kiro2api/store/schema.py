# -*- test-case-name: tests.store.test_schema -*-
"""The tables, as the newest migration leaves them.

Must not know who reads or writes them. Times are epoch seconds. Tokens are clear text, guarded by
the file's mode, or sealed where there is a key (``sealing``).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    true,
)

REVISION: Final = "0003"
"""The newest revision in ``migrations/versions``; a file that has it needs no migration."""

# Constraints need names to be changed by later migrations.
METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("method", String, nullable=False),
    Column("access_token", String, nullable=False),
    Column("refresh_token", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("client_secret", String, nullable=False),
    Column("profile_arn", String, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("parked_reason", String),
    Column("parked_until", Float),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # That of the lease under which the credentials were saved last.
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("group_name", String, nullable=False, server_default="default"),
    Column("region", String, nullable=False, server_default="us-east-1"),
    # In order of choice; those with the same position by their fingerprint.
    Column("position", Integer, nullable=False, server_default="0"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    # "configured" for an entry of KIRO_AUTH_TOKEN, "stored" for one that was added here.
    Column("source", String, nullable=False, server_default="configured"),
    # Of a configured entry's name, group, region, position and switch: when it changes, the entry
    # has been edited and wins over what an operator changed here.
    Column("configured_digest", String, nullable=False, server_default=""),
    Column("max_in_flight", Integer, nullable=False, server_default="0"),
    Column("requests_per_minute", Integer, nullable=False, server_default="0"),
    Column("email", String, nullable=False, server_default=""),
    # The last known usage limits as JSON, and when they were read.
    Column("quota", Text, nullable=False, server_default=""),
    Column("quota_checked_at", Float, nullable=False, server_default="0"),
    # When a profile was last looked for; found or not.
    Column("profile_checked_at", Float, nullable=False, server_default="0"),
    Column("last_error", String, nullable=False, server_default=""),
)

LEASES: Final = Table(
    "leases",
    METADATA,
    Column("name", String, primary_key=True),
    # Empty while nobody holds it; the row stays, because its fence only ever grows.
    Column("holder", String, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

CLIENT_KEYS: Final = Table(
    "client_keys",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("created_at", Float, nullable=False),
    # The last characters of the key, by which its owner knows it.
    Column("hint", String, nullable=False, server_default=""),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    # JSON arrays of names; empty for all.
    Column("groups", Text, nullable=False, server_default=""),
    Column("models", Text, nullable=False, server_default=""),
    # Limits; 0 for none.
    Column("requests_per_minute", Integer, nullable=False, server_default="0"),
    Column("max_in_flight", Integer, nullable=False, server_default="0"),
    Column("credits_per_day", Float, nullable=False, server_default="0"),
    Column("credits_per_month", Float, nullable=False, server_default="0"),
    Column("expires_at", Float, nullable=False, server_default="0"),
    Column("last_used_at", Float, nullable=False, server_default="0"),
)

# What each key has spent, by day; apart from the records, because those are dropped by age and
# size while a budget must hold.
KEY_DAYS: Final = Table(
    "key_days",
    METADATA,
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    # Days since 1970-01-01, in UTC.
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("credits", Float, nullable=False),
)

PREFERENCES: Final = Table(
    "preferences",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

GROUPS: Final = Table(
    "groups",
    METADATA,
    Column("name", String, primary_key=True),
    Column("display_name", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("affinity", Boolean, nullable=False),
    Column("max_in_flight", Integer, nullable=False),
    Column("requests_per_minute", Integer, nullable=False),
    Column("cooldown_seconds", Float, nullable=False),
    Column("created_at", Float, nullable=False),
)

# What has changed, in order, so that every process can follow; old rows are dropped.
CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("serial", Integer, primary_key=True, autoincrement=True),
    # "account", "group", "key" or "setting", and which one.
    Column("topic", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("at", Float, nullable=False),
    # A number that is used twice would be overlooked.
    sqlite_autoincrement=True,
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    # The name of the key that acted.
    Column("actor", String, nullable=False),
    # Such as "account.disable", on what, and what was said, as JSON without any secret.
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_audit_at", "at"),
)

RECORDS: Final = Table(
    "records",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("request_id", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("dialect", String, nullable=False),
    Column("model", String, nullable=False),
    Column("upstream_model", String, nullable=False),
    Column("group_name", String, nullable=False),
    Column("account", String, nullable=False),
    Column("key_name", String, nullable=False),
    Column("stream", Boolean, nullable=False, server_default=false()),
    Column("status", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("error", String, nullable=False),
    Column("queue_seconds", Float, nullable=False),
    Column("first_event_seconds", Float),
    Column("total_seconds", Float, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cache_read_tokens", Integer, nullable=False),
    Column("cache_write_tokens", Integer, nullable=False),
    Column("usage_provenance", String, nullable=False),
    Column("credits", Float, nullable=False),
    Column("upstream_request_id", String, nullable=False),
    # JSON: the attempts with account, outcome and seconds; what was repaired; searches.
    Column("detail", Text, nullable=False),
    Index("ix_records_request_id", "request_id"),
    Index("ix_records_started", "started"),
    Index("ix_records_account", "account", "started"),
    Index("ix_records_key_name", "key_name", "started"),
    Index("ix_records_group_name", "group_name", "started"),
    Index("ix_records_upstream_model", "upstream_model", "started"),
    Index("ix_records_status", "status", "started"),
    Index("ix_records_outcome", "outcome", "started"),
)

# Sums of the records, so that no page has to walk through them.
SUMS: Final = Table(
    "record_sums",
    METADATA,
    # How long a row's time is in seconds, 0 for ever; what the rows of a facet tell apart; and
    # when that time begins, in epoch seconds. What a facet does not tell apart is empty.
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("facet", String, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("upstream_model", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("key_name", String, primary_key=True),
    Column("group_name", String, primary_key=True),
    Column("dialect", String, primary_key=True),
    Column("status", Integer, primary_key=True, autoincrement=False),
    Column("requests", Integer, nullable=False),
    Column("served", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("abandoned", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("credits", Float, nullable=False),
    # Sums of durations, and how many were measured; as classes of duration they are JSON.
    Column("first_events", Integer, nullable=False),
    Column("first_event_seconds", Float, nullable=False),
    Column("total_seconds", Float, nullable=False),
    Column("first_event_classes", Text, nullable=False),
    Column("total_classes", Text, nullable=False),
)

# Requests that failed, as they were, redacted; only while an operator asks for it.
CAPTURES: Final = Table(
    "captures",
    METADATA,
    Column("request_id", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_captures_at", "at"),
)

# Finished answers of the Responses API, held for later requests of the same key.
RESPONSES: Final = Table(
    "responses",
    METADATA,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("previous", String, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index("ix_responses_owner", "owner", "used_at"),
    Index("ix_responses_used_at", "used_at"),
)

# Items of held responses by their own ids, for references to a single one.
RESPONSE_ITEMS: Final = Table(
    "response_items",
    METADATA,
    Column("owner", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("response_id", String, nullable=False),
    Index("ix_response_items_response_id", "response_id"),
)

# Sessions of the console; the cookie is stored as a digest only.
SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    # 0 for a configured key, which is then known by its name.
    Column("key_id", Integer, nullable=False),
    # Of the key and the cookie together: a session ends with the key it was begun with.
    Column("binding", LargeBinary, nullable=False),
    Column("csrf", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("ix_sessions_expires_at", "expires_at"),
)
