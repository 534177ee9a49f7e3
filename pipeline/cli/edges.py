"""Settings to edges and stage settings: the one place that picks the real resolver, HTTP client and mail server."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from pipeline.cli import relays, show, words
from pipeline.cli.command import given
from pipeline.cli.context import Ground, clock
from pipeline.cli.pacing import pace_settings
from pipeline.config import Loaded
from pipeline.data.quiet_days import quiet_days
from pipeline.data.topic import Topic, topics
from pipeline.data.zone import Zone, live_zone, zones
from pipeline.domain import (
    ConfigurationError,
    NameQuestion,
    NameReply,
    RdapQuestion,
    RdapReply,
    TryAgain,
    WhoisQuestion,
    WhoisReply,
    ZoneAnswer,
    ZoneQuestion,
)
from pipeline.follow.run import PlanSettings
from pipeline.net import dnsbl, names, rdap, whois
from pipeline.net.edge import Edge
from pipeline.net.http import HttpSettings
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.net.whois import WhoisSettings
from pipeline.render.pgp import Sign, signer_of
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.run import ResolveSettings
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.spoken import Spoken
from pipeline.send.brakes import BrakeSettings, Share
from pipeline.send.canary import CanarySettings
from pipeline.send.run import SendSettings
from pipeline.send.windows import WindowRules, time_needed
from pipeline.store import bootstrap, netblocks, overrides, routes
from pipeline.store.keys import Keys, keys_of
from pipeline.verify.run import ZoneUse


def known_topics(loaded: Loaded) -> Mapping[str, Topic]:
    """Return the shipped topics and those that the settings add."""
    return topics(further=tuple(loaded.path(file) for file in loaded.settings.topics))


def keys(loaded: Loaded) -> Keys:
    """Return the keys of the credential file.  Raises ConfigurationError if it has none."""
    return keys_of(loaded.secrets.master_key.get_secret_value())


def pgp_signer(loaded: Loaded) -> Sign | None:
    """Return what signs letters with OpenPGP, None without a key.  Raises ConfigurationError for one that cannot."""
    key = loaded.secrets.pgp_key.get_secret_value()
    return signer_of(key, loaded.secrets.pgp_passphrase.get_secret_value()) if key.strip() else None


# --- resolve ---------------------------------------------------------------------------------------------------------


def _http(loaded: Loaded) -> HttpSettings:
    rdap_settings = loaded.settings.rdap
    if not rdap_settings.user_agent:
        raise ConfigurationError(
            "No registry may be asked yet",
            "rdap.user_agent is empty, and registries are to know who asks",
            "Set it to the agency's page and mailbox, for example: Tocsin (https://agency.example; noc@agency.example)",
        )
    return HttpSettings(
        user_agent=rdap_settings.user_agent,
        timeout=rdap_settings.timeout.total_seconds(),
        concurrency=rdap_settings.concurrency,
        allow_plain_http_to_loopback=rdap_settings.allow_loopback,
    )


AUTNUMS = 0  # the place of the AS numbers' list among those of IP's versions


def bootstrap_urls(loaded: Loaded) -> dict[int, str]:
    """Return where IANA's lists of registries are: of IPv4 under 4, of IPv6 under 6, of AS numbers under AUTNUMS."""
    section = loaded.settings.rdap
    return {4: section.bootstrap_v4, 6: section.bootstrap_v6, AUTNUMS: section.bootstrap_asn}


def registries(ground: Ground) -> dict[int, Mapping[str, Any]]:
    """Return IANA's lists of registries (RFC 9224) under the keys of `bootstrap_urls`: those kept, else fetched anew.

    An expired list serves on, with a note, where IANA cannot be reached.  Raises TryAgain if there is none at all.
    """
    return {key: _registries(ground, url) for key, url in bootstrap_urls(ground.loaded).items()}


