"""The settings: TOML, environment and credential files to typed values, once.

Order: flag > TOCSIN_MAIL__RATE=... > credential file > config.toml.  An unknown key is an error that names its path.
Nothing here is secret: secrets come from the credential file alone, and are never printed.  config.example.toml is
written from this model (config_text.py), and a test keeps them equal.
"""

import re
import tomllib
from datetime import time, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.data.quiet_days import quiet_days
from pipeline.domain import ConfigurationError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: object) -> object:
    """Return the length of time that text such as "30s", "10m", "72h" or "5d" names; other values as they are."""
    if isinstance(value, str) and value[-1:] in UNITS and value[:-1].replace(".", "", 1).isdigit():
        return timedelta(seconds=float(value[:-1]) * UNITS[value[-1]])
    if isinstance(value, str | int | float):
        raise ValueError('a length of time is written as "30s", "10m", "72h" or "5d"')  # noqa: TRY004 - pydantic wants it
    return value


Duration = Annotated[timedelta, BeforeValidator(duration)]
Level = Annotated[int, Field(ge=0, le=4)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSection(Section):
    url: str = Field("sqlite:///tocsin.db", description="sqlite:///FILE, or postgresql://USER@HOST/NAME")
    wait: Duration = Field(timedelta(seconds=30), description="SQLite: for another process to end what it is writing")


class DnsSection(Section):
    nameservers: list[str] = Field(
        [], description="ADDRESS or ADDRESS:PORT of your own recursive resolvers; public ones break the zones' terms"
    )
    timeout: Duration = Field(timedelta(seconds=5), description="for one question, all tries together")
    concurrency: int = Field(50, ge=1, description="questions under way at once")


RDAP_RATES = {
    "rdap.arin.net": 2.0,
    "rdap.db.ripe.net": 2.0,
    "rdap.apnic.net": 2.0,
    "rdap.afrinic.net": 1.0,
    "rdap.lacnic.net": 0.15,
    "rdap.registro.br": 0.15,
    "jpnic.rdap.apnic.net": 0.166,
    "krnic.rdap.apnic.net": 0.166,
    "twnic.rdap.apnic.net": 0.166,
    "idnic.rdap.apnic.net": 0.166,
}


class RdapSection(Section):
    bootstrap_v4: str = Field("https://data.iana.org/rdap/ipv4.json", description="IANA's registry of IPv4 (RFC 9224)")
    bootstrap_v6: str = Field("https://data.iana.org/rdap/ipv6.json", description="IANA's registry of IPv6 (RFC 9224)")
    bootstrap_asn: str = Field(
        "https://data.iana.org/rdap/asn.json", description="IANA's registry of AS numbers (RFC 9224)"
    )
    user_agent: str = Field(
        "", description="who asks: the agency's page and mailbox; needed before a registry is asked"
    )
    timeout: Duration = Field(timedelta(seconds=30), description="for one answer")
    concurrency: int = Field(
        16, ge=1, description="questions under way at once to one registry; at most 8 where it has a limit"
    )
    allow_loopback: bool = Field(False, description="plain http and loopback addresses; for the sandbox and tests")
    rate: float = Field(
        2.0, ge=0, description="questions a second to a registry that `rates` does not name; 0: no limit"
    )
    rates: Annotated[dict[str, float], AfterValidator(lambda given: RDAP_RATES | given)] = Field(
        RDAP_RATES, description="questions a second by registry host; what is not named here stays as it is"
    )
    per_day: dict[str, int] = Field({}, description="questions a UTC day by registry host")
    keep: Duration = Field(timedelta(days=30), description="an answer with a contact serves that long")
    keep_negative: Duration = Field(timedelta(days=7), description="an answer without a contact serves that long")


class WhoisSection(Section):
    enabled: bool = Field(True, description="ask WHOIS where RDAP gives no contact, or refuses")
    hosts: dict[str, str] = Field(
        {
            "arin": "whois.arin.net:43",
            "ripencc": "whois.ripe.net:43",
            "apnic": "whois.apnic.net:43",
            "lacnic": "whois.lacnic.net:43",
            "afrinic": "whois.afrinic.net:43",
            "jpnic": "whois.nic.ad.jp:43",
            "krnic": "whois.kisa.or.kr:43",
            "twnic": "whois.twnic.net.tw:43",
            "registro.br": "whois.registro.br:43",
        },
        description="HOST:PORT by registry",
    )
    rate: float = Field(0.15, ge=0, description="questions a second to one host; 0: no limit")
    timeout: Duration = Field(timedelta(seconds=20), description="for one answer")


class ScopeSection(Section):
    v4: int = Field(20, ge=16, le=32, description="an IPv4 answer speaks for no more than a /20 around the address")
    v6: int = Field(40, ge=32, le=128, description="an IPv6 answer, no more than a /40")
    slow_v4: int = Field(18, ge=16, le=32, description="the same for LACNIC and its national registries")
    slow_v6: int = Field(36, ge=32, le=128)
    block_v4: int = Field(24, ge=16, le=32, description="the same where a registry's own block answers")
    block_v6: int = Field(48, ge=32, le=128)


class ResolveSection(Section):
    chain: list[Literal["dump", "network", "whois", "page", "parent", "origin", "directory", "cert", "host_name"]] = (
        Field(
            ["dump", "network", "whois", "parent", "origin", "cert"],
            description="where a contact is looked for, in this order, until one is found: docs/explanation/contacts.md",
        )
    )
    check_mail: bool = Field(True, description="ask the DNS whether a mailbox's domain takes mail, at most once a day")
    use_search: bool = Field(
        True, description="ask registries that offer it (RFC 9910) for all networks below a wide one"
    )
    origin_zone: str = Field("origin.asn.cymru.com", description="who announces an IPv4 address (TXT records)")
    origin6_zone: str = Field("origin6.asn.cymru.com", description="who announces an IPv6 address")
    directory_zone: str = Field(
        "abuse-contacts.abusix.zone", description="asked only where chain has `directory`; it has terms of its own"
    )
    names_rate: float = Field(5.0, ge=0, description="questions a second to each of these zones; 0: no limit")
    pages: dict[str, str] = Field(
        {
            "jpnic": "https://whois.nic.ad.jp/cgi-bin/whois_gw?lang=%2Fe&key={address}&submit=query",
            "krnic": "https://xn--c79as89aj0e29b77z.xn--3e0b707e/eng/whois.jsc#query={address}",
        },
        description="web pages of national registries, asked where chain has `page`; after # stands what is posted",
    )
    scope: ScopeSection = ScopeSection()


def _fingerprint(value: str) -> str:
    plain = value.replace(":", "").strip().lower()
    if value and not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError("a SHA-256 has 64 hexadecimal digits, as: openssl x509 -noout -fingerprint -sha256 -in FILE")
    return plain


class RelaySection(Section):
    host: str = Field(
        "127.0.0.1", description="your relay (smarthost); Tocsin does not deliver to foreign servers itself"
    )
    port: int = Field(25, ge=1, le=65535)
    tls: Literal["none", "opportunistic", "required", "verified"] = Field(
        "verified", description="none, opportunistic, required (any certificate), verified"
    )
    ca_file: str = Field("", description="certificates that `verified` trusts; empty: the system's")
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] = Field(
        "", description="SHA-256 of the relay's certificate: `verified` takes that one and no other, whoever signed it"
    )
    username: str = Field("", description="for AUTH; the password stands in the credential file as mail_password")
    ehlo_name: str = Field("", description="the name we greet with; empty: this machine's")
    source_address: str = Field("", description="the local address to send from")
    connections: int = Field(4, ge=1, le=50, description="kept open at once")
    letters_per_connection: int = Field(100, ge=1)
    timeout: Duration = Field(timedelta(seconds=60), description="for each SMTP reply")
    dot_timeout: Duration = Field(
        timedelta(seconds=600), description="for the reply to the final dot (RFC 5321 4.5.3.2.6)"
    )

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.fingerprint and self.tls != "verified":
            raise ValueError('a fingerprint is looked at only with tls = "verified"')
        return self


