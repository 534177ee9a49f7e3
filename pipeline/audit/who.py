"""Gather everything that is stored about one question.

Reads: nearly every table, in one transaction, by index and by id.  Writes nothing.  An answer for people is cut to what
they can read (`MOST`), and says so; an answer for programs is whole, but for a network, which goes page by page.
"""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from pipeline.audit.query import Query
from pipeline.audit.record import Kind, Record, Rows
from pipeline.domain import Address, NotFound
from pipeline.store import covering, log
from pipeline.store import who as store
from pipeline.store.db import Connection

MOST = 20  # cases of a letter, and networks of a mailbox, that people are told of in full
MOST_ROWS = 200  # reports, and events about one kind of row
MOST_COUNTED = 10_001

DIGEST = re.compile(r"[0-9a-f]{64}")


def who(connection: Connection, query: Query, *, whole: bool, after: Address | None = None, limit: int = 100) -> Record:
    """Return the record of one question.  `whole`: nothing is cut.  `after`, `limit`: the page of a network's addresses.

    Raises NotFound, with what was searched.
    """
    most = None if whole else MOST_ROWS
    record = Record(query.text, query.kind)
    if query.address is not None:
        record.addresses = [query.address]
        _about_address(connection, record, query.address, most)
    elif query.network is not None:
        _within(connection, record, query, after, limit)
    else:
        _about_letters(connection, record, query, None if whole else MOST)
    _around(connection, record)
    if query.network is None:
        _logged(connection, record, most)
    _names(connection, record)
    if not (record.claims or record.targets or record.notices or record.contacts or record.networks):
        _nothing(record, after)
    return record


def _about_address(connection: Connection, record: Record, address: Address, most: int | None) -> None:
    record.claims = store.claims_about(connection, [address], most)
    if len(record.claims) == most:
        record.cut.add("claims")
    record.targets = store.targets_at(connection, [address])
    record.cases = store.cases_of_targets(connection, _ids(record.targets))
    record.checks = store.checks_of_cases(connection, _ids(record.cases))
    record.told = store.told_about(connection, _ids(record.cases))
    networks = store.networks_around(connection, address) if record.claims or record.targets else []
    missing = _ids(record.cases, "netblock_id") - _ids(networks)
    record.networks = sorted(networks + store.networks_of(connection, missing), key=lambda row: int(row["id"]))


def _within(connection: Connection, record: Record, query: Query, after: Address | None, limit: int) -> None:
    """A network's addresses, one page of them, with how their cases and letters stand; `who ADDRESS` tells the rest."""
    if query.network is None:
        raise ValueError("a network is wanted")
    first, last = query.network[0], query.network[-1]
    record.addresses = store.addresses_within(connection, first, last, after, limit)
    record.next = record.addresses[-1] if len(record.addresses) == limit else None
    record.within = store.count_within(connection, first, last, MOST_COUNTED)
    record.targets = store.targets_at(connection, record.addresses)
    record.cases = store.cases_of_targets(connection, _ids(record.targets))
    record.told = store.told_about(connection, _ids(record.cases))
    record.networks = store.networks_of(connection, _ids(record.cases, "netblock_id"))
    record.suppressions, record.exclusions = covering.stops_within(connection, first, last)


def _about_letters(connection: Connection, record: Record, query: Query, most: int | None) -> None:
    """A mailbox with all its letters, or the one letter of a reference or a Message-ID."""
    named: list[int] = []
    if query.kind is Kind.EMAIL:
        contact_ids = store.contact_ids(connection, query.text)
        record.contacts = store.contacts_of(connection, contact_ids)
        notice_ids = [notice for contact in contact_ids for notice in store.notices_to(connection, contact)]
        named = [network for contact in contact_ids for network in store.named_as(connection, contact, most)]
        if not contact_ids:  # perhaps a mailbox that was rejected, perhaps a Message-ID without its brackets
            named = store.rejected_as(connection, query.text, most or MOST_ROWS)
            notice_ids = store.notices_with_message_id(connection, f"<{query.text}>")
    elif query.kind is Kind.REFERENCE:
        notice_ids = store.notices_with_reference(connection, query.text)
    else:
        notice_ids = store.notices_with_message_id(connection, query.text)
    record.told = store.told_in(connection, notice_ids, most)
    record.cases = store.cases_of(connection, {row["case_id"] for row in record.told})
    record.targets = store.targets_of(connection, _ids(record.cases, "target_id"))
    record.addresses = sorted({row["address"] for row in record.targets}, key=lambda a: (a.version, int(a)))
    record.checks = store.checks_of(connection, _ids(record.told, "check_id"))
    quoted = {(snapshot, line) for row in record.told for snapshot, line in json.loads(row["quoted"])}
    record.claims = store.claims_quoted(connection, quoted)
    record.networks = store.networks_of(connection, _ids(record.cases, "netblock_id") | set(named))
    record.notices = store.notices_of(connection, notice_ids)


