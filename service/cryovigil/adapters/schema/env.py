"""Alembic's way in: it writes SQL for the dialect it is told, and never connects."""

from __future__ import annotations

from alembic import context

# The caller's transaction holds all of it.
context.configure(dialect_name=context.config.attributes["dialect"], transactional_ddl=False)
context.run_migrations()
