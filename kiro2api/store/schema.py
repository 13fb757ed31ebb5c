# -*- test-case-name: tests.store.test_schema -*-
"""The tables, as the newest migration leaves them.

Must not know who reads or writes them. Times are epoch seconds. Secrets are clear text: the
file's mode guards them.
"""

from typing import Final

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table

REVISION: Final = "0002"
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
)

PREFERENCES: Final = Table(
    "preferences",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)
