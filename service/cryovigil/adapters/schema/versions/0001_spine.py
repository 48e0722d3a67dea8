"""The tables that lead from an event to a card. Times are microseconds since the epoch."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    _offsets()
    _patients()
    _readings()
    _replacements()
    _cards()
    _outbox()
    _outbox_order()
    _dead_letters()
    _meta()


def _column(
    name: str, kind: type[TypeEngine[Any]], *, nullable: bool = False, **more: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=nullable, **more)


def _offsets() -> None:
    """epoch: raised by whoever takes the partition over, so that the one before is fenced."""
    op.create_table(
        "consumer_offset",
        _column("group_id", sa.Text),
        _column("cluster_id", sa.Text),
        _column("topic", sa.Text),
        _column("partition", sa.Integer),
        _column("next_offset", sa.BigInteger, nullable=True),
        _column("epoch", sa.BigInteger),
        _column("paused_reason", sa.Text, nullable=True),
        _column("updated_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("group_id", "cluster_id", "topic", "partition"),
    )


def _patients() -> None:
    """source_patient says which patient a source's patient is, so that a merge is a re-read."""
    op.create_table(
        "patient",
        _column("patient_key", sa.BigInteger, autoincrement=False),
        _column("identity", sa.Text),
        _column("anchored", sa.Boolean, server_default=sa.false()),
        _column("next_seq", sa.BigInteger, server_default="0"),
        sa.PrimaryKeyConstraint("patient_key"),
        sa.UniqueConstraint("identity"),
    )
    op.create_table(
        "source_patient",
        _column("source_key", sa.BigInteger, autoincrement=False),
        _column("source", sa.Text),
        _column("reference", sa.Text),
        _column("patient_key", sa.BigInteger),
        sa.PrimaryKeyConstraint("source_key"),
    )
    op.create_index("source_patient_patient", "source_patient", ["patient_key"])
    op.create_table(
        "due",
        _column("patient_key", sa.BigInteger, autoincrement=False),
        _column("at", sa.BigInteger),
        sa.PrimaryKeyConstraint("patient_key"),
    )
    op.create_index("due_at", "due", ["at"])