class NamedRelaySection(RelaySection):
    """One of several relays, or what takes letters without SMTP."""

    username: str = Field(
        "", description="for AUTH; the password stands in the credential file: mail_passwords = { east = ... }"
    )
    weight: int = Field(1, ge=1, le=1000, description="its share of the letters, beside the weights of the others")
    transport: Literal["smtp", "sendmail", "folder"] = Field(
        "smtp", description="smtp; sendmail: a program that queues mail; folder: letters as files, for review"
    )
    command: list[str] = Field(
        ["/usr/sbin/sendmail"], description="for sendmail: the program, by its whole path, and arguments of your own"
    )
    dsn: bool = Field(
        False,
        description="for sendmail: it takes -N, -R and -V, as those of Postfix and Sendmail do, and Exim's does not",
    )
    folder: str = Field("", description="for folder: where LETTER-ATTEMPT.eml and .json are written")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.transport == "folder" and not self.folder:
            raise ValueError('transport = "folder" needs a folder')
        if self.transport == "sendmail" and not (self.command and self.command[0].startswith("/")):
            raise ValueError("command is a list that begins with the whole path of the program")
        return self


def _relay_names(value: dict[str, NamedRelaySection]) -> dict[str, NamedRelaySection]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", name):
            raise ValueError("a relay is named by letters, digits, '-', '_' and '.', forty at most")
    return value


