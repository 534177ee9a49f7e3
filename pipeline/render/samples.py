"""Sample notices that between them reach every branch of a letter's words, for the lint and for previews.

Pure.  Addresses and names are those set apart for documentation (RFC 5737, 3849, 2606); the reference is one that no notice
has, with a check character that fits.  A campaign's own face may stand in place of the sample one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from itertools import product
from typing import Any

from pipeline.domain import EvidenceLevel
from pipeline.render.form import PLAIN, Form
from pipeline.render.table import MOST_LINES
from pipeline.render.values import (
    REMINDERS,
    TEST,
    THANKS,
    Agency,
    Audience,
    CampaignFace,
    Earlier,
    Ended,
    Finding,
    LetterValues,
)

REFERENCE = "TCS-00000-00000-0"
EARLIER = Earlier("TCS-00000-00001-A", date(2026, 10, 1), "<earlier@agency.example>")
WRITTEN_ON = date(2026, 11, 3)
SEEN = datetime(2026, 10, 28, 4, 5, 6, tzinfo=UTC)
TESTED = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
CONTACT = "abuse@network.example"
FULL = Form(html=True, csv=True, xarf=50)


@dataclass(frozen=True, slots=True)
class Sample:
    """One notice, and the form of its letter; `name` says what is special about it."""

    name: str
    values: LetterValues
    form: Form = PLAIN


def face(*, joint: bool = True, privacy: bool = True) -> CampaignFace:
    """Return a campaign's face: nine agencies or one, with a page on personal information or without."""
    agency = Agency({"en": "Example Network Agency", "fr": "Agence des réseaux d'exemple"}, "CA")
    others = tuple(
        Agency({"en": f"Example Office {n}", "fr": f"Office d'exemple {n}"}, "FR", _lines("Sam Sample", "Sam Modèle"))
        for n in range(1, 9)
    )
    page = "https://agency.example"
    return CampaignFace(
        operation={"en": "Secure Your Server", "fr": "Sécurisez votre serveur"},
        agencies=(agency,),
        cosigners=others if joint else (),
        from_name=agency.name,
        from_mailbox="letters@agency.example",
        reply_to="replies@agency.example",
        contact_mailbox="questions@agency.example",
        guidance={"en": f"{page}/en/servers", "fr": f"{page}/fr/serveurs"},
        participants={"en": f"{page}/en/agencies", "fr": f"{page}/fr/organismes"},
        instructions={"en": f"{page}/en/close", "fr": f"{page}/fr/fermer"},
        verification={"en": f"{page}/en/genuine", "fr": f"{page}/fr/authentique"},
        privacy={"en": f"{page}/en/privacy", "fr": f"{page}/fr/vie-privee"} if privacy else {},
        postal={
            "en": ("100 Example Street", "Ottawa, Ontario  K1A 0A1", "Canada"),
            "fr": ("100, rue de l'Exemple", "Ottawa (Ontario)  K1A 0A1", "Canada"),
        },
        signature=_lines("Alex Example", "Alex Exemple"),
    )


def samples(kind: str, topics: Sequence[str], level: EvidenceLevel = EvidenceLevel.E0) -> Iterator[Sample]:
    """Return notices of one kind of letter: each audience, each wording, one address and many, each topic and all."""
    for audience, (name, findings) in product(Audience, _findings(kind, topics, level).items()):
        bare = name in BARE
        yield Sample(
            f"{audience}-{name}",
            LetterValues(
                reference=REFERENCE,
                face=face(joint=not bare, privacy=not bare),
                contact=CONTACT,
                audience=audience,
                findings=findings,
                written_on=WRITTEN_ON,
                holder="" if bare or name in WITHOUT_HOLDER else "Hébergement Exemple inc.",
                country="" if bare else "CA",
                kind=kind,
                training=bare,
                earlier=EARLIER if kind in (*REMINDERS, THANKS) else None,
            ),
            _form(audience, name),
        )


BARE = ("one-unnamed", "many-tested")  # one agency, nothing said of networks
WITHOUT_HOLDER = ("many", "mixed")


