"""The level of evidence: independent groups, fresh claims, and no reputation."""

import pytest

from pipeline.data.topic import topics
from pipeline.domain import EvidenceLevel
from pipeline.verify.level import Claim, evidence_level, meets, speaks_of
from tests.verify.claims import HOUR, NOW, claim

E0, E1, E2, E3, E4 = EvidenceLevel
PROXY, RELAY = topics()["open_proxy"], topics()["open_relay"]


@pytest.mark.parametrize(
    ("claims", "level", "reason"),
    [
        ([], None, "level.none_fresh"),
        ([claim("a")], E0, "level.one_group"),
        ([claim("a"), claim("a", line=2, port=80)], E0, "level.one_group"),
        ([claim("a"), claim("b")], E1, "level.independent_groups"),
        ([claim("a", group="x"), claim("b", group="x")], E0, "level.one_group"),
        ([claim("a", group="x"), claim("b", group="x"), claim("c")], E1, "level.independent_groups"),
        ([claim("a", group="b"), claim("b")], E0, "level.one_group"),
        ([claim("a", protocol_level=True)], E1, "level.protocol_scan"),
        ([claim("a", protocol_level=True, claim="proxy", service="any")], E0, "level.one_group"),
        ([claim("a", first_hand=True)], E2, "level.first_hand"),
        ([claim("a"), claim("b"), claim("c", first_hand=True)], E2, "level.first_hand"),
        ([claim("a", hours_ago=72)], E0, "level.one_group"),
        ([claim("a", hours_ago=72.1)], None, "level.none_fresh"),
        ([claim("a"), claim("b", hours_ago=72.1)], E0, "level.one_group"),
        ([claim("a"), claim("b", expires_at=NOW)], E0, "level.one_group"),
        ([claim("a"), claim("b", hours_ago=-0.1)], E1, "level.independent_groups"),
        ([claim("a"), claim("b", hours_ago=-0.2)], E0, "level.one_group"),
        ([claim("a"), claim("b", claim="reputation", service="any", port=0)], E0, "level.one_group"),
        ([claim("a", claim="reputation"), claim("b", claim="reputation")], None, "level.none_fresh"),
        ([claim("a", claim="reputation", first_hand=True)], None, "level.none_fresh"),
        ([claim("a"), claim("b", claim="open_relay", service="smtp", port=25)], E0, "level.one_group"),
        ([claim("a", first_hand=True, hours_ago=100), claim("b")], E0, "level.one_group"),
    ],
)
def test_the_level_follows_from_groups_freshness_and_kind(
    claims: list[Claim], level: EvidenceLevel | None, reason: str
) -> None:
    found = evidence_level(claims, NOW, PROXY)
    assert (found.level, found.reasons[0].code) == (level, reason)


def test_evidence_of_an_address_with_changing_users_ages_in_a_day() -> None:
    claims = [claim("a", hours_ago=24), claim("b", hours_ago=25)]
    assert evidence_level(claims, NOW, PROXY).level is E1
    assert evidence_level(claims, NOW, PROXY, is_dynamic=True).level is E0


def test_quoted_is_the_newest_claim_of_each_feed_port_and_kind() -> None:
    old, new = claim("a", hours_ago=30), claim("a", hours_ago=2, line=9)
    other_port, other_feed = claim("a", hours_ago=3, line=5, port=0), claim("b", hours_ago=1)
    found = evidence_level([old, other_port, new, other_feed], NOW, PROXY)
    assert found.quoted == (other_feed, new, other_port)
    assert found.groups == ("a", "b")


def test_what_does_not_count_is_counted_by_its_reason() -> None:
    claims = [
        claim("a"),
        claim("b", hours_ago=80),
        claim("c", hours_ago=200),
        claim("d", claim="reputation"),
        claim("e", -5),
    ]
    found = evidence_level([*claims, claim("f", hours_ago=90)], NOW, PROXY)
    assert {reason.code: dict(reason.values) for reason in found.reasons} == {
        "level.one_group": {"group": "a"},
        "level.expired": {"claims": 1},
        "level.future": {"claims": 1},
        "level.no_claim_of_topic": {"claims": 1},
        "level.stale": {"claims": 2},
    }


def test_the_order_of_claims_changes_nothing() -> None:
    claims = [
        claim("a", 3),
        claim("b", 2, line=2),
        claim("c", 80),
        claim("a", 3, line=3),
        claim("b", 2, line=4, port=0),
    ]
    assert evidence_level(claims, NOW, PROXY) == evidence_level(claims[::-1], NOW, PROXY)


@pytest.mark.parametrize(
    ("said", "port", "service", "counts"),
    [
        (claim(port=8080), 8080, "http", True),
        (claim(port=8080), 3128, "http", False),
        (claim(port=0), 3128, "http", True),
        (claim(port=0), 0, "http", True),
        (claim(port=8080), 0, "http", False),
        (claim(port=0), 1080, "socks5", False),
        (claim(port=0, claim="http_connect"), 8080, "http", True),
        (claim(port=0, claim="proxy", service="any"), 8080, "http", True),
        (claim(port=0, claim="proxy", service="any"), 1080, "socks4", True),
        (claim(port=0, claim="proxy", service="http"), 1080, "socks4", False),
        (claim(port=0, claim="proxy", service="http"), 8080, "http", True),
        (claim(port=0, claim="proxy", service="any"), 25, "smtp", False),
        (claim(port=0, claim="socks", service="any"), 1080, "socks5", True),
        (claim(port=0, claim="socks", service="any"), 8080, "http", False),
        (claim(port=0), 0, "any", True),
        (claim(port=0, claim="open_relay", service="smtp"), 25, "smtp", False),
        (claim(port=0, claim="reputation", service="any"), 8080, "http", False),
    ],
)
def test_a_claim_speaks_of_its_port_or_of_every_port_with_a_service_of_its_kind(
    said: Claim, port: int, service: str, counts: bool
) -> None:
    assert speaks_of(said, port, service, PROXY) is counts


def test_a_relay_claim_speaks_of_smtp_alone() -> None:
    said = claim(claim="open_relay", service="smtp", port=0)
    assert speaks_of(said, 25, "smtp", RELAY)
    assert not speaks_of(said, 25, "http", RELAY)


@pytest.mark.parametrize(
    ("level", "minimum", "enough"),
    [
        (None, E0, False),
        (E0, E0, True),
        (E0, E1, False),
        (E1, E1, True),
        (E2, E1, True),
        (E3, E1, True),
        (E3, E2, False),
        (E4, E2, True),
    ],
)
def test_a_handshake_is_worth_no_more_than_corroboration(
    level: EvidenceLevel | None, minimum: EvidenceLevel, enough: bool
) -> None:
    assert meets(level, minimum) is enough


def test_a_claim_is_fresh_up_to_the_last_moment_of_its_feeds_lifetime() -> None:
    assert evidence_level([claim(expires_at=NOW + HOUR / 3600)], NOW, PROXY).level is E0
    assert evidence_level([claim(expires_at=NOW)], NOW, PROXY).level is None
