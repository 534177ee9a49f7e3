"""The doctor sees in the DNS what receivers will see, and says what to publish."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config_text import example
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_tables import DnsTable, Zone, ZoneFault
from pipeline.sandbox.thread import in_thread
from pipeline.send.dkim_keys import record, record_name
from tests.cli.conftest import CONFIG, Tocsin
from tests.send.signers import DOMAIN, pem, rsa, signers

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
CAMPAIGN = example()[example().index("[campaigns.") :]  # from secure-your-server@agency.example
KEY = signers().keys[0]
Records = dict[tuple[str, str], tuple[str, ...]]


def text(value: str) -> tuple[str, ...]:
    return (" ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255)),)


GOOD: Records = {
    (DOMAIN, "TXT"): text("v=spf1 ip4:192.0.2.25 -all"),
    (DOMAIN, "MX"): ("10 mx.agency.example.",),
    (f"_dmarc.{DOMAIN}", "TXT"): text("v=DMARC1; p=reject; rua=mailto:d@agency.example"),
    (record_name(KEY, DOMAIN), "TXT"): text(record(KEY)),
    ("25.2.0.192.in-addr.arpa", "PTR"): ("mx.agency.example.",),
    ("mx.agency.example", "A"): ("192.0.2.25",),
}


@contextmanager
def published(records: Mapping[tuple[str, str], tuple[str, ...]], *faults: str) -> Iterator[str]:
    zones = tuple(Zone(name, fault=ZoneFault.SERVFAIL) for name in faults)
    with in_thread(dns_server.serve(DnsTable(zones, records=dict(records)), lambda: NOW, [])) as port:
        yield f'[dns]\nnameservers = ["127.0.0.1:{port}"]\n'


def install(folder: Path, nameserver: str, **changes: str) -> None:
    said = {"sender": "bounces@agency.example", "outbound": '["192.0.2.25"]', "domain": DOMAIN, **changes}
    mail = f'[mail]\nsender = "{said["sender"]}"\noutbound = {said["outbound"]}\n'
    signing = f'[mail.dkim]\ndomain = "{said["domain"]}"\nrsa_selector = "{KEY.selector}"\n'
    campaign = CAMPAIGN
    if "writer" in said:
        campaign = re.sub(r"^from_mailbox = .*$", f'from_mailbox = "{said["writer"]}"', CAMPAIGN, flags=re.MULTILINE)
    (folder / "config.toml").write_text(CONFIG + nameserver + mail + signing + campaign, encoding="utf-8")
    secrets = f"master_key = \"{'5a' * 32}\"\ndkim_rsa_key = '''\n{pem(rsa())}'''\n"
    (folder / "credentials.toml").write_text(secrets, encoding="utf-8")


def codes(tocsin: Tocsin) -> list[str]:
    """What is not well, by its code."""
    ran = tocsin("doctor", "dns", "--json")
    found = [check for check in ran.data["checks"] if check["grade"] != "ok"]
    assert all(check["next_step"] for check in found)
    assert ran.code == (3 if any(check["grade"] == "fail" for check in found) else 0)
    return [check["code"] or check["check"] for check in found]


def test_what_is_published_well_has_nothing_to_mend(tocsin: Tocsin, folder: Path) -> None:
    with published(GOOD) as nameserver:
        install(folder, nameserver)
        ran = tocsin("doctor", "dns", "--json")
        assert codes(tocsin) == []
    assert {check["check"] for check in ran.data["checks"]} == {"SPF", "DKIM", "DMARC", "PTR", "MX"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({(DOMAIN, "TXT"): ()}, ["spf.none"]),
        ({(DOMAIN, "TXT"): text("v=spf1 ip4:198.51.100.1 -all")}, ["spf.fail"]),
        ({(DOMAIN, "TXT"): text("v=spf1 +all")}, ["spf.all"]),
        ({(DOMAIN, "TXT"): (*text("v=spf1 -all"), *text("v=spf1 mx -all"))}, ["spf.many"]),
        ({(DOMAIN, "TXT"): text("v=spf1 mx include:in.example -all"), ("in.example", "TXT"): text("v=spf1 -all")}, []),
        ({(DOMAIN, "TXT"): text("v=spf1 " + "a " * 11)}, ["spf.lookups"]),
        ({(f"_dmarc.{DOMAIN}", "TXT"): ()}, ["dmarc.none"]),
        ({(f"_dmarc.{DOMAIN}", "TXT"): text("v=DMARC1; p=none; rua=mailto:d@agency.example")}, ["dmarc.p_none"]),
        ({(f"_dmarc.{DOMAIN}", "TXT"): text("v=DMARC1; p=reject")}, ["dmarc.rua"]),
        ({("25.2.0.192.in-addr.arpa", "PTR"): ()}, ["ptr.none"]),
        ({("mx.agency.example", "A"): ("198.51.100.9",)}, ["ptr.none"]),
        ({(DOMAIN, "MX"): ("0 .",)}, ["mx.none"]),
        ({(record_name(KEY, DOMAIN), "TXT"): ()}, ["DKIM"]),
    ],
)
def test_what_receivers_would_mind_is_named(
    tocsin: Tocsin, folder: Path, changes: Records, expected: list[str]
) -> None:
    records = {key: value for key, value in {**GOOD, **changes}.items() if value}
    with published(records) as nameserver:
        install(folder, nameserver)
        assert codes(tocsin) == expected


@pytest.mark.parametrize(
    ("settings", "dmarc", "expected"),
    [
        ({}, "v=DMARC1; p=reject; rua=mailto:d@agency.example; aspf=s; adkim=s", []),
        ({"sender": "b@mail.agency.example"}, "v=DMARC1; p=reject; rua=mailto:d@agency.example", []),
        ({"sender": "b@mail.agency.example"}, "v=DMARC1; p=reject; rua=mailto:d@agency.example; aspf=s", ["dmarc.one"]),
        ({"sender": "b@other.example"}, "v=DMARC1; p=reject; rua=mailto:d@agency.example", ["dmarc.one"]),
    ],
)
def test_the_domains_of_envelope_signature_and_from_must_go_together(
    tocsin: Tocsin, folder: Path, settings: dict[str, str], dmarc: str, expected: list[str]
) -> None:
    more: Records = {(f"_dmarc.{DOMAIN}", "TXT"): text(dmarc)}
    for name in ("mail.agency.example", "other.example"):
        more |= {(name, "TXT"): GOOD[DOMAIN, "TXT"], (name, "MX"): GOOD[DOMAIN, "MX"]}
    with published({**GOOD, **more}) as nameserver:
        install(folder, nameserver, **settings)
        assert codes(tocsin) == expected


def test_the_registered_domains_policy_counts_below_it(tocsin: Tocsin, folder: Path) -> None:
    below = f"letters.{DOMAIN}"
    with published({**GOOD, (below, "MX"): GOOD[DOMAIN, "MX"]}) as nameserver:
        install(folder, nameserver, writer=f"team@{below}")
        assert codes(tocsin) == []


def test_without_the_addresses_of_the_relay_a_warning_says_so(tocsin: Tocsin, folder: Path) -> None:
    with published(GOOD) as nameserver:
        install(folder, nameserver, outbound="[]")  # the relay is on loopback
        assert codes(tocsin) == ["spf.outbound"]


def test_what_the_dns_cannot_say_is_no_good_news(tocsin: Tocsin, folder: Path) -> None:
    with published({key: value for key, value in GOOD.items() if key[0] != DOMAIN}, DOMAIN) as nameserver:
        install(folder, nameserver)
        assert set(codes(tocsin)) >= {"spf.unknown", "mx.unknown"}


def test_without_a_nameserver_or_a_sender_nothing_is_called_well(tocsin: Tocsin, folder: Path) -> None:
    install(folder, "")
    assert codes(tocsin) == ["nameservers"]
    install(folder, "", sender="")
    assert codes(tocsin) == ["sender"]


def test_hostile_texts_are_shown_on_one_line_and_cut(tocsin: Tocsin, folder: Path) -> None:
    hostile = r"v=spf1 include:\027[31m" + "x" * 900 + r"\010 -all"
    with published({**GOOD, (DOMAIN, "TXT"): (f'"{hostile[:250]}" "{hostile[250:480]}"',)}) as nameserver:
        install(folder, nameserver)
        ran = tocsin("doctor", "dns")
    assert ran.code == 3
    assert "\x1b" not in ran.out


def test_an_unknown_campaign_is_not_found_and_french_is_spoken(tocsin: Tocsin, folder: Path) -> None:
    with published({}) as nameserver:
        install(folder, nameserver)
        assert tocsin("doctor", "dns", "--campaign", "nobody").code == 4
        ran = tocsin("doctor", "dns", "--lang", "fr", "--campaign", "secure-your-server")
    assert "n'a pas d'enregistrement SPF" in ran.out
