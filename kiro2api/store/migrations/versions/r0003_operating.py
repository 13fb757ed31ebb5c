# -*- test-case-name: tests.store.test_schema -*-
"""Accounts and keys that an operator changes, groups, records of requests, held responses."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the tables."""
    for column in (
        sa.Column("group_name", sa.String, nullable=False, server_default="default"),
        sa.Column("region", sa.String, nullable=False, server_default="us-east-1"),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("source", sa.String, nullable=False, server_default="configured"),
        sa.Column("configured_digest", sa.String, nullable=False, server_default=""),
        sa.Column("max_in_flight", sa.Integer, nullable=False, server_default="0"),
        sa.Column("requests_per_minute", sa.Integer, nullable=False, server_default="0"),
        sa.Column("email", sa.String, nullable=False, server_default=""),
        sa.Column("quota", sa.Text, nullable=False, server_default=""),
        sa.Column("quota_checked_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("profile_checked_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("last_error", sa.String, nullable=False, server_default=""),
    ):
        op.add_column("accounts", column)
    for column in (
        sa.Column("hint", sa.String, nullable=False, server_default=""),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("groups", sa.Text, nullable=False, server_default=""),
        sa.Column("models", sa.Text, nullable=False, server_default=""),
        sa.Column("requests_per_minute", sa.Integer, nullable=False, server_default="0"),
        sa.Column("max_in_flight", sa.Integer, nullable=False, server_default="0"),
        sa.Column("credits_per_day", sa.Float, nullable=False, server_default="0"),
        sa.Column("credits_per_month", sa.Float, nullable=False, server_default="0"),
        sa.Column("expires_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("last_used_at", sa.Float, nullable=False, server_default="0"),
    ):
        op.add_column("client_keys", column)
    op.create_table(
        "groups",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("display_name", sa.String, nullable=False),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("affinity", sa.Boolean, nullable=False),
        sa.Column("max_in_flight", sa.Integer, nullable=False),
        sa.Column("requests_per_minute", sa.Integer, nullable=False),
        sa.Column("cooldown_seconds", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_groups"),
    )
    op.create_table(
        "changes",
        sa.Column("serial", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "records",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("dialect", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("upstream_model", sa.String, nullable=False),
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("key_name", sa.String, nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("queue_seconds", sa.Float, nullable=False),
        sa.Column("first_event_seconds", sa.Float),
        sa.Column("total_seconds", sa.Float, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("cache_read_tokens", sa.Integer, nullable=False),
        sa.Column("cache_write_tokens", sa.Integer, nullable=False),
        sa.Column("usage_provenance", sa.String, nullable=False),
        sa.Column("credits", sa.Float, nullable=False),
        sa.Column("upstream_request_id", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
    )
    op.create_index("ix_records_request_id", "records", ["request_id"])
    op.create_index("ix_records_started", "records", ["started"])
    op.create_index("ix_records_account", "records", ["account", "started"])
    op.create_index("ix_records_key_name", "records", ["key_name", "started"])
    op.create_index("ix_records_group_name", "records", ["group_name", "started"])
    op.create_index("ix_records_upstream_model", "records", ["upstream_model", "started"])
    op.create_index("ix_records_status", "records", ["status", "started"])
    op.create_index("ix_records_outcome", "records", ["outcome", "started"])
    op.create_table(
        "record_sums",
        sa.Column("span", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("facet", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("upstream_model", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("key_name", sa.String, nullable=False),
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("dialect", sa.String, nullable=False),
        sa.Column("status", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("served", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("abandoned", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("credits", sa.Float, nullable=False),
        sa.Column("first_events", sa.Integer, nullable=False),
        sa.Column("first_event_seconds", sa.Float, nullable=False),
        sa.Column("total_seconds", sa.Float, nullable=False),
        sa.Column("first_event_classes", sa.Text, nullable=False),
        sa.Column("total_classes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(
            "span",
            "facet",
            "at",
            "upstream_model",
            "account",
            "key_name",
            "group_name",
            "dialect",
            "status",
            name="pk_record_sums",
        ),
    )
    op.create_table(
        "captures",
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("octets", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_captures"),
    )
    op.create_index("ix_captures_at", "captures", ["at"])
    op.create_table(
        "responses",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("previous", sa.String, nullable=False),
        sa.Column("octets", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_responses"),
    )
    op.create_index("ix_responses_owner", "responses", ["owner", "used_at"])
    op.create_index("ix_responses_used_at", "responses", ["used_at"])
    op.create_table(
        "response_items",
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("response_id", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("owner", "id", name="pk_response_items"),
    )
    op.create_index("ix_response_items_response_id", "response_items", ["response_id"])
    op.create_table(
        "key_days",
        sa.Column("key_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("day", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("credits", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "day", name="pk_key_days"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("key_id", sa.Integer, nullable=False),
        sa.Column("binding", sa.LargeBinary, nullable=False),
        sa.Column("csrf", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("sessions")
    op.drop_table("key_days")
    op.drop_table("response_items")
    op.drop_table("responses")
    op.drop_table("captures")
    op.drop_table("record_sums")
    op.drop_table("records")
    op.drop_table("audit")
    op.drop_table("changes")
    op.drop_table("groups")
    for name in (
        "last_used_at",
        "expires_at",
        "credits_per_month",
        "credits_per_day",
        "max_in_flight",
        "requests_per_minute",
        "models",
        "groups",
        "enabled",
        "hint",
    ):
        op.drop_column("client_keys", name)
    for name in (
        "last_error",
        "profile_checked_at",
        "quota_checked_at",
        "quota",
        "email",
        "requests_per_minute",
        "max_in_flight",
        "configured_digest",
        "source",
        "enabled",
        "position",
        "region",
        "group_name",
    ):
        op.drop_column("accounts", name)
