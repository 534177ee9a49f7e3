"""What logs of relays say of letters: queue ids, deliveries behind the relay, and how far each log has been read.

Revision: 202611242034_relay_logs   Follows: 202611241940_seals

Three new tables; the release before knows nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611242034_relay_logs"
down_revision = "202611241940_seals"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "relay_log_places",
        sa.Column("id", Id, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("position", Id, nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relay_log_places")),
        sa.UniqueConstraint("host", "path", name=op.f("uq_relay_log_places_host_path")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("letter_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("dsn", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("read_at", Instant, nullable=False),
        sa.Column("weighed_at", Instant, nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'passed', 'sent', 'deferred', 'bounced', 'expired')",
            name=op.f("ck_deliveries_status"),
        ),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_deliveries_letter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("letter_id", "mark", name=op.f("uq_deliveries_letter_id_mark")),
    )
    op.create_index(op.f("ix_deliveries_weighed_at"), "deliveries", ["weighed_at"], unique=False)
    op.create_table(
        "queue_ids",
        sa.Column("id", Id, nullable=False),
        sa.Column("letter_id", Id, nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_queue_ids_letter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_ids")),
        sa.UniqueConstraint("relay", "queue_id", "letter_id", name=op.f("uq_queue_ids_relay_queue_id_letter_id")),
    )
    op.create_index(op.f("ix_queue_ids_letter_id"), "queue_ids", ["letter_id"], unique=False)
