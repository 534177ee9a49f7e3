"""Zones are dated data: what a code claims, what it does not, and which zones may not be asked at all."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from pipeline.data.topic import REPUTATION, claim_kinds, topics
from pipeline.data.zone import ERROR, NOTHING, RETIRED, decode, dynamic, live_zone, undocumented, zones
from pipeline.domain import ConfigurationError, NotFound, RefusedBySafety


@pytest.mark.parametrize(
    ("zone", "codes", "claims"),
    [
        ("dnsbl.dronebl.org", ["127.0.0.8"], ["socks"]),
        ("dnsbl.dronebl.org", ["127.0.0.9"], ["http_proxy"]),
        ("dnsbl.dronebl.org", ["127.0.0.14", "127.0.0.10"], ["proxy"]),
        ("dnsbl.dronebl.org", ["127.0.0.3", "127.0.0.9", "127.0.0.13"], ["reputation", "http_proxy"]),
        ("dnsbl.dronebl.org", ["127.0.0.1", "127.0.0.2"], []),
        ("dnsbl.dronebl.org", ["127.0.0.4"], []),
        ("rbl.efnetrbl.org", ["127.0.0.1"], ["proxy"]),
        ("rbl.efnetrbl.org", ["127.0.0.4"], ["reputation"]),
        ("zen.spamhaus.org", ["127.0.0.4"], ["reputation"]),
        ("zen.spamhaus.org", ["127.0.0.10", "127.0.0.11"], []),
        ("zen.spamhaus.org", ["127.255.255.254"], []),
        ("dnsbl-1.uceprotect.net", ["127.0.0.2"], ["reputation"]),
        ("dnsbl-2.uceprotect.net", ["127.0.0.2"], []),
        ("dnsbl-3.uceprotect.net", ["127.0.0.2"], []),
        ("bl.spamcop.net", ["127.0.0.2"], ["reputation"]),
        ("dnsbl.tornevall.org", ["127.0.0.2"], ["proxy"]),
        ("dnsbl.tornevall.org", ["127.0.0.66"], ["proxy", "reputation"]),
        ("dnsbl.tornevall.org", ["127.0.0.1"], ["reputation"]),
        ("dnsbl.tornevall.org", ["127.0.0.10"], []),
        ("dnsbl.tornevall.org", ["127.0.0.74"], ["reputation"]),
        ("dnsbl.tornevall.org", ["127.0.1.2"], []),
        ("dnsbl.tornevall.org", ["127.0.0.0"], []),
    ],
)
def test_codes_claim_what_their_zone_documents(zone: str, codes: list[str], claims: list[str]) -> None:
    assert decode(zones()[zone], codes) == claims


@pytest.mark.parametrize(
    ("zone", "codes", "unknown"),
    [
        ("dnsbl.dronebl.org", ["127.0.0.9", "127.0.0.4"], ["127.0.0.4"]),
        ("dnsbl.dronebl.org", ["127.0.0.1"], []),
        ("zen.spamhaus.org", ["127.255.255.255", "127.0.0.2"], ["127.255.255.255"]),
        ("dnsbl.tornevall.org", ["127.0.0.255"], []),
        (
            "dnsbl.tornevall.org",
            ["127.0.0.0", "127.0.0.300", "127.0.0.x", "127.1.0.2"],
            ["127.0.0.0", "127.0.0.300", "127.0.0.x", "127.1.0.2"],
        ),
        ("rbl.efnetrbl.org", ["192.0.2.1"], ["192.0.2.1"]),
    ],
)
def test_a_code_without_documentation_and_an_error_are_not_known(
    zone: str, codes: list[str], unknown: list[str]
) -> None:
    assert undocumented(zones()[zone], codes) == unknown


def test_only_end_user_codes_make_an_address_dynamic() -> None:
    zen = zones()["zen.spamhaus.org"]
    assert dynamic(zen, ["127.0.0.2", "127.0.0.11"])
    assert not dynamic(zen, ["127.0.0.2", "127.0.0.9"])


@pytest.mark.parametrize(
    "name",
    [
        "dnsbl.sorbs.net",
        "smtp.dnsbl.sorbs.net",
        "combined.njabl.org",
        "relays.ordb.org",
        "DNSBL.AHBL.ORG.",
        "list.dsbl.org",
        "multihop.dsbl.org",
    ],
)
def test_a_retired_zone_and_every_name_below_it_are_refused(name: str) -> None:
    with pytest.raises(RefusedBySafety, match="is retired") as caught:
        live_zone(name, zones())
    assert "closed" in caught.value.why


def test_a_zone_by_contract_is_refused_and_an_unknown_one_not_found() -> None:
    with pytest.raises(RefusedBySafety, match="is not public"):
        live_zone("rbl-plus.mail-abuse.org", zones())
    for name in ("bl.example", "xdnsbl.dronebl.org", "notdsbl.org"):
        with pytest.raises(NotFound):
            live_zone(name, zones())


def test_a_live_zone_is_found_by_its_name_in_any_case() -> None:
    assert live_zone(" DNSBL.dronebl.org. ", zones()).name == "DroneBL"


def test_every_zone_claims_words_of_a_topic_and_names_its_source() -> None:
    words = {*claim_kinds(topics()), NOTHING, ERROR}
    for zone in zones().values():
        assert {code.claim for code in zone.codes.values()} <= words, zone.zone
        assert zone.source
        assert zone.zone == zone.zone.lower()
        assert zone.codes or zone.status == RETIRED


def test_zones_of_one_publisher_share_a_group() -> None:
    known = zones()
    assert (
        len({known[name].group for name in ("zen.spamhaus.org", "xbl.spamhaus.org", "pbl.spamhaus.org", "njabl.org")})
        == 1
    )
    assert len({known[f"dnsbl-{level}.uceprotect.net"].group for level in (1, 2, 3)}) == 1


def test_test_points_are_those_of_rfc_5782_unless_the_zone_says_otherwise() -> None:
    assert zones()["dnsbl.dronebl.org"].listed_points == (ip_address("127.0.0.2"),)
    assert zones()["dnsbl.dronebl.org"].unlisted_points == (ip_address("127.0.0.1"),)
    assert zones()["rbl.efnetrbl.org"].listed_points == ()


ZONE = """
[[zone]]
zone = "bl.example"
name = "Example"
group = "example"
status = "alive"
source = "bl.example/codes"
written_on = 2026-02-01
[zone.codes]
"127.0.0.2" = { meaning = "spam source" }
"""


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('status = "alive"', 'status = "asleep"', "status cannot be 'asleep'"),
        ('status = "alive"', 'status = "alive"\ndecode = "octal"', "decode cannot be 'octal'"),
        ('status = "alive"', 'status = "alive"\nfamilies = [5]', "families is"),
        ('status = "alive"', 'status = "alive"\nspeed = 5', r"speed is not known"),
        ('status = "alive"', 'status = "alive"\nrate = 5', r"rate is not a float"),
        ('status = "alive"', 'status = "alive"\nlisted_points = ["x"]', r"listed_points has no address"),
        ('source = "bl.example/codes"', "", r"zones\.zone\[0\]\(bl\.example\)\.source is missing"),
        ('"127.0.0.2"', '"128.0.0.2"', "is no exact code"),
        ('"127.0.0.2"', '"127.0.2"', "is no exact code"),
        ('"127.0.0.2"', '"2"', "is no exact code"),
        ('{ meaning = "spam source" }', "{}", r"127\.0\.0\.2\.meaning is missing"),
        ("[[zone]]", "[zone]", r"zones\.zone is not a list"),
        (ZONE, ZONE + ZONE, "repeats bl.example"),
    ],
)
def test_a_wrong_zone_is_refused_with_the_path_of_what_is_wrong(tmp_path: Path, old: str, new: str, path: str) -> None:
    file = tmp_path / "zones.toml"
    file.write_text(ZONE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=path):
        zones(file)


def test_a_code_is_reputation_unless_it_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "zones.toml"
    file.write_text(ZONE, encoding="utf-8")
    assert decode(zones(file)["bl.example"], ["127.0.0.2"]) == [REPUTATION]
