# -*- test-case-name: tests.store.test_schema -*-
"""Leases, and under which one an account's credentials were saved last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.add_column("accounts", sa.Column("fence", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("accounts", "fence")
    op.drop_table("leases")
