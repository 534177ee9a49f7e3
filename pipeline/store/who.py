"""Statements of the record: all that is stored about an address, a network, a mailbox or a letter.

Reads only.  Every query goes by an index and by ids, so that an answer costs the same among a million cases; lists that
may grow are cut by a limit that the caller gives.  Stops that cover these rows are in store/covering.py, what was logged
about them in store/log.py.
"""

from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, ip_network
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from pipeline.domain import Address
from pipeline.store.db import chunks, rows
from pipeline.store.tables import (
    approvals,
    attempts,
    bodies,
    campaigns,
    cases,
    checks,
    connections,
    contacts,
    deliveries,
    feeds,
    letters,
    netblock_contacts,
    netblocks,
    notice_cases,
    notices,
    observations,
    raw_answers,
    snapshots,
    targets,
    waves,
)

Rows = list[dict[str, Any]]


# --- what a question means -------------------------------------------------------------------------------------------


def contact_ids(connection: Connection, mailbox: str) -> list[int]:
    """Return the contact with that mailbox, as a list of none or one."""
    return list(connection.execute(select(contacts.c.id).where(contacts.c.mailbox == mailbox)).scalars())


def notices_with_reference(connection: Connection, reference: str) -> list[int]:
    return list(connection.execute(select(notices.c.id).where(notices.c.reference == reference)).scalars())


def notices_with_message_id(connection: Connection, message_id: str) -> list[int]:
    query = select(letters.c.notice_id).where(letters.c.message_id == message_id)
    return list(connection.execute(query).scalars())


def notices_to(connection: Connection, contact_id: int) -> list[int]:
    query = select(notices.c.id).where(notices.c.contact_id == contact_id).order_by(notices.c.id)
    return list(connection.execute(query).scalars())


def addresses_within(
    connection: Connection, first: Address, last: Address, after: Address | None, limit: int
) -> list[Address]:
    """Return up to `limit` addresses of targets in an inclusive range, in address order, those after `after`."""
    query = select(targets.c.address).distinct().where(targets.c.address <= last)
    if after is not None and (after.version, int(after)) >= (first.version, int(first)):
        query = query.where(targets.c.address > after)
    else:
        query = query.where(targets.c.address >= first)
    return list(connection.execute(query.order_by(targets.c.address).limit(limit)).scalars())


def count_within(connection: Connection, first: Address, last: Address, most: int) -> int:
    """Return how many targets lie in a range; counting stops at `most`."""
    some = select(targets.c.address).where(targets.c.address.between(first, last)).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


# --- reports, targets, cases, checks ---------------------------------------------------------------------------------

CLAIM = (
    select(
        observations.c.snapshot_id.label("snapshot"),
        observations.c.line,
        feeds.c.name.label("feed"),
        feeds.c.rights,
        feeds.c.declaration,
        snapshots.c.name.label("file"),
        snapshots.c.sha256.label("snapshot_sha256"),
        snapshots.c.received_at,
        snapshots.c.verdict,
        snapshots.c.reason.label("verdict_reason"),
        observations.c.address,
        observations.c.port,
        observations.c.transport,
        observations.c.service,
        observations.c.claim,
        observations.c.topic,
        observations.c.confidence,
        observations.c.observed_at,
        observations.c.expires_at,
        observations.c.raw,
    )
    .select_from(observations)
    .join(snapshots, snapshots.c.id == observations.c.snapshot_id)
    .join(feeds, feeds.c.id == snapshots.c.feed_id)
)


def claims_about(connection: Connection, addresses: Sequence[Address], most: int | None) -> Rows:
    """Return what feeds said of the addresses, reputations and voided deliveries too: the newest `most`, oldest first."""
    newest = CLAIM.order_by(observations.c.observed_at.desc(), observations.c.snapshot_id.desc()).limit(most)
    return in_time(among(connection, newest, observations.c.address, addresses), "observed_at", "snapshot", "line")


def claims_quoted(connection: Connection, quoted: Iterable[tuple[int, int]]) -> Rows:
    """Return the observations with these keys (snapshot, line), oldest first."""
    lines: dict[int, set[int]] = {}
    for snapshot, line in quoted:
        lines.setdefault(snapshot, set()).add(line)
    found: Rows = []
    for snapshot, numbers in lines.items():
        query = CLAIM.where(observations.c.snapshot_id == snapshot)
        found += among(connection, query, observations.c.line, sorted(numbers))
    return in_time(found, "observed_at", "snapshot", "line")


