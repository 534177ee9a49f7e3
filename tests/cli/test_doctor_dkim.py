"""The doctor and the check of settings see whether letters are signed, by whom, and whether receivers can check it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pysequoia import Tsk

from pipeline.cli import config, dkim
from pipeline.config import SecretSection, load
from pipeline.config_text import example
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_tables import DnsTable
from pipeline.sandbox.thread import in_thread
from pipeline.send.dkim_keys import record, record_name
from tests.cli.conftest import CONFIG, Tocsin
from tests.send.signers import DOMAIN, ed25519, pem, rsa, signers

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
CAMPAIGN = example()[example().index("[campaigns.") :]  # from secure-your-server@agency.example
DKIM = f'[mail.dkim]\ndomain = "{DOMAIN}"\n'
RSA, BOTH = 'rsa_selector = "s2026"\n', 'rsa_selector = "s2026"\ned25519_selector = "e2026"\n'
KEYS = {"dkim_rsa_key": pem(rsa()), "dkim_ed25519_key": pem(ed25519())}
NAMES = [record_name(key, DOMAIN) for key in signers().keys]


def install(folder: Path, settings: str, *secrets: str) -> None:
    (folder / "config.toml").write_text(CONFIG + settings, encoding="utf-8")
    lines = "".join(f"{name} = '''\n{KEYS[name]}'''\n" for name in secrets)
    (folder / "credentials.toml").write_text(f'master_key = "{"5a" * 32}"\n{lines}', encoding="utf-8")


def found(tocsin: Tocsin) -> list[dict[str, Any]]:
    """What the doctor says of signing."""
    return [check for check in tocsin("doctor", "--json").data["checks"] if check["check"] == "DKIM"]


def grades(tocsin: Tocsin) -> list[str]:
    return [check["grade"] for check in found(tocsin)]


@contextmanager
def published(*texts: tuple[str, str], fault: dns_server.ZoneFault | None = None) -> Iterator[str]:
    """A name server with these TXT records; gives the settings that name it."""
    records: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, text in texts:
        quoted = " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))
        records[name, "TXT"] = (*records.get((name, "TXT"), ()), quoted)
    zones = (dns_server.Zone(f"_domainkey.{DOMAIN}", fault=fault),) if fault else ()
    with in_thread(dns_server.serve(DnsTable(zones, records=records), lambda: NOW, [])) as port:
        yield f'[dns]\nnameservers = ["127.0.0.1:{port}"]\n'


RECORDS = list(zip(NAMES, map(record, signers().keys), strict=True))


def test_letters_that_nobody_signs_are_a_warning(tocsin: Tocsin) -> None:
    [check] = found(tocsin)
    assert check["grade"] == "warn"
    assert check["next_step"]


def test_keys_that_the_dns_has_are_well(tocsin: Tocsin, folder: Path) -> None:
    with published(*RECORDS) as nameserver:
        install(folder, nameserver + DKIM + BOTH + CAMPAIGN, *KEYS)
        assert grades(tocsin) == ["ok", "ok"]
        assert tocsin("config", "check").code == 0


def test_a_record_that_is_missing_is_a_failure_that_says_what_to_publish(tocsin: Tocsin, folder: Path) -> None:
    with published(RECORDS[1]) as nameserver:
        install(folder, nameserver + DKIM + BOTH, *KEYS)
        first, second = found(tocsin)
    assert (first["grade"], second["grade"]) == ("fail", "ok")
    said, name, rest = first["next_step"].partition(f"{NAMES[0]}. IN TXT ")
    assert said
    assert name
    assert "".join(rest[1:-1].split('" "')) == RECORDS[0][1]


@pytest.mark.parametrize(
    "texts",
    [
        ["v=DKIM1; k=rsa; p="],
        [RECORDS[1][1]],
        [RECORDS[0][1][:-40]],
        ["v=spf1 -all"],
        [RECORDS[0][1], RECORDS[0][1].replace("DKIM1; k", "DKIM1;  s=email; k")],
    ],
    ids=["revoked", "the other key", "cut", "something else", "two records"],
)
def test_a_record_that_receivers_cannot_check_with_is_a_failure(tocsin: Tocsin, folder: Path, texts: list[str]) -> None:
    with published(*((NAMES[0], text) for text in texts)) as nameserver:
        install(folder, nameserver + DKIM + RSA, "dkim_rsa_key")
        [check] = found(tocsin)
        assert check["grade"] == "fail"
        assert RECORDS[0][1][:200] in check["next_step"]
        assert tocsin("doctor").code == 3


def test_what_the_dns_cannot_say_now_is_a_warning(tocsin: Tocsin, folder: Path) -> None:
    with published(fault=dns_server.ZoneFault.SERVFAIL) as nameserver:
        install(folder, nameserver + DKIM + RSA, "dkim_rsa_key")
        [check] = found(tocsin)
    assert check["grade"] == "warn"
    assert "SERVFAIL" in check["what"]


def test_without_a_nameserver_the_record_is_shown_and_not_looked_up(tocsin: Tocsin, folder: Path) -> None:
    install(folder, DKIM + RSA, "dkim_rsa_key")
    [check] = found(tocsin)
    assert (check["grade"], RECORDS[0][1][:200] in check["next_step"]) == ("warn", True)


def test_ed25519_alone_is_a_warning_more(tocsin: Tocsin, folder: Path) -> None:
    with published(*RECORDS) as nameserver:
        install(folder, nameserver + DKIM + 'ed25519_selector = "e2026"\n', "dkim_ed25519_key")
        assert grades(tocsin) == ["warn", "ok"]


def test_a_key_that_cannot_sign_stops_the_check_and_is_a_failure(tocsin: Tocsin, folder: Path) -> None:
    install(folder, DKIM + BOTH, "dkim_rsa_key")
    ran = tocsin("config", "check")
    assert ran.code == 3
    assert "mail.dkim.ed25519_selector is set, and the credential file has no dkim_ed25519_key" in ran.err
    assert grades(tocsin) == ["fail"]
    for line in (("config", "check"), ("doctor",), ("config", "show")):
        assert "BEGIN" not in "".join((tocsin(*line).out, tocsin(*line).err))


def test_a_domain_that_does_not_go_with_from_stops_the_check_and_is_a_failure(tocsin: Tocsin, folder: Path) -> None:
    install(folder, DKIM.replace(DOMAIN, "other.example") + RSA + CAMPAIGN, "dkim_rsa_key")
    ran = tocsin("config", "check")
    assert ran.code == 3
    assert "mail.dkim.domain other.example does not go with campaigns.secure-your-server.from_mailbox" in ran.err
    assert grades(tocsin) == ["fail"]


@pytest.mark.parametrize(
    ("domain", "other", "expected"),
    [
        ("agency.example", "agency.example", True),
        ("agency.example", "Letters.Agency.example", True),
        ("mail.agency.example", "letters.agency.example", True),
        ("agency.example", "agencies.example", False),
        ("agency.co.uk", "other.co.uk", False),
        ("co.uk", "other.co.uk", False),
        ("xn--exmple-cua.example", "exämple.example", True),
        ("agency.example", "", False),
        ("agency.example", "..", False),
    ],
)
def test_two_domains_go_together_if_they_were_registered_as_one(domain: str, other: str, expected: bool) -> None:
    assert dkim.aligned(domain, other) is expected


def test_the_run_of_sending_gets_the_keys(folder: Path) -> None:
    install(folder, DKIM + BOTH, *KEYS)
    signing = dkim.signing(load(folder / "config.toml"))
    assert signing is not None
    assert [key.selector for key in signing.keys.keys] == ["s2026", "e2026"]
    install(folder, "")
    assert dkim.signing(load(folder / "config.toml")) is None


def test_a_key_of_openpgp_is_tried(tocsin: Tocsin, folder: Path) -> None:
    def grade() -> list[str]:
        return [check["grade"] for check in tocsin("doctor", "--json").data["checks"] if check["check"] == "OpenPGP"]

    assert grade() == []
    for text, expected in ((str(Tsk.generate("a@agency.example")), "ok"), ("x", "fail")):
        key = f"master_key = '{'5a' * 32}'\npgp_key = '''\n{text}'''\n"
        (folder / "credentials.toml").write_text(key, encoding="utf-8")
        assert grade() == [expected]
        assert tocsin("config", "check").code == (0 if expected == "ok" else 3)


def test_every_secret_is_said_to_be_set_or_not() -> None:
    assert {*config.SECRETS, "mail_passwords", "zones"} == set(SecretSection.model_fields)
