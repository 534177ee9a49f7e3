"""Whose network a record's addresses are in, which mailboxes were weighed, which was chosen, and why no other.

Pure.  Readings of a network and what they named stand with the days on which they held.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.record import Kind, Record
from pipeline.audit.say import Exact, Line, Say, say

Row = Mapping[str, Any]

MOST_TOLD = 20  # networks in a text; --json has them all


def network_lines(record: Record) -> Iterator[Line]:
    for row in record.networks[-MOST_TOLD:]:
        yield Line(_network(row), row["read_at"] or row["valid_from"])
        yield from (Line(line, depth=1) for line in _network_details(row))


def _network(row: Row) -> Say:
    if row["registered_first"] is None:
        return say(
            "{first} to {last}: no registration was found.", first=row["first_address"], last=row["last_address"]
        )
    return say(
        "{first} to {last}, registered with {registry} as {name} ({handle}), holder: {holder}, country: {country}.",
        first=row["registered_first"],
        last=row["registered_last"],
        registry=row["registry"] or say("not said"),
        name=row["name"] or say("not said"),
        handle=row["handle"] or say("not said"),
        holder=row["holder"] or say("not said"),
        country=row["country"] or say("not said"),
    )


def _network_details(row: Row) -> Iterator[Say | Exact]:
    yield meaning(codes.OUTCOMES, row["outcome"])
    if row["why"]:
        yield say("why: {why}", why=why_none(row["why"]))
    if row["source"]:
        yield say(
            "read from {source}; SHA-256 of the answer: {sha256}", source=row["source"], sha256=row["answer_sha256"]
        )
    else:
        yield say("the registry's answer is no longer kept, or there was none")
    used = {"first": row["first_address"], "last": row["last_address"], "since": row["valid_from"]}
    if row["valid_to"] is None:
        yield say("used for {first} to {last} since {since}; asked again after {at}", at=row["expires_at"], **used)
    else:
        yield say("used for {first} to {last} from {since} to {at}", at=row["valid_to"], **used)


def why_none(code: str) -> Say | Exact:
    """Return why an answer has no mailbox: a reason of its own, or the one of the candidate that came nearest."""
    return meaning(codes.WHY_NONE | codes.REJECTED, code)


def candidate_lines(record: Record) -> Iterator[Line]:
    chosen = {case["netblock_contact_id"] for case in record.cases}
    written_to = {notice["contact_id"] for notice in record.notices}
    for network in record.networks[-MOST_TOLD:]:
        mine = [row for row in record.candidates if row["netblock_id"] == network["id"]]
        if record.kind is Kind.EMAIL:
            mine = [row for row in mine if record.query in (row["mailbox"], row["candidate"])]
        for row in mine:
            if row["rejected"]:
                reason = meaning(codes.REJECTED, row["rejected"])
                said = say("{candidate}: not written to; {why}.", candidate=row["candidate"], why=reason)
            elif row["id"] in chosen:
                said = say("{candidate}: chosen.", candidate=row["mailbox"])
            elif row["contact_id"] in written_to:
                said = say("{candidate}: was written to; another is chosen now, or none.", candidate=row["mailbox"])
            else:
                said = say("{candidate}: kept in reserve.", candidate=row["mailbox"] or row["candidate"])
            yield Line(said, row["valid_from"])
            yield from (Line(line, depth=1) for line in _candidate_details(row, network))


def _candidate_details(row: Row, network: Row) -> Iterator[Say | Exact]:
    yield say(
        "named for {first} to {last}: {tier}; place {rank}, confidence {confidence} of 100",
        first=network["first_address"],
        last=network["last_address"],
        tier=meaning({str(tier): text for tier, text in codes.TIERS.items()}, str(row["tier"])),
        rank=row["rank"] + 1,
        confidence=row["confidence"],
    )
    if row["path"]:
        yield say("read at {path}", path=row["path"])
    if row["note"]:
        yield meaning(codes.NOTES, row["note"])
    if row["valid_to"] is not None:
        yield say("held until {at}", at=row["valid_to"])
    if row["state"] in ("dead", "bouncing"):
        yield meaning(codes.MAILBOXES, row["state"])
