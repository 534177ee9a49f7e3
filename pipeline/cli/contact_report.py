"""`tocsin resolve --explain ADDRESS`: how the contact of an address was found, as a report; nobody is asked anything.

Reads: what is stored, IANA's lists as they are kept, the campaigns' settings.  Writes nothing.
"""

import base64
import hashlib
import sys
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import click

from pipeline.audit import looked_up, lookup_report
from pipeline.audit.lookup import LookUp
from pipeline.audit.query import read_address
from pipeline.cli import context, edges, numbered, show
from pipeline.cli.command import given
from pipeline.cli.context import Ground
from pipeline.cli.place import typed_time
from pipeline.cli.saying import spoken
from pipeline.domain import Address, IntegrityFailure, NotFound
from pipeline.render import language
from pipeline.resolve import servers, space
from pipeline.store import bootstrap, lookups
from pipeline.store.db import Connection


def explain(text: str, at: str, answer: int | None) -> None:
    """Print the report about an address as it stood at a time, or one answer that it rests on, byte for byte."""
    address, when = _address(text), typed_time(at, "--at")
    with context.opened() as ground, ground.db.read() as connection:
        found = _gather(connection, ground, address, when)
        looked_up.demand_something(found)
        if answer is not None:
            _print_answer(connection, found, answer)
            return
    show.emit(lookup_report.plain(found), lambda: _lines(found))


def _lines(found: LookUp) -> list[str]:
    return [spoken(lookup_report.title(found)), *numbered.report(lookup_report.report(found))]


def _gather(connection: Connection, ground: Ground, address: Address, when: datetime | None) -> LookUp:
    settings = ground.loaded.settings
    asked = space.embedded_ipv4(address) or address
    found = looked_up.looked_up(connection, address, asked, when or context.clock(), is_today=when is None)
    found.carrier = space.carrier(address)
    reachable, reason = space.lookup_address(address, allow_documentation=settings.sandbox)
    if reachable is None:
        row = space.special_range(asked)
        named = {"network": row.network, "name": row.name, "source": row.source} if row is not None else None
        found.special = named or {"network": str(asked), "name": reason, "source": "IANA"}
    else:
        _list(connection, ground, asked, found)
    found.expected = _expected(connection, ground, found)
    return found


def _list(connection: Connection, ground: Ground, asked: Address, found: LookUp) -> None:
    """Add IANA's entry that decides which registry answers, as its list is kept here."""
    kept = bootstrap.last(connection, edges.bootstrap_urls(ground.loaded)[asked.version])
    if kept is None or kept.value is None:
        return
    found.has_list = True
    entry = servers.entry(servers.index(kept.value, asked.version), asked)
    if entry is not None:
        times = {"fetched_at": kept.fetched_at, "expires_at": kept.expires_at}
        found.listed = {"entry": str(entry[0]), "base": entry[1], **times}


def _expected(connection: Connection, ground: Ground, found: LookUp) -> dict[str, Mapping[str, Any]]:
    """Return for each campaign the languages that a letter would be written in, by render's own rule.

    That rule looks at all the cases that the letter would tell of, which may lie in several countries.
    """
    waiting = looked_up.unwritten(found)
    contacts = {one.contact_id for one in waiting}
    wishes, places = lookups.preferences(connection, contacts, found.at), lookups.places(connection, contacts)
    made: dict[str, Mapping[str, Any]] = {}
    for one in waiting:
        section = ground.loaded.settings.campaigns.get(one.campaign)
        if section is not None:
            about = places.get((one.campaign_id, one.contact_id), [one.place])
            choice = language.choose_for(wishes.get(one.contact_id, ""), about, section.default_order)
            made[one.campaign] = {"locales": ",".join(choice.locales), "language_rule": choice.rule}
    return made


def _print_answer(connection: Connection, found: LookUp, answer: int) -> None:
    """Print an answer's bytes to stdout, unchanged; with --json as base64 beside their hash."""
    row = next((step for step in found.steps if step["answer"] == answer), None)
    if row is None:
        numbers = ", ".join(str(step["answer"]) for step in found.steps if step["answer"] is not None)
        raise NotFound(
            f"There is no answer {answer} behind this contact", f"there are: {numbers or '-'}", "Name one of these."
        )
    body, digest = lookups.answer(connection, answer)
    if hashlib.sha256(body).digest() != digest:
        raise IntegrityFailure(
            f"The stored answer {answer} is not the one that was written down",
            "its SHA-256 is another one",
            "Run: tocsin doctor",
        )
    if given().json:
        facts = {"answer": answer, "question": row["question"], "sha256": digest.hex(), "bytes": len(body)}
        click.echo(show.to_json({**facts, "base64": base64.b64encode(body).decode()}))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _address(text: str) -> Address:
    """Return an address as it was typed: one that carries another is told of as such."""
    try:
        address = ip_address(text.strip().strip("[]"))
    except ValueError:
        raise click.BadParameter("it is not an address", param_hint="--explain") from None
    if read_address(str(address)) is None:
        raise click.BadParameter("it is not an address", param_hint="--explain")
    return address