def _registries(ground: Ground, url: str) -> Mapping[str, Any]:
    with ground.db.read() as connection:
        known = bootstrap.kept(connection, url, clock())
    if known is not None:
        return known
    document = rdap.fetch_json(url, _http(ground.loaded), given().clock)
    answer, value = document.answer, document.value
    if answer.failure is None and isinstance(value, dict) and isinstance(value.get("services"), list):
        with ground.db.write() as connection:
            bootstrap.keep(connection, url, answer.body, answer.at, document.expires_at)
        return value
    with ground.db.read() as connection:
        old = bootstrap.last(connection, url)
    if old is None or old.value is None:
        raise TryAgain(
            f"The registry of registries {url} cannot be read",
            answer.failure.text if answer.failure is not None else "it is not a list of services (RFC 9224)",
            "Check the network, then run it again.",
        )
    day = show.instant(old.fetched_at)
    show.note(words.text("{url} cannot be read; the list fetched on {day} serves on.", url=url, day=day))
    return old.value


def rdap_edge(loaded: Loaded) -> Edge[RdapQuestion, RdapReply]:
    return rdap.edge(_http(loaded), given().clock)


def whois_edge(loaded: Loaded) -> Edge[WhoisQuestion, WhoisReply]:
    settings = loaded.settings.whois
    return whois.edge(
        WhoisSettings(timeout=settings.timeout.total_seconds(), allow_loopback=loaded.settings.rdap.allow_loopback),
        given().clock,
    )


def names_edge(loaded: Loaded) -> Edge[NameQuestion, NameReply]:
    return names.edge(dns_settings(loaded), given().clock)


def resolve_settings(loaded: Loaded) -> ResolveSettings:
    settings = loaded.settings
    return ResolveSettings(
        rate=settings.rdap.rate,
        rates=settings.rdap.rates,
        per_day=settings.rdap.per_day,
        keep=settings.rdap.keep,
        keep_negative=settings.rdap.keep_negative,
        whois_rate=settings.whois.rate,
        names_rate=settings.resolve.names_rate,
        allow_documentation=settings.sandbox,
        rdap_turns=settings.rdap.concurrency,
        whois_turns=WhoisSettings().concurrency,
    )


def look_up_rules(ground: Ground, patience: timedelta) -> Rules:
    """Return how a look-up goes: the settings, IANA's lists, and what people have said.

    Without nameservers of our own the parts of the chain that need the DNS are left out, with a note.
    """
    settings = ground.loaded.settings
    lists = registries(ground)
    has_dns = bool(settings.dns.nameservers)
    if not has_dns:
        show.note(
            words.text("dns.nameservers is empty: mail domains are not checked, and nobody is found through the DNS.")
        )
    with ground.db.read() as connection:
        spoken = Spoken(overrides.in_force(connection, clock()))
        by_country = routes.every(connection)
        dead = netblocks.dead_mailboxes(connection)
    hosts = {name: _host_port(text) for name, text in settings.whois.hosts.items()} if settings.whois.enabled else {}
    return Rules(
        registries={version: servers.index(lists[version], version) for version in (4, 6)},
        autnums=lists[AUTNUMS],
        chain=tuple(part for part in settings.resolve.chain if has_dns or part not in NEEDS_DNS),
        caps=ScopeCaps(**settings.resolve.scope.model_dump()),
        patience=patience,
        whois_hosts=hosts,
        pages=settings.resolve.pages,
        origin_zone=settings.resolve.origin_zone,
        origin6_zone=settings.resolve.origin6_zone,
        directory_zone=settings.resolve.directory_zone,
        check_mail=settings.resolve.check_mail and has_dns,
        use_search=settings.resolve.use_search,
        allow_loopback=settings.rdap.allow_loopback,
        dead=dead,
        spoken=spoken,
        routes=dict(by_country),
    )


NEEDS_DNS = ("origin", "directory", "host_name")


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise ConfigurationError(f"whois.hosts: {text} is not HOST:PORT", "", "Correct it in config.toml.")
    return host, int(port)


# --- verify ----------------------------------------------------------------------------------------------------------


def zone_uses(loaded: Loaded) -> dict[str, ZoneUse]:
    """Return the zones that the settings switch on.  Raises RefusedBySafety for a retired one, NotFound for an unknown."""
    known: dict[str, Zone] = dict(zones())
    for file in loaded.settings.zone_files:
        known |= zones(loaded.path(file))
    uses = {}
    for name, section in loaded.settings.zones.items():
        if section.enabled:
            zone = live_zone(name, known)
            uses[zone.zone] = ZoneUse(zone, section.rate, section.per_day, section.name_in_letter)
    return uses


