"""The days of a look-up: how long a reading holds, what comes next, and what was read at other times.  Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit.lookup import LookUp, Point, Sentence, extent
from pipeline.audit.say import Exact, Word, say
from pipeline.domain import Address

Row = Mapping[str, Any]

MOST_READINGS = 10


def validity_points(found: LookUp) -> Iterator[Point]:
    """How long this holds, and what comes next."""
    row = found.network
    if row is not None:
        since = {"since": row["valid_from"]}
        if row["valid_to"] is not None:
            held = say("This reading held from {since} to {at}, when it was ended.", at=row["valid_to"], **since)
        elif row["expires_at"] <= found.at:
            old = row["expires_at"]
            held = say("This reading is of {since} and out of date since {at}: it is asked anew.", at=old, **since)
        else:
            until = row["expires_at"]
            held = say("This reading is of {since} and is used until {at}; then it is asked anew.", at=until, **since)
        yield Point((held,))
    ports = {target["id"]: target["port"] for target in found.targets}
    for case in found.cases if found.is_today else ():
        port = ports[case["target_id"]]
        state = say("Case {case} is now: {state}.", case=case["id"], state=Word("case", case["state"]))
        words, lines = _next(case, _named(found.address, port))
        yield Point((state, words), lines)


def _next(case: Row, target: str) -> tuple[Sentence, tuple[Sentence, ...]]:
    """Return what comes next in words, and the command for it."""
    waits = case["state"] in ("seen", "no_contact")
    command = "tocsin resolve" if waits else f"tocsin explain {target}"
    if waits and case["due_at"] is not None:
        return say("It is looked up when contacts are looked for after {at}:", at=case["due_at"]), (Exact(command),)
    if waits:
        return say("It is not looked up again by itself."), ()
    return say("What comes next is told by:"), (Exact(command),)


def _named(address: Address, port: int) -> str:
    """Return a target as `tocsin explain` takes it."""
    if not port:
        return str(address)
    return f"'[{address}]:{port}'" if address.version == 6 else f"{address}:{port}"


def earlier_points(found: LookUp) -> Iterator[Point]:
    """What was read before, and after, each reading with the days on which it held."""
    others = [row for row in found.networks if found.network is None or row["id"] != found.network["id"]]
    for row in others[-MOST_READINGS:]:
        usable = [one["mailbox"] for one in found.named(row) if not one["rejected"] and one["mailbox"]]
        values = {"range": extent(row), "since": row["valid_from"], "holder": row["holder"] or say("not said")}
        if row["valid_to"] is None:
            held = say("A reading for {range} (holder: {holder}) has held since {since}.", **values)
        else:
            held = say(
                "From {since} to {at} a reading for {range} held (holder: {holder}).", at=row["valid_to"], **values
            )
        if usable:
            named = say("It named, best first: {mailboxes}.", mailboxes=tuple(usable))
        else:
            named = say("It named nobody who could be written to.")
        yield Point((held, named))