def _around(connection: Connection, record: Record) -> None:
    """Add what the cases and notices name: campaigns, contacts, letters and attempts, waves and approvals, stops."""
    record.notices = record.notices or store.notices_of(connection, _ids(record.told, "notice_id"))
    record.candidates = store.candidates_of(connection, _ids(record.networks))
    written_to = _ids(record.notices, "contact_id")
    weighed = {row["contact_id"] for row in record.candidates if not row["rejected"]} - {None}
    missing = (written_to | weighed) - _ids(record.contacts)
    record.contacts = sorted(record.contacts + store.contacts_of(connection, missing), key=lambda row: int(row["id"]))
    record.told_cases = store.cases_told(connection, _ids(record.notices))
    if sum(record.told_cases.values()) > len(record.told) and record.kind not in (Kind.ADDRESS, Kind.NETWORK):
        record.cut.add("told")
    record.letters = store.letters_of(connection, _ids(record.notices))
    record.attempts = store.attempts_of(connection, _ids(record.letters))
    record.connections = store.connections_of(connection, _ids(record.attempts, "connection_id"))
    record.deliveries = store.deliveries_of(connection, _ids(record.letters))
    record.waves = store.waves_of(connection, _ids(record.notices, "wave_id"))
    record.approvals = store.approvals_of(connection, _ids(record.waves))
    campaign_ids = _ids(record.cases, "campaign_id") | _ids(record.notices, "campaign_id")
    record.campaigns = store.campaigns_of(connection, campaign_ids)
    mailboxes = {row["mailbox"] for row in record.contacts}
    if record.kind is Kind.EMAIL:
        mailboxes.add(record.query)
    if campaign_ids or record.contacts:
        record.holds = covering.holds_on(connection, campaign_ids, _ids(record.waves), _ids(record.contacts), mailboxes)
    if record.kind is not Kind.NETWORK:
        record.suppressions = covering.suppressions_on(connection, mailboxes, record.addresses)
        record.exclusions = covering.exclusions_on(connection, record.addresses)


def _logged(connection: Connection, record: Record, most: int | None) -> None:
    subjects: dict[str, Collection[int]] = {
        "snapshot": _ids(record.claims, "snapshot"),
        "case": _ids(record.cases),
        "contact": _ids(record.contacts) if record.kind is Kind.EMAIL else _ids(record.notices, "contact_id"),
        "notice": _ids(record.notices),
        "letter": _ids(record.letters),
        "wave": _ids(record.waves),
        "campaign": _ids(record.campaigns),
        "hold": _ids(record.holds),
        "suppression": _ids(record.suppressions),
        "exclusion": _ids(record.exclusions),
    }
    record.events = log.events_about(connection, subjects, most)
    if most is not None and len(record.events) >= most:
        record.cut.add("events")
    words = {row["reason"] for row in record.approvals if DIGEST.fullmatch(row["reason"])}
    record.texts = log.texts_of(connection, digests(record.events) | words)


def _names(connection: Connection, record: Record) -> None:
    listed: Iterable[Rows] = (record.events, record.approvals, record.holds, record.suppressions, record.exclusions)
    actors = {row["by"] for found in listed for row in found}
    actors |= {row["made_by"] for row in record.waves} | {row["edited_by"] for row in record.waves}
    actors |= {row["released_by"] for row in record.holds}
    record.names = log.names_of(connection, actors)


def named_in(connection: Connection, found: Rows) -> tuple[Rows, Rows]:
    """Return the campaigns and the waves that events are about."""
    about = {kind: {row["subject_id"] for row in found if row["subject"] == kind} for kind in ("campaign", "wave")}
    return store.campaigns_of(connection, about["campaign"]), store.waves_of(connection, about["wave"])


def digests(found: Rows) -> set[str]:
    """Return every value in the data of events that may stand for a kept text."""
    return {digest for row in found for digest in DIGEST.findall(row["data"])}


def _ids(found: Rows, key: str = "id") -> set[int]:
    return {row[key] for row in found} - {None}


def _nothing(record: Record, after: Address | None) -> None:
    """Raise NotFound unless a stop at least names what was asked for, or the pages of a network have come to their end."""
    if record.suppressions or record.exclusions or after is not None:
        return
    raise NotFound(
        f"Nothing is known of {record.query}",
        "searched were all reports and targets, the cases of every campaign, exclusions and the do-not-write list"
        if record.kind in (Kind.ADDRESS, Kind.NETWORK)
        else "searched were all contacts, the rejected ones too, all notices and letters, and the do-not-write list"
        if record.kind is Kind.EMAIL
        else "searched were the notices and letters of every campaign",
        "Check the spelling; what was never received or sent here is not on record.",
    )


def letter_choices(record: Record) -> list[dict[str, Any]]:
    """Return the record's letters in the order in which they were written, for a person to pick one by its place."""
    return sorted(record.letters, key=lambda row: (row["created_at"], row["id"]))
