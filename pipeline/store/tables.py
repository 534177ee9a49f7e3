"""Every table, as SQLAlchemy Core.  DESIGN of the data: docs/reference/tables.md.

Migrations build the same schema from empty, step by step; a test compares the two on both databases, triggers and
checks included.  Table names are plural; `worker_id` and `claim` are a lease (store/workers.py); JSON stands as
canonical text.
"""

from enum import StrEnum

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from pipeline import domain
from pipeline.store.types import Address, Id, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _ref(name: str, to: str, *, null: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{to}.id"), nullable=null)


def _text(name: str, default: str | None = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _at(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, Instant, nullable=null)


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(w.value) for w in words)})", name=column)


def _lease() -> tuple[Column[int], Column[int]]:
    return _ref("worker_id", "workers", null=True), Column("claim", Integer, nullable=False, server_default="0")


# --- who works, who decides ------------------------------------------------------------------------------------------

workers = Table(
    "workers",
    metadata,
    _id(),
    _text("host"),
    Column("pid", Integer, nullable=False),
    Column("planner", SmallInteger, nullable=False, server_default="0"),  # 1: it held the planner's lock
    _at("started_at"),
    _at("heartbeat_at"),
    _at("ended_at", null=True),
)

persons = Table(
    "persons",
    metadata,
    _id(),
    _text("name"),
    _text("role"),  # officer, approver, operator, auditor
    _text("password_hash"),  # argon2id, or empty
    _text("principal"),  # the name in the allowed-signers file, or empty
    _at("created_at"),
    _at("disabled_at", null=True),
    UniqueConstraint("name"),
)

budgets = Table(
    "budgets",
    metadata,
    Column("key", Text, primary_key=True),  # mail:all, rdap:HOST, dnsbl:ZONE ...
    _at("next_at", null=True),  # pace: the first free slot (GCRA's theoretical arrival time)
    Column("day", Text, nullable=False, server_default=""),  # quota: the UTC day that `used` counts
    Column("used", Integer, nullable=False, server_default="0"),
)

mail_domains = Table(
    "mail_domains",
    metadata,
    Column("domain", Text, primary_key=True),  # of a recipient, lower-cased A-labels
    _text("mx_group", None),  # whose servers take its mail: a name of data/mx_groups.toml, a domain, or itself
    _text("route", None),  # mx, address, null_mx, none, unknown (net/mx.py)
    _at("asked_at"),
    _at("until"),  # is looked up again after that
)

# --- what public databases say ---------------------------------------------------------------------------------------

feeds = Table(
    "feeds",
    metadata,
    _id(),
    _text("name"),
    _text("parser"),
    _text("access"),  # file, local, public
    _text("independence_group"),
    _text("lawful_basis"),
    _text("rights", None),  # JSON: name_in_letter, quote, attach_raw, export, share, retain_days
    _text("declaration", None),  # JSON: the whole declaration, as configured
    _at("declared_at"),
    UniqueConstraint("name"),
)

snapshots = Table(
    "snapshots",
    metadata,
    _id(),
    _ref("feed_id", "feeds"),
    Column("sha256", LargeBinary(32), nullable=False),
    _text("name"),  # the file's name, without its folder; the zone's name for a sweep
    Column("bytes", Id, nullable=False, server_default="0"),
    _at("received_at"),
    Column("lines", Integer, nullable=False, server_default="0"),  # read so far, whole chunks only
    Column("observations", Integer, nullable=False, server_default="0"),
    Column("rejects", Integer, nullable=False, server_default="0"),
    Column("applied_line", Integer, nullable=False, server_default="0"),  # targets and cases made up to here
    _text("verdict"),
    _text("reason"),
    *_lease(),
    UniqueConstraint("feed_id", "sha256"),
    _one_of("verdict", domain.Verdict),
)

