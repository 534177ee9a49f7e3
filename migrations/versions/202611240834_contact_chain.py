"""The chain of questions behind a contact, what people said about contacts, and how each wants to be written to.

Revision: 202611240834_contact_chain   Follows: 202611240601_first_tables
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611240834_contact_chain"
down_revision = "202611240601_first_tables"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
Address = sa.LargeBinary(16).with_variant(postgresql.INET(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bootstrap_files",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_bootstrap_files")),
    )
    op.create_table(
        "overrides",
        sa.Column("id", Id, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("first_address", Address, nullable=True),
        sa.Column("last_address", Address, nullable=True),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("spelling", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.Column("lifted_at", Instant, nullable=True),
        sa.CheckConstraint("verdict = 'reject' OR first_address IS NOT NULL", name=op.f("ck_overrides_where")),
        sa.CheckConstraint("verdict IN ('use', 'reject')", name=op.f("ck_overrides_verdict")),
        sa.CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name=op.f("ck_overrides_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(op.f("ix_overrides_mailbox"), "overrides", ["mailbox"], unique=False)
    op.create_table(
        "routes",
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.CheckConstraint("kind = 'direct' OR mailbox <> ''", name=op.f("ck_routes_mailbox")),
        sa.CheckConstraint("kind IN ('direct', 'copy', 'digest', 'partner')", name=op.f("ck_routes_kind")),
        sa.PrimaryKeyConstraint("country", name=op.f("pk_routes")),
    )
    op.create_table(
        "lookup_steps",
        sa.Column("netblock_id", Id, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("raw_answer_id", Id, nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('contacts', 'no_contact', 'not_found', 'refused', 'unusable', 'special')",
            name=op.f("ck_lookup_steps_outcome"),
        ),
        sa.ForeignKeyConstraint(["netblock_id"], ["netblocks.id"], name=op.f("fk_lookup_steps_netblock_id")),
        sa.ForeignKeyConstraint(["raw_answer_id"], ["raw_answers.id"], name=op.f("fk_lookup_steps_raw_answer_id")),
        sa.PrimaryKeyConstraint("netblock_id", "number", name=op.f("pk_lookup_steps")),
        sqlite_with_rowid=False,
    )
    op.add_column("cases", sa.Column("contact_due_at", Instant, nullable=True))
    op.create_index("ix_cases_renewal", "cases", ["state", "contact_due_at"], unique=False)
    op.add_column("contact_preferences", sa.Column("format", sa.Text(), server_default="", nullable=False))
    op.add_column("contact_preferences", sa.Column("cadence_days", sa.Integer(), server_default="0", nullable=False))
    op.add_column("contact_preferences", sa.Column("pgp_key", sa.Text(), server_default="", nullable=False))
    op.add_column("contact_preferences", sa.Column("headers", sa.Text(), server_default="{}", nullable=False))
    op.add_column("contact_preferences", sa.Column("inhibited_until", Instant, nullable=True))
    op.add_column("contacts", sa.Column("state_why", sa.Text(), server_default="", nullable=False))
    op.add_column("netblock_contacts", sa.Column("step", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("raw_answers", sa.Column("last_at", Instant, nullable=True))
    op.create_index(op.f("ix_raw_answers_source"), "raw_answers", ["source"], unique=False)
