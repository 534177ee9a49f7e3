"""first tables

Revision: 202611240601_first_tables   Follows:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "202611240601_first_tables"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
Address = sa.LargeBinary(16).with_variant(postgresql.INET(), "postgresql")

APPEND_ONLY = ("events", "template_revisions", "approvals")

SQLITE = [
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table}\n"
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for table in APPEND_ONLY
    for verb in ("update", "delete")
]
POSTGRESQL = [
    "ALTER TABLE events ALTER COLUMN tx SET DEFAULT (pg_current_xact_id()::text::bigint)",
    "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS\n"
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    *(
        f"CREATE TRIGGER {table}_{name} {when} ON {table}\n{each} EXECUTE FUNCTION append_only()"
        for table in APPEND_ONLY
        for name, when, each in (
            ("no_change", "BEFORE UPDATE OR DELETE", "FOR EACH ROW"),
            ("no_truncate", "BEFORE TRUNCATE", "FOR EACH STATEMENT"),
        )
    ),
]


def upgrade() -> None:
    op.create_table(
        "bodies",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_bodies")),
    )
    op.create_table(
        "budgets",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", Instant, nullable=True),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_budgets")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="training", nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("minimum_level", sa.SmallInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("order_seed", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("closed_at", Instant, nullable=True),
        sa.CheckConstraint("mode IN ('training', 'live')", name=op.f("ck_campaigns_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_campaigns_name")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("spelling", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.CheckConstraint("state IN ('untested', 'live', 'bouncing', 'dead')", name=op.f("ck_contacts_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("mailbox", name=op.f("uq_contacts_mailbox")),
    )
    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("tx", Id, nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_campaign_id_what"), "events", ["campaign_id", "what"], unique=False)
    op.create_index(op.f("ix_events_subject_subject_id"), "events", ["subject", "subject_id"], unique=False)
    op.create_index(op.f("ix_events_what_id"), "events", ["what", "id"], unique=False)
    op.create_table(
        "exclusions",
        sa.Column("id", Id, nullable=False),
        sa.Column("first_address", Address, nullable=True),
        sa.Column("last_address", Address, nullable=True),
        sa.Column("asn", Id, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.Column("lifted_at", Instant, nullable=True),
        sa.CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name=op.f("ck_exclusions_range")),
        sa.CheckConstraint("first_address IS NOT NULL OR asn IS NOT NULL", name=op.f("ck_exclusions_what")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusions")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("parser", sa.Text(), server_default="", nullable=False),
        sa.Column("access", sa.Text(), server_default="", nullable=False),
        sa.Column("independence_group", sa.Text(), server_default="", nullable=False),
        sa.Column("lawful_basis", sa.Text(), server_default="", nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("declaration", sa.Text(), nullable=False),
        sa.Column("declared_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("name", name=op.f("uq_feeds_name")),
    )
    op.create_table(
        "persons",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("principal", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("disabled_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
        sa.UniqueConstraint("name", name=op.f("uq_persons_name")),
    )
    op.create_table(
        "raw_answers",
        sa.Column("id", Id, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raw_answers")),
        sa.UniqueConstraint("sha256", "source", name=op.f("uq_raw_answers_sha256_source")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailbox", sa.Text(), server_default="", nullable=False),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("first_address", Address, nullable=True),
        sa.Column("last_address", Address, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("lifted_at", Instant, nullable=True),
        sa.CheckConstraint(
            "mailbox <> '' OR domain <> '' OR first_address IS NOT NULL", name=op.f("ck_suppressions_what")
        ),
        sa.CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name=op.f("ck_suppressions_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_mailbox"), "suppressions", ["mailbox"], unique=False)
    op.create_table(
        "targets",
        sa.Column("id", Id, nullable=False),
        sa.Column("address", Address, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.Column("last_seen_at", Instant, nullable=False),
        sa.CheckConstraint("port BETWEEN 0 AND 65535", name=op.f("ck_targets_port")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
        sa.UniqueConstraint(
            "address", "port", "transport", "service", name=op.f("uq_targets_address_port_transport_service")
        ),
    )
    op.create_table(
        "template_revisions",
        sa.Column("id", Id, nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_revisions")),
    )
    op.create_index(op.f("ix_template_revisions_letter_name"), "template_revisions", ["letter", "name"], unique=False)
    op.create_table(
        "texts",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_texts")),
    )
    op.create_table(
        "workers",
        sa.Column("id", Id, nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("planner", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("heartbeat_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "authorisations",
        sa.Column("id", Id, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("target_law", sa.Text(), nullable=False),
        sa.Column("document_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("valid_to", Instant, nullable=False),
        sa.Column("first_approver_id", Id, nullable=False),
        sa.Column("second_approver_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.CheckConstraint("first_approver_id <> second_approver_id", name=op.f("ck_authorisations_two_people")),
        sa.ForeignKeyConstraint(
            ["first_approver_id"], ["persons.id"], name=op.f("fk_authorisations_first_approver_id")
        ),
        sa.ForeignKeyConstraint(
            ["second_approver_id"], ["persons.id"], name=op.f("fk_authorisations_second_approver_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorisations")),
    )
    op.create_table(
        "campaign_contacts",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("arm", sa.Text(), server_default="all", nullable=False),
        sa.Column("send_order", Id, nullable=False),
        sa.Column("locales", sa.Text(), nullable=False),
        sa.Column("language_rule", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_contacts_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_campaign_contacts_contact_id")),
        sa.PrimaryKeyConstraint("campaign_id", "contact_id", name=op.f("pk_campaign_contacts")),
    )
    op.create_table(
        "contact_preferences",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_contact_preferences_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_preferences")),
        sa.UniqueConstraint("contact_id", name=op.f("uq_contact_preferences_contact_id")),
    )
    op.create_table(
        "netblocks",
        sa.Column("id", Id, nullable=False),
        sa.Column("first_address", Address, nullable=False),
        sa.Column("last_address", Address, nullable=False),
        sa.Column("registered_first", Address, nullable=True),
        sa.Column("registered_last", Address, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("registry", sa.Text(), server_default="", nullable=False),
        sa.Column("handle", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("raw_answer_id", Id, nullable=True),
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("valid_to", Instant, nullable=True),
        sa.CheckConstraint(
            "outcome IN ('contacts', 'no_contact', 'not_found', 'refused', 'unusable', 'special')",
            name=op.f("ck_netblocks_outcome"),
        ),
        sa.ForeignKeyConstraint(["raw_answer_id"], ["raw_answers.id"], name=op.f("fk_netblocks_raw_answer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_netblocks")),
    )
    op.create_index(op.f("ix_netblocks_first_address"), "netblocks", ["first_address"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("id", Id, nullable=False),
        sa.Column("feed_id", Id, nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", Id, server_default="0", nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("lines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("observations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejects", sa.Integer(), server_default="0", nullable=False),
        sa.Column("applied_line", sa.Integer(), server_default="0", nullable=False),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("worker_id", Id, nullable=True),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("verdict IN ('reading', 'accepted', 'held', 'voided')", name=op.f("ck_snapshots_verdict")),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_snapshots_feed_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_snapshots_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("feed_id", "sha256", name=op.f("uq_snapshots_feed_id_sha256")),
    )
    op.create_table(
        "waves",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("revisions", sa.Text(), server_default="[]", nullable=False),
        sa.Column("manifest_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'rendered', 'approved', 'sending', 'done', 'cancelled')", name=op.f("ck_waves_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_waves_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waves")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_waves_campaign_id_number")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", Id, nullable=False),
        sa.Column("wave_id", Id, nullable=False),
        sa.Column("person_id", Id, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("accepted", sa.SmallInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.CheckConstraint("method IN ('ssh', 'password', 'training')", name=op.f("ck_approvals_method")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_approvals_person_id")),
        sa.ForeignKeyConstraint(["wave_id"], ["waves.id"], name=op.f("fk_approvals_wave_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("wave_id", "by", "manifest_sha256", name=op.f("uq_approvals_wave_id_by_manifest_sha256")),
    )
    op.create_table(
        "holds",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=True),
        sa.Column("wave_id", Id, nullable=True),
        sa.Column("contact_id", Id, nullable=True),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("released_at", Instant, nullable=True),
        sa.Column("released_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_holds_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_holds_contact_id")),
        sa.ForeignKeyConstraint(["wave_id"], ["waves.id"], name=op.f("fk_holds_wave_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_table(
        "netblock_contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column("netblock_id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=True),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("rejected", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("valid_to", Instant, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_netblock_contacts_contact_id")),
        sa.ForeignKeyConstraint(["netblock_id"], ["netblocks.id"], name=op.f("fk_netblock_contacts_netblock_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_netblock_contacts")),
        sa.UniqueConstraint("netblock_id", "rank", name=op.f("uq_netblock_contacts_netblock_id_rank")),
    )
    op.create_index(op.f("ix_netblock_contacts_candidate"), "netblock_contacts", ["candidate"], unique=False)
    op.create_index(op.f("ix_netblock_contacts_contact_id"), "netblock_contacts", ["contact_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", Id, nullable=False),
        sa.Column("wave_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("worker_id", Id, nullable=True),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_notices_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_notices_contact_id")),
        sa.ForeignKeyConstraint(["wave_id"], ["waves.id"], name=op.f("fk_notices_wave_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_notices_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "campaign_id", "contact_id", "number", name=op.f("uq_notices_campaign_id_contact_id_number")
        ),
        sa.UniqueConstraint("reference", name=op.f("uq_notices_reference")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_notices_token_sha256")),
    )
    op.create_index(op.f("ix_notices_contact_id"), "notices", ["contact_id"], unique=False)
    op.create_index(op.f("ix_notices_wave_id"), "notices", ["wave_id"], unique=False)
    op.create_table(
        "observations",
        sa.Column("snapshot_id", Id, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("address", Address, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("observed_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_observations_snapshot_id")),
        sa.PrimaryKeyConstraint("snapshot_id", "line", name=op.f("pk_observations")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_observations_address_topic"), "observations", ["address", "topic"], unique=False)
    op.create_table(
        "rejects",
        sa.Column("snapshot_id", Id, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_rejects_snapshot_id")),
        sa.PrimaryKeyConstraint("snapshot_id", "line", name=op.f("pk_rejects")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cases",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("target_id", Id, nullable=False),
        sa.Column("block", Address, nullable=False),
        sa.Column("netblock_id", Id, nullable=True),
        sa.Column("netblock_contact_id", Id, nullable=True),
        sa.Column("exposure", sa.Text(), server_default="unchecked", nullable=False),
        sa.Column("exposure_at", Instant, nullable=True),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", Instant, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("worker_id", Id, nullable=True),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "exposure IN ('unchecked', 'open', 'unlisted', 'closed', 'unknown')", name=op.f("ck_cases_exposure")
        ),
        sa.CheckConstraint(
            "state IN ('seen', 'resolved', 'no_contact', 'noticed', 'exhausted', 'fixed', 'dormant', 'excluded')",
            name=op.f("ck_cases_state"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_cases_campaign_id")),
        sa.ForeignKeyConstraint(
            ["netblock_contact_id"], ["netblock_contacts.id"], name=op.f("fk_cases_netblock_contact_id")
        ),
        sa.ForeignKeyConstraint(["netblock_id"], ["netblocks.id"], name=op.f("fk_cases_netblock_id")),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], name=op.f("fk_cases_target_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_cases_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("campaign_id", "target_id", name=op.f("uq_cases_campaign_id_target_id")),
    )
    op.create_index("ix_cases_due", "cases", ["state", "due_at"], unique=False)
    op.create_index("ix_cases_funnel", "cases", ["campaign_id", "state", "exposure"], unique=False)
    op.create_index(op.f("ix_cases_netblock_contact_id"), "cases", ["netblock_contact_id"], unique=False)
    op.create_index(op.f("ix_cases_target_id"), "cases", ["target_id"], unique=False)
    op.create_index("ix_cases_unit", "cases", ["state", "block", "due_at"], unique=False)
    op.create_table(
        "letters",
        sa.Column("id", Id, nullable=False),
        sa.Column("notice_id", Id, nullable=False),
        sa.Column("wave_id", Id, nullable=False),
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("contact_id", Id, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("approved_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("locales", sa.Text(), nullable=False),
        sa.Column("language_rule", sa.Text(), nullable=False),
        sa.Column("send_order", Id, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", Instant, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("worker_id", Id, nullable=True),
        sa.Column("claim", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "state IN ("
            "'drafted', 'approved', 'claimed', 'handed', 'accepted', 'deferred', "
            "'refused', 'uncertain', 'bounced', 'suppressed', 'withdrawn', 'expired')",
            name=op.f("ck_letters_state"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_letters_campaign_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_letters_contact_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_letters_notice_id")),
        sa.ForeignKeyConstraint(["sha256"], ["bodies.sha256"], name=op.f("fk_letters_sha256")),
        sa.ForeignKeyConstraint(["wave_id"], ["waves.id"], name=op.f("fk_letters_wave_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_letters_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("message_id", name=op.f("uq_letters_message_id")),
        sa.UniqueConstraint("notice_id", name=op.f("uq_letters_notice_id")),
    )
    op.create_index(op.f("ix_letters_contact_id"), "letters", ["contact_id"], unique=False)
    op.create_index("ix_letters_due", "letters", ["wave_id", "state", "due_at", "send_order"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", Id, nullable=False),
        sa.Column("letter_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker_id", Id, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("dot_at", Instant, nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
        sa.Column("relay", sa.Text(), server_default="", nullable=False),
        sa.Column("tls", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("reply", sa.Integer(), server_default="0", nullable=False),
        sa.Column("enhanced", sa.Text(), server_default="", nullable=False),
        sa.Column("reply_text", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_attempts_letter_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_attempts_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("letter_id", "number", name=op.f("uq_attempts_letter_id_number")),
    )
    op.create_table(
        "checks",
        sa.Column("id", Id, nullable=False),
        sa.Column("case_id", Id, nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('unchecked', 'open', 'unlisted', 'closed', 'unknown')", name=op.f("ck_checks_verdict")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_checks_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    op.create_index(op.f("ix_checks_case_id"), "checks", ["case_id"], unique=False)
    op.create_table(
        "notice_cases",
        sa.Column("notice_id", Id, nullable=False),
        sa.Column("case_id", Id, nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("check_id", Id, nullable=False),
        sa.Column("quoted", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("dropped_at", Instant, nullable=True),
        sa.Column("dropped_why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notice_cases_case_id")),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], name=op.f("fk_notice_cases_check_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_notice_cases_notice_id")),
        sa.PrimaryKeyConstraint("notice_id", "case_id", name=op.f("pk_notice_cases")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_notice_cases_token_sha256")),
    )
    op.create_index(op.f("ix_notice_cases_case_id"), "notice_cases", ["case_id"], unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