observations = Table(
    "observations",
    metadata,
    Column("snapshot_id", Id, ForeignKey("snapshots.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("address", Address, nullable=False),
    Column("port", Integer, nullable=False),
    _text("transport", None),
    _text("service", None),
    _text("claim", None),
    _text("topic", None),  # empty: a reputation, which opens nothing
    Column("confidence", SmallInteger, nullable=False),
    _at("observed_at"),
    _at("expires_at"),
    Column("raw", LargeBinary, nullable=True),  # emptied by retention
    Index(None, "address", "topic"),
    sqlite_with_rowid=False,
)

rejects = Table(
    "rejects",
    metadata,
    Column("snapshot_id", Id, ForeignKey("snapshots.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    _text("reason", None),
    Column("raw", LargeBinary, nullable=True),
    sqlite_with_rowid=False,
)

targets = Table(
    "targets",
    metadata,
    _id(),
    Column("address", Address, nullable=False),
    Column("port", Integer, nullable=False),  # 0: not said
    _text("transport", None),
    _text("service", None),
    _text("topic", None),
    Column("level", SmallInteger, nullable=True),  # as verify last saw it
    _at("first_seen_at"),
    _at("last_seen_at"),
    UniqueConstraint("address", "port", "transport", "service"),
    CheckConstraint("port BETWEEN 0 AND 65535", name="port"),
)

exclusions = Table(
    "exclusions",
    metadata,
    _id(),
    Column("first_address", Address, nullable=True),
    Column("last_address", Address, nullable=True),
    Column("asn", Id, nullable=True),
    _text("reason", None),
    _text("by", None),
    _at("at"),
    _at("until", null=True),
    _at("lifted_at", null=True),
    CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name="range"),
    CheckConstraint("first_address IS NOT NULL OR asn IS NOT NULL", name="what"),
)

# --- whom to write to ------------------------------------------------------------------------------------------------

raw_answers = Table(
    "raw_answers",
    metadata,
    _id(),
    Column("sha256", LargeBinary(32), nullable=False),  # of the body as received
    _text("source"),  # URL, or whois://host:port/question
    _text("content_type"),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib
    _at("at"),
    _at("last_at", null=True),  # when the same question was last answered in the same words, if later
    UniqueConstraint("sha256", "source"),
    Index(None, "source"),
)

netblocks = Table(
    "netblocks",
    metadata,
    _id(),
    Column("first_address", Address, nullable=False),  # the cached range: answers for these addresses
    Column("last_address", Address, nullable=False),
    Column("registered_first", Address, nullable=True),  # the range as registered
    Column("registered_last", Address, nullable=True),
    _text("outcome", None),
    _text("why"),
    _text("registry"),
    _text("handle"),
    _text("name"),
    _text("holder"),
    _text("country"),
    _text("region"),
    _text("postal"),  # the holder's address, lines parted by \n: read by the paper print queue and nothing else
    _ref("raw_answer_id", "raw_answers", null=True),
    _at("valid_from"),
    _at("expires_at"),  # ask again after this
    _at("valid_to", null=True),
    Index(None, "first_address"),
    _one_of("outcome", domain.Outcome),
)

contacts = Table(
    "contacts",
    metadata,
    _id(),
    _text("mailbox", None),  # lower-cased local part @ A-label
    _text("spelling", None),  # as registered; what is written to
    _text("state", None),
    _text("state_why"),
    _at("created_at"),
    UniqueConstraint("mailbox"),
    _one_of("state", domain.ContactState),
)

netblock_contacts = Table(
    "netblock_contacts",
    metadata,
    _id(),
    _ref("netblock_id", "netblocks"),
    _ref("contact_id", "contacts", null=True),  # null: rejected, not a mailbox
    _text("candidate", None),  # as read
    Column("tier", SmallInteger, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("confidence", SmallInteger, nullable=False),
    _text("source", None),
    _text("path"),
    _text("note"),
    _text("rejected"),  # empty: usable
    Column("step", SmallInteger, nullable=False, server_default="0"),  # of its network's lookup_steps
    _at("valid_from"),
    _at("valid_to", null=True),
    UniqueConstraint("netblock_id", "rank"),
    Index(None, "contact_id"),
    Index(None, "candidate"),
)

lookup_steps = Table(  # what was asked to find a network's contacts, one after another, and what came of it
    "lookup_steps",
    metadata,
    Column("netblock_id", Id, ForeignKey("netblocks.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    _text("kind", None),  # network, whois, parent, origin ... (domain.StepKind)
    _text("question", None),  # URL, whois://host:port/question, dns:KIND/name
    _text("outcome", None),
    _text("why"),
    _ref("raw_answer_id", "raw_answers", null=True),
    _at("at"),
    _one_of("outcome", domain.Outcome),
    sqlite_with_rowid=False,
)

bootstrap_files = Table(  # IANA's lists of registries (RFC 9224), kept until they expire
    "bootstrap_files",
    metadata,
    Column("url", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # zlib
    _at("fetched_at"),
    _at("expires_at"),
)

dumps = Table(  # files that registries publish of all that they have registered
    "dumps",
    metadata,
    _id(),
    _text("registry", None),
    Column("sha256", LargeBinary(32), nullable=False),
    _text("name", None),  # the file's name, without its folder
    Column("bytes", Id, nullable=False),
    _text("classes"),  # what it holds, sorted: inetnum, organisation, role ... or delegated; empty until it is complete
    Column("kept", Integer, nullable=False, server_default="0"),  # objects, or lines
    Column("skipped", Integer, nullable=False, server_default="0"),  # unreadable, or too large
    _at("began_at"),
    _at("complete_at", null=True),  # nothing of it is used before
    _at("retired_at", null=True),  # newer ones took its place; its rows go
    *_lease(),
    UniqueConstraint("registry", "sha256"),
)

dump_blocks = Table(  # networks or delegations, packed by the /16 (v6 /32) that they lie in
    "dump_blocks",
    metadata,
    Column("dump_id", Id, ForeignKey("dumps.id"), primary_key=True),
    Column("block", Address, primary_key=True),  # its first address; the address 0: networks wider than many blocks
    Column("part", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # zlib
)

dump_objects = Table(  # organisations, roles and response teams that networks refer to
    "dump_objects",
    metadata,
    Column("dump_id", Id, ForeignKey("dumps.id"), primary_key=True),
    Column("key", Text, primary_key=True),  # class:handle, in lower case
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

overrides = Table(  # what a person said about the contact of a range, or about a mailbox
    "overrides",
    metadata,
    _id(),
    _text("verdict", None),  # use: write to it first; reject: never write to it
    Column("first_address", Address, nullable=True),  # both empty: wherever it is named
    Column("last_address", Address, nullable=True),
    _text("mailbox", None),  # lower-cased local part @ A-label
    _text("spelling"),
    _text("reason", None),
    _text("by", None),
    _at("at"),
    _at("until", null=True),
    _at("lifted_at", null=True),
    CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name="range"),
    CheckConstraint("verdict IN ('use', 'reject')", name="verdict"),
    CheckConstraint("verdict = 'reject' OR first_address IS NOT NULL", name="where"),
    Index(None, "mailbox"),
)

routes = Table(  # per country: who hears of its cases
    "routes",
    metadata,
    Column("country", Text, primary_key=True),  # ISO 3166 alpha-2
    _text("kind", None),
    _text("mailbox"),  # of the national CERT or the partner
    _text("title"),  # its name
    _text("reason", None),
    _text("by", None),
    _at("at"),
    CheckConstraint("kind IN ('direct', 'copy', 'digest', 'partner')", name="kind"),
    CheckConstraint("kind = 'direct' OR mailbox <> ''", name="mailbox"),
)

contact_preferences = Table(
    "contact_preferences",
    metadata,
    _id(),
    _ref("contact_id", "contacts"),
    _text("language"),  # en, fr_CA, fr, or empty
    _text("source"),  # who said so
    _at("at"),
    _at("until", null=True),
    _text("format"),  # inline, csv, xarf, or empty
    Column("cadence_days", Integer, nullable=False, server_default="0"),  # no more than one letter in so many days
    _text("pgp_key"),  # armoured
    _text("headers", "{}"),  # JSON: name -> value, beside the letter's own
    _at("inhibited_until", null=True),  # no letter before
    UniqueConstraint("contact_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    _id(),
    _text("mailbox"),  # one of mailbox, domain, range
    _text("domain"),
    Column("first_address", Address, nullable=True),
    Column("last_address", Address, nullable=True),
    _text("reason", None),
    _text("by", None),
    _at("at"),
    _at("lifted_at", null=True),
    CheckConstraint("(first_address IS NULL) = (last_address IS NULL)", name="range"),
    CheckConstraint("mailbox <> '' OR domain <> '' OR first_address IS NOT NULL", name="what"),
    Index(None, "mailbox"),
    Index(None, "domain"),
)

# --- campaigns and cases ---------------------------------------------------------------------------------------------

campaigns = Table(
    "campaigns",
    metadata,
    _id(),
    _text("name", None),
    _text("mode", "training"),
    _text("topics", None),  # JSON list
    Column("minimum_level", SmallInteger, nullable=False),
    _text("settings", None),  # JSON: everything a letter says about who writes
    _text("order_seed", None),  # hex; the order of writing is derived from it
    _text("created_by", None),
    _at("created_at"),
    _at("closed_at", null=True),
    UniqueConstraint("name"),
    CheckConstraint("mode IN ('training', 'live')", name="mode"),
)

campaign_contacts = Table(
    "campaign_contacts",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id"), primary_key=True),
    Column("contact_id", Id, ForeignKey("contacts.id"), primary_key=True),
    _text("arm", "all"),
    Column("send_order", Id, nullable=False),
    _text("locales", None),  # en | fr_CA,en | ...
    _text("language_rule", None),
)

cases = Table(
    "cases",
    metadata,
    _id(),
    _ref("campaign_id", "campaigns"),
    _ref("target_id", "targets"),
    Column("block", Address, nullable=False),  # first address of its /16 or v6 /32: a unit of resolve
    _ref("netblock_id", "netblocks", null=True),
    _ref("netblock_contact_id", "netblock_contacts", null=True),
    _text("exposure", domain.Exposure.UNCHECKED.value),
    _at("exposure_at", null=True),
    Column("level", SmallInteger, nullable=True),
    _text("state", None),
    _at("due_at", null=True),  # for the stage its state waits for: SEEN and NO_CONTACT resolve, else verify
    _at("contact_due_at", null=True),  # RESOLVED: when its contact is to be looked up anew
    _at("created_at"),
    *_lease(),
    UniqueConstraint("campaign_id", "target_id"),
    _one_of("state", domain.CaseState),
    _one_of("exposure", domain.Exposure),
    Index(None, "target_id"),
    Index(None, "netblock_contact_id"),
    Index("ix_cases_unit", "state", "block", "due_at"),
    Index("ix_cases_due", "state", "due_at"),
    Index("ix_cases_renewal", "state", "contact_due_at"),
    Index("ix_cases_funnel", "campaign_id", "state", "exposure"),
)

checks = Table(
    "checks",
    metadata,
    _id(),
    _ref("case_id", "cases"),
    _text("method", None),  # passive
    _text("verdict", None),
    Column("level", SmallInteger, nullable=True),
    _at("at"),
    _text("transcript", None),  # JSON: what was asked, answered and counted
    Index(None, "case_id"),
    _one_of("verdict", domain.Exposure),
)

authorisations = Table(
    "authorisations",
    metadata,
    _id(),
    _text("issuer", None),
    _text("legal_basis", None),
    _text("target_law", None),  # the law of the target's country, as a person filled it in
    Column("document_sha256", LargeBinary(32), nullable=False),
    _text("scope", None),  # JSON: networks, countries, ASNs, services, highest rate
    _at("valid_from"),
    _at("valid_to"),
    _ref("first_approver_id", "persons"),
    _ref("second_approver_id", "persons"),
    _at("at"),
    CheckConstraint("first_approver_id <> second_approver_id", name="two_people"),
)

# --- what was written ------------------------------------------------------------------------------------------------

template_revisions = Table(
    "template_revisions",
    metadata,
    _id(),
    _text("letter", None),  # first, reminder ...
    _text("name", None),  # path of the template inside it
    _text("source", None),
    Column("sha256", LargeBinary(32), nullable=False),
    _text("by", None),
    _at("at"),
    Index(None, "letter", "name"),
)

waves = Table(
    "waves",
    metadata,
    _id(),
    _ref("campaign_id", "campaigns"),
    Column("number", Integer, nullable=False),
    _text("kind", None),  # first
    _text("state", None),
    _text("limits", None),  # JSON: rate, hours of freshness, most letters
    _text("revisions", "[]"),  # JSON: ids of template_revisions it is rendered from
    Column("manifest_sha256", LargeBinary(32), nullable=True),
    _text("made_by", None),
    _text("edited_by"),
    _at("created_at"),
    UniqueConstraint("campaign_id", "number"),
    _one_of("state", domain.WaveState),
)

notices = Table(
    "notices",
    metadata,
    _id(),
    _ref("wave_id", "waves"),
    _ref("campaign_id", "campaigns"),
    _ref("contact_id", "contacts"),
    Column("number", Integer, nullable=False),  # 1: the first notice of this contact in this campaign
    _text("reference", None),
    Column("token_sha256", LargeBinary(32), nullable=False),
    _text("key_id", None),
    *_lease(),
    UniqueConstraint("campaign_id", "contact_id", "number"),
    UniqueConstraint("reference"),
    UniqueConstraint("token_sha256"),
    Index(None, "wave_id"),
    Index(None, "contact_id"),
)

notice_cases = Table(
    "notice_cases",
    metadata,
    Column("notice_id", Id, ForeignKey("notices.id"), primary_key=True),
    Column("case_id", Id, ForeignKey("cases.id"), primary_key=True),
    Column("level", SmallInteger, nullable=False),
    _ref("check_id", "checks"),
    _text("quoted", None),  # JSON: [[snapshot, line], ...] the letter may speak of
    Column("token_sha256", LargeBinary(32), nullable=False),
    _at("dropped_at", null=True),
    _text("dropped_why"),  # fixed, stale, excluded: it left the letter (the shrink rule)
    UniqueConstraint("token_sha256"),
    Index(None, "case_id"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("body", LargeBinary, nullable=False),  # zlib of the letter without Date, DKIM-Signature, Return-Path
    _at("at"),
)

_TO_SEND = text("state IN ('approved', 'deferred')")  # as store/send_statements.py says it

letters = Table(
    "letters",
    metadata,
    _id(),
    _ref("notice_id", "notices"),
    _ref("wave_id", "waves"),
    _ref("campaign_id", "campaigns"),
    _ref("contact_id", "contacts"),
    _text("state", None),
    _text("reason"),  # of its present state: training, suppressed, ...
    Column("sha256", LargeBinary(32), ForeignKey("bodies.sha256"), nullable=False),
    Column(
        "approved_sha256", LargeBinary(32), nullable=False
    ),  # as in the manifest; differs once the letter has shrunk
    Column("bytes", Integer, nullable=False),
    Column("body_hash", LargeBinary(32)),  # of its body as DKIM reads it; a letter of an older release has none
    _text("recipient", None),  # the contact's spelling when it was written
    _text("message_id", None),
    _text("locales", None),
    _text("language_rule", None),
    _text("country"),  # where the networks of most of its cases are registered; empty: not known
    _text("form", "{}"),  # JSON: which parts it has and headers it was asked to bear, as when it was written
    Column("send_order", Id, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("due_at", null=True),
    _at("created_at"),
    *_lease(),
    UniqueConstraint("notice_id"),
    UniqueConstraint("message_id"),
    _one_of("state", domain.LetterState),
    Index("ix_letters_due", "wave_id", "state", "due_at", "send_order"),
    Index("ix_letters_to_send", "wave_id", "send_order", "id", sqlite_where=_TO_SEND, postgresql_where=_TO_SEND),
    Index(None, "contact_id"),
)

attempts = Table(
    "attempts",
    metadata,
    _id(),
    _ref("letter_id", "letters"),
    Column("number", Integer, nullable=False),
    _ref("worker_id", "workers"),
    Column("head", LargeBinary, nullable=False),  # the lines put before the letter's bytes, as sent
    Column("sha256", LargeBinary(32), nullable=False),  # of head + bytes: the .eml
    _text("sender", None),
    _text("recipient", None),
    _at("started_at"),
    _at("dot_at", null=True),  # committed before the final dot may be written
    _at("ended_at", null=True),
    _text("relay"),
    _text("tls"),
    _text("stage"),
    Column("reply", Integer, nullable=False, server_default="0"),
    _text("enhanced"),
    _text("reply_text"),
    _text("outcome"),
    Column("connection_id", Id, nullable=True),  # of connections; the key is not checked with each letter's reply
    _text("said"),  # JSON: [[command, milliseconds, code, enhanced code, text], ...]
    UniqueConstraint("letter_id", "number"),
)

connections = Table(  # to relays, over which letters went or would have gone
    "connections",
    metadata,
    _id(),
    _text("relay", None),
    _text("address"),
    _text("greeting"),
    _text("extensions"),
    _text("tls"),
    _text("cipher"),
    _text("certificate_sha256"),  # hexadecimal
    _at("opened_at"),
)

queue_ids = Table(  # under which id a relay had a letter in its queue, as its log says
    "queue_ids",
    metadata,
    _id(),
    _ref("letter_id", "letters"),
    _text("relay", None),  # the host and the instance that the log names: mx1/postfix-out
    _text("queue_id", None),
    _at("at"),
    _at("ended_at", null=True),  # the log says "removed", or the id names another message from here on
    UniqueConstraint("relay", "queue_id", "letter_id"),
    Index(None, "letter_id"),
)

deliveries = Table(  # what a relay's log says became of a letter behind the relay: one row for each line that says so
    "deliveries",
    metadata,
    _id(),
    _ref("letter_id", "letters"),
    _at("at"),  # by the log
    _text("relay", None),
    _text("queue_id", None),
    _text("agent"),  # smtp, lmtp, local, virtual, qmgr ...; empty: the log does not say
    _text("host"),  # to which it was passed on, with its address as the log has it
    _text("dsn"),  # RFC 3463
    _text("status", None),
    _text("words"),  # of that host, cleaned and cut
    _text("line", None),  # hex digest of a kept text: the line as it stood in the log
    Column("mark", LargeBinary(32), nullable=False),  # what the line says, hashed: the same in every form of the log
    _at("read_at"),
    _at("weighed_at", null=True),  # when its letter was moved by it, or was found not to be
    UniqueConstraint("letter_id", "mark"),
    CheckConstraint("status IN ('queued', 'passed', 'sent', 'deferred', 'bounced', 'expired')", name="status"),
    Index(None, "weighed_at"),
)

relay_log_places = Table(  # how far a log that is followed has been read
    "relay_log_places",
    metadata,
    _id(),
    _text("host", None),  # on which the file lies
    _text("path", None),
    _text("file", None),  # device:inode
    Column("position", Id, nullable=False),  # bytes from its beginning, a whole number of lines
    Column("head", LargeBinary(32), nullable=False),  # SHA-256 of the first bytes: an inode may come back
    _at("at"),
    UniqueConstraint("host", "path"),
)

# --- stops, approvals, the record ------------------------------------------------------------------------------------

holds = Table(
    "holds",
    metadata,
    _id(),
    _ref("campaign_id", "campaigns", null=True),  # all four empty: everything
    _ref("wave_id", "waves", null=True),
    _ref("contact_id", "contacts", null=True),
    _text("domain"),
    _text("reason", None),
    _text("by", None),
    _at("at"),
    _at("released_at", null=True),
    _text("released_by"),
)

approvals = Table(
    "approvals",
    metadata,
    _id(),
    _ref("wave_id", "waves"),
    _ref("person_id", "persons", null=True),  # null: the system's user, in training mode only
    _text("by", None),
    Column("accepted", SmallInteger, nullable=False),
    _text("method", None),  # ssh, password, training
    Column("manifest_sha256", LargeBinary(32), nullable=False),
    _text("signature"),
    _text("reason"),  # hex digest of a kept text, the one in its event
    _at("at"),
    UniqueConstraint("wave_id", "by", "manifest_sha256"),
    CheckConstraint("method IN ('ssh', 'password', 'training')", name="method"),
)

golive_sheets = Table(
    "golive_sheets",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),  # of the sheet's bytes: what a yes to going live binds to
    _ref("campaign_id", "campaigns"),
    Column("binding_sha256", LargeBinary(32), nullable=False),  # of the campaign's settings and those of mail
    _text("sheet", None),
    _at("at"),
    Index(None, "campaign_id"),
)

golive_words = Table(
    "golive_words",
    metadata,
    _id(),
    _ref("campaign_id", "campaigns"),
    Column("sheet_sha256", LargeBinary(32), ForeignKey("golive_sheets.sha256"), nullable=True),
    _ref("person_id", "persons", null=True),  # null only in an end
    _text("by", None),
    Column("accepted", SmallInteger, nullable=False),  # 0: an end; no word before it counts any more
    _text("method", None),  # ssh, password, end
    _text("signature"),
    _at("at"),
    CheckConstraint("method IN ('ssh', 'password', 'end')", name="method"),
    CheckConstraint("(method = 'end') = (accepted = 0)", name="accepted"),
    CheckConstraint("accepted = 0 OR (sheet_sha256 IS NOT NULL AND person_id IS NOT NULL)", name="given"),
    Index(None, "campaign_id"),
)

golive_facts = Table(
    "golive_facts",
    metadata,
    _id(),
    _ref("campaign_id", "campaigns", null=True),  # null: of the whole installation
    _text("item", None),  # of the checklist: backup, answers ...; relay: a test by `doctor relay`
    _text("by", None),
    _text("said"),  # hex digest of a kept text
    _text("data", "{}"),  # canonical JSON: what a test found
    _at("at"),
    Index(None, "item", "at"),
)

texts = Table(
    "texts",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),  # of salt || value: what events carry instead of the value
    Column("salt", LargeBinary(16), nullable=True),
    _text("kind", None),  # mailbox, person, line ...
    Column("value", Text, nullable=True),  # emptied by retention, with the salt
    _at("at"),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("tx", Id, nullable=True),  # the database's transaction number, for sealing in commit order; SQLite: the id
    _at("at"),
    _text("what", None),
    _text("subject", None),  # the table, in the singular: case, letter, wave, snapshot ...
    Column("subject_id", Id, nullable=False),
    Column("campaign_id", Id, nullable=True),
    _text("by", None),
    _text("why"),  # a code; sentences are made when shown
    _text("data", "{}"),  # canonical JSON
    Column("leaf", LargeBinary(32), nullable=False),
    Index(None, "subject", "subject_id"),
    Index(None, "campaign_id", "what"),
    Index(None, "what", "id"),
)

seals = Table(
    "seals",
    metadata,
    Column("number", Id, primary_key=True, autoincrement=False),  # from 1, without a gap
    _at("at"),
    Column("count", Integer, nullable=False),  # events in it
    Column("last_tx", Id, nullable=True),  # of its last event, as its `tx`: the next seal goes on from there
    Column("last_id", Id, nullable=False),
    Column("root", LargeBinary(32), nullable=False),  # of the Merkle tree over its events' leaves
    Column("previous", LargeBinary(32), nullable=False),  # head of the seal before; of the first, zeroes
    Column("head", LargeBinary(32), nullable=False),
    UniqueConstraint("last_id"),
    UniqueConstraint("previous"),  # a chain does not fork
    UniqueConstraint("head"),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint("count > 0", name="count"),
)

# --- rows that may not be changed ------------------------------------------------------------------------------------

APPEND_ONLY = (
    "events",
    "template_revisions",
    "approvals",
    "seals",
    "golive_sheets",
    "golive_words",
    "golive_facts",
)

SQLITE_TRIGGER = """CREATE TRIGGER {table}_no_{verb} BEFORE {VERB} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""

POSTGRES_FUNCTION = """CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"""

POSTGRES_TRIGGERS = (
    """CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION append_only()""",
    """CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
)

# The transaction's number, so that events can be sealed in commit order; on SQLite the id serves, and tx stays empty.
POSTGRES_TX = (
    "ALTER TABLE events ALTER COLUMN tx SET DEFAULT (pg_current_xact_id()::text::bigint)",
    "CREATE INDEX ix_events_tx_id ON events (tx, id)",
)


def append_only_ddl(dialect: str) -> list[str]:
    """Return the statements that make the database refuse every change of a row of APPEND_ONLY tables, and order events."""
    if dialect == "sqlite":
        verbs = ("update", "delete")
        return [SQLITE_TRIGGER.format(table=t, verb=v, VERB=v.upper()) for t in APPEND_ONLY for v in verbs]
    return [*POSTGRES_TX, POSTGRES_FUNCTION, *(s.format(table=t) for t in APPEND_ONLY for s in POSTGRES_TRIGGERS)]


def _after_create(dialect: str, statement: str) -> None:
    ddl: DDL = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    event.listen(metadata, "after_create", ddl.execute_if(dialect=dialect))


for _dialect in ("sqlite", "postgresql"):
    for _statement in append_only_ddl(_dialect):
        _after_create(_dialect, _statement)
