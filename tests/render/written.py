"""A campaign, findings and notices written for the tests, and the shipped letter's sources.

Addresses and names are those set apart for documentation (RFC 5737, 3849, 2606).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import Message
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.domain import EvidenceLevel
from pipeline.render import compose, folder
from pipeline.render.form import PLAIN, Form
from pipeline.render.language import LanguageChoice
from pipeline.render.mime import Headers
from pipeline.render.values import Agency, Audience, CampaignFace, Earlier, Ended, Finding, LetterValues

TEMPLATES = Path(__file__).parents[2] / "templates"
GOLDEN = Path(__file__).parent / "golden"

EN, FR_CA, FR = ("en",), ("fr_CA",), ("fr",)
EN_FR, FR_EN = ("en", "fr_CA"), ("fr_CA", "en")

SEEN = datetime(2026, 10, 28, 4, 5, 6, tzinfo=UTC)

_COSIGNERS = (
    ("Example Trade Commission", "Commission du commerce d'exemple", "US"),
    ("Example Consumer Office", "Office de la consommation d'exemple", "FR"),
)


@cache
def sources(kind: str = "first") -> Mapping[str, str]:
    """A shipped letter, named as a revision names its sources."""
    return MappingProxyType(folder.read(TEMPLATES / "letters" / kind, TEMPLATES))


def face(**changes: Any) -> CampaignFace:
    """A campaign of three agencies."""
    settings: dict[str, Any] = {
        "operation": {"en": "Secure Your Server", "fr": "Sécurisez votre serveur"},
        "agencies": (Agency({"en": "Example Network Agency", "fr": "Agence des réseaux d'exemple"}, "CA"),),
        "cosigners": tuple(Agency({"en": english, "fr": french}, country) for english, french, country in _COSIGNERS),
        "from_name": {"en": "Example Network Agency", "fr": "Agence des réseaux d'exemple"},
        "from_mailbox": "letters@agency.example",
        "reply_to": "replies@agency.example",
        "contact_mailbox": "questions@agency.example",
        "guidance": {"en": "https://agency.example/en/secure", "fr": "https://agency.example/fr/securiser"},
        "participants": {"en": "https://agency.example/en/agencies", "fr": "https://agency.example/fr/organismes"},
        "instructions": {"en": "https://agency.example/en/close", "fr": "https://agency.example/fr/fermer"},
        "verification": {"en": "https://agency.example/en/genuine", "fr": "https://agency.example/fr/authentique"},
        "privacy": {"en": "https://agency.example/en/privacy", "fr": "https://agency.example/fr/vie-privee"},
        "signature": {
            "en": ("Alex Example", "Director, Network Security"),
            "fr": ("Alex Exemple", "Direction de la sécurité des réseaux"),
        },
        "postal": {
            "en": ("Example Network Agency", "100 Example Street", "Ottawa, Ontario  K1A 0A1", "Canada"),
            "fr": ("Agence des réseaux d'exemple", "100, rue de l'Exemple", "Ottawa (Ontario)  K1A 0A1", "Canada"),
        },
    }
    return CampaignFace(**{**settings, **changes})


def finding(address: str = "192.0.2.10", topic: str = "open_relay", level: int = 0, **changes: Any) -> Finding:
    """One finding: a relay on port 25 or a proxy on port 8080, as one named source has it."""
    relay = topic == "open_relay"
    values: dict[str, Any] = {
        "port": 25 if relay else 8080,
        "service": "smtp" if relay else "http",
        "claim": topic if relay else "http_connect",
        "first_seen": SEEN - timedelta(days=40),
        "last_seen": SEEN + timedelta(minutes=int(ip_address(address)) % 1440),
        "sources": ("Relay List Example",) if relay else ("Proxy List Example",),
        "source_count": 1,
        "network": "EXAMPLE-NET",
        "confirmed_at": datetime(2026, 11, 1, 2, 0, tzinfo=UTC) if level == 4 else None,
    }
    return Finding(
        address=ip_address(address),
        topic=topic,
        level=EvidenceLevel(level),
        **{**values, **changes},
    )


def values(*findings: Finding, **changes: Any) -> LetterValues:
    """A notice to the owner of these findings, in earnest."""
    settings: dict[str, Any] = {
        "reference": "TOC-7K3M-Q2XA",
        "face": face(),
        "contact": "abuse@net.example",
        "audience": Audience.OWNER,
        "written_on": date(2026, 11, 3),
        "holder": "Hébergement Exemple inc.",
        "country": "CA",
        "training": False,
    }
    return LetterValues(findings=findings or (finding(),), **{**settings, **changes})


def choice(*locales: str) -> LanguageChoice:
    """These locales, chosen by no rule."""
    return LanguageChoice(locales, "default")


@dataclass(frozen=True)
class Case:
    """A notice of a golden letter, the languages it is written in, and its form."""

    values: LetterValues
    languages: tuple[tuple[str, ...], ...]
    form: Form = PLAIN


def message(notice: LetterValues, *locales: str, form: Form = PLAIN) -> bytes:
    """The notice's letter as bytes."""
    return compose.letter(notice, sources(notice.kind), choice(*locales), form, "<n1.7k3m@agency.example>")


def headers(**changes: Any) -> Headers:
    """The headers of a letter, with these changes."""
    settings: dict[str, Any] = {
        "from_name": "Example Agency",
        "from_mailbox": "letters@agency.example",
        "reply_to": "replies@agency.example",
        "to": "abuse@net.example",
        "subject": "A subject",
        "message_id": "<a.1@agency.example>",
        "content_language": "en",
    }
    return Headers(**{**settings, **changes})