def targets_at(connection: Connection, addresses: Sequence[Address]) -> Rows:
    query = select(targets).order_by(targets.c.address, targets.c.port, targets.c.service)
    return among(connection, query, targets.c.address, addresses)


def targets_of(connection: Connection, ids: Collection[int]) -> Rows:
    return among(connection, select(targets).order_by(targets.c.id), targets.c.id, ids)


CASE = select(
    cases.c.id,
    cases.c.campaign_id,
    campaigns.c.name.label("campaign"),
    cases.c.target_id,
    cases.c.netblock_id,
    cases.c.netblock_contact_id,
    cases.c.state,
    cases.c.exposure,
    cases.c.exposure_at,
    cases.c.level,
    cases.c.due_at,
    cases.c.contact_due_at,
    cases.c.created_at,
).select_from(cases.join(campaigns))


def cases_of_targets(connection: Connection, target_ids: Collection[int]) -> Rows:
    return among(connection, CASE.order_by(cases.c.id), cases.c.target_id, target_ids)


def cases_of(connection: Connection, ids: Collection[int]) -> Rows:
    return among(connection, CASE.order_by(cases.c.id), cases.c.id, ids)


def campaigns_of(connection: Connection, ids: Collection[int] | None) -> Rows:
    """Return campaigns by id, or all of them: name, mode, topics (JSON), minimum level, created, closed."""
    columns = ("id", "name", "mode", "topics", "minimum_level", "created_by", "created_at", "closed_at")
    query = select(*(campaigns.c[name] for name in columns)).order_by(campaigns.c.id)
    return rows(connection, query) if ids is None else among(connection, query, campaigns.c.id, ids)


def checks_of_cases(connection: Connection, case_ids: Collection[int]) -> Rows:
    return in_time(among(connection, select(checks), checks.c.case_id, case_ids), "at", "id")


def checks_of(connection: Connection, ids: Collection[int]) -> Rows:
    return in_time(among(connection, select(checks), checks.c.id, ids), "at", "id")


# --- networks and contacts -------------------------------------------------------------------------------------------

NETWORK = select(
    *(column for column in netblocks.c if column.name != "postal"),  # maybe a person's: for the print queue alone
    raw_answers.c.source,
    raw_answers.c.sha256.label("answer_sha256"),
    raw_answers.c.at.label("read_at"),
).select_from(netblocks.outerjoin(raw_answers))


def networks_of(connection: Connection, ids: Collection[int]) -> Rows:
    return among(connection, NETWORK.order_by(netblocks.c.id), netblocks.c.id, ids)


def networks_around(connection: Connection, address: Address) -> Rows:
    """Return every reading of a network that was used for this address, of today and of earlier days."""
    length = 16 if isinstance(address, IPv4Address) else 32  # no reading is used for more than that (resolve/scope.py)
    floor = ip_network((address, length), strict=False)[0]
    near = and_(netblocks.c.first_address.between(floor, address), netblocks.c.last_address >= address)
    return rows(connection, NETWORK.where(near).order_by(netblocks.c.id))


CANDIDATE = select(netblock_contacts, contacts.c.mailbox, contacts.c.state).select_from(
    netblock_contacts.outerjoin(contacts)
)


def candidates_of(connection: Connection, netblock_ids: Collection[int]) -> Rows:
    """Return every mailbox that was weighed for these networks, taken or rejected, best first."""
    query = CANDIDATE.order_by(netblock_contacts.c.netblock_id, netblock_contacts.c.rank)
    return among(connection, query, netblock_contacts.c.netblock_id, netblock_ids)


def named_as(connection: Connection, contact_id: int, most: int | None) -> list[int]:
    """Return the networks that name a contact, the newest `most`."""
    query = select(netblock_contacts.c.netblock_id).where(netblock_contacts.c.contact_id == contact_id)
    return list(connection.execute(query.order_by(netblock_contacts.c.id.desc()).limit(most)).scalars())


def rejected_as(connection: Connection, text: str, most: int) -> list[int]:
    """Return the networks that name this mailbox among their rejected ones, the newest `most`."""
    refused = and_(netblock_contacts.c.candidate == text, netblock_contacts.c.rejected != "")
    query = select(netblock_contacts.c.netblock_id).where(refused)
    return list(connection.execute(query.order_by(netblock_contacts.c.id.desc()).limit(most)).scalars())


def contacts_of(connection: Connection, ids: Collection[int]) -> Rows:
    return among(connection, select(contacts).order_by(contacts.c.id), contacts.c.id, ids)


# --- notices, letters, attempts, waves -------------------------------------------------------------------------------

