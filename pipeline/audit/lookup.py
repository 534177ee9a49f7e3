"""How the contact of an address was found, told from what is stored: numbered points under headings, like a report.

Pure.  Sentences are msgids with values (say.py), made into text when they are shown.  Nothing is said that a row does not
bear out.  The points about questions are in lookup_asked.py, those about the choice in lookup_chosen.py, those about
other days in lookup_days.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.lookup_codes import CARRIERS, NOTHING_SAID
from pipeline.audit.record import Rows
from pipeline.audit.say import Exact, Say, counted, say
from pipeline.domain import Address

Row = Mapping[str, Any]
Sentence = Say | Exact

REGISTRIES = {"ripencc": "RIPE NCC", "nicbr": "NIC.br"}  # that are not called by their code in capitals
MOST_REPORTS = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One numbered paragraph: sentences, and below them lines that stand as they are (questions, hashes)."""

    sentences: tuple[Sentence, ...]
    lines: tuple[Sentence, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Points under a heading."""

    title: Say
    points: tuple[Point, ...]


@dataclass(slots=True)
class LookUp:
    """All that is stored about the look-up of one address, as it stood at `at`.

    `asked`: the address that questions were about, another one where it carries an IPv4 address (`carrier`).  `special`:
    the registry's entry, where nobody can be asked.  `listed`: IANA's entry that decides (entry, base, fetched_at,
    expires_at), None where its list is not kept.  `network`: the reading in force, one of `networks`.  `expected`:
    campaign -> locales and rule of a letter that is not written yet.
    """

    address: Address
    asked: Address
    at: datetime
    is_today: bool = True
    carrier: str = ""
    special: Row | None = None
    has_list: bool = False
    listed: Row | None = None
    claims: Rows = field(default_factory=list)
    targets: Rows = field(default_factory=list)
    cases: Rows = field(default_factory=list)
    networks: Rows = field(default_factory=list)
    network: dict[str, Any] | None = None
    steps: Rows = field(default_factory=list)
    candidates: Rows = field(default_factory=list)  # of every reading
    words: Rows = field(default_factory=list)
    route: dict[str, Any] | None = None
    letters: Rows = field(default_factory=list)
    languages: Rows = field(default_factory=list)
    expected: dict[str, Row] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    suppressed: dict[str, str] = field(default_factory=dict)  # mailbox -> why no letter goes to it, today

    def named(self, network: Row | None) -> Rows:
        """Return what a reading named, in its order."""
        return [row for row in self.candidates if network is not None and row["netblock_id"] == network["id"]]


def in_force(networks: Rows, at: datetime) -> dict[str, Any] | None:
    """Return the reading that answered at a time: the narrowest of those that stood, of equal ones the newest."""
    standing = [
        row for row in networks if row["valid_from"] <= at and (row["valid_to"] is None or row["valid_to"] > at)
    ]
    return min(
        standing, key=lambda row: (int(row["last_address"]) - int(row["first_address"]), -row["id"]), default=None
    )


# --- points ----------------------------------------------------------------------------------------------------------


def address_points(found: LookUp) -> Iterator[Point]:
    kind = say("{address} is an IPv4 address.", address=found.address)
    if found.address.version == 6:
        kind = say("{address} is an IPv6 address.", address=found.address)
    sentences: list[Sentence] = [kind]
    if found.carrier:
        sentences.append(meaning(CARRIERS, found.carrier, {"inner": found.asked}))
        sentences.append(say("That one's holder is to be told, so it was looked up: {inner}.", inner=found.asked))
    if not found.is_today:
        sentences.append(say("What follows is as it stood on {at}.", at=found.at))
    yield Point(tuple(sentences))
    if found.special is not None:
        entry = say(
            "It lies in {network}, {name}: addresses that serve a special purpose.",
            network=found.special["network"],
            name=found.special["name"],
        )
        source = say("The entry: {source}.", source=found.special["source"])
        nobody = say("Nobody holds such an address, so nobody was asked, and nobody is written to.")
        yield Point((entry, source, nobody))


def report_points(found: LookUp) -> Iterator[Point]:
    for row in found.claims[-MOST_REPORTS:]:
        values = {"at": row["observed_at"], "feed": row["feed"], "claim": meaning(codes.CLAIMS, row["claim"])}
        if row["port"]:
            yield Point(
                (say("On {at} the source {feed} reported it, port {port}: {claim}.", port=row["port"], **values),)
            )
        else:
            yield Point((say("On {at} the source {feed} reported it, port not stated: {claim}.", **values),))
    if left := len(found.claims[:-MOST_REPORTS]):
        command = f"tocsin who {found.address}"
        yield Point(
            (
                counted("{count} older report is on record.", "{count} older reports are on record.", left),
                say("All are shown by:"),
            ),
            (Exact(command),),
        )
    if not found.claims:
        yield Point((say("No report of this address is on record."),))
    targets = {row["id"]: row for row in found.targets}
    for case in found.cases:
        port = targets[case["target_id"]]["port"]
        values = {"case": case["id"], "campaign": case["campaign"], "at": case["created_at"]}
        if port:
            made = say(
                "Case {case} of the campaign {campaign}, about port {port}, was made on {at}.", port=port, **values
            )
        else:
            made = say("Case {case} of the campaign {campaign} was made on {at}.", **values)
        yield Point((made,))
    if not found.cases:
        yield Point((say("No campaign has a case about it, so that nobody is written to."),))


def registry_points(found: LookUp) -> Iterator[Point]:
    if found.special is not None:
        return
    if not found.has_list:
        yield Point((say("IANA's list of registries is not kept here; which server was asked is said below."),))
        return
    if found.listed is None:
        yield Point((say("IANA's list of registries (RFC 9224) has no entry for it: no registry answers for it."),))
        return
    listed = found.listed
    entry = say(
        "IANA's list of registries (RFC 9224) says that questions about {entry} go to {base}.",
        entry=listed["entry"],
        base=listed["base"],
    )
    sentences: list[Sentence] = [entry, say("The list is that of {at}.", at=listed["fetched_at"])]
    if found.steps and found.steps[0]["at"] < listed["fetched_at"]:
        sentences.append(say("The look-up below was made before, by an earlier list, which is no longer kept."))
    yield Point(tuple(sentences))


def network_points(found: LookUp) -> Iterator[Point]:
    row = found.network
    if row is None:
        return
    if row["registered_first"] is None:
        yield Point((meaning(codes.OUTCOMES, row["outcome"]), *_why(row), *_used(row)))
        return
    unknown = say("not said")
    if row["registry"] == "local":
        named = say("A person named the range {range}.", range=_registered(row))
        yield Point((named, *_used(row)))
        return
    registry = registry_name(row["registry"])
    registered = say(
        "The network is registered as {range}; the registry: {registry}.", range=_registered(row), registry=registry
    )
    details = say(
        "Its name is {name}, its handle {handle}, its holder {holder}, its country (ISO 3166) {country}.",
        **{key: row[key] or unknown for key in ("name", "handle", "holder", "country")},
    )
    yield Point((registered, details, *_used(row)))
    if row["outcome"] != "contacts":
        yield Point((meaning(codes.OUTCOMES, row["outcome"]), *_why(row)))


def _why(row: Row) -> Iterator[Sentence]:
    if row["why"]:
        yield say("The reason: {why}.", why=reason(row["why"]))


def reason(code: str) -> Sentence:
    """Return in words why an answer names nobody, or says nothing."""
    known = codes.WHY_NONE | codes.REJECTED | NOTHING_SAID
    if code in known or not code:
        return meaning(known, code) if code else say("not said")
    kind, _, rest = code.partition(" ")
    if kind == "status" and rest.isdecimal():
        return say("status {status}", status=rest)
    if kind == "failed":
        return say("the connection failed: {code}", code=rest)
    if kind == "abuse-handle":
        return say("it names the contact by its handle alone: {handle}", handle=rest)
    return Exact(code)


def registry_name(code: str) -> Sentence:
    return Exact(REGISTRIES.get(code, code.upper())) if code else say("not said")


def _used(row: Row) -> Iterator[Sentence]:
    used, registered = (row["first_address"], row["last_address"]), (row["registered_first"], row["registered_last"])
    if used == registered:
        yield say("What was found is used for the whole of it.")
        return
    yield say("What was found is used for {range}, and no further.", range=extent(row))
    if row["registered_first"] is not None:
        yield say("An answer is about the address that was asked about; its neighbours may have other contacts.")


def extent(row: Row) -> Say:
    """Return the range that a row is used for, in words."""
    return say("{first} to {last}", first=row["first_address"], last=row["last_address"])


def _registered(row: Row) -> Say:
    return say("{first} to {last}", first=row["registered_first"], last=row["registered_last"])