def decoded(part: Message) -> bytes:
    """A part's own bytes."""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def _many() -> tuple[Finding, ...]:
    """Three hundred addresses of three networks, IPv4 and IPv6, relays and proxies, of one source or two."""
    two: dict[str, Any] = {"sources": ("Proxy List Example", "Relay List Example"), "source_count": 2}
    relays = [finding(f"198.51.100.{n}", level=1, **two) for n in range(200) if n % 3]
    relays += [finding(f"198.51.100.{n}") for n in range(0, 200, 3)]
    proxies = [finding(f"203.0.113.{n}", "open_proxy", port=1080, service="socks5") for n in range(60)]
    unsaid = [finding(f"2001:db8::{n:x}", "open_proxy", port=0, service="any", network="EXAMPLE-V6") for n in range(40)]
    return (*proxies, *relays, *unsaid)


def _mixed() -> tuple[Finding, ...]:
    return (
        finding("198.51.100.7", "open_proxy", 4),
        finding("198.51.100.8", "open_relay", 2, sources=(), source_count=0),
        finding("198.51.100.7", "open_relay", 0),
        *(finding(f"198.51.100.{n}", "open_proxy", 1, source_count=2) for n in (9, 11, 13)),
        finding("2001:db8::25", "open_relay", 3),
    )


ALONE = (EN, FR_CA, FR)
EVERY = (*ALONE, EN_FR, FR_EN)
_PROVIDER: dict[str, Any] = {"audience": Audience.PROVIDER}
_EARLIER = Earlier("TOC-2B5N-8WQE", date(2026, 10, 1), "<n0.2b5n@agency.example>")
_FULL = Form(html=True, csv=True, xarf=50)


def cases() -> dict[str, Case]:
    """The notices of the golden letters."""
    return {**_first_notices(), **_later_notices(), **_forms()}


def _first_notices() -> dict[str, Case]:
    unnamed = [finding(f"192.0.2.{n}", "open_proxy", 1, sources=(), source_count=2) for n in (20, 21, 22)]
    signed = Agency(
        {"en": "Example Trade Commission", "fr": "Commission du commerce d'exemple"},
        "US",
        {"en": ("Sam Sample", "Head of Consumer Protection"), "fr": ("Sam Modèle", "Protection des consommateurs")},
    )
    return {
        "relay-e0-owner": Case(values(), EVERY),
        "proxy-e1-owner-unnamed": Case(values(*unnamed, face=face(cosigners=(), privacy={})), ALONE),
        "relay-e2-provider": Case(values(finding(level=2, sources=(), source_count=0), **_PROVIDER), ALONE),
        "relay-e3-owner": Case(values(finding(level=3)), ALONE),
        "proxy-e4-provider": Case(values(finding(topic="open_proxy", level=4, port=3128), **_PROVIDER), ALONE),
        "both-one-address-owner": Case(values(finding(), finding(topic="open_proxy")), ALONE),
        "both-300-provider": Case(values(*_many(), **_PROVIDER), (EN, FR_CA, EN_FR)),
        "mixed-beside": Case(values(*_mixed(), audience=Audience.BESIDE), EVERY),
        "relay-e0-beside": Case(values(audience=Audience.BESIDE, face=face(cosigners=(signed,))), ALONE),
        "mixed-training-provider": Case(
            values(*_mixed(), **_PROVIDER, training=True, watermark="Alpha"), EVERY, Form(csv=True)
        ),
    }


def _later_notices() -> dict[str, Case]:
    tested = Ended(datetime(2026, 11, 2, 8, 30, tzinfo=UTC))
    said = Ended(datetime(2026, 11, 2, 9, 0, tzinfo=UTC), stated=True)
    confirmed = finding(topic="open_proxy", level=4)
    later: dict[str, Any] = {"earlier": _EARLIER}
    return {
        "reminder-e0-owner": Case(values(kind="reminder", **later), ALONE),
        "reminder-mixed-provider": Case(values(*_mixed(), kind="reminder", **_PROVIDER, **later), EVERY),
        "reminder-e0-beside": Case(values(kind="reminder", audience=Audience.BESIDE, **later), ALONE),
        "last-e4-owner": Case(values(confirmed, kind="last", **later), ALONE),
        "last-e1-provider": Case(
            values(finding(level=1), finding("192.0.2.11"), kind="last", **_PROVIDER, **later), EVERY
        ),
        "thanks-closed-owner": Case(values(finding(level=4, ended=tested), kind="thanks", **later), ALONE),
        "thanks-stated-provider": Case(values(finding(ended=said), kind="thanks", **_PROVIDER, **later), ALONE),
        "thanks-mixed-provider": Case(
            values(
                finding(ended=tested),
                finding("192.0.2.11", ended=tested),
                finding("192.0.2.12", "open_proxy", ended=said),
                kind="thanks",
                **_PROVIDER,
                **later,
            ),
            EVERY,
        ),
        "test": Case(values(finding(), finding("198.51.100.7", "open_proxy"), kind="test"), EVERY),
    }


def _forms() -> dict[str, Case]:
    return {
        "full-provider": Case(values(finding(), finding(topic="open_proxy"), **_PROVIDER), EVERY, _FULL),
        "full-last-provider": Case(
            values(finding(level=4), kind="last", earlier=_EARLIER, **_PROVIDER), (FR_EN,), _FULL
        ),
        "csv-300-provider": Case(values(*_many(), **_PROVIDER), (EN_FR,), Form(csv=True, xarf=50)),
        "multilingual-owner": Case(values(), (EN_FR, FR_EN), Form(multilingual=True)),
        "asked-headers-provider": Case(
            values(**_PROVIDER), (EN,), Form(headers={"Auto-Submitted": "auto-generated", "X-Ticket-Queue": "abuse"})
        ),
    }
