"""Dumps of registries: networks and delegations, packed by block, and what networks refer to.

Revision: 202611240842_registry_dumps   Follows: 202611240834_contact_chain
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611240842_registry_dumps"
down_revision = "202611240834_contact_chain"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
Address = sa.LargeBinary(16).with_variant(postgresql.INET(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "dumps",
        sa.Column("id", Id, nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bytes", Id, nullable=False),
        sa.Column("classes", sa.Text(), server_default="", nullable=False),
        sa.Column("kept", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("began_at", Instant, nullable=False),
        sa.Column("complete_at", Instant, nullable=True),
        sa.Column("retired_at", Instant, nullable=True),
        sa.Column("worker_id", Id, nullable=True),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_dumps_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dumps")),
        sa.UniqueConstraint("registry", "sha256", name=op.f("uq_dumps_registry_sha256")),
    )
    op.create_table(
        "dump_blocks",
        sa.Column("dump_id", Id, nullable=False),
        sa.Column("block", Address, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dump_id"], ["dumps.id"], name=op.f("fk_dump_blocks_dump_id")),
        sa.PrimaryKeyConstraint("dump_id", "block", "part", name=op.f("pk_dump_blocks")),
    )
    op.create_table(
        "dump_objects",
        sa.Column("dump_id", Id, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dump_id"], ["dumps.id"], name=op.f("fk_dump_objects_dump_id")),
        sa.PrimaryKeyConstraint("dump_id", "key", name=op.f("pk_dump_objects")),
        sqlite_with_rowid=False,
    )