def _readings() -> None:
    """head repeats in each part of a resource; a tombstone is part 0 without concept and body.

    There `at` is when it was kept. whole: a rulebook reads every row of this concept; doubt: bits
    of store.rows.Doubt.
    """
    op.create_table(
        "reading",
        _column("resource_key", sa.BigInteger),
        _column("identity", sa.Text),
        _column("part", sa.Integer),
        _column("patient_key", sa.BigInteger, nullable=True),
        _column("concept", sa.Text, nullable=True),
        _column("at", sa.BigInteger),
        _column("counts", sa.Boolean),
        _column("whole", sa.Boolean),
        _column("doubt", sa.Integer),
        _column("head", sa.LargeBinary),
        _column("body", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("resource_key", "identity", "part", name="reading_pkey"),
    )
    op.create_index("reading_place", "reading", ["patient_key", "concept", "at", "counts"])
    for name, column, where in (
        ("whole", "patient_key", sa.text("whole")),
        ("doubt", "patient_key", sa.text("doubt <> 0")),
        ("tombstone", "at", sa.text("body IS NULL")),
    ):
        op.create_index(
            f"reading_{name}",
            "reading",
            [column],
            postgresql_where=where,
            sqlite_where=where,
        )


def _replacements() -> None:
    """Which results take the place of which others."""
    op.create_table(
        "replacement",
        _column("replaced_key", sa.BigInteger),
        _column("replaced", sa.Text),
        _column("by_key", sa.BigInteger),
        _column("by_identity", sa.Text),
        sa.PrimaryKeyConstraint("replaced_key", "replaced", "by_key", "by_identity"),
    )
    op.create_index("replacement_by", "replacement", ["by_key", "by_identity"])


def _cards() -> None:
    """card: the newest revision of each; card_revision: all of them, only ever added to."""
    op.create_table(
        "card",
        _column("card_uuid", sa.Text),
        _column("patient_key", sa.BigInteger),
        _column("rule", sa.Text),
        _column("episode", sa.Integer),
        _column("revision", sa.Integer),
        _column("state", sa.Text),
        _column("reason", sa.Text, nullable=True),
        _column("changed_at", sa.BigInteger),
        _column("body", sa.LargeBinary),
        sa.PrimaryKeyConstraint("card_uuid"),
        sa.UniqueConstraint("patient_key", "rule", "episode"),
    )
    op.create_index("card_changed", "card", ["changed_at", "card_uuid"])
    op.create_table(
        "card_revision",
        _column("card_uuid", sa.Text),
        _column("revision", sa.Integer),
        _column("state", sa.Text),
        _column("reason", sa.Text, nullable=True),
        _column("changed_at", sa.BigInteger),
        _column("body", sa.LargeBinary),
        sa.PrimaryKeyConstraint("card_uuid", "revision"),
    )


def _outbox() -> None:
    """outbox_head: the oldest unfinished event of each patient, and when it may be taken."""
    op.create_table(
        "outbox",
        _column("delivery_id", sa.Text),
        _column("card_uuid", sa.Text),
        _column("revision", sa.Integer),
        _column("patient_key", sa.BigInteger),
        _column("seq", sa.BigInteger),
        _column("kind", sa.Text),
        _column("body", sa.LargeBinary),
        _column("status", sa.Text, server_default="pending"),
        _column("attempts", sa.Integer, server_default="0"),
        _column("next_attempt_at", sa.BigInteger),
        _column("lease", sa.Text, nullable=True),
        _column("last_code", sa.Text, nullable=True),
        _column("created_at", sa.BigInteger),
        _column("event_at", sa.BigInteger, nullable=True),
        _column("expires_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id"),
        sa.UniqueConstraint("patient_key", "seq"),
        sa.UniqueConstraint("card_uuid", "revision"),
    )


def _outbox_order() -> None:
    """What finds the oldest unfinished event of each patient without a scan."""
    pending = sa.text("status = 'pending'")
    op.create_index(
        "outbox_pending",
        "outbox",
        ["patient_key", "seq"],
        postgresql_where=pending,
        sqlite_where=pending,
    )
    unsent = sa.text("status = 'pending' AND attempts = 0")
    op.create_index(
        "outbox_unsent", "outbox", ["expires_at"], postgresql_where=unsent, sqlite_where=unsent
    )
    op.create_table(
        "outbox_head",
        _column("patient_key", sa.BigInteger, autoincrement=False),
        _column("delivery_id", sa.Text),
        _column("ready_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("patient_key"),
    )
    op.create_index("outbox_head_ready", "outbox_head", ["ready_at"])


def _dead_letters() -> None:
    """key, value, headers: only in part 0 of a record; entries: how many a letter stands for."""
    op.create_table(
        "dead_letter",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            primary_key=True,
        ),
        _column("topic", sa.Text),
        _column("partition", sa.Integer),
        _column("offset", sa.BigInteger),
        _column("reason", sa.Text),
        _column("key", sa.LargeBinary, nullable=True),
        _column("value", sa.LargeBinary, nullable=True),
        _column("headers", sa.LargeBinary),
        _column("patient_key", sa.BigInteger, nullable=True),
        _column("at", sa.BigInteger),
        _column("part", sa.Integer, server_default="0"),
        _column("entries", sa.Integer, server_default="1"),
        _column("state", sa.Text, server_default="open"),
    )
    standing = sa.text("state = 'open'")
    op.create_index(
        "dead_letter_patient",
        "dead_letter",
        ["patient_key"],
        postgresql_where=standing,
        sqlite_where=standing,
    )


def _meta() -> None:
    op.create_table(
        "meta",
        _column("name", sa.Text),
        _column("value", sa.LargeBinary),
        sa.PrimaryKeyConstraint("name"),
    )
