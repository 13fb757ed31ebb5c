# -*- test-case-name: tests.store.test_schema -*-
"""Alembic runs this file for every migration; the connection comes from ``store.migrate``."""

from alembic import context

from kiro2api.store.schema import METADATA

# SQLite can undo changes of the schema, too: a migration that fails leaves the file as it was.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
