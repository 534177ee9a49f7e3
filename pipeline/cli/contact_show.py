"""`tocsin contact show`: a mailbox with all that is known of it, or a network with those who may be written to, in order.

Reads only.  What stood on which day, and every letter with its bytes, is told by `tocsin who`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.cli import context, saying, show, words
from pipeline.cli.command import Command, argument, given
from pipeline.cli.contact_input import value
from pipeline.cli.contact_route import told_to
from pipeline.cli.states import said
from pipeline.data import asked_headers
from pipeline.domain import Address, NotFound
from pipeline.resolve import contact_values as values
from pipeline.store import anew, contacts, overrides, preferences, routes, send
from pipeline.store.db import Connection
from pipeline.store.overrides import Override
from pipeline.store.preferences import Preference
from pipeline.store.stops import shown_range

MOST = 20  # of each list, where people read it

PREFERENCES = {  # what --clear calls it -> as it is stored
    "language": "language",
    "format": "format",
    "cadence": "cadence_days",
    "inhibit-until": "inhibited_until",
    "until": "until",
    "headers": "headers",
    "pgp-key": "pgp_key",
}

Rows = list[dict[str, Any]]


@click.command(
    "show",
    cls=Command,
    examples=(
        "tocsin contact show abuse@isp.example",
        "tocsin contact show 192.0.2.7",
        "tocsin contact show 192.0.2.0/24",
    ),
)
@argument("what", metavar="MAILBOX|ADDRESS|NETWORK", help="What to show.")
def show_(what: str) -> None:
    """Show a contact: its state, its wishes, where it is named and its letters; or who may be told about a network."""
    with context.opened() as ground, ground.db.read() as connection:
        if "@" in what:
            mailbox = value(values.mailbox, what, words.text("MAILBOX"))[0]
            data = _mailbox(connection, mailbox, context.clock())
            show.emit(data, lambda: list(_mailbox_lines(data)))
            return
        range_ = value(values.network, what, words.text("NETWORK"))
        data = _network(connection, range_, context.clock())
    show.emit(data, lambda: list(_network_lines(data)))


# --- a mailbox -------------------------------------------------------------------------------------------------------


def _mailbox(connection: Connection, mailbox: str, now: datetime) -> dict[str, Any]:
    most = None if given().json else MOST
    found = contacts.of_mailbox(connection, mailbox)
    contact_id = found["id"] if found else 0
    wishes = preferences.of(connection, contact_id)
    data: dict[str, Any] = {
        "mailbox": mailbox,
        "contact": found,
        "preferences": wishes,
        "headers_left_out": left_out(wishes) if wishes else {},
        "preferences_hold": wishes is not None and (wishes.until is None or wishes.until > now),
        "suppressed": send.suppressed(connection, [mailbox], now).get(mailbox, ""),
        "words": [_word(one) for one in overrides.of_mailbox(connection, mailbox, now)],
        "routes": [country for country, one in routes.every(connection).items() if one.mailbox == mailbox],
        "named_for": contacts.places(connection, contact_id, most),
        "rejected_for": contacts.rejected_places(connection, mailbox, most),
        "letters": contacts.letters_to(connection, contact_id, most),
        "open_cases": len(anew.told_as(connection, contact_id)),
    }
    if not any(data[name] for name in ("contact", "suppressed", "words", "routes", "rejected_for")):
        raise NotFound(
            f"There is no contact {mailbox}",
            "no registry has named it, and nobody has set anything for it",
            "Correct it, or see what is on record: tocsin who MAILBOX",
        )
    return data


def _word(one: Override) -> dict[str, Any]:
    keys = ("id", "mailbox", "reason", "by", "at", "until")
    return {"verdict": one.verdict.value, "network": one.place or None, **{key: getattr(one, key) for key in keys}}


def _mailbox_lines(data: dict[str, Any]) -> Iterator[str]:
    contact = data["contact"] or {}
    state = said("contact", contact["state"]) if contact else words.text("no registry has named it")
    if not contact and data["rejected_for"]:
        state = words.text("named, and never taken")
    yield from show.pairs(
        [
            (words.text("mailbox"), contact.get("spelling") or data["mailbox"]),
            (words.text("state"), f"{state} ({contact['state_why']})" if contact.get("state_why") else state),
            (words.text("open cases"), words.number(data["open_cases"])),
            *([(words.text("not written to"), said("reason", data["suppressed"]))] if data["suppressed"] else []),
            *([(words.text("route of"), ", ".join(data["routes"]))] if data["routes"] else []),
        ]
    )
    if data["preferences"] is not None:
        held = "" if data["preferences_hold"] else f" ({words.text('ended')})"
        yield from ("", words.text("what it asked for") + held)
        yield from show.pairs(("  " + name, shown) for name, shown in preference_pairs(data["preferences"]))
    yield from _word_lines(data["words"])
    yield from _place_lines(words.text("named for"), data["named_for"])
    yield from _place_lines(words.text("not taken for"), data["rejected_for"])
    if data["letters"]:
        yield from ("", words.text("letters"))
        yield from show.table(
            words.each("id", "date", "campaign", "wave", "reference", "state"),
            [
                (row["id"], row["created_at"], row["campaign"], row["wave"], row["reference"], _letter_state(row))
                for row in data["letters"]
            ],
        )


def _letter_state(row: dict[str, Any]) -> str:
    return said("letter", row["state"])


def left_out(wishes: Preference) -> dict[str, str]:
    """Return the headers that were asked for and that letters leave out, with the code of why."""
    return asked_headers.parted(wishes.headers)[1]


def preference_pairs(wishes: Preference) -> list[tuple[str, object]]:
    """Return a contact's wishes as names and values, those that say something."""
    shown: dict[str, object] = {
        "language": wishes.language.replace(",", ", "),
        "format": said("format", wishes.format) if wishes.format else "",
        "cadence_days": wishes.cadence_days or "",
        "inhibited_until": wishes.inhibited_until,
        "headers": "; ".join(f"{name}: {text}" for name, text in wishes.headers.items()),
        "headers_left_out": "; ".join(f"{name}: {said('problem', why)}" for name, why in left_out(wishes).items()),
        "pgp_key": words.text("kept") if wishes.pgp_key else "",
        "until": wishes.until,
        "source": wishes.source,
    }
    return [(said("preference", name), text) for name, text in shown.items() if text]


