"""Exposure: open on fresh evidence, unlisted only on proof, else unknown; silence is no answer."""

import re
from pathlib import Path

import pytest

from pipeline.data.topic import topics
from pipeline.data.zone import zones
from pipeline.domain import EvidenceLevel, Exposure, Listing, ZoneAnswer
from pipeline.verify.level import Claim, evidence_level
from pipeline.verify.policy import SourceState, best_level, exposure, listing, reachable, standing
from tests.verify.claims import DRONEBL, EFNET, NOW, SPAMCOP, answer, claim, source

E0, E1, E2, E3, E4 = EvidenceLevel
LISTED, NOT_LISTED, UNKNOWN = Listing.LISTED, Listing.NOT_LISTED, Listing.UNKNOWN
PROXY, ZONES = topics()["open_proxy"], zones()


def judged(
    claims: list[Claim], answers: list[ZoneAnswer], sources: list[SourceState], minimum: EvidenceLevel = E1
) -> tuple[Exposure, str]:
    decision = evidence_level(standing(claims, answers, PROXY, ZONES), NOW, PROXY)
    found = exposure(decision, minimum, answers, sources, NOW, PROXY, ZONES)
    assert found.level == decision.level
    return found.exposure, found.reasons[0].code


@pytest.mark.parametrize(
    ("claims", "answers", "sources", "expected"),
    [
        # fresh claims decide, whatever else is not known
        ([claim("a"), claim("b")], [], [source("a", 1)], (Exposure.OPEN, "level.independent_groups")),
        ([claim("a"), claim("b")], [answer(DRONEBL, UNKNOWN)], [], (Exposure.OPEN, "level.independent_groups")),
        ([claim("a")], [], [source("a", 1)], (Exposure.UNKNOWN, "exposure.below_minimum")),
        # stale, but within the source's lifetime
        ([claim("a", 100)], [], [source("a", 100)], (Exposure.UNKNOWN, "exposure.not_lapsed")),
        ([], [], [source("a", claimed=168)], (Exposure.UNKNOWN, "exposure.not_lapsed")),
        # lapsed, and the source has delivered since
        ([claim("a", 200)], [], [source("a", 200)], (Exposure.UNLISTED, "exposure.lapsed")),
        ([], [], [source("a", 168.1, delivered=0.01)], (Exposure.UNLISTED, "exposure.lapsed")),
        ([], [], [source("a", 200), source("b", 100)], (Exposure.UNKNOWN, "exposure.not_lapsed")),
        # a feed that has stopped says nothing
        ([], [], [source("a", 200, delivered=200)], (Exposure.UNKNOWN, "exposure.source_silent")),
        ([], [], [source("a", 200, delivered=40)], (Exposure.UNKNOWN, "exposure.source_silent")),
        ([], [], [source("a", 200, delivered=31)], (Exposure.UNLISTED, "exposure.lapsed")),
        # a zone's word counts at once, its failure never
        ([], [answer(DRONEBL, NOT_LISTED)], [source("a", 200)], (Exposure.UNLISTED, "exposure.lapsed")),
        (
            [],
            [answer(DRONEBL, UNKNOWN, why="SERVFAIL")],
            [source("a", 200)],
            (Exposure.UNKNOWN, "exposure.zone_unknown"),
        ),
        (
            [],
            [answer(DRONEBL, UNKNOWN, why="timeout")],
            [source(DRONEBL, 200)],
            (Exposure.UNKNOWN, "exposure.zone_unknown"),
        ),
        (
            [],
            [answer(DRONEBL, NOT_LISTED)],
            [source(DRONEBL, 200, delivered=200)],
            (Exposure.UNLISTED, "exposure.lapsed"),
        ),
        ([], [answer(DRONEBL, LISTED, "127.0.0.9")], [source("a", 200)], (Exposure.UNKNOWN, "exposure.zone_lists")),
        ([], [answer(DRONEBL, LISTED, "127.0.0.13")], [source("a", 200)], (Exposure.UNLISTED, "exposure.lapsed")),
        ([], [answer(DRONEBL, LISTED, "127.0.0.4")], [source("a", 200)], (Exposure.UNKNOWN, "exposure.zone_unknown")),
        ([], [answer(DRONEBL, LISTED)], [source("a", 200)], (Exposure.UNKNOWN, "exposure.zone_unknown")),
        (
            [],
            [answer("bl.example", LISTED, "127.0.0.2")],
            [source("a", 200)],
            (Exposure.UNKNOWN, "exposure.zone_unknown"),
        ),
        ([], [answer(SPAMCOP, LISTED, "127.0.0.2")], [source("a", 200)], (Exposure.UNLISTED, "exposure.lapsed")),
        # nobody ever said so
        ([], [], [], (Exposure.UNKNOWN, "exposure.never_claimed")),
        ([claim("r", claim="reputation")], [], [], (Exposure.UNKNOWN, "exposure.never_claimed")),
    ],
)
def test_exposure_is_open_on_fresh_evidence_unlisted_on_proof_and_else_unknown(
    claims: list[Claim], answers: list[ZoneAnswer], sources: list[SourceState], expected: tuple[Exposure, str]
) -> None:
    assert judged(claims, answers, sources) == expected