def _form(audience: Audience, name: str) -> Form:
    """Return what is attached: nothing for an owner, as a rule."""
    if audience is Audience.OWNER or name in BARE:
        return PLAIN
    if name == "many":
        return Form(csv=True)
    return {"one": Form(xarf=50), "one-seen": Form(pgp=True)}.get(name, FULL)


def _findings(kind: str, topics: Sequence[str], level: EvidenceLevel) -> dict[str, tuple[Finding, ...]]:
    """Return sets of findings by name, none below the level."""
    first, last = topics[0], topics[-1]
    two: dict[str, Any] = {"sources": ("A List", "B List"), "source_count": 2}
    unsaid: dict[str, Any] = {"network": "", "sources": (), "source_count": 2}
    sets: dict[str, tuple[Finding, ...]] = {
        "one": (_finding(1, first, 0),),
        "one-unnamed": (_finding(1, last, 1, **unsaid),),
        "one-both": tuple(_finding(1, topic, 1, **two) for topic in topics),
        "many": (_finding(1, first, 1), _finding(2, first, 1, **two), _finding(3, first, 3, network="NET-B")),
        "many-both": tuple(_finding(n, topic, 1, **two) for n in range(1, 9) for topic in topics),
        "one-seen": (_finding(1, first, 2),),
        "many-seen": (_finding(1, first, 2), _finding(2, last, 2, sources=(), source_count=0)),
        "one-tested": (_finding(1, last, 4),),
        "one-tested-both": tuple(_finding(1, topic, 4, sources=(), source_count=0) for topic in topics),
        "many-tested": tuple(_finding(n, first, 4, network="", confirmed_at=TESTED + timedelta(n)) for n in (1, 2)),
        "many-tested-networks": tuple(_finding(n, last, 4, network=f"NET-{n}") for n in range(1, 9)),
        "mixed": (
            *(_finding(n, first, 4) for n in (1, 2)),
            *(_finding(n, last, 2, network="NET-B") for n in (3, 4)),
            *(_finding(n, first, 1, **two) for n in (5, 6)),
        ),
        "mixed-ones": (_finding(1, first, 4), _finding(2, last, 2), _finding(3, first, 1)),
        "too-many": tuple(_finding(n, first, 1) for n in range(1, MOST_LINES + 2)),
    }
    known = {name: tuple(found for found in here if found.level >= level) for name, here in sets.items()}
    if kind == THANKS:
        known = {name: tuple(map(_ended, here)) for name, here in known.items()}
    elif kind == TEST:
        known = {name: known[name] for name in ("one", "one-both", "one-unnamed", "many") if known[name]}
    return {name: here for name, here in known.items() if here}


def _ended(finding: Finding) -> Finding:
    """Return a finding that is none any more: tested ones by our test, others by their keeper's word."""
    at = TESTED + timedelta(days=int(finding.address) % 2)
    ended = Ended(at, stated=finding.level in (EvidenceLevel.E1, EvidenceLevel.E2))
    changes = {name: getattr(finding, name) for name in finding.__dataclass_fields__}
    return Finding(**{**changes, "ended": ended})


def _finding(number: int, topic: str, level: int, **changes: Any) -> Finding:
    relay = topic == "open_relay"
    settings: dict[str, Any] = {
        "address": IPv4Address("198.51.100.0") + number if number < 250 else ip_address(f"2001:db8::{number:x}"),
        "port": 25 if relay else 8080 if number % 2 else 0,
        "service": "smtp" if relay else "http" if number % 2 else "any",
        "claim": topic,
        "first_seen": SEEN - timedelta(days=40),
        "last_seen": SEEN + timedelta(minutes=number % 1440),
        "sources": ("A List",),
        "source_count": 1,
        "network": "NET-A",
        "confirmed_at": TESTED if level == EvidenceLevel.E4 else None,
    }
    return Finding(topic=topic, level=EvidenceLevel(level), **{**settings, **changes})


def _lines(english: str, french: str) -> dict[str, tuple[str, ...]]:
    return {"en": (english, "Director"), "fr": (french, "Direction")}
