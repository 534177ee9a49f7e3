"""Going live: the sheets that two people say yes to, their words, and what was found or said for the checklist.

Revision: 202611242036_golive   Follows: 202611242034_relay_logs

Three new tables, only ever added to; the release before knows nothing of them, and sends in training mode only.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611242036_golive"
down_revision = "202611242034_relay_logs"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")

TABLES = ("golive_sheets", "golive_words", "golive_facts")
SQLITE = [
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table}\n"
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for table in TABLES
    for verb in ("update", "delete")
]
POSTGRESQL = [
    f"CREATE TRIGGER {table}_no_{name} BEFORE {verb} ON {table}\nFOR EACH {each} EXECUTE FUNCTION append_only()"
    for table in TABLES
    for name, verb, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT"))
]


def upgrade() -> None:
    op.create_table(
        "golive_facts",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=True),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_golive_facts_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golive_facts")),
    )
    op.create_index(op.f("ix_golive_facts_item_at"), "golive_facts", ["item", "at"], unique=False)
    op.create_table(
        "golive_sheets",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("binding_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_golive_sheets_campaign_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_golive_sheets")),
    )
    op.create_index(op.f("ix_golive_sheets_campaign_id"), "golive_sheets", ["campaign_id"], unique=False)
    op.create_table(
        "golive_words",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("sheet_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("person_id", Id, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("accepted", sa.SmallInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.CheckConstraint("(method = 'end') = (accepted = 0)", name=op.f("ck_golive_words_accepted")),
        sa.CheckConstraint("method IN ('ssh', 'password', 'end')", name=op.f("ck_golive_words_method")),
        sa.CheckConstraint(
            "accepted = 0 OR (sheet_sha256 IS NOT NULL AND person_id IS NOT NULL)", name=op.f("ck_golive_words_given")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_golive_words_campaign_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_golive_words_person_id")),
        sa.ForeignKeyConstraint(["sheet_sha256"], ["golive_sheets.sha256"], name=op.f("fk_golive_words_sheet_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_golive_words")),
    )
    op.create_index(op.f("ix_golive_words_campaign_id"), "golive_words", ["campaign_id"], unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