NOTICE = (
    select(
        notices.c.id,
        notices.c.wave_id,
        notices.c.campaign_id,
        campaigns.c.name.label("campaign"),
        notices.c.contact_id,
        notices.c.number,
        notices.c.reference,
        waves.c.number.label("wave"),
        waves.c.kind,
    )
    .select_from(notices)
    .join(waves, waves.c.id == notices.c.wave_id)
    .join(campaigns, campaigns.c.id == notices.c.campaign_id)
    .order_by(notices.c.id)
)


def notices_of(connection: Connection, ids: Collection[int]) -> Rows:
    return among(connection, NOTICE, notices.c.id, ids)


TOLD = select(
    *(notice_cases.c[n] for n in ("notice_id", "case_id", "level", "check_id", "quoted", "dropped_at", "dropped_why"))
).order_by(notice_cases.c.notice_id, notice_cases.c.case_id)


def told_about(connection: Connection, case_ids: Collection[int]) -> Rows:
    """Return what notices say, or said before they shrank, of these cases: level, check and quoted reports (JSON)."""
    return in_time(among(connection, TOLD, notice_cases.c.case_id, case_ids), "notice_id", "case_id")


def told_in(connection: Connection, notice_ids: Collection[int], most: int | None) -> Rows:
    """Return what these notices say, as `told_about` does, of the first `most` cases of each."""
    mine = (TOLD.where(notice_cases.c.notice_id == notice_id).limit(most) for notice_id in sorted(notice_ids))
    return [row for query in mine for row in rows(connection, query)]


def cases_told(connection: Connection, notice_ids: Collection[int]) -> dict[int, int]:
    """Return how many cases each notice speaks of, or spoke of before it shrank."""
    query = select(notice_cases.c.notice_id, func.count().label("cases")).group_by(notice_cases.c.notice_id)
    return {row["notice_id"]: row["cases"] for row in among(connection, query, notice_cases.c.notice_id, notice_ids)}


LETTER = tuple(
    letters.c[name]
    for name in (
        *("id", "notice_id", "wave_id", "campaign_id", "contact_id", "state", "reason", "sha256", "approved_sha256"),
        *("bytes", "recipient", "message_id", "locales", "language_rule", "attempts", "due_at", "created_at"),
    )
)


def letters_of(connection: Connection, notice_ids: Collection[int]) -> Rows:
    return among(connection, select(*LETTER).order_by(letters.c.id), letters.c.notice_id, notice_ids)


def attempts_of(connection: Connection, letter_ids: Collection[int]) -> Rows:
    columns = [column for column in attempts.c if column.name != "worker_id"]
    query = select(*columns).order_by(attempts.c.letter_id, attempts.c.number)
    return among(connection, query, attempts.c.letter_id, letter_ids)


def connections_of(connection: Connection, ids: Collection[int]) -> Rows:
    """Return connections to relays."""
    return among(connection, select(connections).order_by(connections.c.id), connections.c.id, ids)


def deliveries_of(connection: Connection, letter_ids: Collection[int]) -> Rows:
    """Return what relays' logs say became of letters, in order of time."""
    columns = [column for column in deliveries.c if column.name not in ("mark", "weighed_at")]
    return in_time(among(connection, select(*columns), deliveries.c.letter_id, letter_ids), "at", "id")


def body(connection: Connection, sha256: bytes) -> bytes | None:
    """Return the compressed bytes of a letter's body, or None if they are not kept."""
    return connection.execute(select(bodies.c.body).where(bodies.c.sha256 == sha256)).scalar()


def waves_of(connection: Connection, ids: Collection[int]) -> Rows:
    query = select(waves, campaigns.c.name.label("campaign"), campaigns.c.mode).select_from(waves.join(campaigns))
    return among(connection, query.order_by(waves.c.id), waves.c.id, ids)


def approvals_of(connection: Connection, wave_ids: Collection[int]) -> Rows:
    columns = ("id", "wave_id", "by", "accepted", "method", "manifest_sha256", "reason", "at")
    query = select(*(approvals.c[name] for name in columns)).order_by(approvals.c.id)
    return among(connection, query, approvals.c.wave_id, wave_ids)


# --- parts -----------------------------------------------------------------------------------------------------------


def among(connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Collection[Any]) -> Rows:
    """Run a query for the rows whose column has one of the values, a bounded number of values at a time."""
    return [row for some in chunks(list(values)) for row in rows(connection, query.where(column.in_(some)))]


def in_time(found: Rows, *keys: str) -> Rows:
    return sorted(found, key=lambda row: tuple(row[key] for key in keys))
