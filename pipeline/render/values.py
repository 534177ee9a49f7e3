"""What a letter is made from: the campaign's face, the findings, and whom they are told to.

Pure values.  Words that come from outside (holder, network, source names) are cleaned as the record is made, so that
none can reach a letter unclean: control, format and bidirectional characters go, white space becomes one space, the
rest is cut.  Settings are checked instead: a campaign with a line break in its name is refused, not mended.
"""

import re
import unicodedata
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from pipeline.domain import Address, ConfigurationError, EvidenceLevel

MAX_OUTSIDE = 200  # characters of one outside value
MAX_FINDINGS = 500_000  # of one letter: no contact has more, and a letter is never split
MAX_SETTING = 2_000  # characters of one setting

Words = Mapping[str, str]  # locale (fr_CA) or language (fr) -> text
Lines = Mapping[str, tuple[str, ...]]  # locale or language -> lines

_REFERENCE = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{2,38})[A-Z0-9]")
_URL = re.compile(r"https?://[!-~]+")
_MAILBOX = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")
# Zs is white space; the rest is what a mail client may hide, reorder or break a line at.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


FIRST, REMINDER, LAST, THANKS, TEST = "first", "reminder", "last", "thanks", "test"  # kinds of letters
REMINDERS = (REMINDER, LAST)


class Audience(StrEnum):
    OWNER = "owner"  # runs the server
    PROVIDER = "provider"  # registered abuse contact of the network
    BESIDE = "beside"  # may reach whoever runs the server: a network around, an AS, a CERT ...


@dataclass(frozen=True, slots=True)
class Agency:
    """A public agency and the country it belongs to (ISO 3166 alpha-2; empty for an international body).

    `signature` has the lines of an agency that signs beside the first one; it may be left out.
    """

    name: Words
    country: str = ""
    signature: Lines = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)  # one object for a wave: what is made of it is kept by its identity