def dns_settings(loaded: Loaded) -> DnsSettings:
    settings = loaded.settings.dns
    servers = []
    for text in settings.nameservers:
        address, _, port = text.rpartition(":") if text.count(":") == 1 or "]" in text else (text, "", "53")
        try:
            servers.append(Nameserver(ip_address(address.strip("[]")), int(port or 53)))
        except ValueError:
            raise ConfigurationError(
                f"dns.nameservers: {text} is not an address", "", "Write ADDRESS or ADDRESS:PORT."
            ) from None
    if not servers and loaded.settings.zones:
        raise ConfigurationError(
            "No DNSBL zone can be asked",
            "dns.nameservers is empty; public resolvers break the zones' terms",
            "Set it to your own recursive resolver.",
        )
    return DnsSettings(tuple(servers), settings.timeout.total_seconds(), concurrency=settings.concurrency)


def zone_edge(loaded: Loaded) -> Edge[ZoneQuestion, ZoneAnswer]:
    return dnsbl.edge(dns_settings(loaded), _sources(loaded))


def _sources(loaded: Loaded) -> dict[str, dnsbl.ZoneSource]:
    return {zone: dnsbl.ZoneSource(secret.get_secret_value()) for zone, secret in loaded.secrets.zones.items()}


def unhealthy(loaded: Loaded, uses: Mapping[str, ZoneUse]) -> dict[str, str]:
    """Ask every zone about its test points (RFC 5782 section 5); returns {zone: why it is not to be believed}."""
    found = {}
    for name, use in uses.items():
        points = dnsbl.Points(use.zone.listed_points, use.zone.unlisted_points)
        if not points.listed or not points.unlisted:
            continue  # the zone documents no test points
        health = dnsbl.check_zone(name, dns_settings(loaded), _sources(loaded), (points,))
        if not health.healthy:
            found[name] = "unhealthy: " + "; ".join(health.reasons)
    return found


# --- waves and mail --------------------------------------------------------------------------------------------------


def plan_settings(loaded: Loaded, most_letters: int) -> PlanSettings:
    mail = loaded.settings.mail
    rules = window_rules(loaded)

    def in_windows(letters: Mapping[str, int], now: datetime) -> timedelta:
        return time_needed(letters, mail.rate, now, rules)

    always = not rules.working_hours and not rules.quiet
    return PlanSettings(mail.fresh_for, mail.rate, mail.per_day, most_letters, None if always else in_windows)


def send_settings(loaded: Loaded) -> SendSettings:
    mail = loaded.settings.mail
    if mail.sender.count("@") != 1:
        raise ConfigurationError(
            "No letter can be sent yet",
            "mail.sender is empty: the mailbox that bounces come back to",
            "Set it, for example: bounces@agency.example",
        )
    shares = relays.all_shares(loaded)
    return SendSettings(
        sender=mail.sender,
        relay=shares[0].name,
        connections=sum(share.connections for share in shares),
        relays=shares if len(shares) > 1 else (),
        rate=mail.rate,
        per_day=mail.per_day,
        per_domain_rate=mail.per_domain_rate,
        fresh_for=mail.fresh_for,
        guests=tuple(loaded.settings.safety.guests),
        window=window_rules(loaded),
        pace=pace_settings(loaded),
        brakes=brake_settings(loaded),
        canary=CanarySettings(**mail.canary.model_dump()),
    )


def asks_for_mail_servers(loaded: Loaded) -> bool:
    """True if domains are asked before the first letter to them whether they take mail, and who takes it."""
    return loaded.settings.resolve.check_mail and bool(loaded.settings.dns.nameservers)


def brake_settings(loaded: Loaded) -> BrakeSettings:
    brakes = loaded.settings.mail.brakes
    return BrakeSettings(
        floor=brakes.floor,
        breaker=brakes.breaker,
        recent=brakes.recent,
        window=brakes.window,
        refused=Share(brakes.refused_warn, brakes.refused_hold),
        policy=Share(brakes.policy_warn, brakes.policy_hold),
        complaints=Share(brakes.complaints_warn, brakes.complaints_hold),
    )


def window_rules(loaded: Loaded) -> WindowRules:
    window = loaded.settings.mail.window
    return WindowRules(
        working_hours=window.letters == "working_hours",
        opens=window.opens,
        closes=window.closes,
        holidays=window.holidays,
        quiet=tuple(map(quiet_days, window.quiet_days)),
        elsewhere=window.zone,
    )
