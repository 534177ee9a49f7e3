"""Seals over the event log, only ever added, and on PostgreSQL the order in which events are sealed as an index.

Revision: 202611241940_seals   Follows: 202611241645_postal_address

Events that are in the log already are sealed by the next process at work.  SQLite needs no index: it seals in order of id.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611241940_seals"
down_revision = "202611241645_postal_address"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")

SQLITE = [
    f"CREATE TRIGGER seals_no_{verb} BEFORE {verb.upper()} ON seals\n"
    "BEGIN SELECT RAISE(ABORT, 'seals is append-only'); END"
    for verb in ("update", "delete")
]
POSTGRESQL = [
    "CREATE INDEX ix_events_tx_id ON events (tx, id)",
    "CREATE TRIGGER seals_no_change BEFORE UPDATE OR DELETE ON seals\nFOR EACH ROW EXECUTE FUNCTION append_only()",
    "CREATE TRIGGER seals_no_truncate BEFORE TRUNCATE ON seals\nFOR EACH STATEMENT EXECUTE FUNCTION append_only()",
]


def upgrade() -> None:
    op.create_table(
        "seals",
        sa.Column("number", Id, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_tx", Id, nullable=True),
        sa.Column("last_id", Id, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_seals_count")),
        sa.CheckConstraint("number > 0", name=op.f("ck_seals_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_seals")),
        sa.UniqueConstraint("head", name=op.f("uq_seals_head")),
        sa.UniqueConstraint("last_id", name=op.f("uq_seals_last_id")),
        sa.UniqueConstraint("previous", name=op.f("uq_seals_previous")),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