class CampaignFace:
    """All that a letter says of the campaign; every value is a setting of the campaign, nothing stands in a template.

    `agencies` sign, `cosigners` take part.  `operation` is the bare name, without the word "operation" or quotes.
    Raises ConfigurationError if a value is empty, too long, or holds a character that has no place in a letter.
    """

    operation: Words
    agencies: tuple[Agency, ...]
    from_name: Words
    from_mailbox: str
    reply_to: str
    contact_mailbox: str  # whom to ask
    guidance: Words  # URL per language
    participants: Words
    instructions: Words
    verification: Words
    postal: Lines
    signature: Lines
    cosigners: tuple[Agency, ...] = ()
    privacy: Words = field(default_factory=dict)  # URL per language; may be left out

    def __post_init__(self) -> None:
        if not self.agencies:
            raise ConfigurationError("The campaign names no agency", next_step="set at least one in campaign.agencies")
        for agency in (*self.agencies, *self.cosigners):
            _check_words("agency name", agency.name)
            _check_lines("agency signature", agency.signature)
        _check_words("operation", self.operation)
        _check_words("from_name", self.from_name)
        for name in ("guidance", "participants", "instructions", "verification", "privacy"):
            _check_words(name, getattr(self, name), _URL)
        for name in ("from_mailbox", "reply_to", "contact_mailbox"):
            _check_words(name, {"any language": getattr(self, name)}, _MAILBOX)
        for name in ("postal", "signature"):
            _check_lines(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a finding is one no more: our test at that time did not find it, or its keeper stated then that it is fixed."""

    at: datetime
    stated: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """The first notice to the same contact in the same campaign: its reference, when it was handed over, its Message-ID."""

    reference: str
    handed_on: date
    message_id: str

    def __post_init__(self) -> None:
        if not _REFERENCE.fullmatch(self.reference) or not _MESSAGE_ID.fullmatch(self.message_id):
            raise ValueError("an earlier notice has a reference and a Message-ID")


@dataclass(frozen=True, slots=True)
class Finding:
    """One target and what is known of it.  Times are UTC.

    `source_count` counts the independent public sources that report it (0 for what is known first-hand alone);
    `sources` are those of them that may be named.  `confirmed_at` is the time of the test, needed at E4 and only there.
    Raises ValueError when the parts contradict one another.
    """

    address: Address
    port: int  # 0: not said
    service: str  # smtp, http, socks4, socks5, any
    claim: str
    topic: str
    level: EvidenceLevel
    first_seen: datetime
    last_seen: datetime
    sources: tuple[str, ...] = ()
    source_count: int = 0
    network: str = ""
    confirmed_at: datetime | None = None
    ended: Ended | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port")
        moments = (self.first_seen, self.last_seen, *([self.ended.at] if self.ended else []))
        if any(moment.utcoffset() is None for moment in moments):
            raise ValueError("a finding's time has no zone")
        if (self.confirmed_at is not None) != (self.level is EvidenceLevel.E4):
            raise ValueError("the time of confirmation belongs to level E4, and level E4 needs it")
        if self.confirmed_at is not None and self.confirmed_at.utcoffset() is None:
            raise ValueError("the time of confirmation has no zone")
        if self.level in (EvidenceLevel.E0, EvidenceLevel.E1, EvidenceLevel.E3) and self.source_count < 1:
            raise ValueError("a claim without a source is no claim")
        if not re.fullmatch(r"[a-z0-9_-]{1,20}", self.service):
            raise ValueError("a service is a short lower-case word")
        names = tuple(sorted({name for name in map(clean, self.sources) if name}))
        if len(names) > self.source_count:
            raise ValueError("more sources are named than are counted")
        object.__setattr__(self, "sources", names)
        object.__setattr__(self, "network", clean(self.network))


@dataclass(frozen=True, slots=True)
class LetterValues:
    """One notice, ready to be written.  `written_on` is the date the letter bears.

    `watermark` is said beside the training mark (the name of an exercise).  `earlier` is the first notice to the same
    contact; reminders have one.  Raises ValueError if the parts do not fit.
    """

    reference: str
    face: CampaignFace
    contact: str  # the mailbox it goes to
    audience: Audience
    findings: tuple[Finding, ...]
    written_on: date
    holder: str = ""
    country: str = ""  # ISO 3166 alpha-2 of the network's registration
    kind: str = "first"
    training: bool = True
    watermark: str = ""
    earlier: Earlier | None = None

    def __post_init__(self) -> None:
        if not _REFERENCE.fullmatch(self.reference):
            raise ValueError("a reference is 4 to 40 capital letters, digits and hyphens")
        if not 1 <= len(self.findings) <= MAX_FINDINGS:
            raise ValueError(f"a letter speaks of 1 to {MAX_FINDINGS} findings, not {len(self.findings)}")
        if self.kind in REMINDERS and self.earlier is None:
            raise ValueError("a reminder names the notice that it reminds of")
        if any((finding.ended is None) == (self.kind == THANKS) for finding in self.findings):
            raise ValueError("what has ended is thanked for, and all else is not")
        object.__setattr__(self, "holder", clean(self.holder))
        object.__setattr__(self, "country", self.country.upper() if re.fullmatch("[A-Za-z]{2}", self.country) else "")
        object.__setattr__(self, "watermark", clean(self.watermark, 40))


def clean(text: str, limit: int = MAX_OUTSIDE) -> str:
    """Return an outside text as one line of visible characters, at most `limit` of them.

    Hyphens and equal signs before the first word go too: at the start of a line they would make it a list item or a
    heading of the letter.
    """
    head = unicodedata.normalize("NFC", text[: 4 * limit])
    shown = "".join(" " if unicodedata.category(c) in _UNSAFE else c for c in head)
    return " ".join(shown.split()).lstrip("-= ")[:limit].rstrip()


def said(name: str, words: Words, locale: str) -> str:
    """Return the setting `name` in `locale`, or in its language.  Raises ConfigurationError if it has neither."""
    return words[_key(name, words.keys(), locale)]


def said_lines(name: str, lines: Lines, locale: str) -> tuple[str, ...]:
    """Return the lines of the setting `name`, as `said` does."""
    return lines[_key(name, lines.keys(), locale)]


def utc_second(moment: datetime) -> str:
    """Return a time as evidence is written in every language: ISO 8601, UTC, to the second."""
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def _key(name: str, keys: Set[str], locale: str) -> str:
    language = locale.partition("_")[0]
    if locale in keys:
        return locale
    if language in keys:
        return language
    raise ConfigurationError(
        f"The campaign has no {name} in {locale}",
        "a letter says the same in each of its languages",
        f"set campaign.{name}.{language}",
    )


def _check_lines(name: str, lines: Lines) -> None:
    _check_words(name, {f"{key}, line {n}": line for key in lines for n, line in enumerate(lines[key], 1)})


def _check_words(name: str, words: Words, form: re.Pattern[str] | None = None) -> None:
    for key, text in words.items():
        unsafe = {unicodedata.category(c) for c in text} & (_UNSAFE - {"Zs"})
        if not text.strip() or len(text) > MAX_SETTING or unsafe or (form and not form.fullmatch(text)):
            raise ConfigurationError(
                f"The campaign's {name} ({key}) cannot stand in a letter",
                "it is empty, too long, has a control character or line break, or is not of the form wanted",
                f"mend campaign.{name}",
            )
