"""Gather what is stored about the look-up of one address.

Reads: reports, targets, cases, networks with the questions behind them, candidates, people's words, routes, letters, in one
transaction, by index.  Writes nothing, asks nobody.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.audit.lookup import LookUp, in_force
from pipeline.audit.record import Rows
from pipeline.domain import Address, NotFound
from pipeline.store import log, lookups, send
from pipeline.store import who as store
from pipeline.store.db import Connection

MOST_CLAIMS = 50


def looked_up(connection: Connection, address: Address, asked: Address, at: datetime, *, is_today: bool) -> LookUp:
    """Return the look-up of an address as it stood at a time.  `asked`: the address that was asked about.

    Raises NotFound if nothing at all is known of it.
    """
    found = LookUp(address, asked, at, is_today)
    found.claims = [row for row in store.claims_about(connection, [address], MOST_CLAIMS) if row["observed_at"] <= at]
    found.targets = store.targets_at(connection, [address])
    cases = store.cases_of_targets(connection, _ids(found.targets))
    found.cases = [row for row in cases if row["created_at"] <= at]
    around = store.networks_around(connection, asked)
    missing = _ids(found.cases, "netblock_id") - _ids(around)
    found.networks = sorted(around + store.networks_of(connection, missing), key=lambda row: int(row["id"]))
    found.network = _reading(found, at)
    found.candidates = store.candidates_of(connection, _ids(found.networks))
    if found.network is not None:
        found.steps = lookups.steps_of(connection, found.network["id"])
        if found.network["country"]:
            found.route = lookups.route_of(connection, found.network["country"])
    mailboxes = {row["mailbox"] or row["candidate"] for row in found.named(found.network)}
    found.words = lookups.words_about(connection, asked, mailboxes, at)
    if is_today:
        found.suppressed = send.suppressed(
            connection, [one["mailbox"] for one in found.candidates if one["mailbox"]], at
        )
    _letters(connection, found)
    actors = {row["by"] for row in found.words} | ({found.route["by"]} if found.route is not None else set())
    found.names = log.names_of(connection, actors)
    return found


def demand_something(found: LookUp) -> None:
    """Raise NotFound if nothing is known of the address, and say what to type."""
    if found.claims or found.targets or found.networks or found.special is not None:
        return
    raise NotFound(
        f"Nothing is known of {found.address}",
        "no report names it, no campaign has a case about it, and no registry's answer about it is on record",
        "Take reports in with tocsin ingest, then run: tocsin resolve",
    )


def _reading(found: LookUp, at: datetime) -> dict[str, Any] | None:
    """Return the reading in force, else, for today, the last one that a case rests on or that there was."""
    standing = in_force([row for row in found.networks if _covers(row, found.asked)], at)
    if standing is not None or not found.is_today:
        return standing
    ended = [row for row in found.networks if row["valid_from"] <= at]
    rested_on = _ids(found.cases, "netblock_id")
    return max(ended, key=lambda row: (row["id"] in rested_on, row["id"]), default=None)


def _covers(row: dict[str, Any], address: Address) -> bool:
    return bool(row["first_address"] <= address <= row["last_address"])


def _letters(connection: Connection, found: LookUp) -> None:
    """Add the letters that speak of its cases, and the languages of those who are written to."""
    told = store.told_about(connection, _ids(found.cases))
    notices = store.notices_of(connection, {row["notice_id"] for row in told})
    campaigns = {row["id"]: row["campaign"] for row in notices}
    written = store.letters_of(connection, _ids(notices))
    found.letters = [
        {**row, "campaign": campaigns[row["notice_id"]]} for row in written if row["created_at"] <= found.at
    ]
    found.languages = lookups.languages(connection, _ids(found.candidates, "contact_id"))


def _ids(found: Rows, key: str = "id") -> set[int]:
    return {row[key] for row in found} - {None}


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A contact of a case of the address, for whom no language was chosen yet; the place is that of its own network."""

    campaign: str
    campaign_id: int
    contact_id: int
    place: tuple[str, str]  # country, region


def unwritten(found: LookUp) -> Collection[Unwritten]:
    """Return each contact of a case for whom no language was chosen yet."""
    links = {row["id"]: row for row in found.candidates}
    networks = {row["id"]: row for row in found.networks}
    settled = {(row["campaign_id"], row["contact_id"]) for row in found.languages}
    waiting = set()
    for case in found.cases:
        link = links.get(case["netblock_contact_id"])
        network = networks.get(link["netblock_id"]) if link is not None else None
        if link is None or network is None or (case["campaign_id"], link["contact_id"]) in settled:
            continue
        place = (network["country"], network["region"])
        waiting.add(Unwritten(case["campaign"], case["campaign_id"], link["contact_id"], place))
    return waiting