def _word_lines(found: Rows) -> Iterator[str]:
    if not found:
        return
    yield from ("", words.text("what people said"))
    yield from show.table(
        words.each("word", "mailbox", "network", "reason", "by", "since", "until"),
        [
            (
                said("word", row["verdict"]),
                *(row["mailbox"], row["network"] or words.text("everywhere"), row["reason"], row["by"], row["at"]),
                row["until"],
            )
            for row in found
        ],
    )


def _place_lines(title: str, found: Rows) -> Iterator[str]:
    if not found:
        return
    yield from ("", title)
    yield from show.table(
        words.each("network", "holder", "how", "read at", "since", "until"),
        [
            (
                *(shown_range(row["first_address"], row["last_address"]), row["holder"], _how(row), row["path"]),
                *(row["since"], row["until"]),
            )
            for row in found
        ],
    )
    if len(found) == MOST:
        yield "  " + words.text("only the newest are shown; --json has them all")


def _how(row: dict[str, Any]) -> str:
    """Return how a mailbox came to be a candidate, or why it was not taken."""
    if row["rejected"]:
        return saying.spoken(meaning(codes.REJECTED, row["rejected"]))
    return said("tier", str(row["tier"]))


# --- a network -------------------------------------------------------------------------------------------------------


def _network(connection: Connection, range_: tuple[Address, Address], now: datetime) -> dict[str, Any]:
    """Who may be told about an address or a network: words of people, routes, candidates in order."""
    networks = contacts.networks_meeting(connection, *range_, 1 if range_[0] == range_[1] else MOST)
    ways = routes.every(connection)
    said_here = overrides.around(connection, *range_, now)
    countries = sorted({row["country"] for row in networks} & set(ways))
    data = {
        "network": shown_range(*range_),
        "words": [_word(one) for one in said_here],
        "routes": [{"country": c, "route": ways[c].kind, "mailbox": ways[c].mailbox} for c in countries],
        "networks": [_with_candidates(connection, row, now) for row in networks],
        "open_cases": len(anew.within(connection, *range_)),
    }
    if not networks and not said_here:
        raise NotFound(
            f"Nothing is known of {data['network']}",
            "no network was looked up there, and nobody has said anything of it",
            "Look up the contacts of cases: tocsin resolve",
        )
    return data


NETWORK = ("registry", "handle", "name", "holder", "country", "outcome", "why", "valid_from", "expires_at")
CANDIDATE = ("candidate", "mailbox", "state", "tier", "rank", "confidence", "source", "path", "note", "rejected")


def _with_candidates(connection: Connection, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    found = contacts.candidates(connection, row["id"])
    mailboxes = [one["mailbox"] for one in found if one["mailbox"]]
    stopped = send.suppressed(connection, mailboxes, now)
    return {
        "range": shown_range(row["first_address"], row["last_address"]),
        **{name: row[name] for name in NETWORK},
        "candidates": [
            {**{name: one[name] for name in CANDIDATE}, "suppressed": stopped.get(one["mailbox"] or "", "")}
            for one in found
        ],
    }


def _network_lines(data: dict[str, Any]) -> Iterator[str]:
    yield from show.pairs(
        [
            (words.text("network"), data["network"]),
            (words.text("open cases"), words.number(data["open_cases"])),
            *(
                (
                    words.text("route"),
                    words.text("{place}: {what}", place=way["country"], what=told_to(way["route"], way["mailbox"])),
                )
                for way in data["routes"]
            ),
        ]
    )
    yield from _word_lines(data["words"])
    for network in data["networks"]:
        yield from ("", " ".join(filter(None, (network["range"], network["holder"], network["country"]))))
        yield from _candidate_lines(network["candidates"]) if network["candidates"] else _no_candidate(network)
    if len(data["networks"]) == MOST:
        yield "  " + words.text("only the first networks are shown; name one of them")


def _no_candidate(network: dict[str, Any]) -> Iterator[str]:
    yield "  " + saying.spoken(meaning(codes.OUTCOMES, network["outcome"]))


def _candidate_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    return show.table(
        words.each("rank", "mailbox", "how", "confidence", "read at", "state"),
        [
            (
                "" if one["rejected"] else one["rank"] + 1,
                one["mailbox"] or one["candidate"],
                _how(one),
                "" if one["rejected"] else one["confidence"],
                one["path"],
                _state(one),
            )
            for one in found
        ],
    )


def _state(one: dict[str, Any]) -> str:
    if one["suppressed"]:
        return f"{words.text('not written to')}: {said('reason', one['suppressed'])}"
    return said("contact", one["state"]) if one["state"] else ""