def test_nothing_that_others_say_makes_it_closed() -> None:
    for said in (LISTED, NOT_LISTED, UNKNOWN):
        for hours in (1, 100, 1_000):
            found = judged([claim("a", hours)], [answer(DRONEBL, said, "127.0.0.9")], [source("a", hours)], E0)
            assert found[0] is not Exposure.CLOSED


def test_a_zone_that_has_delisted_withdraws_its_fresh_claim() -> None:
    claims = [claim("a"), claim(DRONEBL, port=0)]
    assert judged(claims, [], [source("a", 1), source(DRONEBL, 1)])[0] is Exposure.OPEN
    gone = answer(DRONEBL, NOT_LISTED)
    assert judged(claims, [gone], [source("a", 1), source(DRONEBL, 1)]) == (Exposure.UNKNOWN, "exposure.below_minimum")
    assert standing(claims, [gone], PROXY, ZONES) == [claims[0]]
    failed = answer(DRONEBL, UNKNOWN)
    assert standing(claims, [failed, answer(EFNET, NOT_LISTED)], PROXY, ZONES) == claims


def test_a_listing_for_another_reason_is_not_a_listing_for_this_topic() -> None:
    assert listing(answer(DRONEBL, LISTED, "127.0.0.13"), PROXY, ZONES) is NOT_LISTED
    assert listing(answer(DRONEBL, LISTED, "127.0.0.13", "127.0.0.8"), PROXY, ZONES) is LISTED
    assert listing(answer(DRONEBL, LISTED, "127.0.0.13", "127.0.0.4"), PROXY, ZONES) is UNKNOWN
    assert listing(answer(DRONEBL, LISTED, "127.0.0.9"), topics()["open_relay"], ZONES) is NOT_LISTED
    assert listing(answer(EFNET, LISTED, "127.0.0.1"), PROXY, ZONES) is LISTED
    assert listing(answer(SPAMCOP, LISTED, "127.255.255.254"), PROXY, ZONES) is UNKNOWN


@pytest.mark.parametrize(
    ("claims", "askable", "level"),
    [
        ([], [], None),
        ([claim("a")], [], E0),
        ([claim("a"), claim("b")], [], E1),
        ([claim("a", group="x"), claim("b", group="x")], [], E0),
        ([claim("a")], [DRONEBL], E1),
        ([claim("a", group="dronebl")], [DRONEBL], E0),
        ([claim("a")], [SPAMCOP], E0),
        ([claim("a", claim="reputation")], [DRONEBL], E0),
        ([], [DRONEBL, EFNET], E1),
        ([claim("a", 100)], [DRONEBL], E1),
        ([claim("a", 200)], [], None),
        ([claim("a", protocol_level=True)], [], E1),
        ([claim("a", protocol_level=True, claim="proxy")], [], E0),
        ([claim("a", first_hand=True)], [], E2),
        ([claim("a", claim="reputation", first_hand=True)], [], None),
    ],
)
def test_a_case_can_reach_what_its_living_claims_and_the_zones_left_to_ask_allow(
    claims: list[Claim], askable: list[str], level: EvidenceLevel | None
) -> None:
    assert best_level(claims, [ZONES[name] for name in askable], PROXY, NOW) is level


def test_only_a_case_that_can_reach_the_minimum_is_worth_a_look_up() -> None:
    assert [reachable(best, E1) for best in (None, E0, E1, E2)] == [False, False, True, True]
    assert reachable(E0, E0)


def test_what_can_be_reached_is_never_less_than_what_is_reached() -> None:
    sets = [
        [claim("a"), claim("b", 70)],
        [claim("a", protocol_level=True)],
        [claim("a", first_hand=True)],
        [claim("a", 71)],
    ]
    for claims in sets:
        level, best = evidence_level(claims, NOW, PROXY).level, best_level(claims, [], PROXY, NOW)
        assert level is not None
        assert best is not None
        assert best >= level


def test_the_reference_explains_every_reason_code_and_no_other() -> None:
    root = Path(__file__).parents[2]
    code = "".join((root / "pipeline" / "verify" / f"{name}.py").read_text() for name in ("level", "policy"))
    used = set(re.findall(r'"((?:level|exposure)\.[a-z_]+)"', code))
    text = (root / "docs" / "reference" / "feeds.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `((?:level|exposure)\.[a-z_]+)` \|", text, re.MULTILINE)) == used