class DkimSection(Section):
    domain: str = Field(
        "", description="the domain that signs letters: that of the campaigns' from_mailbox; empty: none"
    )
    rsa_selector: str = Field(
        "",
        description="the public half of the credential file's dkim_rsa_key is published as SELECTOR._domainkey.DOMAIN",
    )
    ed25519_selector: str = Field("", description="the same for dkim_ed25519_key; many receivers check RSA alone")


def _days(value: list[str]) -> list[str]:
    for text in value:
        quiet_days(text)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('a time zone is named as IANA has it, for example "America/Toronto"') from None
    return value


def _hour(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{2}:[0-9]{2}", value):
        raise ValueError('an hour of the day is written as "08:00" or "17:30"')
    return value


Hour = Annotated[time, BeforeValidator(_hour)]


class WindowSection(Section):
    letters: Literal["always", "working_hours"] = Field(
        "always",
        description="when they may leave; working_hours: Monday to Friday, or as the recipient's country has it",
    )
    opens: Hour = Field(time(8), description="by the recipient's clock")
    closes: Hour = Field(time(17), description="in a country of several time zones, both hold in all of them")
    holidays: bool = Field(True, description="a holiday there is no working day")
    quiet_days: Annotated[list[str], AfterValidator(_days)] = Field(
        [], description='nothing leaves then, whatever the hour: "12-24/01-02" of every year, "2027-03-01" of one'
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="the time zone of recipients whose country is not known"
    )

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("opens is to be earlier in the day than closes")
        return self


class SpansSection(Section):
    per_minute: float = Field(0.0, ge=0, description="letters in any minute; 0: no limit")
    per_hour: float = Field(0.0, ge=0, description="letters in any hour, evenly; 0: no limit")
    per_day: int = Field(0, ge=0, description="letters a UTC day; 0: no limit")


class RatesSection(SpansSection):
    per_second: float = Field(0.0, ge=0, description="letters a second; 0: no limit")


def days(plan: dict[str, int]) -> dict[str, int]:
    """Return a warm-up plan whose keys are days from 1 on and whose values are caps.  Raises ValueError."""
    if plan and "1" not in plan:
        raise ValueError("a plan begins with day 1")
    for day, cap in plan.items():
        if not (day.isascii() and day.isdecimal() and day == str(int(day)) and 1 <= int(day) <= 9999) or cap < 0:
            raise ValueError("a plan says how many letters from which day on: { 1 = 50, 2 = 100, 14 = 0 }")
    return plan


class BrakesSection(Section):
    """Shares are of the letters that were judged; one of 0 never warns, or never holds."""

    floor: int = Field(50, ge=1, description="letters of a campaign that must have been judged before shares count")
    breaker: int = Field(
        10, ge=0, description="attempts in a row refused because of us (at MAIL, AUTH, or 5.7.x): a hold; 0: never"
    )
    recent: int = Field(500, ge=1, description="letters judged last: shares are taken over them, and over `window`")
    window: int = Field(10_000, ge=1, le=100_000, description="letters: returned mail and complaints come late")
    refused_warn: float = Field(0.15, ge=0, le=1, description="share refused or returned that gives a warning")
    refused_hold: float = Field(0.30, ge=0, le=1, description="and that holds the campaign until tocsin release")
    policy_warn: float = Field(0.02, ge=0, le=1, description="the same for refusals by policy (5.7.x)")
    policy_hold: float = Field(0.05, ge=0, le=1)
    complaints_warn: float = Field(0.001, ge=0, le=1, description="the same for complaints")
    complaints_hold: float = Field(0.003, ge=0, le=1)


class CanarySection(Section):
    """Before the rest of a wave leaves, a person looks at how its first letters were answered."""

    share: float = Field(0.01, ge=0, le=1, description="of a wave's letters leave first; then it is held")
    least: int = Field(20, ge=0, description="letters that leave first at least; 0, with a share of 0: no wave is held")
    ramp_share: float = Field(
        0.25, ge=0, le=1, description="of the rate, for a wave that goes on; 0: the whole at once"
    )
    ramp_every: Duration = Field(timedelta(minutes=10), description="it doubles that often, up to the whole rate")


class MailSection(Section):
    relay: RelaySection = RelaySection()
    relays: Annotated[dict[str, NamedRelaySection], AfterValidator(_relay_names)] = Field(
        {}, description="instead of mail.relay: one or several, by names of your own: docs/how-to/several-relays.md"
    )
    dkim: DkimSection = DkimSection()
    brakes: BrakesSection = BrakesSection()
    canary: CanarySection = CanarySection()
    window: WindowSection = WindowSection()
    sender: str = Field("", description="envelope sender domain mailbox, for example bounces@agency.example")
    outbound: Annotated[list[str], AfterValidator(lambda given: [str(ip_address(text)) for text in given])] = Field(
        [], description="addresses that your relay sends from, for `doctor dns`; empty: those of mail.relay.host"
    )
    rate: float = Field(1.0, ge=0, description="letters a second, over all workers; 0: no limit")
    per_day: int = Field(0, ge=0, description="letters a UTC day; 0: no limit")
    per_minute: float = Field(0.0, ge=0, description="letters in any minute; 0: no limit")
    per_hour: float = Field(0.0, ge=0, description="letters in any hour, evenly; 0: no limit")
    per_domain_rate: float = Field(0.2, ge=0, description="letters a second to one recipient domain; 0: no limit")
    mailbox_interval: Duration = Field(
        timedelta(hours=1), description="between two letters to one mailbox, of any campaign; 0s: no limit"
    )
    warm_up: Annotated[dict[str, int], AfterValidator(days)] = Field(
        {}, description="letters a day over a new relay, from which day on: { 1 = 50, 2 = 100, 14 = 0 }; 0: no limit"
    )
    per_domain: SpansSection = SpansSection()
    per_provider: RatesSection = RatesSection()
    per_campaign: RatesSection = RatesSection()
    per_relay: RatesSection = RatesSection()
    providers: dict[str, RatesSection] = {}
    fresh_for: Duration = Field(
        timedelta(hours=72), description="evidence older than this leaves a letter before it goes"
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.relays and self.relay != RelaySection():
            raise ValueError("relay and relays are both there: name each relay in relays, and leave out the other")
        return self

    @property
    def all_relays(self) -> dict[str, RelaySection]:
        """Return the relays by their names; the one of mail.relay is called after its host and port."""
        return dict(self.relays) or {f"{self.relay.host}:{self.relay.port}": self.relay}


class SafetySection(Section):
    guests: list[str] = Field(
        [], description="addresses and domains that may get mail in training mode; .example names every domain below it"
    )
    approvers_needed: int = Field(2, ge=2, description="people who must approve a wave of a live campaign")
    allowed_signers: str = Field("", description="OpenSSH allowed-signers file for approvals (ssh-keygen -Y)")


class FeedSection(Section):
    parser: str = Field(description="how its files are read: docs/reference/feeds.md")
    access: Literal["file", "local", "public"] = "file"
    group: str = Field("", description="feeds of one group are one source: name it where feeds copy each other")
    lawful_basis: str = Field(min_length=1, description="why you may hold and use it: a law, a licence, an agreement")
    claims: dict[str, str] = Field({}, description="the source's word -> the claim it stands for")
    columns: dict[str, str] = Field({}, description="our name -> the file's column, for csv")
    claim: str = Field("", description="the claim of every line, where lines do not say")
    port: int = Field(0, ge=0, le=65535, description="the port of every line, where lines do not say")
    observed: Literal["line", "file", "received"] = Field(
        "line", description="when it was seen: each line says, the file's own time, or when we got it"
    )
    confidence: int = Field(50, ge=0, le=100)
    first_hand: bool = Field(False, description="our own spam trap or logs: evidence level E2")
    protocol_level: bool = Field(False, description="a scan that spoke the protocol: level E1 by itself")
    lifetime: Duration = Field(timedelta(days=7), description="an entry that is not repeated counts for that long")
    name_in_letter: bool = Field(False, description="may a letter name this source?")
    quote: bool = Field(False, description="may a letter quote its lines?")
    attach_raw: bool = Field(False, description="may its lines be attached?")
    export: bool = Field(False, description="may its lines leave in exports?")
    share: bool = Field(False, description="may it be shared with partners?")
    retain: Duration = Field(timedelta(days=730), description="its lines are emptied after that")
    title: str = Field("", description="the name a letter uses; empty: the feed's")


class ZoneSection(Section):
    enabled: bool = True
    rate: float = Field(5.0, ge=0, description="questions a second; 0: no limit")
    per_day: int = Field(50_000, ge=0, description="questions a UTC day; 0: no limit")
    name_in_letter: bool = False
    access: Literal["local", "public"] = "public"


class TextPair(Section):
    """One text in both languages."""

    en: str
    fr: str


class LinesPair(Section):
    """Lines of text in both languages."""

    en: list[str]
    fr: list[str]


class AgencySection(Section):
    name: TextPair
    country: str = ""
    signature: LinesPair | None = Field(None, description="a cosigner's own lines below the letter: name and title")


class CampaignSection(Section):
    topics: list[str] = ["open_relay", "open_proxy"]
    minimum_level: Level = Field(1, description="no letter on weaker evidence: 0 to 4 for E0 to E4")
    audience: Literal["provider", "owner"] = Field(
        "provider", description="whom letters speak to: the registered contact of a network, or who runs the server"
    )
    operation: TextPair = Field(description="the operation's bare name")
    agencies: list[AgencySection] = Field(description="who signs", min_length=1)
    cosigners: list[AgencySection] = Field([], description="who takes part")
    from_name: TextPair = Field(description="the name in From")
    from_mailbox: str = Field(description="the mailbox in From; its domain is that of the Message-ID")
    reply_to: str = Field(description="a mailbox that people read")
    contact_mailbox: str = Field(description="whom to ask")
    guidance: TextPair = Field(description="page: what open relays and proxies are, and what to do")
    participants: TextPair = Field(description="page: who takes part")
    instructions: TextPair = Field(description="page: how to close them, step by step")
    verification: TextPair = Field(description="page: is this letter genuine?")
    attachments: list[Literal["csv", "xarf"]] = Field(
        ["csv", "xarf"], description="to providers and CERTs: a table of all addresses, a XARF report for each"
    )
    html: bool = Field(False, description="letters have an HTML twin of their text")
    multilingual: bool = Field(False, description="two languages as RFC 8255 parts; few mail programs show them")
    bilingual_pages: list[Literal["guidance", "participants", "instructions", "verification", "privacy"]] = Field(
        [], description="pages that are in both languages at one address"
    )
    pgp_sign: bool = Field(False, description="sign letters with the OpenPGP key of the credential file")
    privacy: dict[Literal["en", "fr"], str] = Field(
        {}, description="page: how personal information is handled; may be left out"
    )
    postal: LinesPair = Field(description="the agency's postal address")
    signature: LinesPair = Field(description="who signs: name and title")
    default_order: list[Literal["en", "fr_CA", "fr"]] = Field(
        ["en", "fr_CA"], description="languages of a letter to a country that has neither, in this order"
    )


class SecretSection(BaseModel):
    """What the credential file holds (TOML, mode 0600): never in config.toml, a log, or an export."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    master_key: SecretStr = SecretStr("")
    mail_password: SecretStr = SecretStr("")
    mail_passwords: dict[str, SecretStr] = {}  # by the names of relays
    dkim_rsa_key: SecretStr = SecretStr("")  # PEM, PKCS #8, without a passphrase
    dkim_ed25519_key: SecretStr = SecretStr("")
    pgp_key: SecretStr = SecretStr("")  # an armoured OpenPGP secret key
    pgp_passphrase: SecretStr = SecretStr("")
    zones: dict[str, SecretStr] = {}  # zone -> the name to ask under, where a key stands in it


class Settings(BaseSettings):
    """Everything that config.toml may say."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="TOCSIN_", env_nested_delimiter="__", env_ignore_empty=True
    )

    language: Literal["en", "fr"] = Field("en", description="of messages; --lang wins")
    credentials: str = Field("credentials.toml", description="the file of secrets, readable by its owner only")
    topics: list[str] = Field([], description="further topic files (*.toml), beside the shipped ones")
    zone_files: list[str] = Field([], description="further files of DNSBL zones, of the form of the shipped zones.toml")
    sandbox: bool = Field(
        False, description="documentation addresses count as real ones, and no socket leaves loopback"
    )
    database: DatabaseSection = DatabaseSection()
    dns: DnsSection = DnsSection()
    rdap: RdapSection = RdapSection()
    whois: WhoisSection = WhoisSection()
    resolve: ResolveSection = ResolveSection()
    mail: MailSection = MailSection()
    safety: SafetySection = SafetySection()
    feeds: dict[str, FeedSection] = {}
    zones: dict[str, ZoneSection] = {}
    campaigns: dict[str, CampaignSection] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class Loaded(BaseModel):
    """Settings as read from one folder: paths in them are relative to it."""

    model_config = ConfigDict(frozen=True)
    folder: Path
    settings: Settings
    secrets: SecretSection

    def path(self, name: str) -> Path:
        """Return a path of the settings as an absolute one."""
        return (self.folder / Path(name).expanduser()).resolve()

    @property
    def database_url(self) -> str:
        """The database's URL, with a relative SQLite file made absolute."""
        url = self.settings.database.url
        head = "sqlite:///"
        return f"{head}{self.path(url.removeprefix(head))}" if url.startswith(head) else url


def load(file: Path) -> Loaded:
    """Read config.toml and its credential file.  Raises ConfigurationError: what, where, and what to do."""
    if not file.exists():
        raise ConfigurationError(
            f"There is no settings file {file}",
            "every command reads one",
            "Run: tocsin init, or name one with --config",
        )
    data = _toml(file)
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise ConfigurationError(f"{file} cannot be used", *_first(error)) from None
    credentials = (file.parent / settings.credentials).resolve()
    return Loaded(folder=file.parent.resolve(), settings=settings, secrets=_secrets(credentials))


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not TOML", str(error), "Correct that line.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text", "TOML is UTF-8", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read", str(error), "Correct its name or its rights.") from None


def _first(error: ValidationError) -> tuple[str, str]:
    """Return (why, next step) for every finding, each with its path."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        unknown = item["type"] == "extra_forbidden"
        found.append(f"{path}: {'no such setting' if unknown else item['msg']}")
    return "; ".join(found), "Correct it; `tocsin config show --example` prints every setting with its meaning."


def _secrets(file: Path) -> SecretSection:
    if not file.exists():
        return SecretSection()
    if file.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"The credential file {file} can be read by others", "it holds secrets", f"Run: chmod 600 {file}"
        )
    try:
        return SecretSection(**_toml(file))
    except ValidationError as error:
        raise ConfigurationError(f"{file} cannot be used", *_first(error)) from None


def shipped(name: str) -> Path:
    """Return the folder `templates` or `migrations`: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"The folder {name} is missing", f"looked in {package} and {package.parent}", "Install Tocsin again."
    )
